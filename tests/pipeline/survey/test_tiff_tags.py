"""The first directory of a TIFF says the same without GDAL as with it."""

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine
from PIL import Image

from crackpipe.pipeline.survey import tiff_tags

NORTH_UP = Affine(0.001, 0, 500_000.123, 0, -0.0011, 5_500_000.7)
TURNED = Affine(0.0008, 0.0006, 500_000.1, 0.0006, -0.0008, 5_500_000.9)


def write(path: Path, **profile: Any) -> Path:
    profile = {"driver": "GTiff", "crs": "EPSG:25832", "transform": NORTH_UP, **profile}
    with rasterio.open(path, "w", count=1, height=4, width=5, dtype="uint8", **profile) as dataset:
        dataset.write(np.zeros((1, 4, 5), np.uint8))
    return path


def place_of(path: Path) -> tiff_tags.Place | None:
    with path.open("rb") as file:
        directory = tiff_tags.first_directory(file, path.stat().st_size)
        assert directory is not None
        return tiff_tags.place_of(file, directory)


@pytest.mark.parametrize(
    "profile",
    [
        {},
        {"transform": TURNED},
        {"transform": NORTH_UP @ Affine.scale(1, -1)},
        {"BIGTIFF": "YES"},
        {"ENDIANNESS": "BIG"},
        {"ENDIANNESS": "BIG", "BIGTIFF": "YES", "transform": TURNED},
        {"driver": "COG"},
        {"crs": "EPSG:4326", "transform": Affine(1e-8, 0, 9.1, 0, -1e-8, 48.2)},
    ],
)
def test_a_plain_place_is_the_one_of_gdal(tmp_path: Path, profile: dict[str, Any]) -> None:
    path = write(tmp_path / "a.tif", **profile)
    place = place_of(path)
    with rasterio.open(path) as dataset:
        assert place is not None and place.transform == dataset.transform


def test_keys_differ_with_the_crs_and_not_with_the_place(tmp_path: Path) -> None:
    one, other, elsewhere = (
        place_of(write(tmp_path / "a.tif", **profile))
        for profile in ({}, {"crs": "EPSG:25833"}, {"transform": NORTH_UP @ Affine.translation(9, 9)})
    )
    assert one and other and elsewhere
    assert one.keys == elsewhere.keys != other.keys


def test_what_is_not_plain_is_for_gdal_to_say(tmp_path: Path) -> None:
    point = rasterio.control.GroundControlPoint(0, 0, 1, 2)
    assert place_of(write(tmp_path / "points.tif", gcps=[point] * 4, transform=None)) is None
    assert place_of(write(tmp_path / "identity.tif", transform=Affine.identity())) is None


def test_a_directory_that_is_cut_off_is_none(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tif")
    content = path.read_bytes()
    with path.open("rb") as file:
        assert tiff_tags.first_directory(file, len(content)) is not None
    start = int.from_bytes(content[4:8], "little")
    end = start + 2 + 12 * int.from_bytes(content[start : start + 2], "little")
    for length in (2, 6, start + 1, end - 1):
        path.write_bytes(content[:length])
        with path.open("rb") as file:
            assert tiff_tags.first_directory(file, length) is None
            assert tiff_tags.first_directory(file, len(content)) is None


@pytest.mark.parametrize("profile", [{}, {"BIGTIFF": "YES"}])
def test_any_flipped_byte_ends_in_a_place_or_none(tmp_path: Path, profile: dict[str, Any]) -> None:
    path = write(tmp_path / "a.tif", **profile)
    content = path.read_bytes()
    for position in range(len(content)):
        damaged = bytearray(content)
        damaged[position] ^= 0xFF
        path.write_bytes(damaged)
        with path.open("rb") as file:
            directory = tiff_tags.first_directory(file, len(damaged))
            if directory is not None:
                tiff_tags.place_of(file, directory)


def pages_of(path: Path) -> int:
    with path.open("rb") as file:
        directory = tiff_tags.first_directory(file, path.stat().st_size)
        assert directory is not None
        return tiff_tags.count_pages(file, directory, path.stat().st_size)


@pytest.mark.parametrize("pages", [1, 2, 5, tiff_tags.MOST_PAGES + 1])
def test_pages_are_counted_up_to_a_limit(tmp_path: Path, pages: int) -> None:
    first, *others = [Image.new("L", (5, 4), grey % 256) for grey in range(pages)]
    first.save(tmp_path / "a.tif", save_all=True, append_images=others)
    assert pages_of(tmp_path / "a.tif") == min(pages, tiff_tags.MOST_PAGES)


@pytest.mark.parametrize("profile", [{}, {"BIGTIFF": "YES"}, {"ENDIANNESS": "BIG"}])
def test_overviews_and_masks_are_no_pages(tmp_path: Path, profile: dict[str, Any]) -> None:
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True):
        path = tmp_path / "a.tif"
        settings = {"driver": "GTiff", "count": 1, "dtype": "uint8", "transform": NORTH_UP, **profile}
        with rasterio.open(path, "w", height=400, width=500, **settings) as dataset:
            dataset.write(np.zeros((1, 400, 500), np.uint8))
            dataset.write_mask(np.ones((400, 500), bool))
        with rasterio.open(path, "r+") as dataset:
            dataset.build_overviews([2, 4], rasterio.enums.Resampling.average)
    assert pages_of(path) == 1


def test_a_chain_that_leads_back_ends(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tif")
    content = bytearray(path.read_bytes())
    (start,) = struct.unpack_from("<I", content, 4)
    (count,) = struct.unpack_from("<H", content, start)
    struct.pack_into("<I", content, start + 2 + 12 * count, start)
    path.write_bytes(content)
    assert pages_of(path) == 1
