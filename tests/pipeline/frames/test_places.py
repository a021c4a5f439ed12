"""A delivery becomes a survey whose frames lie where they were taken."""

from pathlib import Path

import numpy as np
import pytest
from deliveries import HEADING, UTM, deliver, names_of, places, surveyed, true_transform
from pyproj import Transformer

from crackpipe.pipeline.survey.files.find import find_images
from crackpipe.pipeline.survey.sidecars.world_files import read_world_file


def test_each_frame_lies_where_it_was_taken(tmp_path: Path) -> None:
    deliver(tmp_path)
    surveyed(tmp_path)
    for number, name in enumerate(names_of(8)):
        found = read_world_file((tmp_path / "survey" / name).with_suffix(".jgw")).transform
        # 1e-4 px, in world units of 2 mm
        assert np.allclose(found, true_transform(number), rtol=0, atol=2e-7)


@pytest.mark.parametrize(
    ("up", "turned"), [("ahead", 0.0), ("right", 90.0), ("behind", 180.0), ("left", 270.0)]
)
def test_the_top_of_a_picture_looks_where_it_is_said(tmp_path: Path, up: str, turned: float) -> None:
    deliver(tmp_path, 6, f'mm_per_px = 2.0\nup = "{up}"\n')
    surveyed(tmp_path)
    found = read_world_file(tmp_path / "survey" / "0003.jgw").transform
    assert np.allclose(found, true_transform(2, heading=HEADING + turned), rtol=0, atol=2e-7)


def test_a_lever_arm_moves_the_frame_ahead(tmp_path: Path) -> None:
    deliver(tmp_path, 6, "mm_per_px = 2.0\nahead_m = 1.5\n")
    surveyed(tmp_path)
    found = read_world_file(tmp_path / "survey" / "0003.jgw").transform
    assert np.allclose(found, true_transform(2, ahead_m=1.5), rtol=0, atol=1e-6)


def test_mount_lane_and_up_as_worked_out_by_hand(tmp_path: Path) -> None:
    """On UTM's middle meridian grid north is north and a metre is 0.9996 m; the vehicle drives east.

    From the antenna the picture's middle is 2.0 m ahead (east) and 0.5 + 1.25 m to the right (south).
    The top looks left, to the north, so rows run south. Along the road, which is along the columns, a pixel
    is 4 mm, across it, along the rows, 3 mm. So the upper left corner lies 20 columns west and 15 rows north
    of the middle.
    """
    _, positions, camera = deliver(tmp_path, 1)
    positions.write_text("filename,x,y,heading\n0001.jpg,500000,5900000,90\n")
    camera.write_text(
        'mm_per_px_along = 4.0\nmm_per_px_across = 3.0\nup = "left"\nahead_m = 2.0\nright_m = 0.5\n'
        "lane_offset_m = 1.25\n"
    )
    surveyed(tmp_path, positions_crs="EPSG:25832")
    found = read_world_file(tmp_path / "survey" / "0001.jgw").transform
    scale = 0.9996
    east, north = 500_000 + 2.0 * scale, 5_900_000 - 1.75 * scale
    assert (found.a, found.e) == pytest.approx((0.004 * scale, -0.003 * scale), rel=1e-6)
    assert (found.b, found.d) == pytest.approx((0, 0), abs=1e-8)
    assert (found.c, found.f) == pytest.approx(
        (east - 20 * 0.004 * scale, north + 15 * 0.003 * scale), abs=1e-5
    )


def test_along_and_across_may_differ(tmp_path: Path) -> None:
    deliver(tmp_path, 6, 'mm_per_px_along = 3.0\nmm_per_px_across = 1.0\nup = "left"\n')
    surveyed(tmp_path)
    found = read_world_file(tmp_path / "survey" / "0003.jgw").transform
    # UTM is .9996 to .9997 of the ground's length here; columns run along the road
    assert np.hypot(found.a, found.d) == pytest.approx(0.003, rel=5e-4)
    assert np.hypot(found.b, found.e) == pytest.approx(0.001, rel=5e-4)


@pytest.mark.parametrize("by", ["name", "time"])
def test_headings_from_grid_north_are_turned_to_true_north(tmp_path: Path, by: str) -> None:
    """Grid north of UTM 32 is (9.94 - 9) * sin(53.571) = 0.756 degrees to the right of true north there."""
    deliver(
        tmp_path, camera='mm_per_px = 2.0\nclock_offset_s = 0\nheading_north = "grid"\nheading = "given"\n'
    )
    # of a camera that looks 5 degrees to the right, since those of the track need no north
    grid_deg = HEADING + 5 - 0.756
    points = Transformer.from_crs(4326, UTM, always_xy=True).transform(*np.transpose(places(8)))
    rows = ["filename,x,y,heading" if by == "name" else "time,x,y,heading"]
    for number, (x, y) in enumerate(np.transpose(points)):
        name = names_of(8)[number]
        (tmp_path / "frames" / name).rename(tmp_path / "frames" / f"20250520_10000{number}.jpg")
        key = f"20250520_10000{number}" if by == "name" else f"2025-05-20T10:00:0{number}Z"
        rows.append(f"{key},{x},{y},{grid_deg}")
    (tmp_path / "positions.csv").write_text("\n".join(rows))
    survey = surveyed(tmp_path, positions_crs="EPSG:32632")
    assert [row.heading_deg for row in survey.rows] == pytest.approx([HEADING + 5] * 8, abs=0.01)


def test_without_headings_the_track_tells_them(tmp_path: Path) -> None:
    deliver(tmp_path)
    text = (tmp_path / "positions.csv").read_text()
    (tmp_path / "positions.csv").write_text(text.replace("heading", "remark"))
    survey = surveyed(tmp_path)
    assert {row.heading_from for row in survey.rows} == {"track"}
    for number, name in enumerate(names_of(8)):
        found = read_world_file((tmp_path / "survey" / name).with_suffix(".jgw")).transform
        assert np.allclose(found, true_transform(number), rtol=0, atol=1e-5)


def test_a_run_takes_the_survey(tmp_path: Path) -> None:
    from crackpipe.pipeline.config import Config
    from crackpipe.pipeline.survey.load import load_survey

    deliver(tmp_path)
    surveyed(tmp_path)
    loaded = load_survey([tmp_path / "survey"], Config())
    assert not loaded.rejected
    assert [round(image.gsd_mm, 4) for image in loaded.images] == [2.0] * 8


def test_images_found_are_those_that_were_placed(tmp_path: Path) -> None:
    deliver(tmp_path)
    survey = surveyed(tmp_path)
    found = [each.image_id for each in find_images([tmp_path / "survey"]).candidates]
    assert found == [row.name for row in survey.rows]
