"""Thin islands without data are pavement; collars, holes, dropouts and seams are not."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from crackpipe.pipeline.geometry.grid import Window
from crackpipe.pipeline.raster.validity.islands import REACH_PX, RIM_PX, lasting

Bools = NDArray[np.bool_]
ALL_SIDES = (True, True, True, True)
SHAPE = (400, 500)


def drawn(*parts: tuple[slice, slice]) -> Bools:
    missing = np.zeros(SHAPE, bool)
    for part in parts:
        missing[part] = True
    return missing


def crack(width_px: int) -> Bools:
    """A black crack that wanders from the top border to the bottom border."""
    missing = np.zeros(SHAPE, bool)
    aside = np.cumsum(np.random.default_rng(1).integers(-1, 2, SHAPE[0])) + 250
    for row, col in enumerate(aside):
        missing[row, col : col + width_px] = True
    return missing


def wedge() -> Bools:
    """A corner of a turned frame, which ends in a thin wedge along the upper side."""
    row, col = np.indices(SHAPE)
    return row < (400 - col) * 0.1


def hole() -> Bools:
    row, col = np.indices(SHAPE)
    return np.hypot(row - 200, col - 100) < 15.5


@pytest.mark.parametrize("width_px", [1, 9, 19])
def test_a_crack_is_pavement(width_px: int) -> None:
    # where it leaves the image it may be ragged by a few pixels
    assert lasting(crack(width_px), None, ALL_SIDES)[6:-6].sum() == 0


def test_single_pixels_are_pavement() -> None:
    noise = np.random.default_rng(2).random(SHAPE) < 0.02
    assert lasting(noise, None, ALL_SIDES)[6:-6, 6:-6].sum() == 0


@pytest.mark.parametrize(
    "missing",
    [
        drawn(np.s_[:, :20]),
        drawn(np.s_[:, :2]),
        drawn(np.s_[200, :]),
        drawn(np.s_[200:203, 100:300]),
        drawn(np.s_[:, 77:78]),
        drawn(np.s_[200:205, :], np.s_[:, 77:80]),
        drawn(np.s_[:, :]),
        wedge(),
        wedge()[:, ::-1],
        hole(),
    ],
    ids=["collar", "thin collar", "dropout", "part of a dropout", "seam", "seams that cross", "all",
         "wedge", "other wedge", "manhole of 30 px"],
)  # fmt: skip
def test_what_is_no_pavement_stays(missing: Bools) -> None:
    found = lasting(missing, None, ALL_SIDES)
    assert found[missing].all()
    # a lost line takes its sides along
    assert not found[~ndimage.binary_dilation(missing, np.ones((5, 5)))].any()


def test_a_crack_that_meets_a_hole_is_pavement_up_to_it() -> None:
    both = crack(5) | drawn(np.s_[180:220, 200:300])
    freed = both & ~lasting(both, None, ALL_SIDES)
    assert freed[:170].any() and freed[230:].any()
    assert not freed[180:220].any()


def test_values_near_no_data_count_beside_a_collar_alone() -> None:
    missing = drawn(np.s_[:, :40])
    near = drawn(np.s_[:, 40:50], np.s_[100:105, 300:310])
    found = lasting(missing, near, ALL_SIDES)
    assert found[:, :50].all()
    assert not found[:, 50 + RIM_PX :].any()


def test_an_answer_does_not_depend_on_the_window() -> None:
    rng = np.random.default_rng(3)
    missing = np.tile(crack(7) | wedge() | hole(), (2, 2)) | (rng.random((800, 1000)) < 0.01)
    missing[333] = True
    near = rng.random((800, 1000)) < 0.3
    whole = lasting(missing, near, ALL_SIDES)
    assert 0 < (missing & ~whole).sum() < missing.sum()
    for window in (Window(0, 0, 300, 300), Window(300, 450, 200, 250), Window(500, 600, 300, 400)):
        outer = window.padded(REACH_PX).clipped(800, 1000)
        part = outer.within(Window(0, 0, 800, 1000))
        sides = (outer.row == 0, outer.row_stop == 800, outer.col == 0, outer.col_stop == 1000)
        found = lasting(missing[part], near[part], sides)[window.within(outer)]
        assert np.array_equal(found, whole[window.within(Window(0, 0, 800, 1000))])
