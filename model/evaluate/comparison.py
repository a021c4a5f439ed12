"""Two weights on the same photographs: is the difference more than chance?

Two answers are given: the differences of pooled figures with paired bootstrap intervals, and the Wilcoxon
signed-rank test (1945; two-sided) over photographs. The test asks whether the F1 (2 px) of a photograph tends
to be higher with one of the two. A pooled figure weighs photographs by their cracks; the test counts each
once.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.stats import wilcoxon

from crackpipe.model.data.pairs import photograph_of
from crackpipe.model.evaluate.intervals import by_photograph, difference_intervals
from crackpipe.model.evaluate.judge import WITH_INTERVAL, Evaluation, Picture
from crackpipe.model.evaluate.metrics import Counts, scores


@dataclass(frozen=True)
class Difference:
    """First weights minus second, on one set."""

    photographs: int
    """Those with labelled cracks."""
    figures: Mapping[str, tuple[float, float, float]]
    """(difference, low, high) of the figures of `WITH_INTERVAL`; 95 %."""
    p_value: float
    """Of the signed-rank test; 1 where no photograph differs."""


def compare(first: Evaluation, second: Evaluation) -> dict[str, Difference]:
    """The differences by set. Sets without labelled cracks are left out.

    Raises ValueError if the two evaluations are of different pictures.
    """
    if [(p.set_name, p.stem) for p in first.pictures] != [(p.set_name, p.stem) for p in second.pictures]:
        raise ValueError("the two evaluations are of different pictures: run both on the same data")
    found = {}
    for name, score in first.sets.items():
        if score.crack_free < score.pictures:
            ours, theirs = (_of_set(evaluation, name) for evaluation in (first, second))
            found[name] = _difference(ours, theirs)
    return found


def _of_set(evaluation: Evaluation, name: str) -> list[Picture]:
    return [picture for picture in evaluation.pictures if picture.set_name == name]


def _difference(first: list[Picture], second: list[Picture]) -> Difference:
    photographs = [photograph_of(picture.set_name, picture.stem) for picture in first]
    ours, theirs = ([picture.counts for picture in some] for some in (first, second))
    ends = difference_intervals(ours, theirs, photographs, WITH_INTERVAL)
    pooled = [scores(sum(counts, Counts())) for counts in (ours, theirs)]
    single = [
        [scores(one).f1_2px for one in by_photograph(counts, photographs) if one.labelled_px]
        for counts in (ours, theirs)
    ]
    gain = np.array(single[0]) - np.array(single[1])
    return Difference(
        photographs=len(gain),
        figures={f: (getattr(pooled[0], f) - getattr(pooled[1], f), *ends[f]) for f in WITH_INTERVAL},
        p_value=float(wilcoxon(gain).pvalue) if gain.any() else 1.0,
    )


def markdown(first: Evaluation, second: Evaluation) -> str:
    """Table of differences; `first` minus `second`."""
    lines = [
        f"# {first.weights} minus {second.weights}",
        "",
        "In brackets 95 % intervals, paired bootstrap over photographs. p: Wilcoxon signed-rank, F1 (2 px).",
        "",
        "| set | photographs | line F1 (3 px) | F1 (2 px) | IoU | clDice | p |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, found in compare(first, second).items():
        cells = [f"{value:+.3f} ({low:+.3f} to {high:+.3f})" for value, low, high in found.figures.values()]
        lines.append(f"| {name} | {found.photographs} | {' | '.join(cells)} | {found.p_value:.3f} |")
    return "\n".join(lines) + "\n"
