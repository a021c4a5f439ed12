"""All images on one map, and what is said of those that PROJ can only move there roughly."""

from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import shapely
from pyproj import CRS, Geod, Transformer
from rasters.survey_files import UTM_1_MM, write

from crackpipe.pipeline.config import Config
from crackpipe.pipeline.geometry.crs import footprint_in
from crackpipe.pipeline.image import SurveyImage
from crackpipe.pipeline.plan import look_at, make_plan, say_plan
from crackpipe.pipeline.request import Request, make_job
from crackpipe.pipeline.survey.places.one_map import put_on_one_map, said_of_crs
from tests.pipeline.survey.places.test_plausible import image, town

LONDON = (530_000.0, 180_000.0)
WGS_84 = CRS("EPSG:4326")


def metres_off(placed: SurveyImage, crs: CRS) -> float:
    """How far the image's first corner lies, in the tables, from where it lies in its own CRS."""
    corners = footprint_in(placed.footprint, placed.crs_wkt, crs.to_wkt())
    assert corners is not None
    in_tables = Transformer.from_crs(crs, WGS_84, always_xy=True).transform(*corners[0])
    own = Transformer.from_crs(placed.crs_wkt, WGS_84, always_xy=True).transform(*placed.footprint[0])
    return float(Geod(ellps="WGS84").inv(*in_tables, *own)[2])


def test_an_image_with_a_rough_way_says_so_and_the_crs_it_names_helps() -> None:
    images = [*town(9), image("london", LONDON, "EPSG:27700")]
    crs, placed, rejected = put_on_one_map(images, None)
    assert crs is not None
    assert not rejected
    assert [each.image_id for each in placed if each.crs_warning] == ["london"]
    said = placed[-1].crs_warning or ""
    assert said.startswith(
        "PROJ knows only a rough way (a ballpark transformation) from EPSG:27700 to EPSG:25832"
    )
    assert said.endswith("give --crs EPSG:32632")
    assert said in placed[-1].all_warnings
    assert 100 < metres_off(placed[-1], crs) < 150
    better, placed, _ = put_on_one_map(images, said.rpartition(" ")[2])
    assert better == CRS("EPSG:32632")
    assert not any(each.crs_warning for each in placed)
    assert max(metres_off(each, better) for each in placed) < 0.01


def test_georeferenced_in_the_crs_of_the_tables_an_image_has_no_rough_way() -> None:
    """The British grid is not known to PROJ in Germany."""
    there = Transformer.from_crs(25832, 27700, always_xy=True).transform(500_000, 5_400_000)
    _, placed, _ = put_on_one_map([*town(9), image("x", there, "EPSG:27700")], None)
    assert (placed[-1].crs_warning or "").endswith(": georeference it in that CRS")


def test_another_crs_than_the_commonest_is_said() -> None:
    images = [*town(6), image("a", LONDON, "EPSG:27700"), image("b", (-0.13, 51.5), "EPSG:4326")]
    crs, placed, _ = put_on_one_map(images, None)
    assert crs == WGS_84
    assert (said_of_crs(placed, crs) or "").startswith(
        "the tables are in EPSG:4326, which is not the commonest"
    )
    crs, placed, _ = put_on_one_map(images[:7], None)
    assert crs == CRS("EPSG:25832")
    assert said_of_crs(placed, crs) is None
    assert put_on_one_map([], None) == (None, [], [])


def test_it_is_said_at_every_run(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    survey = tmp_path / "survey"
    for number in range(2):
        write(survey / f"{number}.tif", transform=UTM_1_MM @ UTM_1_MM.translation(100 * number, 0))
    request = Request((survey,), tmp_path / "out", Config(crs="EPSG:27700"))
    plan = make_plan(request, make_job(request), look_at(request))
    caplog.clear()
    plan.why.clear()  # as where all images are done
    say_plan(plan)
    (said,) = (message for message in caplog.messages if "rough way" in message)
    assert said.startswith("0.tif and 1 more: PROJ knows only a rough way")


def test_a_region_that_can_only_be_moved_roughly_is_doubted(tmp_path: Path) -> None:
    write(tmp_path / "survey/a.tif")
    around = shapely.box(499_900, 5_499_900, 500_100, 5_500_100)
    region = gpd.GeoSeries([around], crs="EPSG:25832")
    for epsg, doubted in ((25832, False), (4326, False), (27700, True)):
        file = tmp_path / f"{epsg}.gpkg"
        region.to_crs(epsg).to_file(file)
        (only,) = look_at(Request((tmp_path / "survey",), tmp_path / "out", Config(region=str(file)))).images
        assert any("CRS of the region" in warning for warning in only.all_warnings) == doubted
        assert np.isfinite(only.footprint).all()
