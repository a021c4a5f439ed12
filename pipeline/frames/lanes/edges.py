"""From bright lines of many frames to the two edges of the lane: where they meet, and how far they are apart.

Strategy. The camera is steady and the vehicle keeps to its lane, so lane lines of all frames go through one
point, the vanishing point, however far from the middle of the lane the vehicle is. Most crossings of two
lines of a frame lie around it; it is then fitted to all lines that pass near. Lines through it differ in
one number only, their slope. Of a left and a right edge both slopes change as the vehicle sways, and their
difference stays. So the pair of edges is the difference that most frames show; of several the smallest,
since a double line has an inner edge.

Frame: pixels are (col, row), centres at whole numbers. A line is col = at_top + slope * row.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from crackpipe.pipeline.geometry.arrays import Floats

FEWEST_FRAMES = 8
"""So many frames must show both edges."""
LEAST_SHARE = 0.4
"""So many of the frames with lines on both sides must show the same distance."""
_NEAR_SHARE = 0.03
"""Crossings that lie as near belong together, as a share of the frame's width."""
_ALIKE = 0.04
"""Distances of edges that differ by at most this share are one."""
_NEARLY_AS_MANY = 0.7
_FITS = 6
_LEAST_TURN = 0.35
"""Lines of which one is crossed by the other at a smaller difference of slopes tell little of where."""


@dataclass(frozen=True, kw_only=True)
class Edges:
    """The two edges of a lane in the frames of a steady camera."""

    meet: tuple[float, float]
    """(col, row) of the vanishing point, px."""
    slopes: Floats
    """(K, 2) of the left and the right edge in K frames, px per row; both go through `meet`."""
    looked_at: int
    """Frames that were read."""
    both_sides: int
    """Frames with a line on both sides."""


def edges_of(lines: Sequence[Floats], size_px: tuple[int, int]) -> Edges:
    """The edges from the lines (N, 2) of each frame. `size_px` is (height, width).

    Raises ValueError with a sentence where there are none, or they do not fit each other.
    """
    height, width = size_px
    within = _NEAR_SHARE * width
    meet = _meeting_point(lines, within)
    pencil = [_through(each, meet, within, (height - 1) / 2) for each in lines]
    sided = [each for each in pencil if (each < 0).any() and (each > 0).any()]
    pairs = [
        np.array([(left, right) for left in each[each < 0] for right in each[each > 0]]) for each in sided
    ]
    if len(pairs) < FEWEST_FRAMES:
        raise ValueError(
            f"{len(pairs)} of {len(lines)} frames show a lane line on either side; {FEWEST_FRAMES} are needed"
        )
    apart = _usual(pairs)
    found = []
    for pair in pairs:
        off = np.abs(pair[:, 1] - pair[:, 0] - apart)
        if off.min() <= _ALIKE * apart:
            found.append(pair[off.argmin()])
    if len(found) < max(FEWEST_FRAMES, LEAST_SHARE * len(pairs)):
        raise ValueError(
            f"the edges of the lane are not consistent: of {len(pairs)} frames with lines on either side "
            f"{len(found)} show them as far apart; {max(FEWEST_FRAMES, round(LEAST_SHARE * len(pairs)))} are "
            "needed"
        )
    return Edges(meet=meet, slopes=np.array(found), looked_at=len(lines), both_sides=len(pairs))


def _meeting_point(lines: Sequence[Floats], within: float) -> tuple[float, float]:
    """(col, row) of the point through which most lines go. Raises ValueError."""
    crossings = [_crossings(each) for each in lines if len(each) > 1]
    points = np.concatenate(crossings) if crossings else np.empty((0, 2))
    if len(points) < FEWEST_FRAMES:
        raise ValueError(
            f"{len(points)} pairs of lane lines in {len(lines)} frames; {FEWEST_FRAMES} are needed"
        )
    col, row = _densest(points, 4 * within)
    every = np.concatenate([each for each in lines if len(each)])
    for turn in range(_FITS):
        off = np.abs(every[:, 0] + every[:, 1] * row - col)
        reach = 2 * within if turn == 0 else within
        if turn > 1:
            # three standard deviations, each 1.48 medians: a few strange lines do not count
            reach = min(reach, 4.45 * float(np.median(off[off <= within])))
        near = every[off <= reach]
        if len(near) < FEWEST_FRAMES or np.ptp(near[:, 1]) < _LEAST_TURN:
            raise ValueError("lane lines of the frames do not meet in one point")
        # all lines go through (col, row): at_top = col - row * slope
        slope, col = np.polyfit(near[:, 1], near[:, 0], 1)
        row = -slope
    return float(col), float(row)


def _crossings(lines: Floats) -> Floats:
    """(col, row) of crossings (M, 2) of the lines (N, 2) of one frame."""
    first, second = np.triu_indices(len(lines), 1)
    turn = lines[second, 1] - lines[first, 1]
    clear = np.abs(turn) >= _LEAST_TURN
    first, second, turn = first[clear], second[clear], turn[clear]
    row = -(lines[second, 0] - lines[first, 0]) / turn
    return np.column_stack([lines[first, 0] + lines[first, 1] * row, row])


def _densest(points: Floats, within: float) -> tuple[float, float]:
    """The mean of the points (N, 2) around the one that has most others near it."""
    from scipy.spatial import cKDTree

    tree = cKDTree(points)
    near = tree.query_ball_point(points, within)
    most = max(near, key=len)
    col, row = np.median(points[most], axis=0)
    return float(col), float(row)


def _through(lines: Floats, meet: tuple[float, float], within: float, middle_row: float) -> Floats:
    """Slopes of the lines (N, 2) that pass near the point, as if they went through it."""
    col, row = meet
    near = lines[np.abs(lines[:, 0] + lines[:, 1] * row - col) <= within]
    # a line is known best at the middle of the frame
    return np.asarray((near[:, 0] + near[:, 1] * middle_row - col) / (middle_row - row), np.float64)


def _usual(pairs: Sequence[Floats]) -> float:
    """The difference of slopes that most frames show; of several the smallest that nearly as many show."""
    apart = [pair[:, 1] - pair[:, 0] for pair in pairs]
    tried = np.sort(np.concatenate(apart))
    shown = np.zeros(len(tried))
    for each in apart:
        shown += (np.abs(each[None, :] - tried[:, None]) <= _ALIKE / 2 * tried[:, None]).any(axis=1)
    first = int(np.nonzero(shown >= _NEARLY_AS_MANY * shown.max())[0][0])
    # the best of its surroundings
    around = np.abs(tried - tried[first]) <= _ALIKE * tried[first]
    best = tried[around][np.argmax(shown[around])]
    return float(best)
