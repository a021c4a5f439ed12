"""The `crackpipe` command: parse, call, and turn a CrackpipeError into a sentence and an exit code.

Heavy imports stay inside the commands so that `crackpipe --help` answers at once.
"""

import os
import signal
import sys
import threading
import traceback
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any

import click

from crackpipe import __version__

_TERMINATE_WITHIN_S = 8.0


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="crackpipe")
def cli() -> None:
    """Crack maps from survey-vehicle imagery: georeferenced crack lines with widths.

    \b
    Example:
      crackpipe run survey_2025/
    """


@cli.command()
@click.argument("survey", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--out", help="Output folder. Default: SURVEY-cracks beside the survey.")
@click.option("--region", help="File of polygons, in any CRS: only ground inside them is inspected.")
@click.option("--gpus", type=int, help="Use N GPUs, one worker process each.")
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), help="Where the network runs.")
@click.option("--workers", type=int, help="Worker processes on the CPU. Default: one per core.")
@click.option("--scheduler", help="Use a running Dask scheduler, tcp://HOST:PORT.")
@click.option("--serial", is_flag=True, help="Run everything in this process, for debugging.")
@click.option("--weights", help="Name of embedded weights (`crackpipe weights list`) or a file.")
@click.option("--precision", type=click.Choice(["auto", "fp32", "bf16"]), help="Arithmetic of the network.")
@click.option("--batch", type=int, help="Tiles per forward pass.")
@click.option("--halo", "halo_px", type=int, help="Context around each kept core, px.")
@click.option("--threshold", type=float, help="Probability from which a pixel is crack.")
@click.option(
    "--cascade", type=float, metavar="P", help="Look closely only where a cheap look reaches probability P."
)
@click.option("--crs", help="CRS of the tables, e.g. EPSG:25832. Default: the commonest of the survey.")
@click.option("--assume-crs", help="CRS of images that name none, e.g. EPSG:25832.")
@click.option("--assume-gsd", "assume_gsd_mm", type=float, help="GSD, mm/px, of images that have it wrong.")
@click.option("--allow-gsd", is_flag=True, default=None, help="Accept a GSD outside the sensible range.")
@click.option("--verify-inputs", is_flag=True, default=None, help="Know images by their content's hash too.")
@click.option(
    "--config",
    "config_file",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Configuration file. Default: crackpipe.toml in the working folder, if there.",
)
@click.option("--dry-run", is_flag=True, help="Show what would run and why, and stop.")
@click.option(
    "--graph", type=click.Path(path_type=Path), help="With --dry-run: draw the Dask graph, FILE.svg."
)
@click.option("--restart", is_flag=True, help="Do finished images again.")
@click.option("--show-config", is_flag=True, help="Print the resolved configuration and stop.")
def run(survey: tuple[Path, ...], config_file: Path | None, **options: Any) -> None:
    """Map the cracks of SURVEY: a folder, image files, or a .txt list of them.

    Run the same command again after an interruption: only what is missing is done.
    Exit codes: 0 done, 3 done with images in quarantine, 66 no image, 75 output in use, 130/143 interrupted.

    \b
    Example:
      crackpipe run survey_2025/ --gpus 2
      crackpipe run lane1/ lane2/ --out network-cracks --assume-crs EPSG:25832
    """
    from crackpipe.pipeline import config, progress

    flags = {name: options.pop(name) for name in ("serial", "restart", "dry_run", "graph", "show_config")}
    resolved = config.resolve(options, config_file or _default_config_file())
    if flags.pop("show_config"):
        click.echo(config.as_toml(resolved), nl=False)
        return
    progress.talk_to_stderr()
    from crackpipe.pipeline import plan, publish
    from crackpipe.pipeline import run as story

    request = plan.Request(
        sources=tuple(path.absolute() for path in survey),
        out=Path(resolved.out) if resolved.out else _default_out(survey),
        config=resolved,
        serial=flags["serial"],
        restart=flags["restart"],
    )
    if flags["dry_run"]:
        for line in story.dry_run(request, flags["graph"]):
            click.echo(line)
        return
    summary = story.run(request)
    for line in publish.summary_lines(request, summary):
        click.echo(line)
    sys.exit(summary.exit_code)


