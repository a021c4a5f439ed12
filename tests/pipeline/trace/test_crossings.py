"""Where lines meet: junctions and rings, on masks checked by eye and on drawn bands."""

import math

import numpy as np
import pytest
from drawn import SHAPE, close, degrees, length_px, mask_of, trace, trace_strip

from crackpipe.pipeline.trace.lines import Line


def test_t() -> None:
    lines = trace(
        mask_of("""
#########################
............#............
............#............
............#............
............#............
............#............
............#............
............#............
............#............
............#............
............#............
............#............
............#............
............#............
""")
    )
    assert degrees(lines) == [1, 1, 1, 3]
    assert {line.network for line in lines} == {0}
    junction = max(lines, key=lambda line: line.vertices[:, 0].max()).vertices[0]
    assert close(junction, [0, 12], within=0.8)


def test_y() -> None:
    arms = [(110 + 80 * math.sin(a), 110 + 80 * math.cos(a)) for a in np.deg2rad([90, 210, 330])]
    lines = trace_strip(*[[(110, 110), arm] for arm in arms], width_px=3, shape=SHAPE)
    assert degrees(lines) == [1, 1, 1, 3]
    assert sum(map(length_px, lines)) == pytest.approx(240, rel=0.01)


def crossing(first_deg: float, angle_deg: float, width_px: float) -> tuple[list[Line], np.ndarray]:
    """The lines of two bands of 180 px that cross in their middles, and where that is."""
    directions = [
        np.array([math.sin(a), math.cos(a)]) for a in np.deg2rad([first_deg, first_deg + angle_deg])
    ]
    centre = np.array([110.2, 109.7])
    bands = [(centre - 90 * d, centre + 90 * d) for d in directions]
    return trace_strip(*bands, width_px=width_px, shape=SHAPE), centre


@pytest.mark.parametrize("width_px", [1.5, 3.0, 6.0])
@pytest.mark.parametrize("angle_deg", [60, 75, 90])
def test_x_is_one_junction(angle_deg: float, width_px: float) -> None:
    lines, _ = crossing(12, angle_deg, width_px)
    assert degrees(lines) == [1, 1, 1, 1, 4]
    assert sum(map(length_px, lines)) == pytest.approx(360, rel=0.01)


@pytest.mark.parametrize("width_px", [1.5, 4.0, 8.0])
@pytest.mark.parametrize("angle_deg", [30, 40, 50])
def test_x_at_a_small_angle_is_one_junction_in_the_right_place(angle_deg: float, width_px: float) -> None:
    lines, centre = crossing(7, angle_deg, width_px)
    assert degrees(lines) == [1, 1, 1, 1, 4]
    ends = np.concatenate([line.vertices[[0, -1]] for line in lines])
    assert np.sort(np.hypot(*(ends - centre).T))[:4].max() <= 1.5


def test_branches_on_both_sides_of_a_line_are_no_crossing() -> None:
    trunk = [(110.0, 10.0), (110.0, 210.0)]
    branches = [(110.0, 100.0), (40.0, 100.0)], [(110.0, 112.0), (180.0, 112.0)]
    assert degrees(trace_strip(trunk, *branches, width_px=2.0, shape=SHAPE)) == [1, 1, 1, 1, 3, 3]


def test_ring() -> None:
    turn = np.linspace(0, 2 * np.pi, 200)
    (line,) = trace_strip(
        np.column_stack([110 + 50 * np.sin(turn), 110 + 50 * np.cos(turn)]), width_px=4, shape=SHAPE
    )
    assert line.start_node == line.end_node
    assert not line.start_free
    assert not line.end_free
    assert line.vertices[0].tolist() == line.vertices[-1].tolist() == min(line.vertices.tolist())
    assert length_px(line) == pytest.approx(100 * np.pi, rel=0.01)


def test_figure_eight() -> None:
    lines = trace(
        mask_of("""
..############..
.#............#.
#..............#
#..............#
#..............#
.#............#.
..############..
.#............#.
#..............#
#..............#
#..............#
.#............#.
..############..
""")
    )
    assert degrees(lines) == [3, 3]
    assert len({(line.start_node, line.end_node) for line in lines}) == 1
