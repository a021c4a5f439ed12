"""Frames of a camera that looks ahead and down become plan views that lie where they should."""

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import rasterio
from deliveries import HEADING, UTM, names_of, places, write_csv
from PIL import Image
from pyproj import Transformer
from scipy.ndimage import center_of_mass, label

from crackpipe.model.data.plane import to_ground, to_pixels
from crackpipe.pipeline.errors import ConfigurationError, OutputNotWritableError
from crackpipe.pipeline.frames.deliver import Delivery, make_survey
from crackpipe.pipeline.frames.files.camera import read_camera
from crackpipe.pipeline.frames.files.listing import list_frames
from crackpipe.pipeline.frames.files.oblique import Oblique
from crackpipe.pipeline.frames.oblique.decode import packed
from crackpipe.pipeline.frames.oblique.rectify import rectified
from crackpipe.pipeline.frames.oblique.view import View, camera_to_ground, view_of
from crackpipe.pipeline.frames.oblique.write import MADE_FROM_TAG, put_in_place, write_plan_views
from crackpipe.pipeline.frames.pose.place import geod_of, moved
from crackpipe.pipeline.geometry.arrays import Floats
from crackpipe.pipeline.geometry.grid import Window
from crackpipe.pipeline.geometry.plan_view import COARSEST, PlanView, coarseness, inspected
from crackpipe.pipeline.survey.plan_view import HOMOGRAPHY_TAG, SIZES_TAG

SIZE = (480, 640)
CAMERA = Oblique(gsd_mm=8.0, focal_px=600.0, height_m=2.4, pitch_deg=35.0, roll_deg=2.0)
# (right, ahead) in metres
SPOTS = np.array([[-0.8, 2.6], [0.7, 2.7], [0.1, 3.4], [-0.9, 4.2], [1.0, 4.4]])


def picture(camera: Oblique) -> Floats:
    """A frame of a grey road with round spots, 60 mm wide, whose middles on the ground are known."""
    matrix = camera_to_ground(camera, SIZE)
    row, col = np.mgrid[0 : SIZE[0], 0 : SIZE[1]]
    ground = to_ground(matrix, np.column_stack([row.ravel(), col.ravel()]))
    grey = np.full(len(ground), 60.0)
    for spot in SPOTS:
        away = np.hypot(*(ground - spot).T)
        grey += 180 * np.clip((0.06 - away) / 0.02, 0, 1)
    return grey.reshape(SIZE)


def whole(view: View) -> Window:
    return Window(0, 0, *view.plan.shape)


def middles(grey: Floats) -> Floats:
    """Middles (N, 2) (row, col) of bright spots, from the top."""
    found, count = label(grey > 120)
    return np.array(center_of_mass(grey - 60, found, range(1, count + 1)))


def test_a_level_camera_sees_what_trigonometry_says() -> None:
    straight = Oblique(gsd_mm=8.0, focal_px=600.0, height_m=2.4, pitch_deg=35.0)
    matrix = camera_to_ground(straight, (481, 641))
    # 100 px below the middle the view is steeper by atan(100 / 600)
    found = to_ground(matrix, [[240, 320], [340, 320]])
    steep = np.radians(35.0) + np.array([0.0, np.arctan(1 / 6)])
    assert np.allclose(found, np.column_stack([[0.0, 0.0], 2.4 / np.tan(steep)]))


def test_points_say_the_same_as_height_and_angles() -> None:
    matrix = camera_to_ground(CAMERA, SIZE)
    pixels = to_pixels(matrix, SPOTS)
    points = tuple((col, row, right, ahead) for (row, col), (right, ahead) in zip(pixels, SPOTS, strict=True))
    again = camera_to_ground(Oblique(gsd_mm=8.0, points=points), SIZE)
    assert np.allclose(again / again[2, 2], matrix / matrix[2, 2], atol=1e-9)
    assert np.sign(again[2] @ [300, 400, 1]) == 1.0