def _default_config_file() -> Path | None:
    file = Path("crackpipe.toml")
    return file if file.is_file() else None


def _default_out(survey: tuple[Path, ...]) -> Path:
    if len(survey) > 1:
        raise click.UsageError("several SURVEY arguments need --out DIR, the folder for the common result")
    path = survey[0].absolute()
    name = path.name if path.is_dir() else path.stem
    return path.with_name(f"{name}-cracks")


@cli.command()
@click.argument("out", type=click.Path(path_type=Path, exists=True, file_okay=False))
def status(out: Path) -> None:
    """Tell how far the run that writes into OUT has come, and what is in quarantine.

    \b
    Example:
      crackpipe status survey_2025-cracks
    """
    from crackpipe.pipeline import status as report

    for line in report.status_lines(out):
        click.echo(line)


@cli.command()
@click.argument("out", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--repair", is_flag=True, help="Let the next run do damaged images and tables again.")
def verify(out: Path, repair: bool) -> None:
    """Compare every file of OUT with what was written, and decode every chunk of masks.zarr.

    Exit codes: 0 sound, 74 damaged or missing files, 75 a run is at work.

    \b
    Example:
      crackpipe verify survey_2025-cracks
    """
    from crackpipe.pipeline import verify as examination
    from crackpipe.pipeline.shown import shown

    found = examination.verify(out, repair=repair)
    for line in examination.lines(found):
        click.echo(shown(line))
    found.raise_if_damaged()


@cli.command("retry-quarantined")
@click.argument("out", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--reason", help="Only images quarantined for this reason, such as worker-died.")
def retry_quarantined(out: Path, reason: str | None) -> None:
    """Let the next run try again the images of OUT that were quarantined while they were worked on.

    Images that were refused when looked at need no retry: every run looks at them anew.

    \b
    Example:
      crackpipe retry-quarantined survey_2025-cracks --reason worker-died
    """
    from crackpipe.pipeline import upkeep
    from crackpipe.pipeline.shown import shown

    for line in upkeep.retry_quarantined(out, reason):
        click.echo(shown(line))


@cli.command()
@click.argument("out", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--removed-images", is_flag=True, help="Also results of images that left the survey.")
def clean(out: Path, removed_images: bool) -> None:
    """Remove unfinished work from OUT; finished images and tables stay.

    \b
    Example:
      crackpipe clean survey_2025-cracks --removed-images
    """
    from crackpipe.pipeline import upkeep
    from crackpipe.pipeline.shown import shown

    for line in upkeep.clean(out, removed_images=removed_images):
        click.echo(shown(line))


@cli.command()
@click.argument("out", type=click.Path(path_type=Path, exists=True, file_okay=False))
def unlock(out: Path) -> None:
    """Free OUT from a run whose machine is gone; refused (75) while that run is alive.

    \b
    Example:
      crackpipe unlock survey_2025-cracks
    """
    from crackpipe.pipeline import lock, upkeep

    click.echo(lock.unlock(upkeep.output_at(out)))


@cli.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.option(
    "--kind",
    type=click.Choice(["demo", "strip", "pairs"]),
    default="demo",
    show_default=True,
    help="demo: a small survey; strip: one long image; pairs: images and masks for training.",
)
@click.option("--size", metavar="WIDTHxLENGTH", help="Size of a strip, px. Default: 4000x20000.")
@click.option("--gsd", "gsd_mm", type=float, help="GSD of a strip, mm/px. Default: 1.")
@click.option("--crs", help="CRS of a strip. Default: EPSG:25832.")
@click.option("--count", default=100, show_default=True, help="Number of pairs.")
@click.option("--classes", is_flag=True, help="Pairs of crack, sealed_crack, joint and lane_paint.")
@click.option("--seed", default=7, show_default=True, help="The same seed gives the same bytes.")
def sample(  # noqa: PLR0917  click passes by keyword
    folder: Path,
    kind: str,
    size: str | None,
    gsd_mm: float | None,
    crs: str | None,
    count: int,
    classes: bool,
    seed: int,
) -> None:
    """Draw pavement with cracks of exactly known position and width into FOLDER.

    FOLDER/survey is what `crackpipe run` takes, FOLDER/truth holds every crack with its width per vertex.

    \b
    Example:
      crackpipe sample demo --kind demo
      crackpipe sample strip --kind strip --size 4000x20000
      crackpipe sample pairs --kind pairs --count 600
    """
    if classes and kind != "pairs":
        raise click.UsageError("--classes is for pairs: add --kind pairs")
    if kind == "pairs":
        from crackpipe.model.render_scenes import write_pairs

        write_pairs(folder, count, seed, with_classes=classes)
        click.echo(f"{count} pairs in {folder}")
        return
    from crackpipe.pipeline import sample as room

    survey = room.write_survey(
        folder,
        seed=seed,
        kind="strip" if kind == "strip" else "demo",
        size_px=_height_width(size),
        gsd_mm=gsd_mm,
        epsg=_epsg(crs),
    )
    click.echo(f"Survey: {survey}")
    click.echo(f"Truth: {folder / 'truth'}")


def _height_width(size: str | None) -> tuple[int, int] | None:
    if size is None:
        return None
    width, _, length = size.partition("x")
    if not (width.isdecimal() and length.isdecimal()):
        raise click.BadParameter(f"{size!r} is not WIDTHxLENGTH in pixels, such as 4000x20000")
    return int(length), int(width)


def _epsg(crs: str | None) -> int | None:
    if crs is None:
        return None
    code = crs.upper().removeprefix("EPSG:")
    if not code.isdecimal():
        raise click.BadParameter(f"{crs!r} is not an EPSG code such as EPSG:25832")
    return int(code)


@cli.command()
@click.argument("out", type=click.Path(path_type=Path, file_okay=False))
@click.option(
    "--run",
    "run_folder",
    required=True,
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Output folder of a finished run.",
)
@click.option(
    "--reviewed",
    required=True,
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Corrected lines with width_mm: GeoPackage, GeoJSON, Shapefile, GeoParquet; any CRS.",
)
@click.option("--layer", help="Layer of that file, where it has several.")
@click.option(
    "--area",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Polygons around what was reviewed. Default: everything the run inspected.",
)
@click.option(
    "--survey",
    multiple=True,
    type=click.Path(path_type=Path, exists=True),
    help="Where the images are now, if not where they were during the run. May be repeated.",
)
@click.option("--name", help="Name of the set, a folder in OUT. Default: that of the survey.")
@click.option("--part", "part_px", default=1024, show_default=True, help="Side of the pictures, px, about.")
@click.option(
    "--default-width",
    "default_width_mm",
    default=2.0,
    show_default=True,
    help="Width of lines without one, mm.",
)
@click.option(
    "--negatives",
    default=0.5,
    show_default=True,
    help="Pictures without a crack per picture with one; those with a removed crack come on top.",
)
@click.option("--edited-only", is_flag=True, help="Only where the lines differ from those of the run.")
def dataset(out: Path, run_folder: Path, survey: tuple[Path, ...], **options: Any) -> None:
    """Turn a finished run and corrected lines into training pairs, OUT/NAME/images and OUT/NAME/masks.

    Open cracks.parquet in your GIS, delete false cracks, draw missing ones (width_mm may stay empty), save.

    \b
    Example:
      crackpipe dataset pairs --run survey_2025-cracks --reviewed cracks.gpkg
      crackpipe train pairs --init lite --learning-rate 3e-4 --out mine.safetensors --minutes 30
    """
    from crackpipe.pipeline import dataset as room
    from crackpipe.pipeline import progress

    progress.talk_to_stderr()
    request = room.DatasetRequest(
        out=out, run=run_folder, survey=tuple(path.absolute() for path in survey), **options
    )
    for line in room.summary_lines(room.write_dataset(request)):
        click.echo(line)


@cli.command()
@click.argument("data", nargs=-1, type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option(
    "--rendered",
    multiple=True,
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Folder of rendered pairs (`crackpipe sample --kind pairs`). May be repeated.",
)
@click.option("--rendered-share", type=float, help="Share of tiles from rendered pairs, 0 to 1.")
@click.option("--out", type=click.Path(path_type=Path), help="Weights file, .safetensors.")
@click.option(
    "--config",
    "file",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
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
    from crackpipe.model import processes, recipes
    from crackpipe.model.predict import DeviceError, resolve_device
    from crackpipe.model.train import train as run_training
    from crackpipe.model.weights_metadata import WeightsError
    from crackpipe.pipeline.cluster import cpu_count, gpu_count
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


@cli.command()
@click.argument(
    "data", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True, file_okay=False)
)
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
    type=click.Choice(["auto", "fp32", "bf16"]),
    default="auto",
    help="Arithmetic of the network.",
)
def evaluate(  # noqa: PLR0917  click passes by keyword
    data: tuple[Path, ...],
    weights: str,
    against: str | None,
    part: str,
    validation_share: float,
    threshold: float | None,
    out: Path | None,
    plots: bool,
    device: str,
    precision: str,
) -> None:
    """Measure weights on DATA: folders with NAME/images and NAME/masks, through the tiling of a survey.

    Without --part all, only photographs that `crackpipe train` keeps from training (docs/training.md).

    \b
    Example:
      crackpipe evaluate my-photographs --part all --weights mine.safetensors --against lite
      crackpipe evaluate my-photographs --part all --out scores --plots
    """
    from crackpipe.model import boxplots, comparison, evaluation
    from crackpipe.model.datasets import load_pairs
    from crackpipe.model.predict import DeviceError, Predictor
    from crackpipe.model.weights_metadata import WeightsError
    from crackpipe.pipeline.errors import UsageError

    if plots and out is None:
        raise UsageError("--plots needs a folder to write to: add --out DIR")
    try:
        if plots:
            boxplots.check_matplotlib()
        sides = {"validation": (True,), "training": (False,), "all": (True, False)}[part]
        pairs = [
            pair
            for side in sides
            for pair in load_pairs(data, validation=side, share_of_others=validation_share)
        ]
        names = [weights, against] if against else [weights]
        predictors = [Predictor(name, device, precision) for name in names]
        first, *others = [evaluation.evaluate_weights(one, pairs, threshold) for one in predictors]
    except (ValueError, FileNotFoundError, DeviceError, WeightsError) as error:
        raise UsageError(str(error)) from error
    click.echo(evaluation.markdown(first), nl=False)
    if out:
        evaluation.write(first, out)
    for other in others:
        difference = comparison.markdown(first, other)
        click.echo(f"\n{evaluation.markdown(other)}\n{difference}", nl=False)
        if out:
            evaluation.write(other, out / "against")
            (out / "against" / "difference.md").write_text(difference, encoding="utf-8")
    if out and plots:
        boxplots.write([first, *others], out / "boxes.png")


@cli.command()
@click.argument("survey", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--out",
    default="crackpipe.toml",
    show_default=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="Configuration file to write into; what else it holds stays, and applies.",
)
@click.option("--places", default=40, show_default=True, type=click.IntRange(1), help="Blocks to look at.")
@click.option("--weights", help="Weights that find the cracks: a name or a file.")
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), help="Where the network runs.")
@click.option("--assume-crs", help="CRS of images that name none, e.g. EPSG:25832.")
@click.option("--assume-gsd", "assume_gsd_mm", type=float, help="GSD, mm/px, of images that have it wrong.")
@click.option("--allow-gsd", is_flag=True, default=None, help="Accept a GSD outside the sensible range.")
def calibrate(survey: tuple[Path, ...], out: Path, places: int, **options: Any) -> None:
    """Measure the camera's blur and how dark its cracks are on images of SURVEY, and write both down.

    Blur comes from straight edges such as lane paint, contrast from cracks of 3 px and more. docs/width.md
    says which images to take.

    \b
    Example:
      crackpipe calibrate survey_2025/
      crackpipe calibrate fresh-paint/ --out crackpipe.toml --places 80
    """
    from crackpipe.pipeline import calibrate as room
    from crackpipe.pipeline import config, progress
    from crackpipe.pipeline.calibrate_file import check_folder, write_values

    resolved = config.resolve(options, out if out.is_file() else None)
    check_folder(out)
    progress.talk_to_stderr()
    found = room.calibrate(survey, resolved, places=places)
    write_values(out, found.values())
    for line in room.lines(found, out):
        click.echo(line)


@cli.command()
@click.argument("survey", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "--json", "json_file", type=click.Path(path_type=Path, dir_okay=False), help="Write the figures."
)
@click.option(
    "--network",
    type=click.Choice(["lite", "full", "one-convolution"]),
    default="lite",
    show_default=True,
    help="one-convolution costs next to nothing and shows the pipeline alone; full is untrained.",
)
@click.option("--masks-only", is_flag=True, help="Without lines, widths and tables.")
@click.option("--rounds", default=3, show_default=True, type=click.IntRange(1), help="Of bare loop and run.")
@click.option("--size", default="4000x10000", show_default=True, help="Of the strip, without SURVEY.")
@click.option("--gpus", type=int, help="Use N GPUs, one worker process each.")
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), help="Where the network runs.")
@click.option("--workers", type=int, help="Worker processes on the CPU. Default: one per core.")
@click.option("--serial", is_flag=True, help="Everything in this process.")
@click.option("--weights", help="Other weights than those of --network: a name or a file.")
@click.option("--precision", type=click.Choice(["auto", "fp32", "bf16"]), help="Arithmetic of the network.")
@click.option("--batch", type=int, help="Tiles per forward pass.")
def benchmark(survey: tuple[Path, ...], json_file: Path | None, **options: Any) -> None:
    """Compare the pipeline with the network alone on SURVEY, or on a strip that is drawn for it.

    \b
    Example:
      crackpipe benchmark survey_2025/ --json figures.json
      crackpipe benchmark --network one-convolution --masks-only
    """
    from crackpipe.pipeline import benchmark as room

    size_px = _height_width(options.pop("size"))
    assert size_px is not None
    report = room.command(survey, size_px, options)
    for line in room.lines(report):
        click.echo(line)
    if json_file:
        room.write_json(report, json_file)


