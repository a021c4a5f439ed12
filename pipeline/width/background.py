"""The pavement beside a crack: its grey value, its texture, and the light that is missing across the line."""

import numpy as np
from numpy.typing import NDArray

from crackpipe.pipeline.geometry.arrays import Floats
from crackpipe.pipeline.width.fit.medians import masked_median, median_line
from crackpipe.pipeline.width.profiles import Profiles
from crackpipe.pipeline.width.windows import SIDE_PX

# A window's own texture counts as much as its degrees of freedom, the image's as this many.
_TEXTURE_FREEDOM = 10.0
_LEAST_TEXTURE = 1.0
# The ratio of a window's background to the image's, by which its contrast follows light and shadow.
_LIGHT_RANGE = (0.25, 1.5)
# A window needs this many pixels within 2 px of the line, on either side, and in the side bands.
_INNER_PX = 2.0
_LEAST_PIXELS = 12.0


def usable_windows(profiles: Profiles) -> NDArray[np.bool_]:
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


def side_bands(profiles: Profiles) -> NDArray[np.bool_]:
    """Which samples (N, K) lie in the outermost pixels on either side, which show the pavement."""
    reach = profiles.bin_px[:, None] * profiles.pixels.shape[1] / 2
    return np.asarray(np.abs(profiles.offset_px) > reach - SIDE_PX)


def backgrounds(profiles: Profiles) -> Floats:
    """Median grey value of each window's side bands (N,)."""
    return masked_median(profiles.grey.astype(np.float64), side_bands(profiles) & (profiles.pixels > 0))


def light_ratio(background: Floats, middle: float) -> Floats:
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


def missing_light(profiles: Profiles, usable: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """Darkness missing across the line, grey px, and its standard deviation, both (N,) over `usable`.

    The integral over the core of background minus grey, background being the straight line through the
    side bands. Variance S0 2h (1 + 2h/m) / L with h half the core, m the background and L the length.
    """
    grey = profiles.grey[usable].astype(np.float64)
    offset = profiles.offset_px[usable].astype(np.float64)
    pixels, bin_px = profiles.pixels[usable].astype(np.float64), profiles.bin_px[usable]
    side, some = side_bands(profiles)[usable], pixels > 0
    level, slope, _, _ = median_line(offset, grey, side & some)
    background = level[:, None] + slope[:, None] * offset
    inner = ~side & some
    dark = np.where(inner, background - grey, 0.0)
    aperture = (~side).sum(axis=1) * bin_px
    mean_dark = dark.sum(axis=1) / np.maximum(inner.sum(axis=1), 1)
    length = pixels.sum(axis=1) / (bin_px * pixels.shape[1])
    variance = _texture(profiles)[usable] * aperture * (1.0 + aperture / (2 * SIDE_PX)) / length
    return mean_dark * aperture, np.sqrt(variance)
