"""Crack lists of LCMS become tables like those of a run."""

import re
from pathlib import Path

import geopandas
import numpy as np
import pytest
import shapely
from click.testing import CliRunner
from deliveries import GEOD, HEADING, UTM, places
from pyproj import Transformer

from crackpipe.cli import cli
from crackpipe.pipeline.errors import OutputNotWritableError, UsageError
from crackpipe.pipeline.frames.lcms_cracks import import_lcms

WIDTH_MM, LENGTH_MM = 4000.0, 2000.0
SECTION = """<LcmsAnalyserResults>
<RoadSectionInfo><DistanceBegin_m>{begin}</DistanceBegin_m><SectionLength_m>2</SectionLength_m></RoadSectionInfo>
<SectionPosition><Longitude>{lon}</Longitude><Latitude>{lat}</Latitude><Heading>{heading}</Heading></SectionPosition>
<ResultImageInformation><ResolutionX>2</ResolutionX><ResolutionY>4</ResolutionY>
<ImageWidth>2000</ImageWidth><ImageHeight>500</ImageHeight></ResultImageInformation>
<CrackInformation><CrackList>{cracks}</CrackList></CrackInformation>
</LcmsAnalyserResults>"""


def crack(number: int, nodes: list[tuple[float, float]], width: float, depth: float = 5.0) -> str:
    listed = "".join(
        f"<Node><X>{x}</X><Y>{y}</Y><Width>{width}</Width><Depth>2</Depth></Node>" for x, y in nodes
    )
    return (
        f"<Crack><CrackID>{number}</CrackID><Length>1</Length><WeightedDepth>{depth}</WeightedDepth>"
        f"<WeightedWidth>{width}</WeightedWidth>{listed}</Crack>"
    )


# along the middle of the lane, across it, one without a width, one node alone
CRACKS = (
    crack(1, [(2000, 0), (2000, 1000), (2000, 2000)], 4.5)
    + crack(2, [(1000, 1000), (3000, 1000)], 0.8)
    + crack(3, [(1000, 500), (1500, 1000)], -1, -1)
    + crack(4, [(1000, 500)], 2)
)


def sections(folder: Path, cracks: str = CRACKS, *, count: int = 4, heading: float = HEADING) -> Path:
    (folder / "xml").mkdir()
    for number, (lon, lat) in enumerate(places(count)):
        text = SECTION.format(
            begin=2 * number, lon=lon, lat=lat, heading=heading, cracks=cracks if number == 1 else ""
        )
        (folder / "xml" / f"section_{number:04d}.xml").write_text(text)
    return folder / "xml"


def world(right_m: float, ahead_m: float) -> tuple[float, float]:
    """A place beside the middle of section 1."""
    lon, lat = places(4)[1]
    lon, lat, _ = GEOD.fwd(lon, lat, HEADING, ahead_m)
    lon, lat, _ = GEOD.fwd(lon, lat, HEADING + 90, right_m)
    return Transformer.from_crs(4326, UTM, always_xy=True).transform(lon, lat)


def test_cracks_lie_where_their_nodes_say_with_their_widths_and_depths(tmp_path: Path) -> None:
    made = import_lcms(sections(tmp_path), tmp_path / "out", camera_file=None, crs=None)
    assert (made.sections, made.cracks, made.too_short) == (4, 3, 1)
    found = geopandas.read_parquet(tmp_path / "out" / "cracks.parquet")
    assert found.crs == UTM
    truth = shapely.LineString([world(0, -1), world(0, 0), world(0, 1)])
    assert shapely.hausdorff_distance(found.geometry[0], truth) < 0.001
    assert found.length_m.tolist() == pytest.approx([2.0, 2.0, np.sqrt(0.5)])
    assert found.width_mm.isna().tolist() == [False, False, True]
    assert found.width_mm[:2].tolist() == [4.5, 0.8]
    assert found.width_class.tolist()[:2] == ["wide", "tiny"]
    assert found.crack_type.tolist() == ["longitudinal", "transverse", "diagonal"]
    assert found.depth_mm[0] == 5.0
    assert set(found.origin) == {"lcms"}
    assert found.width_sigma_mm.isna().all()


def test_sections_without_cracks_are_ground_that_was_seen(tmp_path: Path) -> None:
    import_lcms(sections(tmp_path), tmp_path / "out", camera_file=None, crs=None)
    images = geopandas.read_parquet(tmp_path / "out" / "images.parquet")
    assert images.inspected_m2.tolist() == [8.0] * 4
    assert images.crack_length_m.tolist() == pytest.approx([0, 4 + np.sqrt(0.5), 0, 0])
    assert images.geometry.area.tolist() == pytest.approx([8.0] * 4, rel=1e-3)