@cli.group()
def weights() -> None:
    """The embedded weights.

    \b
    Example:
      crackpipe weights info lite
    """


@weights.command("list")
def weights_list() -> None:
    """Names of the embedded weights.

    \b
    Example:
      crackpipe weights list
    """
    from crackpipe.model import weights as store

    for name in store.available():
        loaded = store.load(name)
        click.echo(f"{name}\t{loaded.architecture}\t{loaded.licence}")


@weights.command("info")
@click.argument("name", default="lite")
def weights_info(name: str) -> None:
    """Architecture, data, licence and measured accuracy of weights NAME (or a file).

    \b
    Example:
      crackpipe weights info lite
    """
    from crackpipe.model import weights as store

    loaded = store.load(name)
    for key in (
        "name",
        "path",
        "sha256",
        "architecture",
        "classes",
        "kinds",
        "training_gsd_mm",
        "threshold",
        "contrast_c0",
    ):
        click.echo(f"{key}: {getattr(loaded, key)}")
    click.echo(f"parameters: {sum(tensor.numel() for tensor in loaded.build().parameters()):,}")
    click.echo(f"data: {loaded.data}")
    click.echo(f"licence: {loaded.licence}")
    for name_of_set, figures in loaded.metrics.get("validation", {}).items():
        iou, f1 = figures.get("iou"), figures.get("f1_2px")
        click.echo(
            f"validation {name_of_set}: IoU {iou}, F1 (2 px) {f1}, false pixels {figures.get('false_share')}"
        )


