"""Coordinates whose order cannot be right, and the CRS of a survey."""

import numpy as np
import pytest
from pyproj import CRS

from crackpipe.pipeline.errors import UsageError
from crackpipe.pipeline.frames.pose.crs import check_area, check_order, survey_crs, to_datum


@pytest.mark.parametrize(
    ("city", "lon", "lat"),
    [
        ("Hamburg", 9.94, 53.57),
        ("New York", -73.84, 40.73),
        ("Brasilia", -47.9, -15.8),
        ("Tokyo", 139.7, 35.7),
    ],
)
def test_swapped_coordinates_of_a_city_are_noticed(city: str, lon: float, lat: float) -> None:
    check_order(np.array([[lon, lat]]), "a.csv", [2])
    with pytest.raises(UsageError, match=r"a\.csv, line 2.*swapped"):
        check_order(np.array([[lat, lon]]), "a.csv", [2])


def test_metres_are_not_taken_for_degrees() -> None:
    with pytest.raises(UsageError, match=r"line 3: .* is it easting and northing in metres"):
        check_order(np.array([[np.nan, np.nan], [562243.4, 5936202.3]]), "a.csv", [2, 3])


@pytest.mark.parametrize(
    ("code", "lon", "lat", "fits"),
    [
        (3857, 9.94, 53.57, True),  # Web Mercator: all around the Earth
        (3413, 0.0, 75.0, True),  # all around the pole
        (3413, 9.94, 53.57, False),
        (3832, 179.0, -17.0, True),  # over the date line
        (3832, -179.0, -17.0, True),
        (3832, 9.94, -17.0, False),
        (25832, 9.94, 53.57, True),
        (25832, 174.0, 53.57, False),
    ],
)
def test_positions_far_outside_the_area_of_their_crs_are_noticed(
    code: int, lon: float, lat: float, fits: bool
) -> None:
    def check() -> None:
        check_area(CRS(code), np.array([[lon, lat]]), "a.csv", "--positions-crs")

    if fits:
        check()
        return
    with pytest.raises(UsageError, match=r"a\.csv: as .* far outside .*--positions-crs"):
        check()


@pytest.mark.parametrize(
    ("source", "zone"), [("EPSG:4326", 32632), ("EPSG:4258", 25832), ("EPSG:25833", 25833)]
)
def test_a_survey_gets_the_utm_zone_on_the_datum_of_its_positions(source: str, zone: int) -> None:
    crs, _ = survey_crs(CRS(source), np.array([[9.94, 53.57]]), None, None)
    assert crs.to_epsg() == zone


def test_a_survey_keeps_its_crs_when_it_grows_into_the_next_zone() -> None:
    crs, reason = survey_crs(CRS("EPSG:4326"), np.array([[12.01, 53.57]]), None, "EPSG:32632")
    assert (crs.to_epsg(), reason) == (32632, "the survey as it was")


def test_unknown_positions_stay_unknown() -> None:
    found = to_datum(np.array([[np.nan, np.nan], [500000.0, 5.0e6]]), CRS("EPSG:32632"), CRS("EPSG:32632"))
    assert np.isnan(found[0]).all()
    assert found[1, 0] == pytest.approx(9.0)
