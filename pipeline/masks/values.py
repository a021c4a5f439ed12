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

    `probability` is uint8 (classes, h, w), 0..254; `threshold` on the same scale. Returns uint8 (h, w)
    mask, 0 sound or 1 + the index of the most probable class where that reaches the threshold (the lower
    index wins a tie), and uint8 (h, w), the probability of the most probable class: of one class the very
    array that was given.
    """
    if len(probability) == 1:
        return (probability[0] >= threshold).view(np.uint8), probability[0]
    best = probability.max(axis=0)
    mask = np.where(best >= threshold, probability.argmax(axis=0) + 1, 0).astype(np.uint8)
    return mask, best


def of_classes(
    mask: NDArray[np.uint8], probability: NDArray[np.uint8], values: Sequence[int]
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Mask and probability, uint8 (h, w), of the classes with these values of the mask, as if no others were.

    Where another class is, both are 0; where none is, the probability of the most probable class stands,
    whichever that is: the network saw a little of something there, and what runs into it may go on.
    """
    others = ~is_any(mask, [0, NOT_INSPECTED, *values])
    return np.where(others, np.uint8(0), mask), np.where(others, np.uint8(0), probability)


def is_any(mask: NDArray[np.uint8], values: Sequence[int]) -> NDArray[np.bool_]:
    """Where a mask has one of these values; `np.isin` would make eight bytes per pixel on the way."""
    table = np.zeros(256, np.bool_)
    table[list(values)] = True
    return table[mask]
