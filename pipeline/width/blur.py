"""The blur across a line, px: that of the camera, and in a plan view what looking up its frame added.

In a plan view the camera's blur s and its pixel's area, 1/12, are stretched by the m pixels of the image that
the camera's own pixel is wide across the line. Interpolation between two of the camera's pixels, a triangle,
adds 1/6 on average. Where m is below 1 several of them were averaged over a pixel of the plan view:

    sigma^2 = m^2 (s^2 + 1/12 + 1/6) + max(0, 1 - m^2) / 12

Less the 1/12 of the pixel's own area, which everybody adds, this is what `sigma_px` returns.
"""

import numpy as np

from crackpipe.pipeline.geometry.arrays import Floats

_PIXEL, _INTERPOLATED = 1 / 12, 1 / 6


def sigma_px(sigma_psf_px: float, camera_px: Floats) -> Floats:
    """Standard deviation of the blur across lines besides the pixel's own area, px of the image, (N,).

    `sigma_psf_px` is the camera's, in its own pixels; `camera_px` (N,) how many pixels of the image one of
    them is wide across the line, NaN where the image is no plan view.
    """
    squares = camera_px**2
    variance = squares * (sigma_psf_px**2 + _PIXEL + _INTERPOLATED) + np.maximum(1 - squares, 0.0) * _PIXEL
    return np.where(np.isnan(camera_px), sigma_psf_px, np.sqrt(np.maximum(variance - _PIXEL, 0.0)))


def camera_sigma_px(sigma_px: Floats, camera_px: Floats) -> Floats:
    """The inverse of `sigma_px`: the camera's blur in its own pixels, (N,); 0 where there is none left."""
    squares = camera_px**2
    stretched = sigma_px**2 + _PIXEL - np.maximum(1 - squares, 0.0) * _PIXEL
    variance = stretched / squares - _PIXEL - _INTERPOLATED
    return np.where(np.isnan(camera_px), sigma_px, np.sqrt(np.maximum(variance, 0.0)))
