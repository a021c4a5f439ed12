"""Profiles: grey values across windows of lines, averaged in bins of equal distance from the line.

A window's profile depends only on the pixels and lines near it. So it is the same in whichever block it is
measured.

Legend
    N, K    windows, bins per window
    S0      texture of the pavement, grey^2 px^2: variance of a sum of grey values over a large area, per px^2
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from crackpipe.pipeline.geometry.arrays import Floats, Ints, Singles
from crackpipe.pipeline.geometry.grid import Window
from crackpipe.pipeline.width.blur import sigma_px
from crackpipe.pipeline.width.fit.medians import MAD_TO_SD, masked_median
from crackpipe.pipeline.width.follow import shifts_px
from crackpipe.pipeline.width.samples import Samples, owners_of, samples_of, with_grey
from crackpipe.pipeline.width.windows import SIDE_PX, Paths, Windows

BINS = 40

_BATCH_SAMPLES = 100_000  # as many as stay in a core's cache
# Cells of the side bands with fewer pixels are not looked at. A cell whose mean is farther off than both of
# these is paint or another crack.
_CELL_PIXELS = 15
_OUTLIER_SDS = 4.0
_OUTLIER_GREY = 8.0


@dataclass(frozen=True, kw_only=True)
class Profiles:
    """Mean grey values across N windows, in bins of equal offset."""

    offset_px: Singles
    """(N, K) mean signed distance of the bin's pixels from the line (bin centre where it is empty)."""
    grey: Singles
    """(N, K) mean grey value in linear light, 0 to 255."""
    pixels: Singles
    """(N, K) number of pixels."""
    bin_px: Floats
    """(N,) width of the bins."""
    camera_px: Floats
    """(N,) as in `Windows`."""
    texture: Floats
    """(N,) S0 from this window's own side bands, grey^2 px^2; NaN where they are too small."""
    texture_freedom: Ints
    """(N,) degrees of freedom behind `texture`."""

    @staticmethod
    def joined(parts: "Sequence[tuple[NDArray[np.intp], Profiles]]", count: int) -> "Profiles":
        """Profiles of `count` windows from parts, each with the indices of its windows.

        Windows that no part holds have no pixels.
        """
        whole = Profiles(
            offset_px=np.zeros((count, BINS), np.float32),
            grey=np.zeros((count, BINS), np.float32),
            pixels=np.zeros((count, BINS), np.float32),
            bin_px=np.ones(count),
            camera_px=np.full(count, np.nan),
            texture=np.full(count, np.nan),
            texture_freedom=np.zeros(count, np.int64),
        )
        for index, part in parts:
            for name in (field.name for field in fields(Profiles)):
                getattr(whole, name)[index] = getattr(part, name)
        return whole


def core_px(half_width_px: Floats, blur_px: Floats | float) -> Floats:
    """Distance from the line beyond which only background is expected, px (spec 7.4)."""
    return np.maximum(4.0, half_width_px + 3.0 * blur_px + 0.5)


def _reach_px(half_width_px: Floats, blur_px: Floats | float) -> Floats:
    """Distance from the line up to which pixels are taken; whole px, so that few widths of bins occur."""
    return np.ceil(core_px(half_width_px, blur_px) + SIDE_PX)


def margin_px(window_px: float, half_width_px: float, blur_px: float) -> int:
    """How far beyond a block the pixels of its windows may lie. A window belongs to the block of its centre.

    `half_width_px` is the largest among the lines of the block, `blur_px` (`blur.sigma_px`) too.
    """
    reach = float(_reach_px(np.array(half_width_px), blur_px))
    # a window is at most 1.5 window_px long, and at 45 degrees a band is sqrt(2) times as tall as wide
    return math.ceil(0.75 * window_px + math.sqrt(2.0) * reach) + 4


def measure(
    paths: Paths,
    windows: Windows,
    image: NDArray[np.uint8] | Singles,
    valid: NDArray[np.bool_],
    outer: Window,
    *,
    sigma_psf_px: float,
    tone: str,
) -> Profiles:
    """Average the grey values across `windows` (some of the lines' windows) in bins of their offset.

    `image` is uint8 (H, W, 3) RGB or float32 (H, W) grey in linear light, `valid` bool (H, W), both of the
    part `outer` of the image, which reaches `margin_px` beyond the windows' centres. `tone` is as in
    `luma_tables`. Three kinds of pixels are left out: those that are not valid, those in the core of another
    line, and those in cells of the side bands that differ from the other cells (paint, an undetected crack).
    """
    owner = owners_of(paths, outer, sigma_psf_px)
    reach = _reach_px(windows.half_width_px, sigma_px(sigma_psf_px, windows.camera_px))
    parts = []
    for index in _batches(paths, windows, reach):
        batch = windows.part(index)
        samples = samples_of(paths, batch, reach[index])
        samples = with_grey(samples, batch.line, owner, outer, image=image, valid=valid, tone=tone)
        parts.append((index, _binned(samples, reach[index], batch.camera_px)))
    return Profiles.joined(parts, len(windows.line))


