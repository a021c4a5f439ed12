"""Widths in plan views: the camera's blur is stretched, and along the view more than across."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter1d

from crackpipe.pipeline.frames.oblique.decode import packed
from crackpipe.pipeline.frames.oblique.rectify import rectified
from crackpipe.pipeline.geometry.grid import Window
from crackpipe.pipeline.geometry.plan_view import PlanView
from crackpipe.pipeline.width.blur import camera_sigma_px, sigma_px
from crackpipe.pipeline.width.contrast import Contrast
from crackpipe.pipeline.width.profiles import measure
from crackpipe.pipeline.width.stretches import Limits, Stretch, stretches_of
from crackpipe.pipeline.width.widths import widths_of
from crackpipe.pipeline.width.windows import paths_of, windows_of

PSF, CONTRAST, FINE = 0.7, 60.0, 20
KNOWN = Contrast(CONTRAST, 0.05, 128.0, 0)
LIMITS = Limits(tiny_below_mm=1.0, small_below_mm=3.0, class_run_mm=1000.0, certain_from=0.8, shape_sd=0.0)


def test_without_a_plan_view_the_blur_is_the_cameras() -> None:
    assert sigma_px(0.7, np.full(3, np.nan)).tolist() == [0.7] * 3
    assert camera_sigma_px(np.array([0.9]), np.array([np.nan])).tolist() == [0.9]


def test_what_the_camera_has_is_found_again() -> None:
    stretch = np.array([0.3, 0.9, 1.0, 1.7, 2.5])
    assert camera_sigma_px(sigma_px(0.7, stretch), stretch) == pytest.approx([0.7] * 5)


def test_the_more_it_is_stretched_the_more_it_blurs() -> None:
    found = sigma_px(0.7, np.linspace(0.05, 2.5, 50))
    assert (np.diff(found) > 0).all()
    # where the camera is far finer than the plan view, only the area of its pixel is left
    assert found[0] < 0.05


def picture(
    width_px: float, slope: float, times: float, *, noise: float = 2.0
) -> tuple[np.ndarray, PlanView]:
    """A frame of a slot, and the view that stretches it `times` downwards: `width_px` wide in the plan view.

    `slope`: rows of the plan view per column; the slot lies across the rows.
    """
    rows, cols = round(200 / times), 240
    row = (np.arange(rows * FINE) + 0.5) / FINE - 0.5
    col = np.arange(cols)
    # in the plan view the line runs through the middle
    middle = (99.5 + slope * (col - 119.5) - (times - 1) / 2) / times
    tall_px = width_px / times * np.hypot(1.0, slope)
    slot = np.clip((tall_px / 2 - np.abs(row[:, None] - middle)) * FINE + 0.5, 0.0, 1.0)
    seen = gaussian_filter1d(gaussian_filter1d(slot, PSF * FINE, axis=0), PSF, axis=1)
    grey = 128.0 - CONTRAST * seen.reshape(rows, FINE, cols).mean(axis=1)
    grey += np.random.default_rng(0).normal(0.0, noise, grey.shape)
    view = PlanView((1, 0, 0, 0, 1 / times, (1 / times - 1) / 2, 0, 0, 1), (rows, cols), (198, 240))
    return np.rint(grey).astype(np.uint8), view


def measured(frame: np.ndarray, view: PlanView, slope: float, *, told: bool = True) -> Stretch:
    whole = Window(0, 0, *view.size_px)
    (plan,), valid = rectified(packed(frame[None]), view, whole)
    col = np.array([20.0, 220.0])
    line = np.column_stack([99.5 + slope * (col - 119.5), col])
    paths = paths_of([line], [3.0], view=view if told else None)
    windows = windows_of(paths, 50.0)
    profiles = measure(paths, windows, plan.astype(np.float32), valid, whole, sigma_psf_px=PSF, tone="linear")
    widths = widths_of(profiles, KNOWN, sigma_psf_px=PSF)
    ((stretch,),) = stretches_of(windows, widths, np.eye(2) / 1000, LIMITS)
    return stretch


@pytest.mark.parametrize("times", [0.5, 1.0, 1.6, 2.4])
@pytest.mark.parametrize("slope", [0.05, 0.7])
@pytest.mark.parametrize("width_px", [2.0, 4.0])
def test_a_width_is_right_however_it_was_stretched(width_px: float, slope: float, times: float) -> None:
    frame, view = picture(width_px, slope, times)
    assert measured(frame, view, slope).width.width_mm == pytest.approx(width_px, rel=0.05)


def test_who_is_not_told_the_blur_takes_it_for_no_slot() -> None:
    frame, view = picture(2.0, 0.05, 2.4)
    assert measured(frame, view, 0.05, told=False).width.width_flag
    assert not measured(frame, view, 0.05).width.width_flag


def test_a_crack_across_the_view_is_less_sure() -> None:
    across, along = (measured(*picture(1.0, 0.05, times, noise=8.0), 0.05).width for times in (2.4, 1.0))
    assert across.width_sigma_mm > 1.1 * along.width_sigma_mm


def test_a_class_below_half_a_pixel_of_the_camera_is_uncertain() -> None:
    # 0.3 mm is tiny beyond doubt, but 1 mm is less than half of a camera's pixel of 2.4 mm
    frame, view = picture(0.3, 0.05, 2.4)
    assert measured(frame, view, 0.05).width.class_uncertain
    fine, view = picture(0.3, 0.05, 1.0)
    found = measured(fine, view, 0.05).width
    assert found.width_class == "tiny"
    assert not found.class_uncertain
