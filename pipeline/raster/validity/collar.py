"""Collars that nobody declared: the black or white corners of a turned frame, the margin of a mosaic.

A collar holds a corner of the image, and so does one that holds a whole side. It is black or white within
SPREAD_GREY grey values all over, it ends in a step of a pixel or two, and beyond its edge there is a picture.
What is no collar, though it may reach a corner:

    a bonnet or a shadow   is black with noise: the brighter pixels in it have edges, but no picture beyond
    an overexposed road    is white with grains and cracks in it, and ends little by little
    glare, a vignette      grows brighter or darker little by little, without a step
    a saturated lane line  is a white strip as wide as paint along a side, or meets a side away from corners

Strategy. Only the four corners of an image are looked at. Most images have none that is black or white, and
that is all they pay. From such a corner the collar is filled (`fill`), then judged as a whole, once more tile
by tile. Any shape will do, since the outline of a mosaic may be ragged: it is judged by what lies along it.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from crackpipe.pipeline.geometry.grid import Window
from crackpipe.pipeline.raster.validity import spoilt
from crackpipe.pipeline.raster.validity.fill import Filled, Tile, fill
from crackpipe.pipeline.raster.validity.reasons import INSPECTED, SPOILT_GREY, ZERO_TAIL
from crackpipe.pipeline.raster.validity.squares import Bools, grown

SPREAD_GREY = 3
"""A collar's pixels are no farther from black or from white."""
CORNER_PX = 32
"""A corner is looked at more closely if so many pixels along one of its sides have a collar's colour. Single
grains of an overexposed road are shorter."""
MIXED_PX = 2
"""Pixels along the edge of a collar that show it and the pavement at once, since a warp mixes the nearest."""

# The step is looked for so many pixels outside the collar, where a warp has mixed nothing any more.
_STEP_PX = 3
# There the picture is farther from black or white than the collar may be by this many grey values, which no
# vignette grows within 3 px,
_STEP_GREY = 6
# and has this share, three fifths, of the distance that the picture around has on average within so many
# pixels. Overexposure fades, so it has less.
_STEP_OF_AROUND = (3, 5)
_AROUND_PX = 8
# So it must be along this share of the outline: beside black there may be dark pavement for a while, but
# beside white nothing is as bright, so that the rule can be strict where roads are overexposed.
_BLACK_STEPS, _WHITE_STEPS = 0.75, 0.92
# Of as many pixels as touch the collar, this share lies _STEP_PX outside it. Along a straight outline it is
# 1, along the most ragged one of a mosaic 0.4; around specks and beyond cracks in overexposed road it is 0.
_PICTURE_SHARE = 0.35
# A collar with a larger share in the zeros at the end of a file is a copy that stopped.
_TAIL_SHARE = 0.9
# Lane lines are 0.1 to 0.3 m wide,
_PAINT_MM = 350.0
# and fill their rectangle, unlike the narrow triangle that a slight turn leaves.
_STRIP_SHARE = 0.7

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
    count, zeros, touching, beyond, steps = figures.tolist()
    return bool(
        zeros <= _TAIL_SHARE * count
        and beyond >= _PICTURE_SHARE * touching
        and steps >= (_WHITE_STEPS if white else _BLACK_STEPS) * beyond
    )


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

    Pixels of the collar, those of them in the zeros at the end of the file, pixels that touch it, pixels
    _STEP_PX outside it, and those of them where there is a step.
    """
    window = filled.window_of(tile)
    outer = window.padded(spoilt.REACH_PX + _AROUND_PX).clipped(ground.height_px, ground.width_px)
    own = filled.read(outer)
    if own is None:
        return np.zeros(5, np.int64)
    rgb, reasons = ground.read(outer)
    whole = own
    if ground.lossy:  # what compression left along the edge says nothing of the collar
        whole = spoilt.with_spoilt(own, _alike(rgb, reasons, SPOILT_GREY, white=white))
    picture = ~whole & (reasons == INSPECTED)
    touching = grown(whole, 1) & picture
    beyond = grown(whole, _STEP_PX) & ~grown(whole, _STEP_PX - 1) & picture
    steps = beyond & _differs(rgb, picture, white=white)
    inner = window.within(outer)
    counted = (own, own & (reasons == ZERO_TAIL), touching, beyond, steps)
    return np.array([np.count_nonzero(each[inner]) for each in counted], np.int64)


def _differs(rgb: NDArray[np.uint8], picture: Bools, *, white: bool) -> Bools:
    """Where (h, w) the grey value is far from black or white, also by the measure of the picture around.

    Counted in whole numbers, which do not depend on where the array begins.
    """
    distance = (255 - rgb.min(axis=2) if white else rgb.max(axis=2)).astype(np.int32)
    total, count = _around(distance * picture), _around(picture.astype(np.int32))
    part, whole = _STEP_OF_AROUND
    far = (distance > SPREAD_GREY + _STEP_GREY) & (whole * distance * count > part * total)
    return np.asarray(far)


def _around(values: NDArray[np.int32]) -> NDArray[np.int32]:
    """Sums over the square within _AROUND_PX of each pixel."""
    side = np.ones(2 * _AROUND_PX + 1, np.int32)
    for axis in (0, 1):
        values = ndimage.correlate1d(values, side, axis, mode="constant")
    return values


def _with_rim(filled: Filled, ground: Ground, *, white: bool) -> Filled:
    """The collar with the pixels around it that are a mixture of collar and pavement.

    A warp mixes the nearest, and lossy compression leaves values near those of the collar farther out.
    """
    rim_px = spoilt.RIM_PX if ground.lossy else MIXED_PX
    result = Filled(ground.height_px, ground.width_px)
    for tile in filled.around():
        window = filled.window_of(tile)
        outer = window.padded(spoilt.REACH_PX + rim_px).clipped(ground.height_px, ground.width_px)
        own = filled.read(outer)
        if own is None:
            continue
        if ground.lossy:
            near = _alike(*ground.read(outer), SPOILT_GREY, white=white)
            own = spoilt.with_spoilt(own, near)
        inner = grown(own, rim_px)[window.within(outer)]
        if inner.any():
            result.put(tile, inner)
    return result
