"""Frames of a camera that looks ahead become a survey of plan views that lie where they should."""

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import rasterio
from ahead.spots import CAMERA, SIZE, SPOTS, middles, picture
from deliveries import HEADING, UTM, bytes_of, names_of, places, surveyed, write_csv
from PIL import Image
from pyproj import Transformer

from crackpipe.pipeline.errors import OutputNotWritableError
from crackpipe.pipeline.frames.deliver import Delivery
from crackpipe.pipeline.frames.files.listing import list_frames
from crackpipe.pipeline.frames.oblique.view import view_of
from crackpipe.pipeline.frames.oblique.write import MADE_FROM_TAG, put_in_place, write_plan_views
from crackpipe.pipeline.frames.pose.place import geod_of, moved
from crackpipe.pipeline.survey.plan_view import HOMOGRAPHY_TAG, SIZES_TAG

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
    return surveyed(folder)


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


def test_a_run_takes_the_plan_views(tmp_path: Path) -> None:
    from crackpipe.pipeline.config import Config
    from crackpipe.pipeline.survey.load import load_survey

    survey(tmp_path)
    loaded = load_survey([tmp_path / "survey"], Config(allow_gsd=True))
    assert not loaded.rejected
    assert [round(image.gsd_mm, 3) for image in loaded.images] == [8.0] * 3
    assert [image.worst_gsd_mm for image in loaded.images] == pytest.approx([20.0] * 3, rel=0.01)
    assert not any(image.all_warnings for image in loaded.images)


def test_done_again_nothing_is_written_and_bytes_are_the_same(tmp_path: Path) -> None:
    survey(tmp_path)
    before = bytes_of(tmp_path / "survey")
    assert survey(tmp_path).written == 0
    (tmp_path / "survey" / "0002.jpg.tif").unlink()
    assert survey(tmp_path).written == 1
    assert bytes_of(tmp_path / "survey") == before


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


# ---- what cannot be taken


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
