"""The plain functions: pixels or profiles of one window or many, with nothing known of their noise."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from scipy.special import erf

from crackpipe.pipeline.width.fit.fit_width import WidthFit, fit_width, fit_widths

PSF = 0.7
REACH = 9.0


def pixels(seed: int, width_px: float, *, noise: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """All pixels of 50 px of a slot at some angle, over asphalt: offsets and grey values."""
    rng = np.random.default_rng(seed)
    angle, shape = rng.uniform(0.0, np.pi), (84, 84)
    row, col = np.mgrid[: shape[0], : shape[1]]
    row, col = row - 42 - rng.uniform(), col - 42 - rng.uniform()
    across, along = row * np.cos(angle) - col * np.sin(angle), row * np.sin(angle) + col * np.cos(angle)
    texture = gaussian_filter(rng.standard_normal(shape), 1.0, mode="wrap")
    texture = 10.0 * texture / texture.std() + rng.normal(0.0, 3.0, shape)
    scale = np.sqrt(2.0) * np.hypot(PSF, 12**-0.5)
    slot = erf((across + width_px / 2) / scale) - erf((across - width_px / 2) / scale)
    keep = (np.abs(across) < REACH) & (np.abs(along) < 25.0)
    return across[keep], (128.0 - 30.0 * slot + noise * texture)[keep]


def stacked(windows: list[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    """(2, N, M) offsets and grey values, NaN where a window has fewer samples."""
    samples = np.full((2, len(windows), max(len(offset) for offset, _ in windows)), np.nan)
    for index, window in enumerate(windows):
        samples[:, index, : len(window[0])] = window
    return samples


@pytest.mark.parametrize("width_px", [0.5, 1.5, 3.0])
def test_bias_spread_and_promise_from_nothing_but_pixels(width_px: float) -> None:
    windows = stacked([pixels(seed, width_px) for seed in range(120)])
    fits = fit_widths(*windows, sigma_psf_px=PSF, contrast=60.0, contrast_sd=0.0)
    error = fits.width_px - width_px
    assert abs(error.mean()) < 0.05
    assert error.std() < 0.15
    assert 0.88 <= np.mean(np.abs(error) <= 2 * fits.width_sigma_px) <= 1.0
    assert fits.width_sigma_px.mean() < 1.4 * error.std()


def test_many_windows_are_as_one_by_one() -> None:
    windows = [pixels(seed, 1.0 + seed / 3) for seed in range(5)]
    profile = (
        np.linspace(-8.0, 8.0, 33),
        np.interp(np.linspace(-8, 8, 33), [-1.5, -0.5, 0.5, 1.5], [120, 80, 80, 120]),
    )
    windows = [*windows, (windows[0][0] * 4, windows[0][1]), profile, (np.zeros(3), np.zeros(3))]
    contrast = np.array([60.0, np.nan, 55.0, 60.0, 60.0, 60.0, 60.0, 60.0])
    sd = np.array([0.0, 0.2, 0.2, 0.1, 0.2, 0.2, 0.2, 0.2])
    fits = fit_widths(*stacked(windows), sigma_psf_px=PSF, contrast=contrast, contrast_sd=sd)
    for index, (offset, grey) in enumerate(windows[:-1]):
        known = None if np.isnan(contrast[index]) else contrast[index]
        one = fit_width(offset, grey, sigma_psf_px=PSF, contrast=known, contrast_sd=sd[index])
        together = WidthFit(
            width_px=fits.width_px[index],
            width_sigma_px=fits.width_sigma_px[index],
            contrast=fits.contrast[index],
            center_px=fits.center_px[index],
        )
        assert one == together
        assert one.p_below(1.5) == fits.p_below(1.5)[index]
    assert np.isnan(fits.width_px[-1]) and np.isnan(fits.width_sigma_px[-1])


@pytest.mark.parametrize(
    "beside",
    [
        lambda s: -60.0 * (np.abs(s - 6.0) < 1.0),  # another crack
        lambda s: -50.0 * (s > 6.0),  # a shadow's edge
        lambda s: 90.0 * (s < -6.5),  # paint
        lambda s: -25.0 * (np.abs(s) < 7.5),  # a band of sealant
    ],
    ids=["crack", "shadow", "paint", "sealant"],
)
def test_what_lies_beside_does_not_count(beside: object) -> None:
    for seed in range(6):
        offset, grey = pixels(seed, 1.5, noise=0.2)
        assert callable(beside)
        found = fit_width(offset, grey + beside(offset), sigma_psf_px=PSF, contrast=60.0, contrast_sd=0.1)
        assert found.width_px == pytest.approx(1.5, abs=0.25)
        assert abs(found.width_px - 1.5) < 3.0 * found.width_sigma_px


@pytest.mark.parametrize("spacing_px", [0.5, 1.0])
def test_one_averaged_profile(spacing_px: float) -> None:
    profiles = []
    for seed in range(12):
        offset, grey = pixels(seed, 2.0)
        place = np.floor(offset / spacing_px).astype(int)
        bins = np.unique(place)
        profiles.append([np.array([values[place == k].mean() for k in bins]) for values in (offset, grey)])
    fits = [fit_width(*p, sigma_psf_px=PSF, contrast=60.0, contrast_sd=0.0) for p in profiles]
    error, sigma = (np.array(v) for v in ([f.width_px - 2.0 for f in fits], [f.width_sigma_px for f in fits]))
    assert abs(error.mean()) < 0.12  # 2.8 standard errors
    assert np.abs(error / sigma).max() < 3.2
    assert 0.1 < sigma.mean() < 0.2


def test_a_free_contrast_is_found_where_the_crack_is_wide() -> None:
    offset, grey = pixels(5, 6.0, noise=0.3)
    found = fit_width(offset, grey, sigma_psf_px=PSF)
    assert found.contrast == pytest.approx(60.0, rel=0.05)
    assert found.width_px == pytest.approx(6.0, abs=0.1)


def test_what_is_no_profile_is_refused() -> None:
    with pytest.raises(ValueError, match="2-D and equal"):
        fit_widths(np.zeros(9), np.zeros(9), sigma_psf_px=0.7)
    with pytest.raises(ValueError, match="finite"):
        fit_width(np.arange(9.0), np.full(9, np.nan), sigma_psf_px=0.7)
    none = fit_widths(np.zeros((0, 9)), np.zeros((0, 9)), sigma_psf_px=0.7)
    assert none.width_px.shape == (0,)
