"""`crackpipe train`: train a network."""

from pathlib import Path
from typing import Any

import click

from crackpipe.commands.options import FILE, FOLDER, check_out, tell_new_names


@click.command()
@click.argument("data", nargs=-1, type=FOLDER)
@click.option(
    "--rendered",
    multiple=True,
    type=FOLDER,
    help="Folder of rendered pairs (`crackpipe sample --kind pairs`). May be repeated.",
)
@click.option("--rendered-share", type=float, help="Share of tiles from rendered pairs, 0 to 1.")
@click.option("--out", type=click.Path(path_type=Path), help="Weights file, .safetensors.")
@click.option(
    "--config",
    "file",
    type=FILE,
    help="TOML file of all that follows; options go first (docs/use/training.md).",
)
@click.option(
    "--recipe", type=click.Choice(["ours", "paper"]), help="Values of all not given. Default: ours."
)
@click.option(
    "--classes",
    help="What to tell apart, NAME[:crack|line|area],... Default: crack (docs/use/classes.md).",
)
@click.option("--minutes", type=float, help="Length of the schedule in minutes of training. Default: 60.")
@click.option("--tiles", type=int, help="Length of the schedule in tiles (deterministic).")
@click.option("--epochs", type=float, help="Length in epochs of one tile per photograph (deterministic).")
@click.option("--architecture", type=click.Choice(["lite", "lite1", "full"]), help="Default: lite.")
@click.option("--init", help="Weights to start from, a name or a file. Default: an encoder from ImageNet.")
@click.option(
    "--teacher",
    help="Weights, a name or a file, whose probabilities it learns beside the labels. Default: none.",
)
@click.option(
    "--learning-rate", type=float, help="At its peak. Default: 1e-3; with --init take less, such as 3e-4."
)
@click.option("--warmup", type=float, help="Share of the schedule before that peak. Default: 0.04.")
@click.option(
    "--loss", type=click.Choice(["bce_dice", "bce_tversky", "bce_dice_cldice"]), help="Default: bce_dice."
)
@click.option(
    "--paste", type=float, help="Share of crack-free tiles that get a real crack, 0 to 1. Default: 0."
)
@click.option("--ema-decay", type=float, help="Of the weights' moving average, per step. Default: 0.998.")
@click.option(
    "--validation-share", type=float, help="Of your own photographs, kept from training. Default: 0."
)
@click.option("--patience", type=int, help="Validations without improvement that end it. Default: no end.")
@click.option("--validations", type=int, help="Validations on the way. Default: 8.")
@click.option("--processes", type=int, help="Training processes. Default: one per core or GPU.")
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), help="Default: auto.")
@click.option("--batch", type=int, help="Tiles per process and step. Default: 4.")
@click.option("--loader-workers", type=int, help="Processes that prepare tiles, per process. Default: 0.")
@click.option("--licence", help="Licence of the weights, written into them.")
@click.option("--seed", type=int, help="Default: 0.")
@click.option("--resume", is_flag=True, default=None, help="Go on from the last checkpoint.")
def train(file: Path | None, **options: Any) -> None:
    """Train the network on DATA: folders with NAME/images and NAME/masks.

    \b
    Example:
      crackpipe train my-photographs --rendered pairs --out mine.safetensors --minutes 75
      crackpipe train my-photographs --init lite --learning-rate 3e-4 --out mine.safetensors --minutes 30
      crackpipe train labelled --classes crack,sealed_crack,joint,lane_paint --init lite --out k.safetensors
      crackpipe train --config mine/train.toml --resume
      torchrun --nproc-per-node 4 -m crackpipe train my-photographs --out mine.safetensors --recipe paper
    """
    from crackpipe.model.predict.device import DeviceError
    from crackpipe.model.predict.predictor import resolve_device
    from crackpipe.model.train import processes, recipes
    from crackpipe.model.train.train import train as run_training
    from crackpipe.model.weights.metadata import WeightsError
    from crackpipe.pipeline.cluster.gpus import check_training, gpu_count
    from crackpipe.pipeline.cluster.local import cpu_count
    from crackpipe.pipeline.console.signals import outliving_the_terminal
    from crackpipe.pipeline.errors import MemoryShortError, UsageError

    try:
        seat = processes.seat_of_torchrun()
        values = recipes.given(options, file)
        values["device"] = resolve_device(values.get("device", "auto"))
        if seat:
            values["processes"] = seat.processes
        here = gpu_count() if values["device"] == "cuda" else cpu_count()
        config = recipes.resolve(values, processes=here)
        # torchrun's processes may be on several machines; each one looks for its own GPU
        check_training(seat.local_rank + 1 if seat else config.processes, config.device)
        check_out(config.out, config.folder)
        tell_new_names(config.init)
        with outliving_the_terminal():
            written = run_training(config)
    except (ValueError, FileNotFoundError, FileExistsError, DeviceError, WeightsError) as error:
        raise UsageError(str(error)) from error
    except MemoryError as error:
        raise MemoryShortError(
            f"{str(error) or 'allocation failed'}. Go on from the last checkpoint with --resume and fewer "
            "--processes, or after other programs have ended"
        ) from error
    if seat is None or seat.rank == 0:
        click.echo(f"Weights: {written}")
