"""Room 5: from lines and the image to widths with an uncertainty.

The story, told by `run.py`:

    paths = paths_of(vertices, half_width_px)            all lines of one image
    windows = windows_of(paths, window_px)
    profiles = measure(paths, windows.part(i), ...)      once per block that holds windows
    contrast = contrast_of_image(profiles, ...)          how dark this image's cracks are
    widths = widths_of(profiles, contrast, ...)          MAP fit of all windows

What is measured is the *optical equivalent width*: the width of an ideal dark slot that darkens the image
as much. Counting mask pixels cannot measure it: at 1 mm per pixel a tiny crack is narrower than a pixel.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from crackpipe.pipeline.geometry.arrays import Floats, Ints
from crackpipe.pipeline.robust import masked_median
from crackpipe.pipeline.width_fit import Fits, fit_windows
from crackpipe.pipeline.width_plain import WidthFit, WidthFits, fit_width, fit_widths
from crackpipe.pipeline.width_profiles import Profiles, margin_px, measure
from crackpipe.pipeline.width_windows import SIDE_PX, Paths, Windows, paths_of, windows_of

__all__ = [
    "Contrast",
    "Paths",
    "Profiles",
    "WidthFit",
    "WidthFits",
    "Widths",
    "Windows",
    "contrast_of_image",
    "fit_width",
    "fit_widths",
    "margin_px",
    "measure",
    "paths_of",
    "wide_contrasts",
    "widths_of",
    "windows_of",
]

# Windows with a free contrast that count for the image's own: wide enough to show it, and sure of it.
_WIDE_PX = 3.0
_MAYBE_WIDE_PX = 2.2
_CONTRAST_SURE_SD = 0.15
# What the default contrast of the weights may be off by in another camera's images, and what that of the
# camera, measured on other images, in this one.
_DEFAULT_SD = 0.3
_GIVEN_SD = 0.15
# The variance of a median of normal samples is that of their mean times this.
_MEDIAN_LOSS = np.pi / 2
# Grey value of the pavement for which the default contrast of the weights is meant.
_DEFAULT_BACKGROUND = 120.0
_LEAST_CONTRAST = 5.0

# A window's own texture counts as much as its degrees of freedom, the image's as this many.
_TEXTURE_FREEDOM = 10.0
_LEAST_TEXTURE = 1.0
# The ratio of a window's background to the image's, by which its contrast follows light and shadow.
_LIGHT_RANGE = (0.25, 1.5)
# A window needs this many pixels within 2 px of the line, on either side, and in the side bands.
_INNER_PX = 2.0
_LEAST_PIXELS = 12.0
_FLAG_SDS = 3.0
# Edges this much softer than expected are a stain's; misfits in the slot this large are another shape's.
_FLAG_SOFTNESS, _FLAG_MISFIT = 2.5, 3.0


@dataclass(frozen=True)
class Contrast:
    """How dark a crack of full contrast is in one image: the prior of every width in it."""

    grey: float
    """Darkening in grey values where the background is `background`."""
    sd: float
    """Relative standard deviation (of ln C)."""
    background: float
    """Grey value of the pavement beside cracks, median of the image; NaN: do not follow the light."""
    windows: int
    """Number of wide windows that had a say; 0 where it is only what was expected."""


@dataclass(frozen=True)
class Widths:
    """Widths of N windows in pixels; NaN where a window has too few pixels."""

    width_px: Floats
    """(N,) optical equivalent width."""
    noise_sd_px: Floats
    """(N,) standard deviation from the pavement's texture: independent from window to window."""
    contrast_sd_px: Floats
    """(N,) standard deviation from not knowing the contrast: shared by all windows of a line."""
    contrast: Floats
    """(N,) fitted darkening, grey values."""
    flag: NDArray[np.bool_]
    """(N,) missing light over contrast is more than 3 sigma from the fit, or the shape is no slot's."""

    @property
    def width_sigma_px(self) -> Floats:
        """(N,) standard deviation of the marginal posterior."""
        return np.hypot(self.noise_sd_px, self.contrast_sd_px)


