"""Which CRS the tables take, and what PROJ can only move there roughly."""

import numpy as np
import pytest
from pyproj import CRS, Geod, Transformer

from crackpipe.pipeline.errors import ConfigurationError
from crackpipe.pipeline.geometry.survey_crs import Place, exact_crs, moves_roughly, survey_crs

LONDON = (530_000.0, 180_000.0)
GERMANY = (500_000.0, 5_400_000.0)


def at(epsg: int, point: tuple[float, float] = GERMANY) -> Place:
    return CRS.from_epsg(epsg).to_wkt(), point


UTM_32, UTM_33, BRITISH = at(25832), at(25833), at(27700, LONDON)


def test_the_commonest_crs_is_the_surveys() -> None:
    assert survey_crs([UTM_33, UTM_32, UTM_32]) == CRS("EPSG:25832")
    assert survey_crs([UTM_33, UTM_32]) == survey_crs([UTM_32, UTM_33])
    assert survey_crs([UTM_32], "EPSG:4326") == CRS("EPSG:4326")
    assert survey_crs([]) is None
    with pytest.raises(ConfigurationError, match="--crs 'EPSG:0' is no CRS"):
        survey_crs([UTM_32], "EPSG:0")


def test_proj_moves_the_british_grid_only_roughly_to_utm_on_etrs89() -> None:
    """And wrongly: by about 126 m in London. Both ways through WGS 84 are good to a few metres."""
    assert moves_roughly(BRITISH, UTM_32[0])
    wgs_84 = CRS.from_epsg(4326).to_wkt()
    assert not moves_roughly(BRITISH, wgs_84)
    rough = Transformer.from_crs(27700, 25832, always_xy=True).transform(*LONDON)
    rough_lonlat = Transformer.from_crs(25832, 4326, always_xy=True).transform(*rough)
    lonlat = Transformer.from_crs(27700, 4326, always_xy=True).transform(*LONDON)
    assert 100 < Geod(ellps="WGS84").inv(*rough_lonlat, *lonlat)[2] < 150


def test_of_several_ways_the_one_that_proj_takes_at_this_place_counts() -> None:
    utm_on_wgs_84 = CRS.from_epsg(32632).to_wkt()
    assert not moves_roughly(BRITISH, utm_on_wgs_84)
    in_germany = Transformer.from_crs(25832, 27700, always_xy=True).transform(*GERMANY)
    assert moves_roughly(at(27700, in_germany), utm_on_wgs_84)


@pytest.mark.parametrize("epsg", [25832, 25833, 32632, 4326, 3857, 4258])
def test_usual_ways_are_not_rough(epsg: int) -> None:
    assert not moves_roughly(UTM_32, CRS.from_epsg(epsg).to_wkt())


def test_a_crs_to_which_all_images_move_exactly_goes_before_the_commonest() -> None:
    wgs_84 = at(4326, (-0.13, 51.5))
    assert survey_crs([UTM_32, UTM_32, wgs_84]) == CRS("EPSG:25832")
    assert survey_crs([UTM_32, UTM_32, BRITISH, wgs_84]) == CRS("EPSG:4326")
    assert survey_crs([UTM_32, UTM_32, BRITISH]) == CRS("EPSG:25832")
    assert survey_crs([*[UTM_32] * 9, BRITISH, wgs_84]) == CRS("EPSG:25832")  # the stray one does not decide


@pytest.mark.parametrize(
    ("places", "name"),
    [
        ([UTM_32, BRITISH], "EPSG:32632"),
        ([BRITISH, UTM_32], "EPSG:32630"),
        ([at(2193, (1_750_000, 5_920_000))], "EPSG:32760"),
        ([at(4326, (180.0, 0.0))], "EPSG:32601"),
    ],
)
def test_a_crs_is_named_to_which_all_images_move_exactly(places: list[Place], name: str) -> None:
    assert exact_crs(places) == name
    assert not any(moves_roughly(place, CRS(name).to_wkt()) for place in places)


def test_where_no_crs_is_known_none_is_named() -> None:
    in_germany = Transformer.from_crs(25832, 27700, always_xy=True).transform(*GERMANY)
    assert np.isfinite(in_germany).all()
    assert exact_crs([at(27700, in_germany)]) is None
