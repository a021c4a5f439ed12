"""Each kind of delivery of one straight drive becomes the same survey, or a sentence says why not."""

from pathlib import Path

import geopandas
import numpy as np
import pytest
import shapely
from deliveries import (
    GEOD,
    HEADING,
    HEIGHT,
    START,
    STEP_M,
    UTM,
    WIDTH,
    deliver,
    names_of,
    places,
    surveyed,
    true_transform,
)
from PIL import Image

from crackpipe.pipeline.errors import ConfigurationError, UsageError
from crackpipe.pipeline.frames.deliver import Delivery
from crackpipe.pipeline.survey.sidecars.world_files import read_world_file


def made(
    folder: Path, positions: Path | str, camera: str = "mm_per_px = 2.0\n", **options: object
) -> Delivery:
    (folder / "camera.toml").write_text(camera)
    return surveyed(folder, positions, **options)


def off_m(folder: Path, number: int, name: str, heading: float = HEADING) -> float:
    """How far the corners of a frame are off their true places at most, in metres."""
    found = read_world_file((folder / "survey" / name).with_suffix(".jgw")).transform
    truth = true_transform(number, heading=heading)
    corners = [(0, 0), (WIDTH, 0), (0, HEIGHT), (WIDTH, HEIGHT)]
    return max(float(np.hypot(*np.subtract(found @ corner, truth @ corner))) for corner in corners)


# ---- EXIF


def put_exif(folder: Path, *, reference: str = "T", turn: float = 0.0) -> None:
    for number, (lon, lat) in enumerate(places(8)):
        path = folder / "frames" / names_of(8)[number]
        exif = Image.Exif()
        degrees = [(int(each), 0.0, (each - int(each)) * 3600) for each in (lat, lon)]
        direction = {16: reference, 17: HEADING + turn}
        exif.get_ifd(0x8825).update({1: "N", 2: degrees[0], 3: "E", 4: degrees[1], **direction})
        with Image.open(path) as picture:
            picture.save(path, exif=exif)


def test_positions_and_directions_of_exif(tmp_path: Path) -> None:
    deliver(tmp_path)
    put_exif(tmp_path)
    survey = made(tmp_path, "exif")
    assert {row.heading_from for row in survey.rows} == {"given"}
    # EXIF holds rationals
    assert max(off_m(tmp_path, number, name) for number, name in enumerate(names_of(8))) < 0.01


def test_magnetic_directions_need_a_declination(tmp_path: Path) -> None:
    deliver(tmp_path)
    put_exif(tmp_path, reference="M", turn=-4.0)
    survey = made(tmp_path, "exif")
    assert {row.heading_from for row in survey.rows} == {"track"}
    assert "8 frames count from magnetic north" in survey.notes[0]
    survey = made(tmp_path, "exif", "mm_per_px = 2.0\nheading_add_deg = 4.0\n")
    assert {row.heading_from for row in survey.rows} == {"given"}
    assert max(off_m(tmp_path, number, name) for number, name in enumerate(names_of(8))) < 0.01


def test_frames_without_positions_in_exif_are_told(tmp_path: Path) -> None:
    deliver(tmp_path)
    with pytest.raises(UsageError, match="none of 8 frames names a position in its EXIF"):
        made(tmp_path, "exif")


# ---- layers


@pytest.mark.parametrize("suffix", ["gpkg", "shp", "geojson"])
def test_a_layer_of_points(tmp_path: Path, suffix: str) -> None:
    deliver(tmp_path)
    points = geopandas.GeoDataFrame(
        {"image": names_of(8), "heading": [HEADING] * 8}, geometry=shapely.points(places(8)), crs=4326
    )
    (points if suffix == "geojson" else points.to_crs(25832)).to_file(tmp_path / f"points.{suffix}")
    made(tmp_path, tmp_path / f"points.{suffix}", crs="EPSG:32632")
    # GeoJSON keeps seven digits of a degree: a centimetre
    assert max(off_m(tmp_path, number, name) for number, name in enumerate(names_of(8))) < 0.01


def test_a_layer_of_polygons_is_refused(tmp_path: Path) -> None:
    deliver(tmp_path)
    areas = geopandas.GeoDataFrame(geometry=[shapely.box(9, 53, 10, 54)], crs=4326)
    areas.to_file(tmp_path / "areas.gpkg")
    with pytest.raises(UsageError, match="neither points nor lines alone"):
        made(tmp_path, tmp_path / "areas.gpkg")


# ---- chainage


def chainages(folder: Path, *, begin_m: float = 0.0, against: bool = False) -> Path:
    """Frames named by their chainage, and the centreline, which begins 4 m before the first of them."""
    deliver(folder)
    for number, name in enumerate(names_of(8)):
        chainage = begin_m + 4.0 + STEP_M * number
        (folder / "frames" / name).rename(folder / "frames" / f"A7_{chainage:07.1f}.jpg")
    ends = [GEOD.fwd(*START, HEADING, way)[:2] for way in (-4.0, 100.0)]
    line = geopandas.GeoSeries([shapely.LineString(ends)], crs=4326).to_crs(UTM)
    line.to_frame("geometry").to_file(folder / "centreline.gpkg")
    return folder / "centreline.gpkg"