def contrast_of_image(
    profiles: Profiles,
    line: Ints,
    *,
    sigma_psf_px: float,
    contrast_sd: float,
    default: float,
    given: float | None = None,
) -> Contrast:
    """The contrast of one image's cracks: what is expected of it, and what its own wide cracks show.

    `line` (N,) is the line of each window. Expected is `given`, the camera's contrast (configuration), or
    else `default` (weights), which is meant for pavement of 120 grey values and follows the image's. Lines
    that show their contrast are lognormal samples of the image's, of spread `contrast_sd`; both are weighed
    by their certainty, so that one wide crack says something and ten say nearly all. `contrast_sd` 0 means
    that `given` is known exactly.
    """
    usable = _usable(profiles)
    middle = float(np.median(_backgrounds(profiles)[usable])) if usable.any() else float("nan")
    if given is not None and contrast_sd == 0:
        return Contrast(given, 0.0, middle, 0)
    # dark pavement has less light to lose
    light = float(_light(np.array([middle]), _DEFAULT_BACKGROUND)[0]) if middle > 0 else 1.0
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

    Fitted with a free contrast; in grey values where the pavement has the image's median brightness.
    """
    usable = _usable(profiles)
    if not usable.any():
        return np.zeros(0, np.intp), np.zeros(0)
    background = _backgrounds(profiles)
    wide = usable.copy()
    wide[usable] = _widths_by_depth(profiles, usable) >= _MAYBE_WIDE_PX
    if not wide.any():
        return np.zeros(0, np.intp), np.zeros(0)
    free = np.full(int(wide.sum()), np.nan)
    fits = _fitted(profiles, wide, free, free, sigma_psf_px)
    sure = (fits.width_px >= _WIDE_PX) & (fits.ln_contrast_sd <= _CONTRAST_SURE_SD)
    sure &= fits.contrast >= _LEAST_CONTRAST
    middle = float(np.median(background[usable]))
    return np.flatnonzero(wide)[sure], (fits.contrast / _light(background[wide], middle))[sure]


def widths_of(profiles: Profiles, contrast: Contrast, *, sigma_psf_px: float) -> Widths:
    """MAP fit of every window under the image's contrast, cross-checked with the missing light."""
    count = len(profiles.bin_px)
    width, noise, shared, dark = (np.full(count, np.nan) for _ in range(4))
    flag = np.zeros(count, np.bool_)
    usable = _usable(profiles)
    if usable.any():
        prior = contrast.grey * _light(_backgrounds(profiles)[usable], contrast.background)
        sd = np.full(len(prior), contrast.sd)
        fits = _fitted(profiles, usable, prior, sd, sigma_psf_px)
        width[usable], dark[usable] = fits.width_px, fits.contrast
        noise[usable] = fits.width_px * fits.ln_width_noise_sd
        shared[usable] = fits.width_px * fits.ln_width_contrast_sd
        flag[usable] = _differs(profiles, usable, fits, prior, sd)
    return Widths(width, noise, shared, dark, flag)


def _fitted(
    profiles: Profiles, usable: NDArray[np.bool_], contrast: Floats, contrast_sd: Floats, sigma_psf_px: float
) -> Fits:
    bin_px = profiles.bin_px[usable]
    return fit_windows(
        profiles.offset_px[usable],
        profiles.grey[usable],
        profiles.pixels[usable],
        bin_px=bin_px,
        # camera, pixel area and bin width
        sigma_px=np.sqrt(sigma_psf_px**2 + 1.0 / 12.0 + bin_px**2 / 12.0),
        contrast=contrast,
        contrast_sd=contrast_sd,
    )


def _usable(profiles: Profiles) -> NDArray[np.bool_]:
    """Windows (N,) with enough pixels on either side of the line and in one side band at least."""
    reach = profiles.bin_px[:, None] * profiles.pixels.shape[1] / 2
    places = (np.arange(profiles.pixels.shape[1]) + 0.5) * profiles.bin_px[:, None] - reach
    zones = [
        (places > -_INNER_PX) & (places < 0),
        (places < _INNER_PX) & (places > 0),
        np.abs(places) > reach - SIDE_PX,
    ]
    pixels = np.stack([np.where(zone, profiles.pixels, 0.0).sum(axis=1) for zone in zones])
    return np.asarray((pixels >= _LEAST_PIXELS).all(axis=0))


