"""How sure a network is of what it responds to, and how familiar a picture is by that.

Of a crack on a road that it knows, a network is soon sure: most pixels with some probability have a high one.
On cracks of a camera that it never saw it hesitates, and part of them stays below the threshold. *Sureness*
is the mean probability of the pixels that it responds to at all. Where it responds to nothing, nothing is
told: a sound road looks like one whose cracks it cannot see.

Two whole numbers of each part of a picture suffice, so the sums do not depend on how it was cut.
"""

import math
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

RESPONDS_FROM = 6
"""Least probability of a pixel that responds, as round(254 p): 0.024."""

LEAST_SHARE = 1e-4
"""Of the inspected pixels must respond; by fewer, a single speck would decide."""

_CERTAIN = 254
_NOT_INSPECTED = 255
_ROWS_AT_ONCE = 256  # so that a large block needs hardly more memory

Response = tuple[int, int]
"""How many pixels respond, and the sum of their probabilities, each as round(254 p)."""

Span = tuple[float, float]
"""Usual and strange sureness of known pictures, 0..1: their median, and what few of them fall below."""


def response(probability: NDArray[np.uint8]) -> Response:
    """Of a part of a picture, uint8 (h, w), round(254 p) or 255 where it was not inspected."""
    pixels = levels = 0
    for row in range(0, len(probability), _ROWS_AT_ONCE):
        rows = probability[row : row + _ROWS_AT_ONCE]
        responding = rows[(rows >= RESPONDS_FROM) & (rows != _NOT_INSPECTED)]
        pixels += responding.size
        levels += int(responding.sum(dtype=np.int64))
    return pixels, levels


def sureness(responses: Iterable[Response], inspected_px: int) -> float | None:
    """Of a picture, 0..1, from the responses of all its parts; None where too little responds."""
    pixels = levels = 0
    for each_pixels, each_levels in responses:
        pixels += each_pixels
        levels += each_levels
    if pixels < max(1, LEAST_SHARE * inspected_px):
        return None
    return levels / pixels / _CERTAIN


def familiarity(sure: float, span: Span) -> float:
    """A sureness as a number in 0..1: 1 from the usual one up, 0.5 at the strange one."""
    return halving(1 / sure, 1 / span[0], 1 / span[1])


def halving(off: float, usual: float, strange: float) -> float:
    """A distance `off` what is known as a number in 0..1: 1 up to the usual one, 0.5 at the strange one.

    From there it falls as it fell between the two: it halves as often as the distance grows by the factor
    `strange / usual`.
    """
    if off <= usual:
        return 1.0
    return math.pow(0.5, math.log(off / usual) / math.log(strange / usual))
