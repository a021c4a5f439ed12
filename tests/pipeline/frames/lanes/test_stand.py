"""A camera over two painted lines is found where it stands, and what is no lane is refused."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from deliveries import names_of, write_csv
from paths import ROOT
from PIL import Image

from crackpipe.model.data.plane import angles_of, of_camera, to_ground, to_pixels
from crackpipe.pipeline.errors import ConfigurationError
from crackpipe.pipeline.frames.deliver import Delivery, make_survey
from crackpipe.pipeline.frames.files.camera import read_camera
from crackpipe.pipeline.frames.files.oblique import Oblique
from crackpipe.pipeline.frames.lanes.edges import Edges, edges_of
from crackpipe.pipeline.frames.lanes.marks import lines_of
from crackpipe.pipeline.frames.lanes.stand import posed

SIZE = (240, 400)
AXIS = (199.5, 30.0)
TRUE = Oblique(gsd_mm=20.0, focal_px=260.0, height_m=2.2, pitch_deg=32.0, yaw_deg=4.0, axis_px=AXIS)
ASKED = Oblique(gsd_mm=20.0, focal_px=260.0, lane_edges_m=3.5, axis_px=AXIS)
TOML = "[oblique]\ngsd_mm = 20.0\nfocal_px = 260.0\nlane_edges_m = 3.5\naxis_px = [199.5, 30.0]\n"


def draw(path: Path, sway_m: float, *, edges: tuple[float, ...] = (-1.75, 1.75), seed: int = 0) -> None:
    """A grey road with painted lines, 0.15 m wide, seen by a vehicle that is `sway_m` right of the middle."""
    matrix = of_camera(TRUE.focal_px, AXIS, TRUE.height_m, pitch_deg=TRUE.pitch_deg, yaw_deg=TRUE.yaw_deg)
    row, col = np.mgrid[0 : SIZE[0], 0 : SIZE[1]]
    right = to_ground(matrix, np.column_stack([row.ravel(), col.ravel()]))[:, 0].reshape(SIZE) + sway_m
    grey = np.random.default_rng(seed).normal(90, 12, SIZE)
    for edge in edges:
        grey += 100 * np.clip((0.095 - np.abs(right - edge)) / 0.04, 0, 1)
    Image.fromarray(np.clip(grey, 0, 255).astype(np.uint8)).save(path, quality=92)


def drive(folder: Path, count: int, **options: tuple[float, ...]) -> None:
    """So many frames of a vehicle that sways by 0.2 m, with their positions."""
    (folder / "frames").mkdir(exist_ok=True)
    for number, name in enumerate(names_of(count)):
        draw(folder / "frames" / name, 0.2 * np.sin(number), seed=number, **options)
    write_csv(folder / "positions.csv", names_of(count))


def delivered(folder: Path, toml: str = TOML) -> Delivery:
    (folder / "camera.toml").write_text(toml)
    return make_survey(
        folder / "frames",
        str(folder / "positions.csv"),
        folder / "survey",
        camera_file=folder / "camera.toml",
        seams=False,
    )


# ---- geometry


@pytest.mark.parametrize(("roll", "yaw"), [(0.0, 0.0), (0.0, 6.0), (3.0, -4.0)])
def test_the_vanishing_point_tells_pitch_and_yaw(roll: float, yaw: float) -> None:
    matrix = of_camera(700.0, (500.0, 20.0), 2.0, pitch_deg=30.0, roll_deg=roll, yaw_deg=yaw)
    # 1,000 km ahead
    row, col = to_pixels(matrix, [[0.0, 1e6]])[0]
    assert angles_of((col, row), 700.0, (500.0, 20.0), roll) == pytest.approx((30.0, yaw), abs=1e-3)


@pytest.mark.parametrize("roll", [0.0, 2.0])
def test_edges_without_errors_give_the_camera_exactly(roll: float) -> None:
    true = replace(TRUE, roll_deg=roll)
    matrix = of_camera(
        true.focal_px,
        AXIS,
        true.height_m,
        pitch_deg=true.pitch_deg,
        roll_deg=roll,
        yaw_deg=true.yaw_deg,
    )
    far = to_pixels(matrix, [[0.0, 1e7]])[0]
    slopes = []
    for sway in (-0.3, 0.1, 0.2):
        at = to_pixels(matrix, [[-1.75 - sway, 3.0], [1.75 - sway, 3.0]])
        slopes.append((at[:, 1] - far[1]) / (at[:, 0] - far[0]))
    edges = Edges(meet=(far[1], far[0]), slopes=np.array(slopes), looked_at=3, both_sides=3)
    found = posed(replace(ASKED, roll_deg=roll), edges, SIZE)
    assert found.height_m == pytest.approx(2.2, rel=1e-4)
    assert (found.pitch_deg, found.yaw_deg) == pytest.approx((32.0, 4.0), abs=1e-3)


# ---- pictures


def test_lines_of_a_frame_lie_on_the_paint(tmp_path: Path) -> None:
    draw(tmp_path / "1.png", 0.1)
    matrix = of_camera(TRUE.focal_px, AXIS, TRUE.height_m, pitch_deg=TRUE.pitch_deg, yaw_deg=TRUE.yaw_deg)
    found = np.array(sorted(lines_of(tmp_path / "1.png").tolist()))
    for (at_top, slope), edge in zip(found, (-1.85, 1.65), strict=True):
        near, far = (to_pixels(matrix, [[edge, ahead]])[0] for ahead in (3.0, 4.0))
        for row, col in (near, far):
            assert at_top + slope * row == pytest.approx(col, abs=1.5)


def test_a_road_without_paint_has_no_lines(tmp_path: Path) -> None:
    draw(tmp_path / "1.png", 0.0, edges=())
    (tmp_path / "2.png").write_bytes(b"no picture")
    assert len(lines_of(tmp_path / "1.png")) == len(lines_of(tmp_path / "2.png")) == 0


def test_the_inner_edge_of_a_double_line_counts(tmp_path: Path) -> None:
    lines = []
    for number in range(12):
        draw(tmp_path / "1.png", 0.2 * np.sin(number), edges=(-2.2, -1.75, 1.75), seed=number)
        lines.append(lines_of(tmp_path / "1.png"))
    found = posed(ASKED, edges_of(lines, SIZE), SIZE)
    assert found.height_m == pytest.approx(2.2, rel=0.02)


def test_a_delivery_gets_its_scale_from_the_lane(tmp_path: Path) -> None:
    drive(tmp_path, 16)
    made = delivered(tmp_path)
    facts = {each.what: each for each in made.assumptions}
    said = str(facts["camera_stands"].value).split(",")
    height_m, pitch_deg, yaw_deg = (float(part.split()[0]) for part in said[:3])
    assert height_m == pytest.approx(2.2, rel=0.015)
    assert (pitch_deg, yaw_deg) == pytest.approx((32.0, 4.0), abs=0.4)
    assert "to the right of the lane" in said[2]
    assert facts["roll_deg"].source == facts["flat_road"].source == "assumed"
    assert facts["lane_edges_m"].source == "camera.toml"


def test_photographs_of_a_survey_vehicle_have_one_scale(tmp_path: Path) -> None:
    frames = ROOT / "sample_data" / "frames"
    made = make_survey(
        frames / "jpg",
        str(frames / "positions.csv"),
        tmp_path / "survey",
        camera_file=frames / "camera.toml",
        exclude=["*_01*"],
        seams=False,
    )
    said = str(next(each.value for each in made.assumptions if each.what == "camera_stands"))
    assert float(said.split(maxsplit=1)[0]) == pytest.approx(2.33, rel=0.03)


def test_frames_that_are_added_leave_those_that_are_there(tmp_path: Path) -> None:
    drive(tmp_path, 12)
    delivered(tmp_path)
    before = {path.name: path.read_bytes() for path in (tmp_path / "survey").glob("*.tif")}
    drive(tmp_path, 14)
    again = delivered(tmp_path)
    assert again.written == 2
    assert any("an earlier call found in 12 frames" in note for note in again.notes)
    assert all((tmp_path / "survey" / name).read_bytes() == data for name, data in before.items())


def test_what_is_no_lane_is_refused(tmp_path: Path) -> None:
    drive(tmp_path, 10, edges=())
    with pytest.raises(ConfigurationError, match=r"camera.toml: .* 0 pairs of lane lines in 10 frames"):
        delivered(tmp_path)
    for number, name in enumerate(names_of(10)):  # a lane of another width in each frame
        draw(tmp_path / "frames" / name, 0.0, edges=(-1.0 - 0.15 * number, 1.2), seed=number)
    with pytest.raises(ConfigurationError, match="edges of the lane are not consistent: of 10 frames"):
        delivered(tmp_path)
    assert not (tmp_path / "survey").exists()


def test_a_height_that_contradicts_the_lane_is_told(tmp_path: Path) -> None:
    drive(tmp_path, 12)
    with pytest.raises(ConfigurationError, match=r"height_m is 2.8, but by the edges the camera is 2.\d\d m"):
        delivered(tmp_path, TOML + "height_m = 2.8\n")
    delivered(tmp_path, TOML + "height_m = 2.2\n")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("pitch_deg = 30.0\n", "not two of these"),
        ("axis_px = [1.0]\n", "axis_px must be"),
    ],
)
def test_tables_that_cannot_be_meant_are_refused(tmp_path: Path, line: str, said: str) -> None:
    text = TOML.replace("axis_px = [199.5, 30.0]\n", "") + line
    (tmp_path / "camera.toml").write_text(text)
    with pytest.raises(ConfigurationError, match=said):
        read_camera(tmp_path / "camera.toml")