def _side(profiles: Profiles) -> NDArray[np.bool_]:
    reach = profiles.bin_px[:, None] * profiles.pixels.shape[1] / 2
    return np.asarray(np.abs(profiles.offset_px) > reach - SIDE_PX)


def _backgrounds(profiles: Profiles) -> Floats:
    """Median grey value of each window's side bands (N,)."""
    return masked_median(profiles.grey.astype(np.float64), _side(profiles) & (profiles.pixels > 0))


def _widths_by_depth(profiles: Profiles, usable: NDArray[np.bool_]) -> Floats:
    """Missing light over greatest darkness, over `usable`: a rough width, never far below the true one."""
    area, _ = missing_light(profiles, usable)
    core = (~_side(profiles) & (profiles.pixels > 0))[usable]
    darkest = np.where(core, profiles.grey[usable], np.inf).min(axis=1)
    return np.asarray(area / np.maximum(_backgrounds(profiles)[usable] - darkest, 1.0))


def _light(background: Floats, middle: float) -> Floats:
    """How much brighter than the image's median each window's background lies (N,): contrast follows it."""
    if not middle > 0:
        return np.ones_like(background)
    return np.clip(background / middle, *_LIGHT_RANGE)


def _texture(profiles: Profiles) -> Floats:
    """S0 (N,) of each window, drawn towards the image's median, since ten cells alone say little."""
    known = profiles.texture_freedom > 0
    own = np.where(known, profiles.texture, 0.0)
    pooled = float(np.median(own[known])) if known.any() else _LEAST_TEXTURE
    freedom = np.where(known, profiles.texture_freedom, 0)
    drawn = (freedom * own + _TEXTURE_FREEDOM * pooled) / (freedom + _TEXTURE_FREEDOM)
    return np.maximum(drawn, _LEAST_TEXTURE)


def _differs(
    profiles: Profiles, usable: NDArray[np.bool_], fits: Fits, contrast: Floats, contrast_sd: Floats
) -> NDArray[np.bool_]:
    """Whether missing light / C0 lies more than 3 sigma from the fitted width, or it is no slot, (N,)."""
    area, area_sd = missing_light(profiles, usable)
    integral = area / contrast
    sd = np.sqrt(
        (area_sd / contrast) ** 2
        + (contrast_sd * np.abs(integral)) ** 2
        + (fits.width_px * fits.ln_width_noise_sd) ** 2
    )
    no_slot = (fits.softness > _FLAG_SOFTNESS) | (fits.misfit > _FLAG_MISFIT)
    return np.asarray((np.abs(integral - fits.width_px) > _FLAG_SDS * sd) | no_slot)


def missing_light(profiles: Profiles, usable: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """Darkness missing across the line, grey px, and its standard deviation, both (N,) over `usable`.

    The integral over the core of background minus grey, background being the straight line through the
    side bands. Variance S0 2h (1 + 2h/m) / L with h half the core, m the background and L the length.
    """
    grey = profiles.grey[usable].astype(np.float64)
    offset = profiles.offset_px[usable].astype(np.float64)
    pixels, bin_px = profiles.pixels[usable].astype(np.float64), profiles.bin_px[usable]
    side, some = _side(profiles)[usable], pixels > 0
    halves = [side & some & (sign * offset > 0) for sign in (-1, 1)]
    level = [masked_median(grey, half, empty=np.nan) for half in halves]
    place = [masked_median(offset, half, empty=np.nan) for half in halves]
    # a side without pixels is taken to be like the other
    left, right = (np.where(np.isnan(level[k]), level[1 - k], level[k]) for k in (0, 1))
    slope = np.nan_to_num((right - left) / (place[1] - place[0]))
    background = (left - slope * np.nan_to_num(place[0]))[:, None] + slope[:, None] * offset
    inner = ~side & some
    dark = np.where(inner, background - grey, 0.0)
    aperture = (~side).sum(axis=1) * bin_px
    mean_dark = dark.sum(axis=1) / np.maximum(inner.sum(axis=1), 1)
    length = pixels.sum(axis=1) / (bin_px * pixels.shape[1])
    variance = _texture(profiles)[usable] * aperture * (1.0 + aperture / (2 * SIDE_PX)) / length
    return mean_dark * aperture, np.sqrt(variance)
