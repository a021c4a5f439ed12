"""The threshold that suits some predictions best, and their figures at a threshold."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from skimage.morphology import skeletonize

from crackpipe.model.data.pairs import IGNORE
from crackpipe.model.evaluate import metrics
from crackpipe.model.evaluate.predictions import LEVELS, Prediction
from crackpipe.model.predict.predictor import PROBABILITY_SCALE


def best_threshold(predictions: Sequence[Prediction]) -> float:
    """The probability, 0..1, from which calling a pixel crack gives the greatest mean IoU over the sets.

    The IoU of a set is pooled over its photographs. A set without a labelled crack has no IoU and is left
    out. Of equally good thresholds the lowest is taken. Raises ValueError if no set has a labelled crack.
    """
    names = sorted({p.set_name for p in predictions if (p.label == 1).any()})
    if not names:
        raise ValueError("no crack in any validation label: a threshold cannot be chosen")
    # For every level at once: count the pixels of each probability, then sum the counts from the highest
    # probability downwards. The sum at t is the number of pixels called crack at level t.
    mean_iou = np.zeros(LEVELS)
    for name in names:
        hits, misses = np.zeros(LEVELS), np.zeros(LEVELS)
        for p in predictions:
            if p.set_name == name:
                hits += np.bincount(p.probability[p.label == 1], minlength=LEVELS)[:LEVELS]
                misses += np.bincount(p.probability[p.label == 0], minlength=LEVELS)[:LEVELS]
        found = hits[::-1].cumsum()[::-1]  # found[t] = labelled pixels with probability >= t
        false = misses[::-1].cumsum()[::-1]
        mean_iou += found / (hits.sum() + false) / len(names)
    level = 1 + int(np.argmax(mean_iou[1:]))  # not level 0, which calls everything crack
    return (
        level - 0.5
    ) / PROBABILITY_SCALE  # half-way between two levels, where rounding of the threshold changes nothing


LINE_THRESHOLDS = (0.01, 0.02, 0.03, *(round(0.05 * step, 2) for step in range(1, 20)))
"""What `best_line_threshold` tries. Thinning is slow, and between two of these line F1 hardly moves."""


_AS_GOOD = 0.002
"""A difference of line F1 that means nothing: trainings with another seed differ by more."""


def best_line_threshold(predictions: Sequence[Prediction]) -> float:
    """The one of `LINE_THRESHOLDS` that gives the greatest mean line F1 over the sets.

    For labels that are wider than cracks: there the greatest IoU asks for masks as wide as the labels, and so
    for a threshold at which much else is crack. Of thresholds that are as good within 0.002 the highest is
    taken: it finds least on sound road, which line F1 does not count. Sets are treated as in
    `best_threshold`. Raises ValueError if no set has a labelled crack.
    """
    return highest_as_good(line_f1_by_threshold(predictions))


def highest_as_good(f1: NDArray[np.float64]) -> float:
    """The highest of `LINE_THRESHOLDS` whose line F1, in `f1` (thresholds,), is greatest within 0.002."""
    return LINE_THRESHOLDS[int(np.flatnonzero(f1 >= f1.max() - _AS_GOOD)[-1])]


def line_f1_by_threshold(predictions: Sequence[Prediction]) -> NDArray[np.float64]:
    """Mean line F1 over the sets at each of `LINE_THRESHOLDS`: float64 of their number, 0..1.

    Raises ValueError if no set has a labelled crack.
    """
    names = sorted({p.set_name for p in predictions if (p.label == 1).any()})
    if not names:
        raise ValueError("no crack in any validation label: a threshold cannot be chosen")
    pooled = {name: [metrics.Counts()] * len(LINE_THRESHOLDS) for name in names}
    for p in predictions:
        if p.set_name in pooled:
            counts = zip(pooled[p.set_name], _line_counts(p), strict=True)
            pooled[p.set_name] = [before + more for before, more in counts]
    f1 = [[metrics.scores(one).f1_line for one in pooled[name]] for name in names]
    return np.asarray(np.mean(f1, axis=0))


def _line_counts(p: Prediction) -> list[metrics.Counts]:
    """The counts of lines of one photograph at each of `LINE_THRESHOLDS`; all others are 0."""
    inspected = p.label != IGNORE
    spine = skeletonize(p.label == 1, method="zhang")
    near = metrics.within(spine, metrics.LINE_TOLERANCE_PX)
    masks = (p.probability >= np.ceil(PROBABILITY_SCALE * threshold) for threshold in LINE_THRESHOLDS)
    lines = (skeletonize(mask, method="zhang") for mask in masks)
    return [metrics.count_lines(line, spine, near, inspected) for line in lines]


THRESHOLDS_BY = {"iou": best_threshold, "lines": best_line_threshold}


def score_sets(
    predictions: Sequence[Prediction], threshold: float, *, centreline: bool = False
) -> Mapping[str, metrics.Scores]:
    """Pooled figures of every set, by its name. A pixel is crack if `probability >= ceil(254 threshold)`."""
    level = int(np.ceil(PROBABILITY_SCALE * threshold))
    pooled: dict[str, metrics.Counts] = {}
    for p in predictions:
        counts = metrics.count(p.probability >= level, p.label, centreline=centreline)
        pooled[p.set_name] = pooled.get(p.set_name, metrics.Counts()) + counts
    return {name: metrics.scores(pooled[name]) for name in sorted(pooled)}
