"""The noise of profiles: covariances are what they say, and are found again in misfits drawn from them."""

import numpy as np
import pytest

from crackpipe.pipeline.width.fit.climb import PARAMETERS
from crackpipe.pipeline.width.fit.noise import Noise, noise_of, passing_of, whitener_of

BINS, BIN_PX = 40, 0.45
PLACE = np.arange(BINS) * BIN_PX
NOTHING_FITTED = np.eye(BINS)[None]


def covariance(grain_px: float, white_px: float, scale: float) -> np.ndarray:
    """The formula of the module, for bins that hold pixels alike."""
    distance = PLACE[:, None] - PLACE
    return scale * (np.exp(-(distance**2) / (4 * grain_px**2)) + np.eye(BINS) * white_px / BIN_PX)


def drawn(count: int, grain_px: float, white_px: float, scale: float = 7.0) -> np.ndarray:
    factor = np.linalg.cholesky(covariance(grain_px, white_px, scale))
    return (np.random.default_rng(1).standard_normal((count, BINS)) @ factor.T).astype(np.float32)


def implied(noise: Noise, window: int = 0) -> np.ndarray:
    """The covariance that `whitener_of` makes of the noise of one window with pixels alike in all bins."""
    rows = noise.rows(slice(window, window + 1))
    one = np.ones((1, BINS), np.float32)
    whitener = whitener_of(rows, 22 * one, one, 0 * one, np.array([BIN_PX]))[0].astype(np.float64)
    return np.linalg.inv(whitener.T @ whitener)


@pytest.mark.parametrize(("grain_px", "white_px"), [(1.0, 0.025), (0.7, 0.4), (2.0, 0.06), (0.5, 12.0)])
def test_an_images_noise_is_found_again(grain_px: float, white_px: float) -> None:
    residual = drawn(300, grain_px, white_px)
    noise = noise_of(residual, np.ones_like(residual), NOTHING_FITTED, np.full(300, BIN_PX), together=True)
    slow = np.cos(np.pi * np.arange(BINS) / BINS * 4)
    for wave in (slow, np.eye(BINS)[20], np.eye(BINS)[20] - np.eye(BINS)[21]):
        true = wave @ covariance(grain_px, white_px, 7.0) @ wave
        found = np.median([wave @ implied(noise, k) @ wave for k in range(0, 300, 20)])
        assert found == pytest.approx(true, rel=0.25)


def test_one_window_leans_on_the_prior_and_others_do_not_matter() -> None:
    residual, bin_px = drawn(30, 1.0, 0.04), np.full(30, BIN_PX)
    passing = np.repeat(NOTHING_FITTED, 30, axis=0)
    together = noise_of(residual, np.ones_like(residual), passing, bin_px, together=False)
    alone = noise_of(residual[4:5], np.ones((1, BINS), np.float32), passing[:1], bin_px[:1], together=False)
    assert together.shape[4].tolist() == alone.shape[0].tolist()
    assert together.scale[4].tolist() == alone.scale[0].tolist()
    ratios = [implied(together, k)[20, 20] / covariance(1.0, 0.04, 7.0)[20, 20] for k in range(30)]
    assert 0.7 < np.median(ratios) < 1.3


def test_what_a_fit_takes_away_is_allowed_for() -> None:
    """Misfits of straight lines: E |wave . misfit|^2 = passing @ power."""
    rows = np.zeros((1, PARAMETERS + 1, BINS), np.float32)
    rows[0, 0], rows[0, 1] = 1.0, PLACE - PLACE.mean()
    passing = passing_of(rows, np.ones((1, BINS), np.float32), np.full((1, PARAMETERS), 1e-6))[0]
    assert passing[0] == pytest.approx(np.zeros(BINS), abs=1e-6)  # a constant is fitted in full
    white = np.random.default_rng(2).standard_normal((4000, BINS))
    line = np.linalg.qr(np.stack([np.ones(BINS), PLACE], axis=1))[0]
    misfit = white - white @ line @ line.T
    wave = np.sqrt(2 / BINS) * np.cos((np.arange(BINS) + 0.5) * np.pi / BINS)  # the second slowest
    assert passing[1].sum() == pytest.approx(np.mean((misfit @ wave) ** 2), rel=0.1, abs=0.01)


def test_bins_without_pixels_or_belief_say_nothing() -> None:
    residual = drawn(40, 1.0, 0.06)
    noise = noise_of(residual, np.ones_like(residual), NOTHING_FITTED, np.full(40, BIN_PX), together=True)
    pixels, belief = np.full((1, BINS), 22.0, np.float32), np.ones((1, BINS), np.float32)
    pixels[0, 3], belief[0, 30] = 0.0, 0.0
    one = noise.rows(slice(0, 1))
    whitener = whitener_of(one, pixels, belief, np.zeros_like(pixels), np.array([BIN_PX]))[0]
    information = whitener.T @ whitener
    assert abs(information[[3, 30]]).max() < 1e-4 * information.max()
    fewer = pixels.copy()
    fewer[0, 10] = 2.0
    whitener = whitener_of(one, fewer, belief, np.zeros_like(pixels), np.array([BIN_PX]))[0].astype(
        np.float64
    )
    made = np.linalg.inv(whitener.T @ whitener)
    assert made[10, 10] > 1.1 * made[11, 11]