@weights.command("import")
@click.argument("checkpoint", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Weights file, .safetensors.")
@click.option("--threshold", type=float, help="Probability from which a pixel is crack. Default: 0.5.")
@click.option("--gsd", "training_gsd_mm", type=float, help="GSD it was trained at, mm/px. Default: 1.")
@click.option("--classes", help="What it tells apart, NAME[:KIND],..., in the order of its channels.")
@click.option("--data", help="What it was trained on.")
@click.option("--licence", help="Licence of the weights.")
def weights_import(checkpoint: Path, out: Path, **described: Any) -> None:
    """Turn CHECKPOINT (.pth of this package or of the authors' code) into a weights file.

    Matrices are stored in 16 bits. A checkpoint says nothing about itself: find the threshold with
    `crackpipe evaluate`.

    \b
    Example:
      crackpipe weights import best_attention.pth --out theirs.safetensors --licence MIT
    """
    from crackpipe.model import class_kinds
    from crackpipe.model import weights as store
    from crackpipe.pipeline.errors import UsageError

    given = {name: value for name, value in described.items() if value is not None}
    try:
        if "classes" in given:
            given["classes"], given["kinds"] = class_kinds.parse(given["classes"])
        made = store.import_checkpoint(checkpoint, out, given)
    except (store.WeightsError, ValueError) as error:
        raise UsageError(str(error)) from error
    click.echo(f"Weights: {out} ({made.architecture}, {len(made.classes)} class(es))")


@cli.command()
def doctor() -> None:
    """Look at this machine: versions, GPUs, cores, memory, disk, and what is missing.

    \b
    Example:
      crackpipe doctor
    """
    from crackpipe.pipeline import doctor as examination

    findings = examination.examine()
    for line in examination.lines(findings):
        click.echo(line)
    sys.exit(0 if all(finding.sound for finding in findings) else 1)


def _bug(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Exit code 70 for what nobody foresaw, with everything a report needs."""
    traceback.print_exception(kind, error, trace)
    print(
        "This is a defect of crackpipe. Please report it with the lines above.", file=sys.stderr, flush=True
    )
    os._exit(70)


def _terminated(_signal: int, _frame: FrameType | None) -> None:
    # Whatever hangs, the process is gone within ten seconds; workers end with it, the lock is freed.
    deadline = threading.Timer(_TERMINATE_WITHIN_S, os._exit, [143])
    deadline.daemon = True
    deadline.start()
    sys.exit(143)  # unwinds through every `with`, so that workers stop and locks are freed


def main() -> None:
    """Entry point: translate errors and signals into exit codes (spec: see `crackpipe run --help`)."""
    from crackpipe.pipeline.errors import CrackpipeError, MemoryShortError
    from crackpipe.pipeline.shown import shown

    sys.excepthook = _bug
    signal.signal(signal.SIGTERM, _terminated)
    try:
        cli.main(standalone_mode=False)
    except click.exceptions.Exit as stop:
        sys.exit(stop.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo("Interrupted. Run the same command again to go on where it stopped.", err=True)
        sys.exit(130)
    except CrackpipeError as error:
        click.echo(f"crackpipe: {shown(str(error))}", err=True)
        sys.exit(error.exit_code)
    except MemoryError as error:
        click.echo(
            f"crackpipe: memory is too short ({error or 'allocation failed'}). Finished images stay: free "
            f"some, or take fewer --workers, then run the same command again.",
            err=True,
        )
        sys.exit(MemoryShortError.exit_code)
