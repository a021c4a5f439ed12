"""Damaged, disguised and dangerous files are refused with a reason, before a pixel is decoded."""

import os
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from rasters.survey_files import RGB, SECRET, UTM_1_MM, look, refusal, write

from crackpipe.pipeline.config import Config
from crackpipe.pipeline.raster import gdal
from crackpipe.pipeline.survey.files.formats import SUPPORTED_SUFFIXES
from crackpipe.pipeline.survey.load import load_survey


@pytest.mark.parametrize("suffix", sorted(SUPPORTED_SUFFIXES | {".TIF", ".Jpg"}))
def test_the_first_bytes_say_what_a_file_is_not_its_suffix(tmp_path: Path, suffix: str) -> None:
    assert look(write(tmp_path / f"a{suffix}")).driver == "GTiff"


def _cut(path: Path, part: float) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * part)])


def test_files_that_are_no_images(tmp_path: Path) -> None:
    (tmp_path / "empty.tif").touch()
    (tmp_path / "text.jpg").write_text("hello")
    (tmp_path / "header.tif").write_bytes(b"II*\x00\x08\x00\x00\x00" + b"\xff" * 50)
    (tmp_path / "short.tif").write_bytes(b"II*\x00")
    (tmp_path / "scan.bmp").write_bytes(b"BM")
    (tmp_path / "folder.tif").mkdir()
    os.mkfifo(tmp_path / "pipe.tif")
    found = load_survey([tmp_path], Config())
    assert found.images == ()
    assert {r.image_id: r.reason for r in found.rejected} == {
        "empty.tif": "empty-file",
        "header.tif": "not-an-image",
        "pipe.tif": "not-a-file",
        "scan.bmp": "not-supported",
        "short.tif": "truncated",
        "text.jpg": "not-an-image",
    }


