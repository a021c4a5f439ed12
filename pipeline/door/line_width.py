"""The width of a line in an image array: `crackpipe.measure_width`. What a run does, without a run."""

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from crackpipe.pipeline.config import Config
from crackpipe.pipeline.errors import UsageError
from crackpipe.pipeline.geometry.arrays import Floats
from crackpipe.pipeline.geometry.grid import Window
from crackpipe.pipeline.width.contrast import contrast_of_image
from crackpipe.pipeline.width.profiles import measure
from crackpipe.pipeline.width.row_width import RowWidth
from crackpipe.pipeline.width.stretches import Limits, stretches_of
from crackpipe.pipeline.width.widths import widths_of
from crackpipe.pipeline.width.windows import paths_of, windows_of


@dataclass(frozen=True, kw_only=True)
class LineWidth:
    """Widths along one line, in N windows of about `window_px`, and of the whole line."""

    whole: RowWidth
    """Mean, deviation, classes and their probabilities over the whole line, in mm."""
    center_px: Floats
    """(N, 2) (row, col) of the middle of each window."""
    arc_start_px: Floats
    """(N,) arc length from the start of the line, px."""
    arc_stop_px: Floats
    """(N,)."""
    width_px: Floats
    """(N,) optical equivalent width; NaN where a window has too few pixels."""
    width_sigma_px: Floats
    """(N,) standard deviation."""
    flag: NDArray[np.bool_]
    """(N,) doubtful: the cross-check failed, or the crack is wider than `widest_px`."""


def measure_width(
    image: NDArray[Any],
    line: ArrayLike,
    *,
    gsd_mm: float,
    widest_px: float = 8.0,
    valid: NDArray[np.bool_] | None = None,
    contrast: float | None = None,
    contrast_sd: float = Config.contrast_sd,
    sigma_psf_px: float = Config.sigma_psf_px,
    tone: str = Config.tone,
    window_px: float = Config.window_px,
) -> LineWidth:
    """Measure how wide the crack under a line is, as a run measures it.

    `image` is uint8 (H, W, 3) RGB, uint8 (H, W) grey, or float32 (H, W) grey in linear light, 0 to 255.
    `line` is (V, 2) (row, col), the centre of pixel (i, j) at (i, j); it may lie 3 px beside the crack. The
    crack is nowhere wider than `widest_px`: the pavement is looked for beyond that, on 5 px at each side.
    `valid` (H, W) is False where a pixel shows no pavement. `contrast` is the darkening of a wide crack in
    grey values; None: as a run, from the default weights and from windows that are wide enough.
    docs/use/width.md explains the rest.

    Raises UsageError where the arrays have another shape or the line has no length.
    """
    rgb = _three_bands(image)
    seen = _checked_valid(valid, rgb.shape[:2])
    paths = paths_of([_checked_line(line)], [widest_px / 2])
    windows = windows_of(paths, window_px)
    profiles = measure(
        paths, windows, rgb, seen, Window(0, 0, *seen.shape), sigma_psf_px=sigma_psf_px, tone=tone
    )
    of_image = contrast_of_image(
        profiles,
        windows.line,
        sigma_psf_px=sigma_psf_px,
        contrast_sd=contrast_sd,
        default=_default_contrast(),
        given=contrast,
    )
    widths = widths_of(profiles, of_image, sigma_psf_px=sigma_psf_px)
    ((stretch,),) = stretches_of(windows, widths, np.eye(2) * gsd_mm / 1000.0, _one_row())
    return LineWidth(
        whole=stretch.width,
        center_px=windows.center,
        arc_start_px=windows.arc_start_px,
        arc_stop_px=windows.arc_stop_px,
        width_px=widths.width_px,
        width_sigma_px=widths.width_sigma_px,
        flag=widths.flag | (widths.width_px > widest_px),
    )


def _checked_line(line: ArrayLike) -> Floats:
    vertices = np.asarray(line, dtype=np.float64)
    if vertices.ndim != 2 or vertices.shape[1] != 2 or not np.isfinite(vertices).all():
        raise UsageError(
            f"line has shape {vertices.shape}, but must be finite numbers (V, 2), rows of (row, col)"
        )
    if len(vertices) < 2 or not np.any(vertices != vertices[0]):
        raise UsageError(f"line has no length: it needs two different points, and has {len(vertices)}")
    return vertices


def _checked_valid(valid: NDArray[np.bool_] | None, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    seen = np.ones(shape, np.bool_) if valid is None else valid
    if seen.shape != shape:
        raise UsageError(f"valid has shape {seen.shape}, but must have that of the image, {shape}")
    return seen


def _three_bands(image: NDArray[Any]) -> NDArray[Any]:
    """The image as the width room takes it: uint8 (H, W, 3), or float32 (H, W)."""
    if image.dtype == np.uint8 and image.ndim == 2:
        return np.repeat(image[:, :, None], 3, axis=2)
    bands = {np.dtype(np.uint8): (3, 3), np.dtype(np.float32): (2, image.shape[-1])}
    if (image.ndim, image.shape[-1]) == bands.get(image.dtype):
        return image
    raise UsageError(
        f"image is {image.dtype} {image.shape}, but must be uint8 (H, W, 3), uint8 (H, W) or float32 (H, W). "
        "Bands that come first, as from rasterio, go to the end with `numpy.moveaxis(image, 0, -1)`."
    )


@cache
def _default_contrast() -> float:
    from crackpipe.model.predict.resolve import facts_of

    return facts_of(Config.weights).contrast_c0


def _one_row() -> Limits:
    """The default limits of the classes, under which no line is cut."""
    return Limits(
        tiny_below_mm=Config.tiny_below_mm,
        small_below_mm=Config.small_below_mm,
        class_run_mm=float("inf"),
        certain_from=Config.certain_from,
        shape_sd=Config.width_shape_sd,
    )
