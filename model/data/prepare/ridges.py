"""Dark ridges at the width of cracks: how strong they are, and which of them are long enough to be lines.

Strategy. A short piece of a line is darker than the pavement on *both* of its sides. For eight directions the
mean grey value along such a piece is compared with those of its two flanks, and the smaller difference
counts. (The ridge filters of scikit-image, such as `sato`, look at the curvature alone: beside every step,
such as the edge of lane paint or of a patch, they see a dark line.)

Worn asphalt is full of short dark ridges. How strong a ridge must be is therefore not a grey value: it is
measured in what *bright* ridges reach nearby. Those are no cracks, and on a texture without cracks they are
as strong as the dark ones. Frame: pixels are (row, col).
"""

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import fft
from scipy.ndimage import label, uniform_filter
from skimage.filters import apply_hysteresis_threshold
from skimage.morphology import skeletonize

F32 = NDArray[np.float32]
Mask = NDArray[np.bool_]

_DIRECTIONS = 8
_ALONG_PX = 3.0
"""Standard deviation, px, of the Gaussian along a piece: about 10 px of the line count."""
_HALF_WIDTHS_PX = (0.8, 1.8)
"""Standard deviations, px, of the Gaussian across: lines of 1 to 3 px, and of 3 to 6 px."""
_FLANK_PX = 1.2
"""Standard deviation, px, of the Gaussian across each flank."""
_REACH_PX = 11
"""Kernels are squares of 2 x 11 + 1 px."""

_NEARBY_PX = 40.0
"""Standard deviation of the weights with which bright ridges are averaged."""
_LEAST_GREY = 0.5
"""No texture counts as smoother than this, grey values: a saturated or flat area has no bright ridges."""
_EIGHT = np.ones((3, 3), bool)


def grey_of(image: NDArray[np.uint8]) -> F32:
    """Luma (ITU-R BT.601) of a picture: uint8 (H, W, 3) RGB -> float32 (H, W), 0..255."""
    return (image @ np.array([0.299, 0.587, 0.114], np.float32)).astype(np.float32)


def ridge_strength(grey: F32) -> F32:
    """How dark a line runs through each pixel, in what bright lines nearby reach: float32 (H, W), 0 and
    above.

    `grey` is (H, W), 0..255. 1 is the root mean square of the bright ridges within about 40 px.
    """
    dark, bright = _ridges(grey)
    # a lane line is a bright ridge too: what is far above the usual is capped
    usual = 4 * float(np.median(bright)) + _LEAST_GREY
    spread = np.sqrt(mean_nearby(np.minimum(bright, usual) ** 2, _NEARBY_PX))
    return (dark / np.maximum(spread, _LEAST_GREY)).astype(np.float32)


def mean_nearby(values: NDArray[Any], sigma_px: float) -> F32:
    """The mean of `values` (H, W), none below 0, around each pixel: float32 (H, W).

    Weights fall off as a triangle along rows and columns, with the standard deviation `sigma_px`: two boxes,
    which cost the same however wide they are. Beyond the edge the picture is reflected.
    """
    box_px = max(1, round((6 * sigma_px**2 + 1) ** 0.5))
    twice = uniform_filter(uniform_filter(values.astype(np.float32), box_px), box_px)
    return np.asarray(np.maximum(twice, 0), np.float32)


def _ridges(grey: F32) -> tuple[F32, F32]:
    """How much darker, and how much brighter, than both flanks each pixel is: grey values, 0 and above."""
    height, width = grey.shape
    rows, cols = (fft.next_fast_len(side + 4 * _REACH_PX, real=True) for side in grey.shape)
    spectrum = fft.rfft2(np.pad(grey, _REACH_PX, mode="reflect"), (rows, cols))
    inside = (slice(2 * _REACH_PX, 2 * _REACH_PX + height), slice(2 * _REACH_PX, 2 * _REACH_PX + width))
    dark, bright = np.zeros_like(grey), np.zeros_like(grey)
    for pair in _spectra(rows, cols):
        left, right = (fft.irfft2(spectrum * kernel, (rows, cols))[inside] for kernel in pair)
        np.maximum(dark, np.minimum(left, right), out=dark)
        np.maximum(bright, -np.maximum(left, right), out=bright)
    return dark, bright


@lru_cache(maxsize=1)  # the pictures of a set are of one size, or nearly all
def _spectra(rows: int, cols: int) -> list[tuple[NDArray[np.complex64], NDArray[np.complex64]]]:
    """Spectra of `_kernels` for every width and direction, for transforms of so many rows and columns."""
    return [
        (fft.rfft2(left, (rows, cols)), fft.rfft2(right, (rows, cols)))
        for half_width in _HALF_WIDTHS_PX
        for step in range(_DIRECTIONS)
        for left, right in [_kernels(half_width, np.pi * step / _DIRECTIONS)]
    ]


def _kernels(half_width: float, angle: float) -> tuple[F32, F32]:
    """The mean of one flank less that of the middle, and the same for the other flank: float32 (K, K)."""
    offsets = np.arange(-_REACH_PX, _REACH_PX + 1)
    row, col = np.meshgrid(offsets, offsets, indexing="ij")
    along = np.cos(angle) * row + np.sin(angle) * col
    across = np.cos(angle) * col - np.sin(angle) * row
    piece = np.exp(-0.5 * (along / _ALONG_PX) ** 2)
    middle = piece * np.exp(-0.5 * (across / half_width) ** 2)
    flank_at = 2 * half_width + _FLANK_PX + 0.5
    left, right = (piece * np.exp(-0.5 * ((across - at) / _FLANK_PX) ** 2) for at in (flank_at, -flank_at))
    darker = [flank / flank.sum() - middle / middle.sum() for flank in (left, right)]
    return darker[0].astype(np.float32), darker[1].astype(np.float32)


def lines(strength: F32, low: float, high: float, least_px: int) -> Mask:
    """One pixel wide centrelines, bool (H, W), of ridges that are `high` somewhere and `low` all along.

    A line has at least `least_px` pixels.
    """
    thin = skeletonize(apply_hysteresis_threshold(strength, low, high))
    return longer_than(thin, least_px)


def longer_than(thin: Mask, least_px: int) -> Mask:
    """Those parts of one pixel wide lines, 8-connected, that have at least `least_px` pixels."""
    parts, _ = label(thin, _EIGHT)
    counts = np.bincount(parts.ravel())
    counts[0] = 0
    return np.asarray(counts[parts] >= least_px)
