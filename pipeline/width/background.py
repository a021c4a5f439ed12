"""The pavement beside a crack: its grey value, its texture, and the light that is missing across the line."""

import numpy as np
from numpy.typing import NDArray

from crackpipe.pipeline.geometry.arrays import Floats
from crackpipe.pipeline.width.fit.medians import masked_median, median_line
from crackpipe.pipeline.width.profiles import Profiles
from crackpipe.pipeline.width.windows import SIDE_PX

# The texture of a window is averaged with the median of the image. The weight of the window's own value is
# its number of degrees of freedom, and this is the weight of the median.
_TEXTURE_FREEDOM = 10.0
_LEAST_TEXTURE = 1.0
# A crack in shadow is less dark. So contrast is multiplied by the ratio of the window's background to the
# image's, and this is the range of that ratio.
_LIGHT_RANGE = (0.25, 1.5)
# A window needs this many pixels in each of three zones: within 2 px left of the line, within 2 px right of
# it, and in the side bands.
_INNER_PX = 2.0
_LEAST_PIXELS = 12.0


def usable_windows(profiles: Profiles) -> NDArray[np.bool_]:
    """Windows (N,) with enough pixels close to the line on both sides, and in the side bands together."""
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
    """Which samples (N, K) lie in the side bands: the outermost pixels, where the pavement shows."""
    reach = profiles.bin_px[:, None] * profiles.pixels.shape[1] / 2
    return np.asarray(np.abs(profiles.offset_px) > reach - SIDE_PX)


def backgrounds(profiles: Profiles) -> Floats:
    """Median grey value of each window's side bands (N,)."""
    return masked_median(profiles.grey.astype(np.float64), side_bands(profiles) & (profiles.pixels > 0))


def light_ratio(background: Floats, middle: float) -> Floats:
    """Each window's background over the image's median (N,): the factor of its contrast; 1 if unknown."""
    if not middle > 0:
        return np.ones_like(background)
    return np.clip(background / middle, *_LIGHT_RANGE)


def _texture(profiles: Profiles) -> Floats:
    """S0 (N,) of each window, drawn towards the image's median, since a window's ten cells tell little."""
    known = profiles.texture_freedom > 0
    own = np.where(known, profiles.texture, 0.0)
    pooled = float(np.median(own[known])) if known.any() else _LEAST_TEXTURE
    freedom = np.where(known, profiles.texture_freedom, 0)
    drawn = (freedom * own + _TEXTURE_FREEDOM * pooled) / (freedom + _TEXTURE_FREEDOM)
    return np.maximum(drawn, _LEAST_TEXTURE)


def missing_light(profiles: Profiles, usable: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """Darkness missing across the line, grey px, and its standard deviation, both (N,) over `usable`.

    It is the integral, over the core, of background minus grey. The background is the straight line through
    the side bands. The variance is S0 2h (1 + 2h / m) / L, where h is half the width of the core, m the width
    of both side bands together and L the length of the window, all in px.
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
