"""Collars that nobody declared: the black or white corners of a turned frame, the margin of a mosaic.

A collar holds a corner of the image, and so does one that holds a whole side. It is black or white within
SPREAD_GREY grey values all over, and it ends in a step. What is no collar, though it may reach a corner:

    a bonnet or a shadow   is black with noise: single brighter pixels lie inside
    glare, a vignette      grows brighter or darker little by little, without a step
    a saturated lane line  is a white strip as wide as paint along a side, or meets a side away from corners

Strategy. Only the four corners of an image are looked at. Most images have none that is black or white, and
that is all they pay. From such a corner the collar is filled (`fill`), then judged as a whole, once more tile
by tile.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from crackpipe.pipeline.geometry.grid import Window
from crackpipe.pipeline.raster.validity.fill import Filled, Tile, fill
from crackpipe.pipeline.raster.validity.reasons import INSPECTED, SPOILT_GREY, ZERO_TAIL
from crackpipe.pipeline.raster.validity.squares import Bools, any_behind, grown

SPREAD_GREY = 3
"""A collar's pixels are no farther from black or from white."""
CORNER_PX = 16
"""A corner is looked at more closely if so many pixels along one of its sides have a collar's colour."""

# At most this share of a collar's pixels may be specks of another colour, this far from it on all sides.
_SPECKS = 0.01
_SPECK_PX = 3
# So many pixels outside a collar the picture must differ from it by this many grey values, along this share
# of its edge.
_STEP_PX = 3
_STEP_GREY = 12
_STEP_SHARE = 0.75
# A collar with a larger share in the zeros at the end of a file is a copy that stopped.
_TAIL_SHARE = 0.9
# Lane lines are 0.1 to 0.3 m wide.
_PAINT_MM = 350.0
_STRIP_SHARE = 0.7
MIXED_PX, SPOILT_RIM_PX = 2, 4
"""Pixels along the edge of a collar that show it and the pavement at once; and where compression is lossy."""
# Lossy compression spoils blocks of 8 px, and of 16 px where it stores colours at half resolution.
_SPOILT_PX = 8
_HOPS = 2
# A pixel's part in the figures depends on pixels no farther away.
_AROUND_PX = 24

Read = Callable[[Window], tuple[NDArray[np.uint8], NDArray[np.uint8]]]
"""A window inside the image -> uint8 RGB (h, w, 3) and reasons (h, w)."""


@dataclass(frozen=True)
class Ground:
    """The image in which collars are looked for."""

    height_px: int
    width_px: int
    gsd_mm: float
    lossy: bool
    """Its compression changes pixels."""
    read: Read


def collars_of(ground: Ground) -> list[Filled]:
    """The collars of an image, one for each that holds corners of its own; most images have none."""
    found: list[Filled] = []
    for corner, white in _suspicious_corners(ground):
        if any(other.holds(*corner) for other in found):
            continue

        def wanted(window: Window, white: bool = white) -> Bools:
            return _alike(*ground.read(window), SPREAD_GREY, white=white)

        filled = fill(corner, ground.height_px, ground.width_px, wanted)
        if _is_collar(filled, ground, white=white):
            found.append(_with_rim(filled, ground, white=white))
    return found


def _suspicious_corners(ground: Ground) -> Iterator[tuple[tuple[int, int], bool]]:
    """Corners (row, col) where a run of black or white begins, and whether it is white."""
    side_px = min(CORNER_PX, ground.height_px, ground.width_px)
    bottom, right = ground.height_px - side_px, ground.width_px - side_px
    for row in sorted({0, bottom}):
        for col in sorted({0, right}):
            rgb, reasons = ground.read(Window(row, col, side_px, side_px))
            for white in (False, True):
                alike = _alike(rgb, reasons, SPREAD_GREY, white=white)
                if alike[0 if row == 0 else -1].all() or alike[:, 0 if col == 0 else -1].all():
                    yield (
                        (0 if row == 0 else ground.height_px - 1, 0 if col == 0 else ground.width_px - 1),
                        white,
                    )


def _alike(rgb: NDArray[np.uint8], reasons: NDArray[np.uint8], spread: int, *, white: bool) -> Bools:
    """Bool (h, w): black or white in all three channels, and not yet known to be something else."""
    # three comparisons are several times as fast as a minimum over the last axis
    near = rgb >= 255 - spread if white else rgb <= spread
    open_ = (reasons == INSPECTED) | (reasons == ZERO_TAIL)
    return np.asarray(near[..., 0] & near[..., 1] & near[..., 2] & open_)


