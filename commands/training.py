"""Train a network and measure it."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from crackpipe.commands.options import FILE, FOLDER
from crackpipe.model.predict.device import PRECISION_WORDS

if TYPE_CHECKING:
    from crackpipe.model.evaluate.evaluation import Evaluation


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
    help="TOML file of all that follows; options go first (docs/training.md).",
)
@click.option(
    "--recipe", type=click.Choice(["ours", "paper"]), help="Values of all not given. Default: ours."
)
@click.option(
    "--classes",
    help="What to tell apart, NAME[:KIND],...; KIND crack, line or area (docs/classes.md). Default: crack.",
)
@click.option("--minutes", type=float, help="Length of the schedule in minutes of training. Default: 60.")
@click.option("--tiles", type=int, help="Length of the schedule in tiles (deterministic).")
@click.option("--epochs", type=float, help="Length in epochs of one tile per photograph (deterministic).")
@click.option("--architecture", type=click.Choice(["lite", "full"]), help="Default: lite.")
@click.option("--init", help="Weights to start from, a name or a file. Default: an encoder from ImageNet.")
@click.option(
    "--learning-rate", type=float, help="At its peak. Default: 1e-3; with --init take less, such as 3e-4."
)
@click.option("--warmup", type=float, help="Share of the schedule before that peak. Default: 0.04.")
@click.option("--loss", type=click.Choice(["bce_dice", "bce_dice_cldice"]), help="Default: bce_dice.")
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
    from crackpipe.pipeline.cluster.gpus import gpu_count
    from crackpipe.pipeline.cluster.local import cpu_count
    from crackpipe.pipeline.errors import UsageError

    try:
        seat = processes.seat_of_torchrun()
        values = recipes.given(options, file)
        values["device"] = resolve_device(values.get("device", "auto"))
        if seat:
            values["processes"] = seat.processes
        here = gpu_count() if values["device"] == "cuda" else cpu_count()
        config = recipes.resolve(values, processes=here)
        written = run_training(config)
    except (ValueError, FileNotFoundError, FileExistsError, DeviceError, WeightsError) as error:
        raise UsageError(str(error)) from error
    if seat is None or seat.rank == 0:
        click.echo(f"Weights: {written}")


@click.command()
@click.argument("data", nargs=-1, required=True, type=FOLDER)
@click.option("--weights", default="lite", show_default=True, help="Name of embedded weights or a file.")
@click.option("--against", help="Other weights, to be compared with on the same photographs.")
@click.option(
    "--part",
    type=click.Choice(["validation", "training", "all"]),
    default="validation",
    show_default=True,
    help="Which photographs; sets of your own are `all`.",
)
@click.option("--validation-share", type=float, default=0.0, help="As given to `crackpipe train`.")
@click.option("--threshold", type=click.FloatRange(0, 1, min_open=True), help="Default: that of the weights.")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), help="Folder for CSV and Markdown.")
@click.option("--plots", is_flag=True, help="Box plots of photographs too, OUT/boxes.png; needs matplotlib.")
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", show_default=True)
@click.option(
    "--precision",
    type=click.Choice(PRECISION_WORDS),
    default="auto",
    help="Arithmetic of the network, and who does it (docs/cpu.md).",
)
def evaluate(data: tuple[Path, ...], out: Path | None, plots: bool, **asked: Any) -> None:
    """Measure weights on DATA: folders with NAME/images and NAME/masks, through the tiling of a survey.

    Without --part all, only photographs that `crackpipe train` keeps from training (docs/training.md).

    \b
    Example:
      crackpipe evaluate my-photographs --part all --weights mine.safetensors --against lite
      crackpipe evaluate my-photographs --part all --out scores --plots
    """
    from crackpipe.model.evaluate import boxplots
    from crackpipe.model.predict.device import DeviceError
    from crackpipe.model.weights.metadata import WeightsError
    from crackpipe.pipeline.errors import UsageError

    if plots and out is None:
        raise UsageError("--plots needs a folder to write to: add --out DIR")
    try:
        if plots:
            boxplots.check_matplotlib()
        first, *others = _evaluated(data, **asked)
    except (ValueError, FileNotFoundError, DeviceError, WeightsError) as error:
        raise UsageError(str(error)) from error
    _tell(first, others, out)
    if out and plots:
        boxplots.write([first, *others], out / "boxes.png")


def _evaluated(
    data: tuple[Path, ...],
    *,
    weights: str,
    against: str | None,
    part: str,
    validation_share: float,
    threshold: float | None,
    device: str,
    precision: str,
) -> "list[Evaluation]":
    """The figures of `weights`, and of those they are to be compared with, on the same photographs."""
    from crackpipe.model.data.pairs import load_pairs
    from crackpipe.model.evaluate.evaluation import evaluate_weights
    from crackpipe.model.predict.predictor import Predictor
    from crackpipe.pipeline.trace.picture import lines_in

    sides = {"validation": (True,), "training": (False,), "all": (True, False)}[part]
    pairs = [
        pair for side in sides for pair in load_pairs(data, validation=side, share_of_others=validation_share)
    ]
    names = [weights, against] if against else [weights]
    # all are loaded before the first works for minutes
    predictors = [Predictor(name, device, precision) for name in names]
    return [evaluate_weights(predictor, pairs, lines_in, threshold) for predictor in predictors]


def _tell(first: "Evaluation", others: "list[Evaluation]", out: Path | None) -> None:
    from crackpipe.model.evaluate import comparison, evaluation

    click.echo(evaluation.markdown(first), nl=False)
    if out:
        evaluation.write(first, out)
    for other in others:
        difference = comparison.markdown(first, other)
        click.echo(f"\n{evaluation.markdown(other)}\n{difference}", nl=False)
        if out:
            evaluation.write(other, out / "against")
            (out / "against" / "difference.md").write_text(difference, encoding="utf-8")
