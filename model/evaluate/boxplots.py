"""Box plots of an evaluation. A table shows the sum over a set's photographs, a box how they spread.

A box reaches from the first to the third quartile of the photographs, its line is the median, its whiskers
end at the farthest photograph within 1.5 times the box, and every photograph is a dot. Needs matplotlib.
"""

import importlib.util
import math
from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from crackpipe.model.data.pairs import photograph_of
from crackpipe.model.evaluate import metrics
from crackpipe.model.evaluate.judge import Evaluation, Picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PANELS = {"iou": "IoU", "f1_2px": "F1 (2 px)", "cldice": "clDice", "false_share": "false pixels, %"}
_COLOURS = ("#4477aa", "#ee6677")  # of Paul Tol's bright scheme, told apart by colour-blind eyes
_WIDTH = 0.7


def check_matplotlib() -> None:
    """Raise ValueError if matplotlib is not installed, so that no evaluation is run in vain."""
    if importlib.util.find_spec("matplotlib") is None:
        raise ValueError("box plots need matplotlib: pip install 'crackpipe[plots]', or leave out --plots")


def per_photograph(pictures: Sequence[Picture], figure: str) -> dict[str, list[float]]:
    """Values of a figure for each set, one a photograph, in the order of names; its crops are pooled first.

    `false_share` is in percent; it is the only figure that a photograph without a labelled crack has.
    """

    def photograph(picture: Picture) -> tuple[str, str]:
        return picture.set_name, photograph_of(picture.set_name, picture.stem)

    values: dict[str, list[float]] = {}
    for (set_name, _), crops in groupby(sorted(pictures, key=photograph), key=photograph):
        counts = sum((crop.counts for crop in crops), metrics.Counts())
        if figure != "false_share" and counts.labelled_px == 0:
            continue
        value = getattr(metrics.scores(counts), figure) * (100 if figure == "false_share" else 1)
        if not math.isnan(value):
            values.setdefault(set_name, []).append(value)
    return values


def write(evaluations: Sequence[Evaluation], file: Path) -> None:
    """A PNG of one panel per figure and one box per set, of two evaluations side by side."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    names = list(evaluations[0].sets)
    picture = Figure(figsize=(3 + 1.1 * len(names), 11), layout="constrained")
    FigureCanvasAgg(picture)
    for axes, figure in zip(picture.subplots(len(PANELS), 1, sharex=True), PANELS, strict=True):
        for number, evaluation in enumerate(evaluations):
            _draw(axes, per_photograph(evaluation.pictures, figure), names, number, len(evaluations))
        axes.set_ylabel(PANELS[figure])
        axes.grid(axis="y", alpha=0.3)
        if figure == "false_share":  # from a few pixels to some percent; 0 must show as well
            axes.set_yscale("symlog", linthresh=0.01)
            axes.set_ylim(bottom=0)
        else:
            axes.set_ylim(-0.02, 1.02)
    axes.set_xticks(range(len(names)), names, rotation=30, ha="right")
    for number, evaluation in enumerate(evaluations):
        axes.plot([], [], color=_COLOURS[number], linewidth=6, label=evaluation.weights)
    picture.legend(loc="outside upper center")
    # the library's version would make files differ
    picture.savefig(file, dpi=100, metadata={"Software": None})


def _draw(
    axes: "Axes", values: Mapping[str, list[float]], names: Sequence[str], number: int, of: int
) -> None:
    width = _WIDTH / of
    for place, name in enumerate(names):
        if not (found := values.get(name)):
            continue
        middle = place + (number - (of - 1) / 2) * width
        axes.boxplot(
            [found],
            positions=[middle],
            widths=[0.8 * width],
            showfliers=False,  # every photograph has a dot already
            patch_artist=True,
            boxprops={"facecolor": _COLOURS[number], "alpha": 0.35},
            medianprops={"color": "black"},
        )
        # dots lie side by side in a fixed pattern: random places would make files differ
        spread = [middle + 0.5 * width * ((7 * k) % 11 / 10 - 0.5) for k in range(len(found))]
        axes.plot(spread, found, ".", markersize=3, color=_COLOURS[number])
