"""The parts of a route, and the measures at their vertices."""

import numpy as np
import pytest
from pyproj import CRS

from crackpipe.pipeline.geometry.arrays import Floats
from crackpipe.pipeline.sections.routes import chain

UTM32 = CRS("EPSG:25832")
NAN = np.nan


def line(*points: tuple[float, float]) -> Floats:
    """Points (east, north) in metres on the ground; 1 m of this CRS is 1.0004 m on the ground there."""
    return np.array(points) * 0.9996 + np.array([500_000.0, 5_400_000.0])


@pytest.mark.parametrize("unit_m", [1.0, 1000.0])
@pytest.mark.parametrize(
    ("measure", "expected"),
    [
        ([NAN, 1000, 1050, 1100], [980, 1000, 1050, 1100]),
        ([1000, 1020, 1070, NAN], [1000, 1020, 1070, 1120]),
        ([1000, NAN, 1070, 1120], [1000, 1020, 1070, 1120]),
        ([NAN, 1100, 1050, NAN], [1000, 1050, 1100, 1120]),  # falls, and is turned
    ],
)
def test_a_vertex_without_a_measure_gets_one_by_ground_length(
    measure: list[float], expected: list[float], unit_m: float
) -> None:
    lines, measures = [line((0, 0), (0, 20), (0, 70), (0, 120))], [np.array(measure) / unit_m]
    assert chain.measure_unit_m(lines, measures, UTM32) == unit_m
    part = chain.with_measures("A", lines, measures, unit_m, UTM32).parts[0]
    assert part.measure_m == pytest.approx(expected, abs=0.01)


def test_the_unit_is_seen_where_measures_are_known() -> None:
    """Of 120 m of line 50 m have measures that rise by 50."""
    lines, measures = [line((0, 0), (0, 50), (0, 120))], [np.array([1000, 1050, NAN])]
    assert chain.measure_unit_m(lines, measures, UTM32) == 1.0


def lengths_m(found: chain.Chain) -> list[float]:
    return [round(float(part.ground_m[-1]), 1) for part in found.parts]


def test_lines_whose_ends_touch_are_one_part() -> None:
    """The second begins 0.3 m beside the end of the first, the third 2 m behind that of the second."""
    lines = [line((0, 0), (100, 0)), line((100, 0.3), (100, 80)), line((100, 82), (100, 90))]
    found = chain.without_measures("A", lines, UTM32)
    assert lengths_m(found) == [180.0, 8.0]
    assert found.parts[0].world == pytest.approx(line((0, 0), (100, 0), (100, 80)))
    assert found.gaps == [(pytest.approx(179.7, abs=0.1), pytest.approx(2.0, abs=0.1))]


def test_lines_with_measures_are_one_part_where_the_measures_meet_too() -> None:
    """Two carriageways from 0 to 40, 8 m apart, each of two lines; one goes on at another measure."""
    ends = [(0, 20, 0), (0, 20, 8), (20, 40, 0), (20, 40, 8), (40, 60, 0)]
    lines = [line((begin, north), (end, north)) for begin, end, north in ends]
    measures = [np.array([begin, end], float) for begin, end, _ in ends[:4]] + [np.array([100.0, 120.0])]
    found = chain.with_measures("A", lines, measures, 1.0, UTM32)
    assert [part.measure_m.tolist() for part in found.parts] == [[0, 20, 40], [0, 20, 40], [100, 120]]
    assert lengths_m(found) == [40.0, 40.0, 20.0]


def test_a_line_that_runs_back_on_the_same_ground_stays_by_itself() -> None:
    """A line that is drawn twice; its cracks count once."""
    there = line((0, 0), (50, 0), (100, 0))
    assert lengths_m(chain.without_measures("A", [there, there], UTM32)) == [100.0, 100.0]
    back = line((100, 0.2), (50, 0.2), (0, 0.2))
    assert lengths_m(chain.in_order("A", [there, back], UTM32)) == [100.0, 100.0]
