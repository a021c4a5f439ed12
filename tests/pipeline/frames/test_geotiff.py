"""Frames as GeoTIFFs: the same pixels at the same place, the day, and nothing else of their EXIF."""

import os
from pathlib import Path

import numpy as np
import pytest
import rasterio
from deliveries import HEIGHT, WIDTH, deliver, names_of, surveyed, true_transform
from PIL import Image

from crackpipe.pipeline.config import Config
from crackpipe.pipeline.frames.deliver import Delivery
from crackpipe.pipeline.frames.geotiff import without_metadata
from crackpipe.pipeline.survey.load import load_survey

SECRET = "Olga's camera 4711"


def made(folder: Path, *, geotiff: bool = True) -> Delivery:
    return surveyed(folder, geotiff=geotiff)


def with_secrets(folder: Path, mode: str = "RGB", **options: object) -> None:
    """Frames with an owner's name in EXIF and in a comment, and the time of exposure."""
    deliver(folder)
    rng = np.random.default_rng(4)
    for number, name in enumerate(names_of(8)):
        exif = Image.Exif()
        exif[0xA430 if mode == "L" else 0x013B] = SECRET
        exif.get_ifd(0x8769).update({0x9003: f"2025:05:20 10:00:0{number}", 0xA430: SECRET})
        bands = (HEIGHT, WIDTH) if mode == "L" else (HEIGHT, WIDTH, 3)
        picture = Image.fromarray(rng.integers(0, 255, bands, dtype=np.uint8))
        picture.save(folder / "frames" / name, exif=exif, comment=SECRET.encode(), **options)


def read(path: Path) -> np.ndarray:
    with rasterio.open(path) as dataset:
        return dataset.read()


@pytest.mark.parametrize(
    ("mode", "options"),
    [
        ("L", {}),
        ("RGB", {"subsampling": 0}),
        ("RGB", {"subsampling": 2}),
        ("RGB", {"progressive": True}),
        ("RGB", {"keep_rgb": True, "subsampling": 0}),
    ],
)
def test_pixels_stay_and_secrets_go(tmp_path: Path, mode: str, options: dict[str, object]) -> None:
    with_secrets(tmp_path, mode, **options)
    made(tmp_path)
    for number, name in enumerate(names_of(8)):
        image = tmp_path / "survey" / f"{name}.tif"
        assert np.array_equal(read(image), read(tmp_path / "frames" / name))
        assert SECRET.encode() not in image.read_bytes()
        with rasterio.open(image) as dataset:
            assert dataset.crs.to_epsg() == 32632
            assert np.allclose(dataset.transform, true_transform(number), rtol=0, atol=2e-7)


def test_a_run_takes_them_with_the_day_on_which_frames_were_taken(tmp_path: Path) -> None:
    deliver(tmp_path)
    text = (tmp_path / "positions.csv").read_text().replace("heading", "time")
    (tmp_path / "positions.csv").write_text(text.replace(",63.0", ",2025-05-20T10:00:00Z"))
    made(tmp_path)
    loaded = load_survey([tmp_path / "survey"], Config())
    assert not loaded.rejected
    assert {(round(image.gsd_mm, 4), str(image.acquired)) for image in loaded.images} == {(2.0, "2025-05-20")}


def test_done_again_nothing_is_touched_and_a_changed_frame_is(tmp_path: Path) -> None:
    with_secrets(tmp_path)
    assert made(tmp_path).written == 8
    before = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "survey").iterdir()}
    content = {path.name: path.read_bytes() for path in (tmp_path / "survey").iterdir()}
    assert made(tmp_path).written == 0
    assert before == {path.name: path.stat().st_mtime_ns for path in (tmp_path / "survey").iterdir()}
    Image.new("RGB", (WIDTH, HEIGHT)).save(tmp_path / "frames" / "0003.jpg")
    assert made(tmp_path).written == 1
    (tmp_path / "survey").rename(tmp_path / "other")
    with_secrets(tmp_path)
    made(tmp_path)
    assert content == {path.name: path.read_bytes() for path in (tmp_path / "survey").iterdir()}


def test_links_and_geotiffs_take_each_others_place(tmp_path: Path) -> None:
    deliver(tmp_path)
    made(tmp_path)
    names = {path.name for path in (tmp_path / "survey").iterdir()}
    made(tmp_path, geotiff=False)
    assert not [*(tmp_path / "survey").glob("*.tif")]
    made(tmp_path)
    assert {path.name for path in (tmp_path / "survey").iterdir()} == names


def test_a_damaged_frame_is_set_aside_and_a_png_loses_nothing(tmp_path: Path) -> None:
    _, positions, _ = deliver(tmp_path)
    frames = tmp_path / "frames"
    os.truncate(frames / "0002.jpg", 500)
    picture = Image.fromarray(np.arange(HEIGHT * WIDTH, dtype=np.uint8).reshape(HEIGHT, WIDTH))
    (frames / "0004.jpg").unlink()
    picture.save(frames / "0004.png")
    positions.write_text(positions.read_text().replace("0004.jpg", "0004.png"))
    survey = made(tmp_path)
    assert [each.name for each in survey.aside] == ["0002.jpg"]
    assert survey.aside[0].remedy
    assert np.array_equal(read(tmp_path / "survey" / "0004.png.tif")[0], np.asarray(picture))


def test_where_all_frames_are_damaged_each_has_its_row(tmp_path: Path) -> None:
    deliver(tmp_path, 2)
    for name in names_of(2):
        os.truncate(tmp_path / "frames" / name, 500)
    survey = made(tmp_path)
    assert ([each.name for each in survey.aside], survey.rows) == (names_of(2), [])
    assert (tmp_path / "survey" / "frames.csv").read_text().count("set aside") == 2


def test_a_second_picture_behind_the_first_goes_too(tmp_path: Path) -> None:
    with_secrets(tmp_path, progressive=True)
    first, second = ((tmp_path / "frames" / name).read_bytes() for name in names_of(2))
    assert without_metadata(first + second) == without_metadata(first)


def test_only_a_jpeg_loses_its_metadata() -> None:
    with pytest.raises(ValueError, match="does not begin as a JPEG"):
        without_metadata(b"RIFF")
    with pytest.raises(ValueError, match="no marker stands at byte 4"):
        without_metadata(b"\xff\xd8\xff\xe1\x00\x00")
