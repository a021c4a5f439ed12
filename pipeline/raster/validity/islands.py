"""Thin islands without data inside valid pavement are pavement: the floor of a black crack is not a hole.

A file that names black as no data also loses the darkest pixels of its cracks. Both edges of such a hole
would be traced, each at half the width. So what is declared as no data stays so only where it is

    thick      a square of THICK_PX fits in: a collar, a hole cut out. Beyond the image nothing is valid, so a
               wedge along the image's side is as thick as what lies outside and the wedge together
    straight   its long edges both run exactly along rows, or exactly along columns, for STRAIGHT_PX and
               more: a line scanner's dropout, the seam of a mosaic

Everything else is pavement. Lossy compression leaves values near the one that means no data around a collar;
they are no data where they are near to a thick part.

A pixel's answer depends only on pixels within REACH_PX of it, so it is the same in whichever window it is
read.
"""

import numpy as np

from crackpipe.pipeline.raster.validity import spoilt
from crackpipe.pipeline.raster.validity.squares import Bools, all_ahead, any_behind, grown, opened

THICK_PX = 20
"""Side of the smallest square that is a hole: wider than cracks, smaller than a manhole."""
STRAIGHT_PX = 64
"""No edge of a real crack runs along one row of pixels for so long."""
# The rim of a thick part that no square reaches: ragged edges, and the roundest side of a manhole of 30 px.
_RAGGED_PX = 5
# So far beside a lost line nothing is inspected: to the network a thin black line is a crack, and it would
# find the crack's sides there.
_BESIDE_LINE_PX = 2
RIM_PX = max(_BESIDE_LINE_PX, spoilt.RIM_PX)
"""What stays without data takes at most so many pixels around it along."""

REACH_PX = 144


def lasting(missing: Bools, near: Bools | None, sides: tuple[bool, bool, bool, bool]) -> Bools:
    """Where bool (h, w) `missing` stays so, without its thin islands, and what around it is spoilt.

    `near` marks values near no data, or is None where there are none. `sides` says whether the image ends at
    the top, bottom, left and right of the array. At other sides the outermost REACH_PX pixels of the answer
    are not to be used.
    """
    thick = _thick(missing, sides)
    if near is not None:
        thick = grown(spoilt.with_spoilt(thick, missing | near), spoilt.RIM_PX)
    thin = missing & ~thick
    if not thin.any():
        return thick
    return thick | grown(_straight(thin) | _straight(thin.T).T, _BESIDE_LINE_PX)


def _thick(missing: Bools, sides: tuple[bool, bool, bool, bool]) -> Bools:
    pad = THICK_PX
    padded = np.pad(missing, pad)
    top, bottom, left, right = sides
    padded[:pad] |= top
    padded[-pad:] |= bottom
    padded[:, :pad] |= left
    padded[:, -pad:] |= right
    squares = opened(padded, THICK_PX)[pad:-pad, pad:-pad]
    return grown(squares, _RAGGED_PX) & missing


def _straight(thin: Bools) -> Bools:
    """Thin parts between two edges that run along rows."""
    above = np.pad(thin, ((1, 0), (0, 0)))[:-1]
    below = np.pad(thin, ((0, 1), (0, 0)))[1:]
    top, bottom = _long_runs(thin & ~above), _long_runs(thin & ~below)
    if not (top.any() and bottom.any()):
        return np.zeros_like(thin)
    straight = _carried(thin, top) & _carried(thin[::-1], bottom[::-1])[::-1]
    # where another one, or a crack, crosses it
    before = any_behind(straight, THICK_PX, 1)
    after = any_behind(straight[:, ::-1], THICK_PX, 1)[:, ::-1]
    return straight | (thin & before & after)


def _long_runs(edge: Bools) -> Bools:
    """Runs along rows of at least STRAIGHT_PX pixels."""
    return any_behind(all_ahead(edge, STRAIGHT_PX, 1), STRAIGHT_PX, 1)


def _carried(thin: Bools, edge: Bools) -> Bools:
    """Thin pixels less than THICK_PX below an edge of their column, without a gap between."""
    left = np.zeros(thin.shape[1], np.uint8)
    result = np.zeros_like(thin)
    for row in range(len(thin)):
        left = np.where(edge[row], THICK_PX, np.where(thin[row] & (left > 0), left - 1, 0)).astype(np.uint8)
        result[row] = left > 0
    return result
