"""Places that do not belong to their CRS, or to the other images of the survey."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from affine import Affine
from pyproj import CRS, Transformer
from rasters.survey_files import write

from crackpipe.pipeline.config import Config
from crackpipe.pipeline.geometry.crs import Area
from crackpipe.pipeline.image import BandLayout, FileStamp, Rejected, SurveyImage
from crackpipe.pipeline.survey.load import load_survey
from crackpipe.pipeline.survey.places.plausible import degrees_outside, set_aside

UTM_32 = "EPSG:25832"
AREA = Area(6, 38, 12, 84)


def image(name: str, xy: tuple[float, float], crs: str = UTM_32, gsd_mm: float = 1.0) -> SurveyImage:
    """An image of one square metre whose upper left corner is at `xy`."""
    return SurveyImage(
        image_id=name,
        survey="survey",
        file=FileStamp(Path(name), 1, 1),
        driver="GTiff",
        height_px=1000,
        width_px=1000,
        bands=3,
        dtype="uint8",
        layout=BandLayout((1, 2, 3)),
        transform=Affine(gsd_mm / 1000, 0, xy[0], 0, -gsd_mm / 1000, xy[1]),
        crs_wkt=CRS.from_user_input(crs).to_wkt(),
        ground=((0, gsd_mm / 1000), (-gsd_mm / 1000, 0)),
        gsd_mm=gsd_mm,
        nodata=None,
        mask=None,
        has_missing_blocks=False,
        acquired=date(2025, 1, 1),
    )


def town(images: int, x: float = 500000, y: float = 5400000) -> list[SurveyImage]:
    """Images 10 m apart."""
    return [image(f"town-{number:03d}", (x + 10 * number, y)) for number in range(images)]


def refused(images: Sequence[SurveyImage]) -> list[Rejected]:
    kept, rejected = set_aside(images)
    assert {each.image_id for each in [*kept, *rejected]} == {each.image_id for each in images}
    assert set_aside(images[::-1])[1] == rejected[::-1]
    return rejected


@pytest.mark.parametrize(
    ("xy", "crs"),
    [
        pytest.param((5400000, 500000), UTM_32, id="easting and northing swapped"),
        pytest.param((3500000, 5400000), UTM_32, id="Gauss-Krueger in UTM"),
        pytest.param((0, 1), UTM_32, id="origin at 0, 0"),
        pytest.param((500000, 5400000 / 0.3048), "EPSG:3034", id="feet in a CRS of metres"),
    ],
)
def test_a_place_far_outside_the_area_of_its_crs_is_refused(xy: tuple[float, float], crs: str) -> None:
    (rejected,) = refused([image("a", xy, crs)])
    assert rejected.reason == "place-implausible"
    assert "degrees outside the area of EPSG:" in rejected.message
    assert "--allow-place" in rejected.remedy


def test_the_message_says_where_the_image_would_lie_and_where_the_area_is() -> None:
    (rejected,) = refused([image("a", (5400000, 500000))])
    assert rejected.message == (
        "its place, 3.44° N 49.31° E, is 37 degrees outside the area of EPSG:25832, 36.53° N 6.00° E to "
        "84.01° N 12.01° E"
    )


@pytest.mark.parametrize(
    ("lon", "lat", "expected"),
    [(6, 50, 0), (12, 84, 0), (9, 28, 10), (9, 88, 4), (16, 60, 2), (2, 60, 2), (-174, 60, 87)],
)
def test_degrees_outside_an_area_are_as_long_as_those_of_latitude(
    lon: float, lat: float, expected: float
) -> None:
    assert degrees_outside(AREA, np.array([[lon, lat]]))[0] == pytest.approx(expected, abs=1e-9)


def test_an_area_may_reach_over_the_antimeridian() -> None:
    fiji = Area(176, -20, -178, -12)
    outside = degrees_outside(fiji, np.array([[179.0, -15], [-179, -15], [181, -15], [-170, 0], [np.inf, 0]]))
    assert outside == pytest.approx([0, 0, 0, 12, np.inf])


def test_a_whole_country_in_one_utm_zone_passes() -> None:
    """Norway keeps its maps in zone 33, up to Vardoe at 31 degrees east and Bergen at 5."""
    to_zone = Transformer.from_crs(4326, 25833, always_xy=True)
    roads = zip(np.linspace(5.3, 31.1, 40), np.linspace(60.4, 70.4, 40), strict=True)
    country = [image(f"{n:02d}", to_zone.transform(*road), "EPSG:25833") for n, road in enumerate(roads)]
    assert set_aside(country) == (country, [])


def test_utm_coordinates_in_web_mercator_are_refused_among_images_that_hang_together() -> None:
    (rejected,) = refused([*town(9), image("wrong", (500000, 5400000), "EPSG:3857")])
    assert (rejected.image_id, rejected.reason) == ("wrong", "place-implausible")
    assert "km from the nearest other image" in rejected.message


def test_one_far_image_among_fewer_than_ten_is_a_warning() -> None:
    images = [*town(8), image("far", (500000, 5600000))]
    kept, rejected = set_aside(images)
    assert not rejected
    assert [each.image_id for each in kept if each.survey_warnings] == ["far"]


def test_a_survey_of_two_far_images_is_a_warning_only() -> None:
    kept, rejected = set_aside([image("a", (500000, 5400000)), image("b", (500000, 5600000))])
    assert not rejected
    assert [each.survey_warnings for each in kept] == [
        ("its place, 48.75° N 9.00° E, is 200 km from the nearest other image",),
        ("its place, 50.55° N 9.00° E, is 200 km from the nearest other image",),
    ]


def test_a_chain_of_roads_hangs_together_over_any_length() -> None:
    chain = [image(f"{n:02d}", (500000, 5000000 + 90000 * n)) for n in range(20)]
    assert set_aside(chain) == (chain, [])


def test_two_towns_of_one_survey_pass_although_they_are_far_apart() -> None:
    towns = [*town(20), *(replace(each, image_id=f"x{each.image_id}") for each in town(20, y=5900000))]
    assert set_aside(towns) == (towns, [])


def test_one_image_of_a_town_of_datum_and_meridian_of_its_own_is_no_fault() -> None:
    """The same ground in a CRS that counts grads from Paris."""
    x, y = Transformer.from_crs(4326, 27572, always_xy=True).transform(2.35, 48.86)
    utm = Transformer.from_crs(4326, 25831, always_xy=True).transform(2.35, 48.86)
    images = [*(image(f"{n:02d}", (utm[0] + n, utm[1]), "EPSG:25831") for n in range(9))]
    images.append(image("paris", (x, y), "EPSG:27572"))
    assert set_aside(images) == (images, [])


@pytest.mark.parametrize(
    ("gsd_mm", "said"),
    [
        (
            1 / 0.3048,
            "its GSD of 3.28 mm is 3.281 times the usual 1 mm of the survey: perhaps feet were taken",
        ),
        (
            0.3048,
            "its GSD of 0.305 mm is 0.3048 times the usual 1 mm of the survey: perhaps metres were taken",
        ),
    ],
)
def test_a_gsd_that_differs_as_feet_from_metres_is_named(gsd_mm: float, said: str) -> None:
    kept, rejected = set_aside([*town(3), image("z", (500100, 5400000), gsd_mm=gsd_mm)])
    assert not rejected
    assert [len(each.survey_warnings) for each in kept] == [0, 0, 0, 1]
    assert kept[3].survey_warnings[0].startswith(said)


def test_two_cameras_of_other_gsds_are_no_fault() -> None:
    images = [*town(3), *(image(f"z{gsd}", (500100, 5400000), gsd_mm=gsd) for gsd in (0.5, 2.0, 3.0))]
    assert set_aside(images) == (images, [])


def test_a_survey_refuses_a_swapped_image_unless_places_are_allowed(tmp_path: Path) -> None:
    write(tmp_path / "good.tif")
    write(tmp_path / "swapped.tif", transform=Affine(0.001, 0, 5500000, 0, -0.001, 500000))
    found = load_survey([tmp_path], Config())
    assert [each.image_id for each in found.images] == ["good.tif"]
    assert [(each.image_id, each.reason) for each in found.rejected] == [("swapped.tif", "place-implausible")]
    allowed = load_survey([tmp_path], Config(allow_place=True))
    assert [each.image_id for each in allowed.images] == ["good.tif", "swapped.tif"]