@pytest.mark.parametrize("begin_m", [0.0, 1200.0])
def test_chainages_in_names_lie_on_the_line_by_their_length_on_the_ground(
    tmp_path: Path, begin_m: float
) -> None:
    line = chainages(tmp_path, begin_m=begin_m)
    made(tmp_path, line, f"mm_per_px = 2.0\nchainage_begin_m = {begin_m}\n")
    for number in range(8):
        assert off_m(tmp_path, number, f"A7_{begin_m + 4 + STEP_M * number:07.1f}.jpg") < 0.001


def test_against_the_line_frames_look_back_and_the_lane_is_on_the_other_side(tmp_path: Path) -> None:
    made(tmp_path, chainages(tmp_path), 'mm_per_px = 2.0\ndriven = "against"\n')
    assert off_m(tmp_path, 3, "A7_00010.0.jpg", HEADING + 180) < 0.001


def test_chainages_beyond_the_line_are_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no frame lies on the line.*104 m long.*chainage_unit_m"):
        made(tmp_path, chainages(tmp_path, begin_m=9000.0))


# ---- LCMS

LCMS = """<LcmsAnalyserResults>
<RoadSectionInfo><SurveyID>1</SurveyID><SectionID>{number}</SectionID>
<DistanceBegin_m>{begin}</DistanceBegin_m><SectionLength_m>0.06</SectionLength_m></RoadSectionInfo>
<SectionPosition><Longitude>{lon}</Longitude><Latitude>{lat}</Latitude>
<Heading>{heading}</Heading></SectionPosition>{gps}
<ResultImageInformation><ResolutionX>1.0</ResolutionX><ResolutionY>1.0</ResolutionY>
<ImageWidth>80</ImageWidth><ImageHeight>60</ImageHeight></ResultImageInformation>
</LcmsAnalyserResults>"""


def lcms(folder: Path, *, heading: float = HEADING, first: bool = False) -> Path:
    """XML beside each picture; with `first`, the middle is -1 and the begin of each section is given."""
    deliver(folder)
    for number, (lon, lat) in enumerate(places(8)):
        gps, middle = "", (lon, lat)
        if first:
            begin = GEOD.fwd(lon, lat, HEADING, -0.03)
            gps = (
                f"<GPSInformation><GPSCoordinate><Longitude>{begin[0]!r}</Longitude><Latitude>{begin[1]!r}</Latitude>"
                f"<TrackAngle>{HEADING}</TrackAngle></GPSCoordinate></GPSInformation>"
            )
            middle = (-1, -1)
        text = LCMS.format(
            number=number,
            begin=number * 2.0,
            lon=middle[0],
            lat=middle[1],
            heading=-1 if first else heading,
            gps=gps,
        )
        (folder / "frames" / names_of(8)[number]).with_suffix(".xml").write_text(text)
    return folder / "frames"


@pytest.mark.parametrize("first", [False, True])
def test_lcms_sections_bring_place_and_scale(tmp_path: Path, first: bool) -> None:
    folder = lcms(tmp_path, first=first)
    survey = made(tmp_path, folder, 'up = "ahead"\n')
    # pictures are half as large as the XML says, so a pixel is 2 mm
    assert max(off_m(tmp_path, number, name) for number, name in enumerate(names_of(8))) < 0.001
    assert {row.heading_from for row in survey.rows} == {"given"}


def test_a_scale_of_nothing_is_refused(tmp_path: Path) -> None:
    folder = lcms(tmp_path)
    for file in folder.glob("*.xml"):
        file.write_text(file.read_text().replace("<ImageWidth>80<", "<ImageWidth>0<"))
    with pytest.raises(ConfigurationError, match=r"mm_per_px_across is 0, but .* into camera.toml"):
        made(tmp_path, folder, "")


def test_lcms_without_heading_looks_at_the_neighbour(tmp_path: Path) -> None:
    survey = made(tmp_path, lcms(tmp_path, heading=0), "")
    assert {row.heading_from for row in survey.rows} == {"track"}
    assert max(off_m(tmp_path, number, name) for number, name in enumerate(names_of(8))) < 0.001


def test_a_section_with_two_pictures_asks_for_one(tmp_path: Path) -> None:
    folder = lcms(tmp_path)
    first = folder / "0001.jpg"
    for kind in ("intensity", "range"):
        (folder / f"0001_{kind}.jpg").write_bytes(first.read_bytes())
    first.unlink()
    with pytest.raises(UsageError, match=r"0001\.xml has 2 pictures.*--exclude"):
        made(tmp_path, folder)
    assert len(made(tmp_path, folder, exclude=["*_range.jpg"]).rows) == 8


def test_an_xml_with_entities_is_named_and_its_frame_has_a_row(tmp_path: Path) -> None:
    folder = lcms(tmp_path)
    (folder / "0003.xml").write_text(
        '<!DOCTYPE a [<!ENTITY b "b">]><LcmsAnalyserResults>&b;</LcmsAnalyserResults>'
    )
    survey = made(tmp_path, folder)
    assert "0003.xml defines entities" in survey.positions.faults[0].said
    assert [(each.name, each.reason) for each in survey.aside] == [("0003.jpg", "no-position")]


def test_a_kind_that_is_not_read_is_named(tmp_path: Path) -> None:
    deliver(tmp_path)
    (tmp_path / "track.kml").write_text("<kml/>")
    with pytest.raises(UsageError, match=r"track\.kml is of no kind that is read"):
        made(tmp_path, tmp_path / "track.kml")
