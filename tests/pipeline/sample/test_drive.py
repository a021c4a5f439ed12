"""A rendered drive delivers one truth in every form, also to a camera that looks ahead."""

import hashlib
import json
from pathlib import Path

import geopandas
import numpy as np
import pytest
from affine import Affine
from PIL import Image

from crackpipe.model.data.plane import to_pixels
from crackpipe.pipeline.frames.deliver import Delivery, make_survey
from crackpipe.pipeline.sample.ahead import Ahead
from crackpipe.pipeline.sample.drive import CLOCK_LATE_S, Drive, road_of, sway_m, write_drive
from crackpipe.pipeline.survey.sidecars.world_files import read_world_file

PLAIN = Drive(frames=20, size_px=(64, 64), gsd_mm=20.0, drift_m=0.0, noise_m=0.0, heading_noise_deg=0.0)
AHEAD = Drive(
    frames=14,
    ahead=Ahead(size_px=(288, 512), focal_px=400.0),
    gsd_mm=8.0,
    drift_m=0.0,
    noise_m=0.02,
    heading_noise_deg=0.0,
    sway_m=0.2,
    lost_every=7,
)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("plain")
    write_drive(folder, 3, PLAIN)
    return folder


@pytest.fixture(scope="module")
def ahead(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ahead")
    write_drive(folder, 3, AHEAD)
    return folder


def delivered(delivery: Path, out: Path, kind: str, more: str = "", *, camera: str | None = None) -> Delivery:
    out.mkdir(exist_ok=True)
    toml = out / "camera.toml"
    toml.write_text(more + ((delivery / "camera.toml").read_text() if camera is None else camera))
    positions = kind if kind == "exif" else str(delivery / kind)
    return make_survey(delivery / "frames", positions, out / "survey", camera_file=toml, seams=False)


def true_transform(drive: Drive, number: int) -> Affine:
    _, _, road = road_of(drive, 3)
    return road @ Affine.translation(0, drive.road_px[0] - drive.size_px[0] - number * drive.step_px)


# ---- straight down


@pytest.mark.parametrize(
    "kind",
    ["positions.csv", "points.geojson", "track.gpx", "track.nmea", "exif", "centreline.geojson", "lcms"],
)
def test_each_delivery_places_frames_where_they_are(plain: Path, tmp_path: Path, kind: str) -> None:
    camera = 'up = "ahead"\n' if kind == "lcms" else None
    made = delivered(plain, tmp_path, kind, f"clock_offset_s = {CLOCK_LATE_S}\n", camera=camera)
    assert len(made.rows) == 20
    off = []
    for number, row in enumerate(made.rows):
        found = read_world_file((made.survey / row.name).with_suffix(".jgw")).transform
        truth = true_transform(PLAIN, number)
        off += [np.hypot(*np.subtract(found @ at, truth @ at)) for at in ((0, 0), (64, 64))]
    # receivers tell ten places a second, EXIF rationals, and the track turns a little at a stop
    assert max(off) < 0.06


def test_the_same_arguments_give_the_same_bytes(plain: Path, tmp_path: Path) -> None:
    write_drive(tmp_path, 3, PLAIN)

    def digest(folder: Path) -> dict[str, str]:
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}

    assert digest(tmp_path) == digest(plain)


def test_a_road_that_was_drawn_before_is_cut_into_the_same_frames(plain: Path, tmp_path: Path) -> None:
    def rows(top: int, height: int) -> np.ndarray:
        return np.full((height, 64, 3), top // 256, np.uint8)

    write_drive(tmp_path, 3, PLAIN, rows)
    first = Image.open(tmp_path / "frames" / "000000000.jpg")
    assert np.asarray(first)[0, 0, 0] == (PLAIN.road_px[0] - 64) // 256
    assert (tmp_path / "positions.csv").read_bytes() == (plain / "positions.csv").read_bytes()


# ---- ahead and down


def test_lost_frames_have_positions(ahead: Path) -> None:
    assert len(list((ahead / "frames").iterdir())) == 12
    assert len((ahead / "positions.csv").read_text().splitlines()) == 15
    assert not (ahead / "frames" / "000009024.jpg").exists()


def test_lane_lines_of_a_frame_are_where_the_camera_says(ahead: Path) -> None:
    grey = np.asarray(Image.open(ahead / "frames" / "000003008.jpg"))[..., 0].astype(float)
    sway = float(sway_m(AHEAD, np.array([3.008]))[0])
    assert AHEAD.ahead is not None
    for ahead_m in (3.5, 4.5, 6.0):
        ((row, col),) = to_pixels(AHEAD.ahead.matrix, [[1.8 - sway, ahead_m]])
        around = grey[round(row), round(col) - 15 : round(col) + 16]
        bright = np.nonzero(around > (around.max() + np.median(around)) / 2)[0]
        assert bright.mean() == pytest.approx(15, abs=3)


def test_lane_edges_give_the_scale_of_the_drive(ahead: Path, tmp_path: Path) -> None:
    made = delivered(ahead, tmp_path, "positions.csv")
    said = str(next(each.value for each in made.assumptions if each.what == "camera_stands"))
    height_m, pitch_deg, yaw_deg = (float(part.split()[0]) for part in said.split(",")[:3])
    assert height_m == pytest.approx(2.2, rel=0.02)
    assert (pitch_deg, yaw_deg) == pytest.approx((35.0, 2.0), abs=0.6)
    assert "to the right of the lane" in said


def test_plan_views_that_overlap_are_brought_together(ahead: Path, tmp_path: Path) -> None:
    truth = (ahead / "truth" / "camera.toml").read_text()
    (tmp_path / "camera.toml").write_text(truth)
    made = make_survey(
        ahead / "frames",
        str(ahead / "positions.csv"),
        tmp_path / "survey",
        camera_file=tmp_path / "camera.toml",
    )
    seams = json.loads((made.survey / "delivery.json").read_text())["seams"]
    assert seams["found"] >= 6
    # noise of 0.02 m in each of two positions, and the vehicle's sway, whose heading nobody says
    assert seams["before_mm"][2] > 30 > seams["after_mm"][1]


def test_truth_holds_the_cracks_of_the_road(ahead: Path) -> None:
    truth = geopandas.read_parquet(ahead / "truth" / "cracks.parquet")
    assert truth.crs.to_epsg() == 32632
    assert truth.length_m.sum() > 0
