"""How far neighbouring frames are off each other, by what both of them show.

Strategy. Of two neighbours the transforms say which ground both show. The inner part of it is cut from the
second frame, put on the first one's pixels, and looked for around its place in the first one (normalised
cross-correlation, Lewis, "Fast normalized cross-correlation", 1995). Where it is found is where the second
frame belongs. A place that is not clearly better than every other, or that lies at the end of the search,
tells nothing.

Frame: pixels are (col, row) here, as `affine` has them; the centre of the first one is at (0.5, 0.5).
"""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
from affine import Affine

from crackpipe.pipeline.geometry.arrays import Bools, Floats, Singles

_SEARCH_M = 0.25
_COARSE_MM = 4.0
_LEAST_PX = 48
_LEAST_INNER_PX = 16
_EDGE_PX = 48
_MOST_SHARE = 0.6
_LEAST_LIKE, _CLEARLY = 0.35, 0.1
_AROUND_PX = 4
# changes of light are slower than this many coarse pixels
_LIGHT_PX = 25


@dataclass(frozen=True, kw_only=True)
class Seam:
    """How the second of two neighbours would have to be moved to fit the first."""

    first: int
    second: int
    shift_px: tuple[float, float]
    """(col, row) in pixels of the first frame; NaN where nothing was found."""
    likeness: float
    """Correlation at the best place, -1 to 1; NaN where nothing was found."""
    is_compared: bool
    """Whether their places say that both show common ground, and both could be read."""


Read = Callable[[Path, int], tuple[Singles, Bools | None] | None]
"""From a frame, and by how much it is shrunk, to grey values (H, W) and which of them are known (None: all).
None where it cannot be read."""
Box = tuple[float, float, float, float]
"""Left, top, right, bottom in pixels."""


def seams_of(
    paths: Sequence[Path],
    transforms: Sequence[Affine],
    size_px: tuple[int, int],
    mm_per_px: float,
    read: Read,
) -> list[Seam]:
    """Compare each frame with the next one in the order driven; all have the `size_px` (height, width).

    `transforms` are from pixels to a plane. `mm_per_px` is the finer of a frame's two scales. `read` gives
    pictures coarsely, a few at a time.
    """
    threads = os.cpu_count() or 1
    grey = lru_cache(maxsize=4 * threads)(lambda path, shrink: _even(read(path, shrink)))

    def seam(first: int) -> Seam:
        nothing = Seam(
            first=first, second=first + 1, shift_px=(np.nan, np.nan), likeness=np.nan, is_compared=False
        )
        between = ~transforms[first] @ transforms[first + 1]
        most_px = _SEARCH_M * 1000 / mm_per_px
        # where neighbours share little by their places, they may share more in truth
        boxes = [_shared(between, size_px), _edge(between, size_px, most_px)]
        found, shrink = None, 1
        for box in filter(None, boxes):
            shrink = _shrink(box, mm_per_px)
            before, after = grey(paths[first], shrink), grey(paths[first + 1], shrink)
            if before is not None and after is not None:
                nothing = replace(nothing, is_compared=True)
                found = _look((before, after), box, between, shrink, most_px / shrink)
            if found is not None:
                break
        if found is None:
            return nothing
        col, row, likeness = found
        return Seam(
            first=first,
            second=first + 1,
            shift_px=(col * shrink, row * shrink),
            likeness=likeness,
            is_compared=True,
        )

    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(seam, range(len(paths) - 1)))


def _shared(between: Affine, size_px: tuple[int, int]) -> Box | None:
    """The box in the first frame around what the second shows too; None where they share too little."""
    from shapely import Polygon, box

    height, width = size_px
    corners = [(0, 0), (width, 0), (width, height), (0, height)]
    both = Polygon([between @ corner for corner in corners]).intersection(box(0, 0, width, height))
    if both.is_empty:
        return None
    left, top, right, bottom = both.bounds
    return None if min(right - left, bottom - top) < _LEAST_PX else (left, top, right, bottom)


def _edge(between: Affine, size_px: tuple[int, int], most_px: float) -> Box | None:
    """The edge of the second frame that is next to the first one, if that is within reach; in its pixels."""
    height, width = size_px
    corners = np.array([between @ corner for corner in [(0, 0), (width, 0), (width, height), (0, height)]])
    left, top = (float(each) for each in corners.min(axis=0))
    right, bottom = (float(each) for each in corners.max(axis=0))
    if abs(between.f) >= abs(between.c):
        top, bottom = (bottom - _EDGE_PX, bottom) if between.f < 0 else (top, top + _EDGE_PX)
        left, right = max(left, 0.0) + most_px / 2, min(right, float(width)) - most_px / 2
    else:
        left, right = (right - _EDGE_PX, right) if between.c < 0 else (left, left + _EDGE_PX)
        top, bottom = max(top, 0.0) + most_px / 2, min(bottom, float(height)) - most_px / 2
    is_near = min(bottom, right) > -most_px and top < height + most_px and left < width + most_px
    return (left, top, right, bottom) if is_near and right - left >= _EDGE_PX <= bottom - top else None


def _shrink(box: Box, mm_per_px: float) -> int:
    """How coarsely pictures are read: to 4 mm at most, and so that a thin overlap keeps pixels enough."""
    left, top, right, bottom = box
    thin = min(right - left, bottom - top)
    return next((by for by in (8, 4, 2) if mm_per_px * by <= _COARSE_MM and thin / by >= 2 * _LEAST_PX), 1)


