"""Does a probability of 0.7 mean that 7 of 10 such pixels are crack?

Legend: N pixels, sorted by their probability p into ten bins of width 0.1; in bin b lie n_b pixels of mean
probability p_b, of which the share y_b is labelled crack.
Reliability error: sum n_b/N |y_b - p_b| (expected calibration error; Guo et al. 2017, arXiv 1706.04599,
eq. 3).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from crackpipe.model.evaluate.predictions import LEVELS, Prediction

BINS = 10

SEEN_FROM = 0.1
"""From this probability on, the network saw something in a pixel. Most pixels are sound and have a
probability near 0, so over all pixels even a network that finds nothing has a small error."""


@dataclass(frozen=True, kw_only=True)
class Reliability:
    """What the probabilities of some photographs were worth."""

    error: float
    """Reliability error over all inspected pixels, 0..1."""
    error_where_seen: float
    """The same over pixels of probability `SEEN_FROM` and more; NaN without any."""
    probability: NDArray[np.float64]
    """(10,) p_b; NaN in an empty bin."""
    labelled: NDArray[np.float64]
    """(10,) y_b; NaN in an empty bin."""
    pixels: NDArray[np.int64]
    """(10,) n_b."""


def reliability(predictions: Sequence[Prediction]) -> Reliability:
    """Pool the inspected pixels of all photographs.

    Pixels are counted for each of the 255 levels of probability first, and the levels then sorted into bins.
    """
    cracked, all_px = np.zeros(LEVELS, np.int64), np.zeros(LEVELS, np.int64)
    for p in predictions:
        cracked += np.bincount(p.probability[p.label == 1], minlength=LEVELS)[:LEVELS]
        all_px += np.bincount(p.probability[p.label <= 1], minlength=LEVELS)[:LEVELS]
    level = np.arange(LEVELS) / (LEVELS - 1)
    bin_of = np.minimum((level * BINS + 1e-9).astype(int), BINS - 1)
    pixels = np.bincount(bin_of, all_px, BINS)
    summed = np.bincount(bin_of, all_px * level, BINS)
    labelled = np.bincount(bin_of, cracked, BINS)
    gap = np.abs(labelled - summed)  # n_b |y_b - p_b|
    seen = slice(round(SEEN_FROM * BINS), None)
    with np.errstate(invalid="ignore"):
        return Reliability(
            error=float(gap.sum() / pixels.sum()),
            error_where_seen=float(gap[seen].sum() / pixels[seen].sum()),
            probability=summed / pixels,
            labelled=labelled / pixels,
            pixels=pixels.astype(np.int64),
        )
