"""Plan views of drawn frames against what was drawn: places, lengths and widths."""

import numpy as np
import pytest
from ahead import Spot
from ahead.found import Drawn, drawn, lengths_ratio, slots_in, spots_off_px, widths

from crackpipe.pipeline.frames.files.oblique import Oblique

CAMERA = Oblique(gsd_mm=4.0, focal_px=1200.0, height_m=2.4, pitch_deg=35.0, roll_deg=2.0)
SIZE = (960, 1280)
WIDTHS_MM = (8.0, 12.0, 16.0, 24.0)


@pytest.fixture(scope="module")
def cracked() -> Drawn:
    return drawn(CAMERA, SIZE, slots_in(WIDTHS_MM, 2.2, 4.6, seed=1), margin_px=18)


def test_everywhere_it_lies_within_half_a_pixel_of_the_plane() -> None:
    spots = [
        Spot(np.array([right, ahead]), 0.012)
        for ahead in np.arange(1.6, 4.95, 0.3)
        for right in np.arange(-2.6, 2.7, 0.3)
    ]
    off = spots_off_px(drawn(CAMERA, SIZE, spots, margin_px=14, texture=0, noise=0))
    assert len(off) > 100
    assert off.max() < 0.1


def test_lengths_are_right_within_a_hundredth(cracked: Drawn) -> None:
    ratio = lengths_ratio(cracked)
    assert len(ratio) >= 16
    assert np.mean(ratio) == pytest.approx(1.0, abs=0.015)
    assert np.abs(ratio - 1).max() < 0.06


def test_widths_from_two_pixels_on_are_right_within_a_tenth(cracked: Drawn) -> None:
    found = widths(cracked)
    ratio = np.array([width.width_mm / (slot.width_m * 1000) for slot, width in found])
    true_mm = np.array([slot.width_m * 1000 for slot, _ in found])
    assert len(ratio) >= 16
    assert all(abs(np.mean(ratio[true_mm == each]) - 1) < 0.05 for each in WIDTHS_MM)
    assert np.mean(np.abs(ratio - 1) < 0.1) > 0.9
    assert not any(width.width_flag for _, width in found)
