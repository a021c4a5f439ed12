"""Two numbers that make probabilities mean what they say: a scale and an offset of the logit.

A training ignores doubtful labels, and Dice drives logits apart. So of pixels at 0.1, half may be crack. On
photographs kept from training, `scale * logit + offset` is fitted to the labels (Platt 1999; with the offset
at 0 it is the temperature of Guo et al. 2017, arXiv 1706.04599). Both numbers go into the last layer: the
network is as fast as before, and the order of pixels by probability stays.
"""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit
from scipy.special import logit as log_odds
from torch import nn

from crackpipe.model.evaluate.predictions import LEVELS, Prediction

Floats = NDArray[np.float64]


def fit(predictions: Sequence[Prediction]) -> tuple[float, float]:
    """Scale and offset of the logit that make the labels most likely.

    Every set with a labelled crack counts the same, whatever its number of pixels. Other sets do not count,
    nor do pixels without a label. The scale is 0 or below where cracks look less probable to the network than
    sound road. Raises ValueError if no set has a labelled crack.
    """
    sound, crack = _shares(predictions)
    logit = logit_of((np.arange(LEVELS) / (LEVELS - 1)).clip(0.25 / LEVELS, 1 - 0.25 / LEVELS))
    design = np.stack([logit, np.ones(LEVELS)])  # (2, levels)

    def unlikelihood(chosen: Floats) -> tuple[float, Floats]:
        score = chosen @ design
        # log(1 + exp(x)) is what a sound pixel costs, and log(1 + exp(-x)) a crack pixel
        cost = sound @ np.logaddexp(0, score) + crack @ np.logaddexp(0, -score)
        return float(cost), design @ ((sound + crack) * probability_of(score) - crack)

    scale, offset = minimize(unlikelihood, np.array([1.0, 0.0]), jac=True, method="BFGS", tol=1e-8).x
    return float(scale), float(offset)


def fold(net: nn.Module, scale: float, offset: float) -> None:
    """Change the last layer of a network of one class, in place: its logit becomes `scale * logit + offset`.

    Raises ValueError for another last layer, and for a scale that is not above 0: the order of pixels would
    turn around.
    """
    if not scale > 0:
        raise ValueError(
            f"the scale of the logit is {scale:.4g}, but must be above 0: leave this network as it is, or "
            "train it longer"
        )
    head = net.head
    last = head[-1] if isinstance(head, nn.Sequential) else head
    if not isinstance(last, nn.Conv2d) or last.bias is None or last.out_channels != 1:
        raise ValueError(
            f"the last layer is {last}: only a convolution to one class with a bias can be calibrated"
        )
    with torch.no_grad():
        last.weight.mul_(scale)
        last.bias.mul_(scale).add_(offset)


def moved(threshold: float, scale: float, offset: float) -> float:
    """The threshold, 0..1, that marks after `fold` what `threshold` marked before.

    It stays off 0 and 1 by 0.0001, which are none: a network that hardly learned may be stretched so far.
    """
    where = float(probability_of(scale * logit_of(np.float64(threshold)) + offset))
    return min(max(where, 1e-4), 1 - 1e-4)


def logit_of(probability: Floats | np.float64) -> Floats:
    """log(p / (1 - p)), of 0 < p < 1."""
    return np.asarray(log_odds(probability))


def probability_of(logit: Floats) -> Floats:
    """The inverse of `logit_of`."""
    return np.asarray(expit(logit))


def _shares(predictions: Sequence[Prediction]) -> tuple[Floats, Floats]:
    """(levels,) pixels of each probability that are labelled sound, and crack; of each set the sum is 1."""
    names = sorted({p.set_name for p in predictions if (p.label == 1).any()})
    if not names:
        raise ValueError("no crack in any validation label: probabilities cannot be calibrated")
    counts = {name: np.zeros((2, LEVELS)) for name in names}
    for p in predictions:
        if p.set_name in counts:
            for value in (0, 1):
                counts[p.set_name][value] += np.bincount(p.probability[p.label == value], minlength=LEVELS)
    sound, crack = sum(each / each.sum() for each in counts.values())
    return sound, crack