def test_damage_that_shows_only_when_the_header_is_asked_is_no_defect(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tif", gcps=[rasterio.control.GroundControlPoint(0, 0, 1, 2)], transform=None)
    sound, damaged = struct.pack("<4H", 1024, 0, 1, 1), struct.pack("<4H", 1024, 120, 1, 1)
    path.write_bytes(path.read_bytes().replace(sound, damaged))  # the key's value would lie in tag 120
    path.with_suffix(".wld").write_text("0.001 0 0 -0.001 500000 5500000")
    error = refusal(path, assume_crs="EPSG:25832")
    assert (error.reason, error.message) == (
        "not-an-image",
        "GDAL cannot open a.tif: Key 1024 of unknown type.",
    )


def test_vrt_disguised_as_tif_is_never_followed(tmp_path: Path) -> None:
    (tmp_path / "passwd").write_text(SECRET)
    vrt = f"""<VRTDataset rasterXSize="40" rasterYSize="40"><VRTRasterBand dataType="Byte" band="1"
        subClass="VRTRawRasterBand"><SourceFilename>{tmp_path}/passwd</SourceFilename></VRTRasterBand></VRTDataset>"""
    (tmp_path / "a.tif").write_text(vrt)
    assert refusal(tmp_path / "a.tif").reason == "not-an-image"


@pytest.mark.parametrize("part", [0.1, 0.5, 0.99])
@pytest.mark.parametrize(
    ("name", "profile"),
    [
        ("a.tif", {"compress": "deflate", "tiled": True, "blockxsize": 64, "blockysize": 64}),
        ("a.tif", {}),
        ("a.tif", {"interleave": "band", "BIGTIFF": "YES"}),
        ("a.jpg", {"driver": "JPEG", "transform": None}),
        ("a.png", {"driver": "PNG", "transform": None}),
    ],
)
def test_truncated_files(tmp_path: Path, name: str, profile: dict[str, Any], part: float) -> None:
    values = np.random.default_rng(1).integers(0, 255, (3, 300, 400), dtype=np.uint8)
    path = write(tmp_path / name, values, **profile)
    path.with_suffix(".jgw").write_text("0.001 0 0 -0.001 500000 5500000")
    path.with_suffix(".pgw").write_text("0.001 0 0 -0.001 500000 5500000")
    look(path, assume_crs="EPSG:25832")
    _cut(path, part)
    assert refusal(path, assume_crs="EPSG:25832").reason == "truncated"


def test_a_thumbnail_does_not_hide_that_a_jpeg_is_cut(tmp_path: Path) -> None:
    values = np.random.default_rng(1).integers(0, 255, (3, 300, 400), dtype=np.uint8)
    thumbnail = write(tmp_path / "thumb.jpg", RGB, driver="JPEG", transform=None).read_bytes()
    picture = write(tmp_path / "a.jpg", values, driver="JPEG", transform=None)
    picture.with_suffix(".jgw").write_text("0.001 0 0 -0.001 500000 5500000")
    segment = b"\xff\xe2" + (len(thumbnail) + 2).to_bytes(2, "big") + thumbnail
    content = picture.read_bytes()[:2] + segment + picture.read_bytes()[2:]
    # after the picture, cameras may append a preview longer than the end that is looked at first
    picture.write_bytes(content + bytes(200_000))
    look(picture, assume_crs="EPSG:25832")
    picture.write_bytes(content[:-1000])
    assert refusal(picture, assume_crs="EPSG:25832").reason == "truncated"


def test_a_file_whose_writer_was_killed_is_not_a_sound_road(tmp_path: Path) -> None:
    size = {"width": 256, "height": 256, "count": 3, "dtype": "uint8"}
    tiles = {"driver": "GTiff", "tiled": True, "blockxsize": 64, "blockysize": 64, "sparse_ok": True}
    profile: dict[str, Any] = {**size, **tiles, "crs": "EPSG:25832", "transform": UTM_1_MM}
    path = tmp_path / "a.tif"
    with rasterio.open(path, "w", **profile):
        pass
    error = refusal(path)
    assert error.reason == "never-written"
    assert "none of its 16 blocks" in error.message
    with rasterio.open(path, "w", **profile) as dataset:
        dataset.write(np.ones((3, 64, 64), np.uint8), window=rasterio.windows.Window(64, 0, 64, 64))
    assert look(path).has_missing_blocks


def test_bombs_are_refused_before_a_pixel_is_decoded(tmp_path: Path) -> None:
    common = {"driver": "GTiff", "count": 1, "dtype": "uint8", "crs": "EPSG:25832", "sparse_ok": True}
    with rasterio.open(
        tmp_path / "huge.tif", "w", width=65536, height=65536, tiled=True, transform=UTM_1_MM, **common
    ):
        pass
    tile = {"tiled": True, "blockxsize": 32768, "blockysize": 32768}
    with rasterio.open(
        tmp_path / "block.tif", "w", width=4000, height=4000, transform=UTM_1_MM, **tile, **common
    ):
        pass
    with rasterio.open(
        tmp_path / "thin.tif", "w", width=1, height=1_500_000, blockysize=50000, transform=UTM_1_MM, **common
    ):
        pass
    tile = {"tiled": True, "blockxsize": 16, "blockysize": 16}
    with rasterio.open(
        tmp_path / "many.tif", "w", width=40000, height=40000, transform=UTM_1_MM, **tile, **common
    ):
        pass
    assert refusal(tmp_path / "huge.tif").reason == "too-large"
    assert refusal(tmp_path / "thin.tif").reason == "too-large"
    assert refusal(tmp_path / "many.tif").reason == "too-many-blocks"
    assert refusal(tmp_path / "block.tif").reason == "block-too-large"


def test_gdal_has_no_driver_that_follows_references_in_a_fresh_process() -> None:
    lines = [
        "import rasterio",  # even before crackpipe
        "from crackpipe.pipeline.raster import reader as read",
        "with rasterio.Env() as environment:",
        "    print(*environment.drivers())",
    ]
    run = subprocess.run([sys.executable, "-c", "\n".join(lines)], check=True, capture_output=True, text=True)
    drivers = set(run.stdout.split())
    assert drivers >= {"GTiff", "JPEG", "PNG"}
    assert not drivers & {"VRT", "GTI", "DERIVED", "HTTP", "WMS", "WMTS", "WCS", "OGCAPI", "STACIT", "STACTA"}


def test_gdal_opens_nothing_but_three_formats(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="driver is 'VRT'"):
        gdal.open_raster(tmp_path / "a.tif", "VRT")
    with pytest.raises(ValueError, match="virtual file system"):
        gdal.open_raster(Path("/vsicurl/http://localhost/a.tif"), "GTiff")
