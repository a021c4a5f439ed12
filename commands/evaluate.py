"""`crackpipe evaluate`: measure weights on labelled photographs."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from crackpipe.commands.options import FOLDER, tell_new_names
from crackpipe.model.predict.device import PRECISION_WORDS

if TYPE_CHECKING:
    from crackpipe.model.evaluate.judge import Evaluation


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
@click.option(
    "--gsd",
    "gsd_mm",
    type=click.FloatRange(0, min_open=True),
    metavar="MM",
    help="GSD of the photographs, mm/px: decides on coarse looks. Default: that of the weights.",
)
@click.option("--threshold", type=click.FloatRange(0, 1, min_open=True), help="Default: that of the weights.")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), help="Folder for CSV and Markdown.")
@click.option("--plots", is_flag=True, help="Box plots of photographs too, OUT/boxes.png; needs matplotlib.")
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", show_default=True)
@click.option(
    "--precision",
    type=click.Choice(PRECISION_WORDS),
    default="auto",
    help="Arithmetic of the network, and who does it (docs/use/cpu.md).",
)
def evaluate(data: tuple[Path, ...], out: Path | None, plots: bool, **asked: Any) -> None:
    """Measure weights on DATA: folders with NAME/images and NAME/masks, through the tiling of a survey.

    Without --part all, only photographs that `crackpipe train` keeps from training (docs/use/training.md).

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
    gsd_mm: float | None,
    device: str,
    precision: str,
) -> "list[Evaluation]":
    """The figures of `weights`, and of those they are to be compared with, on the same photographs."""
    from crackpipe.model.data.pairs import load_pairs
    from crackpipe.model.evaluate.judge import evaluate_weights
    from crackpipe.model.predict.predictor import Predictor
    from crackpipe.pipeline.tasks.picture import lines_in

    sides = {"validation": (True,), "training": (False,), "all": (True, False)}[part]
    pairs = [
        pair for side in sides for pair in load_pairs(data, validation=side, share_of_others=validation_share)
    ]
    names = [weights, against] if against else [weights]
    tell_new_names(*names)
    # all are loaded first, so that a wrong name fails at once and not after minutes
    predictors = [Predictor(name, device, precision) for name in names]
    return [
        evaluate_weights(predictor, pairs, lines_in, threshold, gsd_mm=gsd_mm) for predictor in predictors
    ]


def _tell(first: "Evaluation", others: "list[Evaluation]", out: Path | None) -> None:
    from crackpipe.model.evaluate import comparison, table

    click.echo(table.markdown(first), nl=False)
    if out:
        table.write(first, out)
    for other in others:
        difference = comparison.markdown(first, other)
        click.echo(f"\n{table.markdown(other)}\n{difference}", nl=False)
        if out:
            table.write(other, out / "against")
            (out / "against" / "difference.md").write_text(difference, encoding="utf-8")
