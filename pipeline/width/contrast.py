"""How dark a crack of full contrast is in one image: the prior of every width in it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from crackpipe.pipeline.geometry.arrays import Floats, Ints
from crackpipe.pipeline.width.background import (
    backgrounds,
    light_ratio,
    missing_light,
    side_bands,
    usable_windows,
)
from crackpipe.pipeline.width.blur import sigma_px
from crackpipe.pipeline.width.fit.fit_windows import fit_windows
from crackpipe.pipeline.width.fit.posterior import Fits
from crackpipe.pipeline.width.profiles import Profiles

# The image's own contrast comes from windows fitted with a free contrast. Only those count that are wide
# enough to show it and sure of it. Only windows that may be that wide are fitted.
_WIDE_PX = 3.0
_MAYBE_WIDE_PX = 2.2
_CONTRAST_SURE_SD = 0.15
# Standard deviations of ln C before the image is seen. The first is for the weights' default, since other
# cameras differ. The second is for a contrast given for this camera, since it was measured on other images.
_DEFAULT_SD = 0.3
_GIVEN_SD = 0.15
# The median of normal samples has this many times the variance of their mean.
_MEDIAN_LOSS = np.pi / 2
# Grey value of the pavement for which the default contrast of the weights is meant.
_DEFAULT_BACKGROUND = 120.0
_LEAST_CONTRAST = 5.0


@dataclass(frozen=True)
class Contrast:
    """How dark a crack of full contrast is in one image: the prior of every width in it."""

    grey: float
    """Darkening in grey values where the background is `background`."""
    sd: float
    """Relative standard deviation (of ln C)."""
    background: float
    """Median grey value of the image's pavement beside cracks; NaN: contrast is the same everywhere."""
    windows: int
    """Number of wide windows that were used; 0 where only the expected contrast was."""


def contrast_of_image(
    profiles: Profiles,
    line: Ints,
    *,
    sigma_psf_px: float,
    contrast_sd: float,
    default: float,
    given: float | None = None,
) -> Contrast:
    """The contrast of one image's cracks: the mean of what is expected and what its wide cracks show.

    `line` (N,) is the line of each window. The expected contrast is `given`, which the configuration states
    for the camera. Without it, it is `default`, which the weights state for pavement of 120 grey values; this
    one is scaled to the brightness of the image's pavement.

    Each line that shows its contrast is one sample from a log-normal distribution of spread `contrast_sd`
    round the image's contrast. The samples and the expected contrast are weighed by their certainty: one wide
    crack has some weight, ten have nearly all. `contrast_sd` 0 means that `given` is known exactly.
    """
    usable = usable_windows(profiles)
    middle = float(np.median(backgrounds(profiles)[usable])) if usable.any() else float("nan")
    if given is not None and contrast_sd == 0:
        return Contrast(given, 0.0, middle, 0)
    # dark pavement has less light to lose, so the default becomes smaller with it
    light = float(light_ratio(np.array([middle]), _DEFAULT_BACKGROUND)[0]) if middle > 0 else 1.0
    expected, expected_sd = (default * light, _DEFAULT_SD) if given is None else (given, _GIVEN_SD)
    which, shown = wide_contrasts(profiles, sigma_psf_px=sigma_psf_px)
    lines = np.unique(line[which])
    if len(lines) == 0:
        return Contrast(expected, float(np.hypot(contrast_sd, expected_sd)), middle, 0)
    seen = np.median([np.median(np.log(shown[line[which] == each])) for each in lines])
    loss = _MEDIAN_LOSS if len(lines) > 2 else 1.0
    seen_var = loss * (contrast_sd**2 + _CONTRAST_SURE_SD**2) / len(lines)
    weight = expected_sd**2 / (expected_sd**2 + seen_var)
    grey = np.exp(weight * seen + (1.0 - weight) * np.log(expected))
    sd = np.sqrt(contrast_sd**2 + weight * seen_var)
    return Contrast(float(grey), float(sd), middle, len(which))


def wide_contrasts(profiles: Profiles, *, sigma_psf_px: float) -> tuple[NDArray[np.intp], Floats]:
    """Windows (W,) that are at least 3 px wide and show their contrast, and that contrast (W,).

    They are fitted with a free contrast. It is given in grey values for pavement of the image's median
    brightness, so that windows in light and in shadow can be compared.
    """
    usable = usable_windows(profiles)
    if not usable.any():
        return np.zeros(0, np.intp), np.zeros(0)
    background = backgrounds(profiles)
    wide = usable.copy()
    wide[usable] = _widths_by_depth(profiles, usable) >= _MAYBE_WIDE_PX
    if not wide.any():
        return np.zeros(0, np.intp), np.zeros(0)
    free = np.full(int(wide.sum()), np.nan)
    fits = fitted(profiles, wide, free, free, sigma_psf_px)
    sure = (fits.width_px >= _WIDE_PX) & (fits.ln_contrast_sd <= _CONTRAST_SURE_SD)
    sure &= fits.contrast >= _LEAST_CONTRAST
    middle = float(np.median(background[usable]))
    return np.flatnonzero(wide)[sure], (fits.contrast / light_ratio(background[wide], middle))[sure]


def fitted(
    profiles: Profiles, usable: NDArray[np.bool_], contrast: Floats, contrast_sd: Floats, sigma_psf_px: float
) -> Fits:
    """Fit the windows that `usable` (N,) selects; `contrast_sd` is that of ln C, `sigma_psf_px` the camera's
    blur in its own pixels."""
    bin_px = profiles.bin_px[usable]
    blur = sigma_px(sigma_psf_px, profiles.camera_px[usable])
    return fit_windows(
        profiles.offset_px[usable],
        profiles.grey[usable],
        profiles.pixels[usable],
        bin_px=bin_px,
        # the blur of the camera, of a pixel's area and of a bin's width; variances add up
        sigma_px=np.sqrt(blur**2 + 1.0 / 12.0 + bin_px**2 / 12.0),
        contrast=contrast,
        contrast_sd=contrast_sd,
    )


def _widths_by_depth(profiles: Profiles, usable: NDArray[np.bool_]) -> Floats:
    """Missing light / greatest darkness of `usable` windows: a rough width, never far below the true one."""
    area, _ = missing_light(profiles, usable)
    core = (~side_bands(profiles) & (profiles.pixels > 0))[usable]
    darkest = np.where(core, profiles.grey[usable], np.inf).min(axis=1)
    return np.asarray(area / np.maximum(backgrounds(profiles)[usable] - darkest, 1.0))