def test_spots_lie_within_half_a_pixel_of_the_plane() -> None:
    view = view_of(CAMERA, SIZE, "camera.toml")
    (plan,), _ = rectified(packed(picture(CAMERA).astype(np.uint8)[None]), view.view, whole(view))
    found = middles(plan.astype(float))
    truth = np.column_stack(
        [(view.plan.far_m - SPOTS[:, 1]) / 0.008 - 0.5, (SPOTS[:, 0] - view.plan.left_m) / 0.008 - 0.5]
    )
    off = np.hypot(*(found[:, None] - truth[None]).transpose(2, 0, 1)).min(axis=1)
    assert len(found) == len(SPOTS)
    assert off.max() < 0.5


def test_only_what_is_fine_enough_is_inspected() -> None:
    view = view_of(CAMERA, SIZE, "camera.toml")
    row, col = np.mgrid[0 : view.plan.shape[0], 0 : view.plan.shape[1]].astype(float)
    coarse, wanted = coarseness(view.view, row, col), inspected(view.view, whole(view))
    assert np.array_equal(wanted, coarse <= COARSEST)
    assert coarse[wanted].max() * 8.0 == pytest.approx(view.worst_mm, rel=2e-3)
    assert wanted.mean() > 0.3
    # the far end is left out, though the camera sees it
    assert view.plan.far_m < to_ground(view.plan.matrix, [[100, 320]])[0, 1]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[oblique]\nfocal_px = 600.0\n", "needs gsd_mm"),
        ("[oblique]\ngsd_mm = 8.0\n", "either points or focal_px"),
        ("[oblique]\ngsd_mm = 8.0\nfocal_px = 600.0\nheight_m = 2.4\n", "needs pitch_deg too"),
        ("[oblique]\ngsd_mm = 8.0\nheight = 2.4\n", "'height' is not known"),
        ("[oblique]\ngsd_mm = 8.0\npoints = [[1, 2, 3]]\n", "four or more"),
        ("[oblique]\ngsd_mm = 8.0\npoints = [[1, 2, 3, 4]]\nroll_deg = 2\n", "not two of these"),
        (
            "mm_per_px = 2.0\n[oblique]\ngsd_mm = 8.0\nfocal_px = 600.0\nheight_m = 2\npitch_deg = 30\n",
            "leave out",
        ),
    ],
)
def test_a_table_that_cannot_be_meant_is_refused(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "camera.toml").write_text(text)
    with pytest.raises(ConfigurationError, match=said):
        read_camera(tmp_path / "camera.toml")


