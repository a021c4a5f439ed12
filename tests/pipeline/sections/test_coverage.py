"""Coverage: frames that go on in each other, holes, crossings; the quick way against the union."""

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import CRS

from crackpipe.pipeline.sections import coverage
from crackpipe.pipeline.sections.cells import Layout, cut
from crackpipe.pipeline.sections.options import Lanes
from crackpipe.pipeline.sections.routes.axis import Finder, axes_of
from crackpipe.pipeline.sections.routes.chain import without_measures

UTM32 = CRS("EPSG:25832")
EAST, NORTH = 500_000.0, 5_400_000.0


def layout_of(
    *lines: list[tuple[float, float]], lanes: Lanes | None = None, length_m: float = 10.0
) -> Layout:
    """Routes R0, R1 ... through points (east, north) in map units from one corner."""
    parts = []
    for index, line in enumerate(lines):
        world = np.array(line) + np.array([EAST, NORTH])
        parts += without_measures(f"R{index}", [world], UTM32).parts
    return Layout.of(Finder.of(axes_of(parts, UTM32)), lanes or Lanes(), length_m)


def areas(*polygons: shapely.Geometry) -> np.ndarray:
    return np.array([shapely.affinity.translate(each, EAST, NORTH) for each in polygons], dtype=object)


def test_ground_seen_twice_counts_once() -> None:
    layout = layout_of([(0, 0), (0, 20)])
    frames = areas(shapely.box(-2, 0, 2, 8), shapely.box(-2, 4, 2, 8), shapely.box(0, 6, 2, 12))
    seen = coverage.inspected_m2(layout, frames).sum(axis=(1, 2))
    # 8 m of 3.5 m and 2 m of the right half; then 2 m of the right half
    assert seen == pytest.approx([(8 * 3.5 + 2 * 1.75), 2 * 1.75], rel=5e-3)


def test_a_hole_is_not_inspected() -> None:
    layout = layout_of([(0, 0), (0, 10)])
    frame = shapely.box(-2, -1, 2, 11).difference(shapely.box(-0.375, 2, 0.375, 6))
    seen = coverage.inspected_m2(layout, areas(frame))[0, 0]
    assert seen == pytest.approx([3.75, 10, 7.5 - 3, 10, 3.75], rel=2e-3)


def test_a_notch_that_is_open_to_the_side_is_not_inspected() -> None:
    """It lies about the middle of the frame from 96 to 106 m, and is masked in all of them."""
    layout = layout_of([(0, 0), (0, 200)], length_m=40.0)
    notch = shapely.box(-9, 100, 0.5, 102)
    frames = [shapely.box(-4, at, 4, at + 10).difference(notch) for at in range(-4, 201, 4)]
    seen = coverage.inspected_m2(layout, areas(*frames)).sum(axis=(1, 2))
    # of the section from 80 to 120 m, 2 m of 2.25 m are missing
    assert seen == pytest.approx([140, 140, 140 - 2 * 2.25, 140, 140], abs=0.5)


def test_a_frame_beside_the_road_counts_nothing() -> None:
    assert coverage.inspected_m2(layout_of([(0, 0), (0, 10)]), areas(shapely.box(3, 0, 7, 10))).sum() == 0
    assert coverage.inspected_m2(layout_of([(0, 0), (0, 10)]), areas()).sum() == 0


def test_a_crossing_road_has_its_own_ground() -> None:
    """Ground at a crossing counts for the nearer of two roads: each has half of the square."""
    layout = layout_of([(-20, 0), (20, 0)], [(0, -20), (0, 20)], length_m=40.0)
    seen = coverage.inspected_m2(layout, areas(shapely.box(-20, -20, 20, 20))).sum(axis=(1, 2))
    assert seen == pytest.approx([40 * 3.5 - 3.5**2 / 2] * 2, rel=0.02)


frames = st.lists(
    st.tuples(st.floats(-2, 32), st.floats(-1, 1), st.floats(1, 9), st.floats(2, 6), st.floats(-25, 25)),
    min_size=1,
    max_size=8,
)


@settings(max_examples=60, deadline=None)
@given(frames)
def test_the_quick_way_gives_what_the_union_gives(drawn: list[tuple[float, ...]]) -> None:
    layout = layout_of([(0, 0), (0, 15), (0, 30)])
    some = areas(
        *(
            shapely.affinity.rotate(shapely.box(x - w / 2, y - h / 2, x + w / 2, y + h / 2), turn)
            for y, x, h, w, turn in drawn
        )
    )
    quick = coverage.inspected_m2(layout, some)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            coverage, "_seen_in_full", lambda areas, reach, begins, ends: np.zeros(len(begins), bool)
        )
        slow = coverage.inspected_m2(layout, some)
    assert np.abs(quick - slow).max() < 1e-6


steps = st.lists(st.tuples(*[st.floats(-40, 80)] * 2, *[st.floats(-4, 4)] * 2), min_size=1, max_size=20)


@settings(max_examples=60, deadline=None)
@given(steps)
def test_cutting_loses_nothing(drawn: list[tuple[float, ...]]) -> None:
    layout = layout_of([(0, 0), (0, 45)])
    values = np.array(drawn)
    pieces = cut(values[:, :2], values[:, 2:], layout.sections, layout.columns)
    assert np.bincount(pieces.step, pieces.share, minlength=len(values)) == pytest.approx(1.0)
    inside = pieces.row >= 0
    middle = (pieces.low_o + pieces.high_o) / 2
    lane = pieces.column >= 0
    assert (np.abs(middle[lane]) <= 1.75 + 1e-9).all()
    assert (np.abs(middle[~lane]) >= 1.75 - 1e-9).all()
    assert (pieces.row[inside] < len(layout.sections.row_section)).all()


def test_rows_fill_the_sections() -> None:
    """Rows of about 1 m fill each section; what is too short joins the section before."""
    layout = layout_of([(0, 0), (0, 30.05)])
    assert layout.sections.length_m == pytest.approx([10, 10, 10.06], abs=0.01)
    assert np.bincount(layout.sections.row_section).tolist() == [10, 10, 10]
    assert layout.sections.row_at(np.array([-0.1, 0.5, 29.9, 30.2])).tolist() == [-1, 0, 29, -1]
