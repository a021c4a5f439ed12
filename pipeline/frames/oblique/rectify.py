"""A decoded frame becomes a plan view, block by block.

Each pixel of the plan view is looked up in the frame between the four pixels around its place (bilinear).
Close to the vehicle the camera sees finer than the plan view shows. There several places are looked up for
each pixel and averaged, or grains of the road would come out as noise.
"""

import numpy as np
from numpy.typing import NDArray

from crackpipe.pipeline.geometry.arrays import Bools, Floats, Singles
from crackpipe.pipeline.geometry.grid import Window
from crackpipe.pipeline.geometry.plan_view import PlanView, frame_pixels, inspected

# At most so many places are looked up along a side of a pixel.
_MOST_PLACES = 8
# Pixels that are worked on together, so that their intermediate values stay in a core's cache.
_STRIP_PX = 1 << 14


def rectified(
    frame: NDArray[np.uint8], view: PlanView, window: Window, bands: int = 1
) -> tuple[NDArray[np.uint8], Bools]:
    """A window of the plan view, uint8 (bands, height, width), and which of its pixels are inspected.

    `frame` is as from `decode.packed`. Pixels that are not inspected are 0.
    """
    found = np.zeros((bands, window.height, window.width), np.uint8)
    wanted = inspected(view, window)
    if not wanted.any():
        return found, wanted
    down, right = ((np.arange(count) + 0.5) / count - 0.5 for count in _places(view, window))
    step = max(1, _STRIP_PX // window.width)
    for low in range(0, window.height, step):
        part = wanted[low : low + step]
        if part.any():
            strip = Window(window.row + low, window.col, len(part), window.width)
            grey = _averaged(frame, view, strip, part, (down, right))
            for band in range(bands):
                found[band, low : low + step][part] = grey[:, band]
    return found, wanted


def _averaged(
    frame: NDArray[np.uint8], view: PlanView, strip: Window, wanted: Bools, shifts: tuple[Floats, Floats]
) -> NDArray[np.uint8]:
    """Values (N, bands) of the `wanted` pixels of a strip, each the mean over places `shifts` around it."""
    row = np.arange(strip.row, strip.row_stop, dtype=np.float64)[:, None]
    col = np.arange(strip.col, strip.col_stop, dtype=np.float64)[None]
    total = np.zeros((np.count_nonzero(wanted), frame.shape[2]), np.float32)
    for down in shifts[0]:
        for right in shifts[1]:
            x, y, _ = frame_pixels(view, row + down, col + right)
            total += _between(frame, x[wanted], y[wanted])
    mean = total / np.float32(len(shifts[0]) * len(shifts[1]))
    return np.asarray(np.rint(mean), np.uint8)


def _places(view: PlanView, window: Window) -> tuple[int, int]:
    """How many places are looked up for each pixel, down and to the right: about one for each pixel of the
    frame that lies along it, by the finest corner of the window.
    """
    row = np.array([window.row, window.row_stop - 1], np.float64)[:, None] + np.zeros(2)
    col = np.array([window.col, window.col_stop - 1], np.float64)[None] + np.zeros((2, 1))
    x, y, depth = frame_pixels(view, row, col)
    counts = []
    for shift in ((1.0, 0.0), (0.0, 1.0)):
        x_next, y_next, _ = frame_pixels(view, row + shift[0], col + shift[1])
        length = np.hypot(x_next - x, y_next - y)
        longest = float(np.max(length, where=(depth > 0) & np.isfinite(length), initial=1.0))
        counts.append(min(_MOST_PLACES, max(1, round(longest))))
    return counts[0], counts[1]


def _between(frame: NDArray[np.uint8], x: Floats, y: Floats) -> Singles:
    """Values (N, bands) of a frame at columns x (N,) and rows y (N,), bilinear."""
    height, width, bands = frame.shape
    left = np.clip(np.floor(x), 0, width - 2)
    top = np.clip(np.floor(y), 0, height - 2)
    # a place of several may lie beyond the middle of an outermost pixel: there that pixel's value counts
    right_share = np.clip(x - left, 0, 1).astype(np.float32)[:, None]
    low_share = np.clip(y - top, 0, 1).astype(np.float32)[:, None]
    corner = (top * width + left).astype(np.int64)
    # one number holds all bands of a pixel
    flat = frame.reshape(-1, bands).view({1: np.uint8, 4: np.uint32}[bands])[:, 0]
    upper_left, upper_right, lower_left, lower_right = (
        flat.take(corner + offset).view(np.uint8).reshape(-1, bands).astype(np.float32)
        for offset in (0, 1, width, width + 1)
    )
    upper_left += (upper_right - upper_left) * right_share
    lower_left += (lower_right - lower_left) * right_share
    return np.asarray(upper_left + (lower_left - upper_left) * low_share)
