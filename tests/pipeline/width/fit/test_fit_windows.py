"""The blurred box: formula, fit on profiles without and with noise, independence of windows."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter1d
from scipy.special import erf

from crackpipe.pipeline.width.fit.fit_width import fit_width, p_below
from crackpipe.pipeline.width.fit.fit_windows import fit_windows
from crackpipe.pipeline.width.fit.posterior import Fits
from crackpipe.pipeline.width.fit.slot import blurred_box

OFFSET = np.linspace(-12.0, 12.0, 97)
SIGMA = 0.75


def drawn(width_px: float, contrast: float = 60.0, center_px: float = 0.3) -> np.ndarray:
    """A slot drawn at 100 samples per pixel and blurred by a filter: not by the formula that is fitted."""
    fine = np.arange(-20.0, 20.0, 0.01)
    slot = np.clip((width_px / 2 + 0.005 - np.abs(fine - center_px)) / 0.01, 0.0, 1.0)
    return 120.0 + 0.2 * OFFSET - contrast * np.interp(OFFSET, fine, gaussian_filter1d(slot, SIGMA / 0.01))


def fit(
    grey: np.ndarray, *, contrast: float = np.nan, contrast_sd: float = 0.0, together: bool = False
) -> Fits:
    grey = np.atleast_2d(grey)
    count = len(grey)
    return fit_windows(
        np.tile(OFFSET, (count, 1)),
        grey,
        np.full(grey.shape, 1.0),
        bin_px=np.full(count, 0.25),
        sigma_px=np.full(count, SIGMA),
        contrast=np.full(count, contrast),
        contrast_sd=np.full(count, contrast_sd),
        together=together,
    )


def test_blurred_box_is_the_difference_of_two_error_functions() -> None:
    box, left, right = blurred_box(OFFSET - 0.5, np.array(3.0), np.array(0.8))
    s = (OFFSET - 0.5) / (np.sqrt(2) * 0.8)
    e = 1.5 / (np.sqrt(2) * 0.8)
    assert np.abs(box - (erf(s + e) - erf(s - e)) / 2).max() < 1e-6
    assert np.trapezoid(left, OFFSET) == pytest.approx(1.0)
    assert np.trapezoid(right, OFFSET) == pytest.approx(1.0)


@pytest.mark.parametrize("width_px", [0.3, 0.5, 1.0, 1.5, 2.0, 3.0, 5.0, 8.0])
def test_width_with_known_contrast(width_px: float) -> None:
    found = fit(drawn(width_px), contrast=60.0)
    assert found.width_px[0] == pytest.approx(width_px, abs=0.01)
    assert found.center_px[0] == pytest.approx(0.3, abs=0.01)
    assert found.background[0] == pytest.approx(120.0, abs=0.1)


@pytest.mark.parametrize("width_px", [3.0, 5.0, 8.0])
def test_wide_slots_tell_their_contrast(width_px: float) -> None:
    found = fit(drawn(width_px, contrast=35.0))
    assert found.width_px[0] == pytest.approx(width_px, abs=0.03)
    assert found.contrast[0] == pytest.approx(35.0, abs=0.5)


def test_uncertain_contrast_makes_thin_widths_uncertain_and_leaves_wide_ones() -> None:
    found = fit(np.stack([drawn(0.5), drawn(8.0)]), contrast=60.0, contrast_sd=0.2)
    assert found.ln_width_contrast_sd[0] == pytest.approx(0.2, abs=0.03)
    assert found.ln_width_contrast_sd[1] < 0.01
    total = np.hypot(found.ln_width_contrast_sd, found.ln_width_noise_sd)
    assert np.allclose(total, found.ln_width_sd)


def test_nothing_but_noise_is_a_width_near_nothing() -> None:
    grey = 120.0 + np.random.default_rng(1).normal(0.0, 1.0, (20, len(OFFSET)))
    found = fit(grey, contrast=60.0, contrast_sd=0.2)
    assert found.width_px.max() < 0.15
    assert np.isfinite(found.ln_width_sd).all()


@pytest.mark.parametrize("step", [-40.0, 90.0])
@pytest.mark.parametrize("from_px", [8.0, 10.5])
def test_another_crack_or_paint_on_one_side_does_not_move_the_width(step: float, from_px: float) -> None:
    grey = drawn(2.0, center_px=0.0) + step * (from_px < OFFSET)
    assert fit(grey, contrast=60.0, contrast_sd=0.05).width_px[0] == pytest.approx(2.0, abs=0.02)


def test_a_window_does_not_depend_on_its_neighbours() -> None:
    grey = drawn(2.0) + np.random.default_rng(2).normal(0.0, 3.0, (300, len(OFFSET)))
    together = fit(grey, contrast=60.0, contrast_sd=0.2)
    alone = fit(grey[[7, 290]], contrast=60.0, contrast_sd=0.2)
    assert together.width_px[[7, 290]].tolist() == alone.width_px.tolist()
    assert together.ln_width_sd[[7, 290]].tolist() == alone.ln_width_sd.tolist()


def test_spread_and_promise_agree_under_white_noise() -> None:
    rng = np.random.default_rng(3)
    for width_px in (0.7, 2.0, 5.0):
        found = fit(drawn(width_px) + rng.normal(0.0, 5.0, (400, 97)), contrast=60.0, together=True)
        error = found.width_px - width_px
        promised = found.width_px * found.ln_width_sd
        assert abs(error.mean()) < 0.02
        assert np.mean(np.abs(error) <= 2 * promised) == pytest.approx(0.954, abs=0.03)


def test_the_plain_function() -> None:
    rng = np.random.default_rng(4)
    grey = drawn(1.2) + rng.normal(0.0, 1.0, len(OFFSET))
    order = rng.permutation(len(OFFSET))
    psf = np.sqrt(SIGMA**2 - 1 / 12)
    found = fit_width(OFFSET[order] + 7.0, grey[order], sigma_psf_px=psf, contrast=60.0, contrast_sd=0.0)
    assert found.width_px == pytest.approx(1.2, abs=0.1)
    assert found.center_px == pytest.approx(7.3, abs=0.1)
    assert found.width_sigma_px < 0.1
    assert found.p_below(0.8) < 0.01
    assert found.p_below(1.6) > 0.99


def test_the_plain_function_bins_many_samples() -> None:
    rng = np.random.default_rng(5)
    offset = rng.uniform(-9.0, 9.0, 900)
    grey = np.interp(offset, OFFSET, drawn(2.0, center_px=0.0)) + rng.normal(0.0, 8.0, 900)
    psf = np.sqrt(SIGMA**2 - 1 / 12)
    found = fit_width(offset, grey, sigma_psf_px=psf, contrast=60.0)
    assert found.width_px == pytest.approx(2.0, abs=3 * found.width_sigma_px)
    assert 0.02 < found.width_sigma_px < 0.4


def test_the_plain_function_refuses_what_is_no_profile() -> None:
    with pytest.raises(ValueError, match="1-D, equal, 8 or longer"):
        fit_width(np.zeros(5), np.zeros(5), sigma_psf_px=0.7)


def test_probability_below_a_limit() -> None:
    assert p_below(1.0, 0.2, 1.0) == pytest.approx(0.5)
    assert p_below(1.0, 0.2, 1.2) == pytest.approx(0.819, abs=1e-3)  # Phi(ln 1.2 / 0.2)
    assert p_below([0.5, 2.0], [0.1, 0.1], 1.0).round(3).tolist() == [1.0, 0.0]