@pytest.mark.parametrize(
    ("camera", "said"),
    [
        (Oblique(gsd_mm=0.3, focal_px=600.0, height_m=2.4, pitch_deg=35.0), "as fine as 2.5"),
        (Oblique(gsd_mm=50.0, focal_px=600.0, height_m=0.5, pitch_deg=50.0), "56 times as fine"),
        (
            Oblique(
                gsd_mm=8.0, points=((0, 400, -1, 3), (600, 380, 1, 3), (0, 200, 2, 6), (600, 200, -2, 6.5))
            ),
            "both sides of the horizon",
        ),
        (
            Oblique(gsd_mm=8.0, points=((0, 0, 0, 1), (1, 1, 0, 2), (2, 2, 0, 3), (3, 3, 0, 4))),
            "fix no plane",
        ),
    ],
)
def test_a_camera_that_shows_nothing_fine_is_refused(camera: Oblique, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        view_of(camera, SIZE, "camera.toml")


# ---- as a survey

TOML = """ahead_m = 0.5
[oblique]
gsd_mm = 8.0
focal_px = 600.0
height_m = 2.4
pitch_deg = 35.0
roll_deg = 2.0
"""


def survey(folder: Path) -> Delivery:
    frames = folder / "frames"
    if not frames.exists():
        frames.mkdir()
        for name in names_of(3):
            Image.fromarray(picture(CAMERA).astype(np.uint8)).save(frames / name, quality=95)
        write_csv(folder / "positions.csv", names_of(3))
        (folder / "camera.toml").write_text(TOML)
    return make_survey(
        frames, str(folder / "positions.csv"), folder / "survey", camera_file=folder / "camera.toml"
    )


def test_spots_lie_where_they_are_on_the_map(tmp_path: Path) -> None:
    assert survey(tmp_path).written == 3
    with rasterio.open(tmp_path / "survey" / "0002.jpg.tif") as dataset:
        grey, transform = dataset.read(1).astype(float), dataset.transform
        assert dataset.crs.to_epsg() == 32632
        assert len(dataset.tags()[HOMOGRAPHY_TAG].split()) == 9
        assert dataset.tags()[SIZES_TAG] == f"480 640 {dataset.height} {dataset.width}"
        assert 0.3 < (dataset.dataset_mask() > 0).mean() < 1.0
    found = np.array([transform @ (col + 0.5, row + 0.5) for row, col in middles(grey)])
    start = np.array([places(3)[1]] * len(SPOTS))
    way = SPOTS + np.array([0.0, 0.5])
    azimuth = HEADING + np.degrees(np.arctan2(way[:, 0], way[:, 1]))
    lonlat = moved(geod_of(UTM), start, azimuth, np.hypot(*way.T))
    truth = np.column_stack(Transformer.from_crs(4326, UTM, always_xy=True).transform(*lonlat.T))
    off = np.hypot(*(found[:, None] - truth[None]).transpose(2, 0, 1)).min(axis=1)
    assert off.max() < 0.004


def test_done_again_nothing_is_written_and_bytes_are_the_same(tmp_path: Path) -> None:
    survey(tmp_path)
    before = {path.name: path.read_bytes() for path in (tmp_path / "survey").iterdir()}
    assert survey(tmp_path).written == 0
    (tmp_path / "survey" / "0002.jpg.tif").unlink()
    assert survey(tmp_path).written == 1
    assert {path.name: path.read_bytes() for path in (tmp_path / "survey").iterdir()} == before


def test_frames_that_become_plan_views_leave_the_survey(tmp_path: Path) -> None:
    survey(tmp_path)
    (tmp_path / "camera.toml").write_text("mm_per_px = 8.0\n")
    survey(tmp_path)
    assert sorted(path.name for path in (tmp_path / "survey").glob("*.[jt]*g*")) == [
        "0001.jgw",
        "0001.jpg",
        "0002.jgw",
        "0002.jpg",
        "0003.jgw",
        "0003.jpg",
    ]
    assert not [*(tmp_path / "survey").glob("*.tif")]
    (tmp_path / "camera.toml").write_text(TOML)
    survey(tmp_path)
    images = [
        path.name
        for path in (tmp_path / "survey").iterdir()
        if path.suffix not in {".toml", ".csv", ".json", ".txt"}
    ]
    assert sorted(images) == ["0001.jpg.tif", "0002.jpg.tif", "0003.jpg.tif"]


def cut_off(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def overwrite_its_middle(path: Path) -> None:
    content = path.read_bytes()
    middle = len(content) // 2
    path.write_bytes(content[:middle] + b"\xff\xd0" * 50 + content[middle + 100 :])


def give_it_16_bits(path: Path) -> None:
    Image.fromarray(np.zeros(SIZE, np.uint16)).save(path, "PNG")


def make_it_transparent(path: Path) -> None:
    Image.new("RGBA", SIZE[::-1]).save(path, "PNG")


def give_it_a_palette(path: Path) -> None:
    Image.fromarray(np.arange(SIZE[0] * SIZE[1], dtype=np.uint8).reshape(SIZE)).convert("P").save(path, "PNG")


REMEDIES = {
    give_it_16_bits: "-ot Byte -scale BLACK WHITE 0 255 IN",
    make_it_transparent: "-b 1 -b 2 -b 3 IN",
    give_it_a_palette: "-expand rgb IN",
}


@pytest.mark.parametrize("spoil", [cut_off, overwrite_its_middle, *REMEDIES])
def test_a_frame_whose_pixels_cannot_be_taken_is_set_aside(
    tmp_path: Path, spoil: Callable[[Path], None]
) -> None:
    survey(tmp_path)
    spoil(tmp_path / "frames" / "0002.jpg")
    made = survey(tmp_path)
    (aside,) = made.aside
    expected = {cut_off: "truncated", overwrite_its_middle: "not-an-image"}.get(spoil, "dtype-unsupported")
    assert (aside.name, aside.reason) == ("0002.jpg", expected)
    assert REMEDIES.get(spoil, "again") in aside.remedy
    assert [row.name for row in made.rows] == ["0001.jpg.tif", "0003.jpg.tif"]
    # what was made of it before it was damaged is taken away, and a half one is nowhere
    assert sorted(path.name for path in (tmp_path / "survey").glob("0*")) == ["0001.jpg.tif", "0003.jpg.tif"]
    with (tmp_path / "survey" / "frames.csv").open() as file:
        rows = {row["frame"]: row for row in csv.DictReader(file)}
    assert rows["0002.jpg"]["reason"] == expected


def test_a_file_whose_end_a_full_disk_lost_gets_no_name(tmp_path: Path) -> None:
    survey(tmp_path)
    image, partial = tmp_path / "survey" / "0001.jpg.tif", tmp_path / "a.tif.partial"
    content = image.read_bytes()
    with rasterio.open(image) as dataset:
        made_from = dataset.tags()[MADE_FROM_TAG]
    for lost in (1, 20, 300, len(content) // 4, len(content) // 2, len(content)):
        partial.write_bytes(content[: len(content) - lost])
        with pytest.raises(OutputNotWritableError, match=r"a\.tif: its end did not reach the disk"):
            put_in_place(partial, tmp_path / "a.tif", made_from, masked=True)
    # the mask was not written
    partial.write_bytes(content)
    with rasterio.open(partial) as dataset:
        profile, tags = dataset.profile, dataset.tags()
    with rasterio.open(partial, "w", **profile) as dataset:
        dataset.update_tags(**tags)
        dataset.write(np.ones((dataset.count, *dataset.shape), np.uint8))
    with pytest.raises(OutputNotWritableError):
        put_in_place(partial, tmp_path / "a.tif", made_from, masked=True)
    partial.write_bytes(content)
    put_in_place(partial, tmp_path / "a.tif", made_from, masked=True)
    assert (tmp_path / "a.tif").read_bytes() == content


def test_however_many_at_a_time_the_bytes_are_the_same(tmp_path: Path) -> None:
    survey(tmp_path)
    frames, _ = list_frames(tmp_path / "frames", ())
    view, place = view_of(CAMERA, SIZE, "camera.toml").view, [0.008, 0, 5e5, 0, -0.008, 5e6]
    found = []
    for threads in (1, 3):
        targets = [tmp_path / f"{threads}-{number}.tif" for number in range(3)]
        places = np.tile(np.array(place), (3, 1))
        assert write_plan_views(frames, targets, places, UTM, view, threads=threads) == (3, [])
        found.append([path.read_bytes() for path in targets])
    assert found[0] == found[1]


def test_where_the_camera_sees_finer_its_pixels_are_averaged() -> None:
    # a frame of noise, four of whose pixels lie in one of the plan view
    view = PlanView((2, 0, 0.5, 0, 2, 0.5, 0, 0, 1), (200, 200), (100, 100))
    noise = np.random.default_rng(0).integers(0, 256, (1, 200, 200), dtype=np.uint8)
    (plan,), wanted = rectified(packed(noise), view, Window(0, 0, 100, 100))
    assert wanted.all()
    mean = noise[0].reshape(100, 2, 100, 2).mean(axis=(1, 3))
    assert np.abs(plan - mean).max() <= 0.5


def test_a_run_takes_the_plan_views(tmp_path: Path) -> None:
    from crackpipe.pipeline.config import Config
    from crackpipe.pipeline.survey.load import load_survey

    survey(tmp_path)
    loaded = load_survey([tmp_path / "survey"], Config(allow_gsd=True))
    assert not loaded.rejected
    assert [round(image.gsd_mm, 3) for image in loaded.images] == [8.0] * 3
    assert [image.worst_gsd_mm for image in loaded.images] == pytest.approx([20.0] * 3, rel=0.01)
    assert not any(image.all_warnings for image in loaded.images)