def _batches(paths: Paths, windows: Windows, reach: Floats) -> list[NDArray[np.intp]]:
    """Split windows, in their order, into batches of about `_BATCH_SAMPLES` pixels."""
    points = windows.last_point - windows.first_point
    load = np.cumsum(points * paths.step_px[windows.line] * (2.8 * reach + 3.0))
    batch = (load / _BATCH_SAMPLES).astype(np.int64)
    return [np.flatnonzero(batch == value) for value in np.unique(batch)]


def _binned(samples: Samples, reach: Floats, camera_px: Floats) -> Profiles:
    """Average the samples of each window in `BINS` bins from -reach to reach (N,)."""
    count = len(reach)
    side = np.abs(samples.offset_px) > reach[samples.window] - SIDE_PX
    texture, freedom, kept = _side_bands(samples, side, count)
    samples = samples.part(kept)
    offset_px = samples.offset_px - shifts_px(samples, reach, texture, side[kept], bins=BINS)
    bin_px = 2.0 * reach / BINS
    place = ((offset_px + reach[samples.window]) / bin_px[samples.window]).astype(np.int64)
    flat = samples.window * BINS + np.clip(place, 0, BINS - 1)
    pixels, grey, offset = (
        np.bincount(flat, weights, count * BINS).reshape(count, BINS)
        for weights in (None, samples.grey, offset_px)
    )
    middle = (np.arange(BINS) + 0.5) * bin_px[:, None] - reach[:, None]
    some = pixels > 0
    return Profiles(
        offset_px=np.where(some, offset / np.maximum(pixels, 1), middle).astype(np.float32),
        grey=np.where(some, grey / np.maximum(pixels, 1), 0.0).astype(np.float32),
        pixels=pixels.astype(np.float32),
        bin_px=bin_px,
        camera_px=camera_px,
        texture=texture,
        texture_freedom=freedom,
    )


def _side_bands(
    samples: Samples, side: NDArray[np.bool_], count: int
) -> tuple[Floats, Ints, NDArray[np.bool_]]:
    """Texture S0 (N,) from the scatter of side-band cells, its freedom (N,), and which samples to keep (M,).

    A cell is one side's band along about 10 px of line. The means of cells scatter round the mean of their
    side with variance S0 / pixels. Cells far outside this scatter are paint or a crack, not background.
    """
    columns = 2 * (int(samples.cell.max(initial=0)) + 1)
    place = samples.window * columns + 2 * samples.cell + (samples.offset_px > 0)
    shape = (count, columns // 2, 2)
    pixels, grey = (
        np.bincount(place[side], weights, count * columns).reshape(shape)
        for weights in (None, samples.grey[side])
    )
    full = pixels >= _CELL_PIXELS
    mean = grey / np.maximum(pixels, 1)
    middle = np.stack([masked_median(mean[..., k], full[..., k]) for k in (0, 1)], axis=1)
    away = np.abs(mean - middle[:, None, :])
    scale = MAD_TO_SD * masked_median(away.reshape(count, columns), full.reshape(count, columns))
    good = full & (away <= np.maximum(_OUTLIER_SDS * scale, _OUTLIER_GREY)[:, None, None])
    texture, freedom = _texture(mean, pixels, good)
    bad = (full & ~good).ravel()
    return texture, freedom, ~(side & bad[place])


def _texture(mean: Floats, pixels: Ints, good: NDArray[np.bool_]) -> tuple[Floats, Ints]:
    """S0 (N,) from means and pixel counts of cells (N, cells, 2), and its degrees of freedom (N,)."""
    weight = np.where(good, pixels, 0.0)
    centre = (weight * mean).sum(axis=1) / np.maximum(weight.sum(axis=1), 1.0)
    # Sum one axis after the other. A sum over both at once is taken in an order that depends on the number of
    # cells, which the longest window of the batch decides; the last bit would depend on the other windows.
    scatter = (weight * (mean - centre[:, None, :]) ** 2).sum(axis=1).sum(axis=1)
    freedom = good.sum(axis=(1, 2)) - good.any(axis=1).sum(axis=1)
    texture = np.where(freedom > 0, scatter / np.maximum(freedom, 1), np.nan)
    return texture, freedom.astype(np.int64)
