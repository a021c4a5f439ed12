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
