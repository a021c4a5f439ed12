"""What the numbers in a mask mean, and how probabilities become them."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

CERTAIN = 254
"""Value of `probability` that means 1."""
NOT_INSPECTED = 255
"""Value of both arrays where the road was not seen."""


def level_of(probability: float) -> int:
    """The least value that reaches a probability of 0..1."""
    return math.ceil(CERTAIN * probability)


def classify(probability: NDArray[np.uint8], threshold: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Class index and its probability from the probabilities of all classes.

    `probability` is uint8 (classes, h, w), 0..254; `threshold` is on the same scale. Returns two arrays,
    uint8 (h, w). The first is the mask: 1 + the index of the most probable class where its probability
    reaches the threshold, else 0 for sound. The lower index wins a tie. The second is the probability of the
    most probable class. If there is one class only, it shares the memory of `probability`.
    """
    if len(probability) == 1:
        return (probability[0] >= threshold).view(np.uint8), probability[0]
    best = probability.max(axis=0)
    mask = np.where(best >= threshold, probability.argmax(axis=0) + 1, 0).astype(np.uint8)
    return mask, best


def of_classes(
    mask: NDArray[np.uint8], probability: NDArray[np.uint8], values: Sequence[int]
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Mask and probability, uint8 (h, w), as if there were only the classes with these values in the mask.

    Both are 0 where the mask has another class. Where it has no class, the probability stays, whichever class
    it is of: the network saw a little of something there, and a line may be continued through it.
    """
    others = ~is_any(mask, [0, NOT_INSPECTED, *values])
    return np.where(others, np.uint8(0), mask), np.where(others, np.uint8(0), probability)


def is_any(mask: NDArray[np.uint8], values: Sequence[int]) -> NDArray[np.bool_]:
    """Where a mask has one of these values. `np.isin` is not used, as it needs eight bytes per pixel."""
    table = np.zeros(256, np.bool_)
    table[list(values)] = True
    return table[mask]
