"""The inspected part of an image: the same however it was cut, without what was not seen."""

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from crackpipe.pipeline.geometry.grid import Window
from crackpipe.pipeline.masks.inspected_area import inspected_area, uninspected_cells


def area(valid: np.ndarray, side_px: int = 10_000) -> shapely.Geometry:
    height, width = valid.shape
    windows = [
        Window(row, col, side_px, side_px).clipped(height, width)
        for row in range(0, height, side_px)
        for col in range(0, width, side_px)
    ]
    cells = [
        (each, uninspected_cells(valid[each.within(Window(0, 0, height, width))], each)) for each in windows
    ]
    text = inspected_area(cells, height, width)
    return shapely.box(0, 0, width, height) if text is None else shapely.from_wkt(text)


def test_a_sound_image_needs_no_polygon() -> None:
    valid = np.ones((100, 70), np.bool_)
    assert uninspected_cells(valid, Window(0, 0, 100, 70)) is None
    assert inspected_area([(Window(0, 0, 100, 70), None)], 100, 70) is None


def test_a_masked_band_and_single_dark_pixels() -> None:
    valid = np.ones((100, 70), np.bool_)
    valid[:32] = False
    valid[::10, ::10] = False
    assert area(valid).equals(shapely.box(0, 32, 70, 100))


def test_nothing_inspected() -> None:
    assert area(np.zeros((50, 50), np.bool_)).is_empty


def test_a_turned_frame_has_four_sides() -> None:
    frame = shapely.affinity.rotate(shapely.box(300, 200, 1700, 1800), 20)
    row, col = np.mgrid[:2000, :2000] + 0.5
    found = area(shapely.contains_xy(frame, col.ravel(), row.ravel()).reshape(2000, 2000))
    assert shapely.get_num_coordinates(found) < 20
    assert found.hausdorff_distance(frame) < 40
    assert found.symmetric_difference(frame).area < 0.02 * frame.area


@settings(deadline=None)  # other work on the machine is not the test's
@given(st.integers(0, 2**32 - 1), st.sampled_from([7, 16, 24, 388]))
def test_blocks_of_any_size_give_the_same(seed: int, side_px: int) -> None:
    rng = np.random.default_rng(seed)
    valid = np.kron(rng.random((9, 7)) < 0.7, np.ones((23, 29), np.bool_)).astype(np.bool_)
    assert area(valid, side_px).equals_exact(area(valid), 0.0)


@pytest.mark.parametrize("spacing_px", [32, 64])
def test_a_lattice_of_holes_stays_small(spacing_px: int) -> None:
    valid = np.ones((6000, 1600), np.bool_)
    for row in range(16, 6000, spacing_px):
        for col in range(16, 1600, spacing_px):
            valid[row : row + 16, col : col + 16] = False
    found = area(valid)
    assert found.is_valid and shapely.get_num_coordinates(found) <= 1000
