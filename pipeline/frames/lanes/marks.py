"""Bright lines on the road in one frame: lane lines, and whatever looks like one.

Strategy. A lane line is brighter than the road on both of its sides, about as wide as a twentieth of the
lane, and straight. Along each of some rows the places are found that are brighter than what lies to their
left and right. Those on one straight line are found by the Hough transform and fitted once more.

Frame: pixels are (col, row), centres at whole numbers. A line is col = at_top + slope * row.
"""

from pathlib import Path

import numpy as np

from crackpipe.pipeline.geometry.arrays import Floats, Singles

_ROWS = 80
"""So many rows of a frame are looked at."""
_SHARES = (1 / 150, 1 / 100, 1 / 70, 1 / 48, 1 / 34, 1 / 24)
"""Widths of lines, as shares of a frame's width."""
_LEAST_GREY = 10.0
_MOST_PER_ROW = 8
_MOST_LINES = 8
_LEAST_ROWS = 16
"""A line shows in so many of the rows at least: a fifth of the frame, for broken lines."""
_NEAR_SHARE = 1 / 200
"""A place belongs to a line if it is as near, as a share of the frame's width."""


def lines_of(path: Path) -> Floats:
    """Straight bright lines of a frame, (N, 2) (at_top, slope) in px and px per row; none if it is
    unreadable.
    """
    bright = _bright(path)
    if bright is None:
        return np.empty((0, 2))
    height, width = bright.shape
    rows = np.linspace(0, height - 1, min(_ROWS, height)).round().astype(int)
    col, at = _places(bright[rows])
    row = rows[at].astype(float)
    lines: list[tuple[float, float]] = []
    left = np.ones(len(col), bool)
    while len(lines) < _MOST_LINES:
        found = _line(col[left], row[left], (height, width))
        if found is None:
            break
        near = left & (np.abs(found[0] + found[1] * row - col) <= 2 * _NEAR_SHARE * width)
        left &= ~near
        lines.append(found)
    return np.array(lines).reshape(-1, 2)


def _bright(path: Path) -> Singles | None:
    """A frame's red, in which white and yellow paint are both brighter than a road, float32 (H, W)."""
    from PIL import Image

    try:
        with Image.open(path, formats=("JPEG", "PNG", "TIFF")) as image:
            pixels = np.asarray(image.convert("RGB"))[:, :, 0]
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None  # the frame is told of where its plan view is written
    return pixels.astype(np.float32)


def _places(rows: Singles) -> tuple[Floats, np.ndarray]:
    """Columns, with fractions, and numbers of rows of places in `rows` (R, W) brighter than both sides."""
    from scipy.ndimage import gaussian_filter1d, maximum_filter1d, uniform_filter1d

    width = rows.shape[1]
    best = np.full(rows.shape, -255, np.float32)
    for share in _SHARES:
        size = max(int(share * width) | 1, 3)
        third = max(size // 3, 1)
        part = uniform_filter1d(rows, third, axis=1, mode="nearest")
        # bright in all of its width: else the gap of a double line would be a line
        inside = np.minimum(part, np.minimum(np.roll(part, third, axis=1), np.roll(part, -third, axis=1)))
        side = uniform_filter1d(rows, size, axis=1, mode="nearest")
        step = size + size // 4
        over = inside - np.maximum(np.roll(side, step, axis=1), np.roll(side, -step, axis=1))
        over[:, : step + size // 2] = over[:, width - step - size // 2 :] = -255
        best = np.maximum(best, over)
    # within a line many places are as bright: its middle is meant
    best = gaussian_filter1d(best, width * _SHARES[1] / 2, axis=1)
    apart = max(int(width / 60) | 1, 3)
    peaks = (best == maximum_filter1d(best, apart, axis=1)) & (best >= _LEAST_GREY)
    ranked = np.sort(np.where(peaks, best, -np.inf), axis=1)[:, -_MOST_PER_ROW]
    at, col = np.nonzero(peaks & (best >= ranked[:, None]))
    return col.astype(float), at


def _line(col: Floats, row: Floats, size_px: tuple[int, int]) -> tuple[float, float] | None:
    """The line on which most places (N,) lie, (at_top, slope); None where no line has enough."""
    from skimage.transform import hough_line

    height, width = size_px
    coarse = max(width * _NEAR_SHARE, 1.0)
    shape = int(height / coarse) + 1, int(width / coarse) + 1
    seen = np.zeros(shape, bool)
    seen[(row / coarse).astype(int), (col / coarse).astype(int)] = True
    angles = np.radians(np.linspace(-70, 70, 281))
    votes, _, far = hough_line(seen, theta=angles)
    if votes.max() < _LEAST_ROWS / 4:
        return None
    place, turn = np.unravel_index(int(np.argmax(votes)), votes.shape)
    cos, sin = np.cos(angles[turn]), np.sin(angles[turn])
    slope, at_top = -sin / cos, far[place] / cos * coarse
    for within in (3.0, 1.5, 1.0):
        near = np.abs(at_top + slope * row - col) <= within * coarse
        if len(np.unique(row[near])) < _LEAST_ROWS:
            return None
        slope, at_top = np.polyfit(row[near], col[near], 1)
    return float(at_top), float(slope)
