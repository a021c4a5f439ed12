"""The width of every window, with an uncertainty, under the contrast of its image.

How `tasks/lines.py` uses the room:

    paths = paths_of(vertices, half_width_px)            all lines of one image
    windows = windows_of(paths, window_px)
    profiles = measure(paths, windows.part(i), ...)      once per block that holds windows
    contrast = contrast_of_image(profiles, ...)          how dark this image's cracks are
    widths = widths_of(profiles, contrast, ...)          MAP fit of all windows

What is measured is the *optical equivalent width*: the width of an ideal dark slot that darkens the image
as much as the crack does. Mask pixels cannot be counted instead, since at 1 mm per pixel a tiny crack is
narrower than one pixel.

The fit finds the most probable width (maximum a posteriori, MAP). It is checked in a second way: the missing
light divided by the expected contrast is a width too. Windows where the two differ by more than 3 sigma are
flagged, and so are those whose shape is no slot.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from crackpipe.pipeline.geometry.arrays import Floats
from crackpipe.pipeline.width.background import backgrounds, light_ratio, missing_light, usable_windows
from crackpipe.pipeline.width.contrast import Contrast, fitted
from crackpipe.pipeline.width.fit.posterior import Fits
from crackpipe.pipeline.width.profiles import Profiles

_FLAG_SDS = 3.0
# Edges softer than this belong to a stain. A misfit in the slot above this shows that the shape is no slot.
_FLAG_SOFTNESS, _FLAG_MISFIT = 2.5, 3.0


@dataclass(frozen=True, kw_only=True)
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
    """(N,) missing light / contrast is more than 3 sigma from the fitted width, or the shape is no slot."""

    @property
    def width_sigma_px(self) -> Floats:
        """(N,) standard deviation of the marginal posterior."""
        return np.hypot(self.noise_sd_px, self.contrast_sd_px)


def widths_of(profiles: Profiles, contrast: Contrast, *, sigma_psf_px: float) -> Widths:
    """MAP fit of every window under the image's contrast, cross-checked with the missing light."""
    count = len(profiles.bin_px)
    width, noise, shared, dark = (np.full(count, np.nan) for _ in range(4))
    flag = np.zeros(count, np.bool_)
    usable = usable_windows(profiles)
    if usable.any():
        prior = contrast.grey * light_ratio(backgrounds(profiles)[usable], contrast.background)
        sd = np.full(len(prior), contrast.sd)
        fits = fitted(profiles, usable, prior, sd, sigma_psf_px)
        width[usable], dark[usable] = fits.width_px, fits.contrast
        noise[usable] = fits.width_px * fits.ln_width_noise_sd
        shared[usable] = fits.width_px * fits.ln_width_contrast_sd
        flag[usable] = _differs(profiles, usable, fits, prior, sd)
    return Widths(width_px=width, noise_sd_px=noise, contrast_sd_px=shared, contrast=dark, flag=flag)


def _differs(
    profiles: Profiles, usable: NDArray[np.bool_], fits: Fits, contrast: Floats, contrast_sd: Floats
) -> NDArray[np.bool_]:
    """Whether missing light / `contrast` is over 3 sigma from the fit, or the shape no slot, (U,)."""
    area, area_sd = missing_light(profiles, usable)
    integral = area / contrast
    sd = np.sqrt(
        (area_sd / contrast) ** 2
        + (contrast_sd * np.abs(integral)) ** 2
        + (fits.width_px * fits.ln_width_noise_sd) ** 2
    )
    no_slot = (fits.softness > _FLAG_SOFTNESS) | (fits.misfit > _FLAG_MISFIT)
    return np.asarray((np.abs(integral - fits.width_px) > _FLAG_SDS * sd) | no_slot)