def test_a_lever_arm_moves_cracks_as_it_moves_frames(tmp_path: Path) -> None:
    (tmp_path / "camera.toml").write_text("right_m = 0.5\nahead_m = -1.0\n")
    import_lcms(sections(tmp_path), tmp_path / "out", camera_file=tmp_path / "camera.toml", crs=None)
    found = geopandas.read_parquet(tmp_path / "out" / "cracks.parquet")
    truth = shapely.LineString([world(0.5, -2), world(0.5, -1), world(0.5, 0)])
    assert shapely.hausdorff_distance(found.geometry[0], truth) < 0.001


@pytest.mark.parametrize(
    ("said", "heading"),
    [
        ('heading_unit = "gon"', HEADING / 0.9),
        ('heading = "track"', HEADING + 90),
        ("heading_add_deg = -90", HEADING + 90),
    ],
)
def test_camera_toml_says_what_headings_are_as_for_frames(tmp_path: Path, said: str, heading: float) -> None:
    folder = sections(tmp_path, count=6, heading=heading)
    (tmp_path / "camera.toml").write_text(said)
    import_lcms(folder, tmp_path / "out", camera_file=tmp_path / "camera.toml", crs=None)
    found = geopandas.read_parquet(tmp_path / "out" / "cracks.parquet")
    truth = shapely.LineString([world(0, -1), world(0, 0), world(0, 1)])
    assert shapely.hausdorff_distance(found.geometry[0], truth) < 0.001


def test_headings_that_do_not_fit_the_way_driven_are_refused_as_for_frames(tmp_path: Path) -> None:
    folder = sections(tmp_path, count=6, heading=HEADING + 90)
    with pytest.raises(UsageError, match="headings of xml as degrees are 90 degrees off the way driven"):
        import_lcms(folder, tmp_path / "out", camera_file=None, crs=None)
    (tmp_path / "camera.toml").write_text('heading_north = "grid"')
    with pytest.raises(UsageError, match='heading_north is "grid", but the positions are longitude'):
        import_lcms(folder, tmp_path / "out", camera_file=tmp_path / "camera.toml", crs=None)


def test_a_section_without_a_place_leaves_the_direction_of_later_ones_known(tmp_path: Path) -> None:
    folder = sections(tmp_path, count=6, heading=0)  # 0 stands for none
    lost = folder / "section_0002.xml"
    lost.write_text(re.sub("(Longitude|Latitude)>[^<]*<", r"\1>0<", lost.read_text()))
    made = import_lcms(folder, tmp_path / "out", camera_file=None, crs=None)
    assert (made.sections, made.without_place) == (5, ["section_0002"])
    (tmp_path / "camera.toml").write_text('heading = "given"')
    with pytest.raises(UsageError, match=r'heading is "given" .* 5 of 5 positions of xml have no heading'):
        import_lcms(folder, tmp_path / "given", camera_file=tmp_path / "camera.toml", crs=None)


def test_a_turned_camera_turns_cracks_about_the_middle_of_the_picture(tmp_path: Path) -> None:
    (tmp_path / "camera.toml").write_text("yaw_deg = 90\nahead_m = 5\n")
    import_lcms(sections(tmp_path), tmp_path / "out", camera_file=tmp_path / "camera.toml", crs=None)
    found = geopandas.read_parquet(tmp_path / "out" / "cracks.parquet")
    # what the picture shows ahead lies to the right, and 5 m ahead is still 5 m ahead
    truth = shapely.LineString([world(-1, 5), world(0, 5), world(1, 5)])
    assert shapely.hausdorff_distance(found.geometry[0], truth) < 0.001
    assert found.crack_type.tolist()[:2] == ["transverse", "longitudinal"]


def test_the_command_tells_and_does_not_write_twice(tmp_path: Path) -> None:
    folder = sections(tmp_path)
    (folder / "section_0003.xml").write_text(
        '<!DOCTYPE a [<!ENTITY b "b">]><LcmsAnalyserResults>&b;</LcmsAnalyserResults>'
    )
    result = CliRunner().invoke(cli, ["import-cracks", str(folder), "--out", str(tmp_path / "out")])
    assert result.exit_code == 3
    assert "3 cracks, 4.7 m, of 3 sections" in result.output
    assert "section_0003.xml defines entities" in result.output
    with pytest.raises(OutputNotWritableError, match="is not empty"):
        import_lcms(folder, tmp_path / "out", camera_file=None, crs=None)


def test_a_folder_without_sections_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.xml").write_text("<other/>")
    with pytest.raises(UsageError, match="is of an LCMS section"):
        import_lcms(tmp_path, tmp_path / "out", camera_file=None, crs=None)


def test_an_import_can_be_compared(tmp_path: Path) -> None:
    folder = sections(tmp_path)
    for year in ("older", "newer"):
        import_lcms(folder, tmp_path / year, camera_file=None, crs=None)
    result = CliRunner().invoke(cli, ["compare", str(tmp_path / "older"), str(tmp_path / "newer")])
    assert result.exit_code == 0, result.output
