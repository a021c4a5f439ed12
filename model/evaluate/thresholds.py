"""The threshold that suits some predictions best, and their figures at a threshold."""

from collections.abc import Mapping, Sequence

import numpy as np

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