def read_grey(path: Path, shrink: int) -> tuple[Singles, None] | None:
    """A frame in grey as it is stored (`Read`)."""
    from PIL import Image

    try:
        with Image.open(path, formats=("JPEG", "PNG", "TIFF")) as image:
            width, height = image.size
            # a JPEG is decoded at a half, a quarter or an eighth
            image.draft("L", (width // shrink, height // shrink))
            plain = image if image.mode.startswith(("I", "F")) else image.convert("L")
            pixels = np.asarray(plain, np.float32)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None  # `crackpipe run` tells what is wrong with it
    return shrunk(pixels, round(pixels.shape[1] * shrink / width)), None


def shrunk(pixels: Singles, by: int) -> Singles:
    """Means of squares of `by` x `by` pixels; what does not fill a square is left out."""
    if by <= 1:
        return pixels
    high, wide = pixels.shape[0] // by * by, pixels.shape[1] // by * by
    blocks = pixels[:high, :wide].reshape(high // by, by, wide // by, by)
    return np.asarray(blocks.mean(axis=(1, 3)), np.float32)


def _even(picture: tuple[Singles, Bools | None] | None) -> Singles | None:
    """A picture without its slow changes of light; 0 where it is not known, so that this is like nothing."""
    from scipy.ndimage import uniform_filter

    if picture is None:
        return None
    pixels, known = picture
    if known is None:
        return np.asarray(pixels - uniform_filter(pixels, _LIGHT_PX), np.float32)
    weight = known.astype(np.float32)
    around = uniform_filter(pixels * weight, _LIGHT_PX) / np.maximum(uniform_filter(weight, _LIGHT_PX), 1e-6)
    return np.asarray((pixels - around) * weight, np.float32)


def _look(
    pictures: tuple[Singles, Singles], box: Box, between: Affine, shrink: int, most_px: float
) -> tuple[float, float, float] | None:
    """Shift (col, row) in coarse pixels and likeness of the second frame's part of the box in the first
    one."""
    from scipy.ndimage import map_coordinates
    from skimage.feature import match_template

    first, second = pictures
    height, width = first.shape
    left, top, right, bottom = (each / shrink for each in box)
    # the part lies so far within the first frame that it may move, and no further than the second one reaches
    above, below = _margins(top, bottom, height, most_px)
    before, behind = _margins(left, right, width, most_px)
    rows, cols = (round(top + above), round(bottom - below)), (round(left + before), round(right - behind))
    if min(rows[1] - rows[0], cols[1] - cols[0]) < _LEAST_INNER_PX:
        return None
    reach = int(most_px)
    area = (
        slice(max(rows[0] - reach, 0), min(rows[1] + reach, height)),
        slice(max(cols[0] - reach, 0), min(cols[1] + reach, width)),
    )
    row, col = np.mgrid[rows[0] : min(rows[1], height), cols[0] : min(cols[1], width)]
    scaled = Affine.scale(1 / shrink) @ ~between @ Affine.scale(shrink)
    at_col = scaled.a * (col + 0.5) + scaled.b * (row + 0.5) + scaled.c - 0.5
    at_row = scaled.d * (col + 0.5) + scaled.e * (row + 0.5) + scaled.f - 0.5
    part = map_coordinates(second, [at_row, at_col], order=1, mode="nearest")
    searched = first[area]
    # beside the first frame there is less to search in than is sought
    if part.shape[0] > searched.shape[0] or part.shape[1] > searched.shape[1]:
        return None
    if part.std() == 0 or searched.std() == 0:
        return None
    likeness = match_template(searched, part)
    return _peak(np.asarray(likeness, np.float64), (rows[0] - area[0].start, cols[0] - area[1].start))


def _margins(low: float, high: float, size: int, most_px: float) -> tuple[float, float]:
    """What is cut off both ends of a side so that the rest can move by `most_px` within 0 to `size`.

    At most six tenths of the side are cut off.
    """
    cuts = [max(most_px - room, 0.0) for room in (low, size - high)]
    if low < 0 or high > size:
        return 0.0, 0.0  # an edge that is sought in a frame beside it
    share = min(1.0, _MOST_SHARE * (high - low) / max(sum(cuts), 1e-9))
    return cuts[0] * share, cuts[1] * share


def _peak(likeness: Floats, margins: tuple[int, int]) -> tuple[float, float, float] | None:
    """The best place as (col, row) from where it was expected (`margins`), with its likeness, if it is
    clear.
    """
    row, col = (int(each) for each in np.unravel_index(int(np.argmax(likeness)), likeness.shape))
    best = float(likeness[row, col])
    at_end = row in {0, likeness.shape[0] - 1} or col in {0, likeness.shape[1] - 1}
    elsewhere = likeness.copy()
    elsewhere[
        max(row - _AROUND_PX, 0) : row + _AROUND_PX + 1, max(col - _AROUND_PX, 0) : col + _AROUND_PX + 1
    ] = -1
    if at_end or best < _LEAST_LIKE or best - float(elsewhere.max()) < _CLEARLY:
        return None
    fine_row = row + _top(*likeness[row - 1 : row + 2, col].tolist())
    fine_col = col + _top(*likeness[row, col - 1 : col + 2].tolist())
    return fine_col - margins[1], fine_row - margins[0], best


def _top(before: float, here: float, after: float) -> float:
    """Where the parabola through three values has its top, from the middle one."""
    bend = before - 2 * here + after
    return 0.5 * (before - after) / bend if bend < 0 else 0.0