def _is_collar(filled: Filled, ground: Ground, *, white: bool) -> bool:
    if white and _is_paint(filled, ground):
        return False
    figures = np.zeros(5, np.int64)
    for tile in sorted(filled.tiles):
        figures += _figures(filled, tile, ground, white=white)
    count, zeros, specks, edge, steps = figures.tolist()
    is_tail = zeros > _TAIL_SHARE * count
    return not is_tail and specks <= _SPECKS * count and steps >= _STEP_SHARE * edge


def _is_paint(filled: Filled, ground: Ground) -> bool:
    """Whether white is a lane line: a strip as narrow as one, or one that meets a side away from corners.

    A white corner is a triangle, which fills half of the rectangle around it, and touches the sides of the
    image at that corner only.
    """
    around = filled.bounds
    narrow = min(around.height, around.width) * ground.gsd_mm <= _PAINT_MM
    if narrow and filled.count_px >= _STRIP_SHARE * around.height * around.width:
        return True
    height, width = ground.height_px, ground.width_px
    sides = (
        Window(0, 0, 1, width),
        Window(height - 1, 0, 1, width),
        Window(0, 0, height, 1),
        Window(0, width - 1, height, 1),
    )
    along = (pixels.ravel() for side in sides if (pixels := filled.read(side)) is not None)
    return any(line.any() and not line[0] and not line[-1] for line in along)


def _figures(filled: Filled, tile: Tile, ground: Ground, *, white: bool) -> NDArray[np.int64]:
    """Counts in one tile, int64 (5,).

    Pixels of the collar, those of them in the zeros at the end of the file, specks in it, pixels just
    outside, and those of them where there is a step.
    """
    window = filled.window_of(tile)
    outer = window.padded(_AROUND_PX).clipped(ground.height_px, ground.width_px)
    own = filled.read(outer)
    if own is None:
        return np.zeros(5, np.int64)
    rgb, reasons = ground.read(outer)
    specks, whole = _enclosed(own), own
    if ground.lossy:  # what compression left along the edge says nothing of the collar
        specks &= ~grown(~grown(own, _SPECK_PX), _HOPS * _SPOILT_PX)
        whole = _with_spoilt(own, _alike(rgb, reasons, SPOILT_GREY, white=white))
    ring = grown(whole, _STEP_PX) & ~grown(whole, _STEP_PX - 1) & (reasons == INSPECTED)
    other = ring & ~_alike(rgb, reasons, SPREAD_GREY + _STEP_GREY, white=white)
    inner = window.within(outer)
    counted = (own, own & (reasons == ZERO_TAIL), specks, ring, other)
    return np.array([np.count_nonzero(each[inner]) for each in counted], np.int64)


def _enclosed(own: Bools) -> Bools:
    """Pixels outside with the collar within _SPECK_PX above, below, left and right of them."""
    result = ~own
    for axis in (0, 1):
        before = any_behind(own, _SPECK_PX + 1, axis)
        after = np.flip(any_behind(np.flip(own, axis), _SPECK_PX + 1, axis), axis)
        result &= before & after
    return result


def _with_rim(filled: Filled, ground: Ground, *, white: bool) -> Filled:
    """The collar with the pixels around it that are a mixture of collar and pavement.

    A warp mixes the nearest, and lossy compression leaves values near those of the collar farther out.
    """
    rim_px = SPOILT_RIM_PX if ground.lossy else MIXED_PX
    reach_px = _HOPS * _SPOILT_PX + rim_px
    result = Filled(ground.height_px, ground.width_px)
    for tile in filled.around():
        window = filled.window_of(tile)
        outer = window.padded(reach_px).clipped(ground.height_px, ground.width_px)
        own = filled.read(outer)
        if own is None:
            continue
        if ground.lossy:
            own = _with_spoilt(own, _alike(*ground.read(outer), SPOILT_GREY, white=white))
        inner = grown(own, rim_px)[window.within(outer)]
        if inner.any():
            result.put(tile, inner)
    return result


def _with_spoilt(own: Bools, near: Bools) -> Bools:
    """The collar with the near values around it."""
    for _ in range(_HOPS):
        own = own | (grown(own, _SPOILT_PX) & near)
    return own
