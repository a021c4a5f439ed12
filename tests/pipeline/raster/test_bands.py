"""Bands become RGB of 8 bit: grey, other orders, 16 bit, palettes."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rasters.read_files import NOISE, look, read_window, write


def test_grey_is_repeated(tmp_path: Path) -> None:
    rgb, _ = read_window(write(tmp_path / "a.tif", NOISE[:1]))
    assert np.array_equal(rgb, np.repeat(NOISE[0][..., None], 3, axis=2))


def test_bands_are_ordered_by_meaning(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tif", NOISE, colorinterp=["blue", "green", "red"])
    assert np.array_equal(read_window(path)[0], NOISE[::-1].transpose(1, 2, 0))


STORED = np.array([0, 100, 1000, 4095, 10000, 32768, 65535], np.uint16).reshape(1, 1, 7)


@pytest.mark.parametrize(
    ("profile", "grey"),
    [
        ({}, [0, 0, 4, 16, 39, 128, 255]),  # value / 257
        ({"nbits": 12}, [0, 6, 62, 255, 255, 255, 255]),  # 4095 is white
        ({"scales": [1 / 16], "offsets": [0]}, [0, 6, 62, 255, 255, 255, 255]),  # to 0..4096: grey values
        ({"scales": [1e-4], "offsets": [-0.1]}, [0, 0, 0, 79, 230, 255, 255]),  # to 0..6.5: reflectance
    ],
)
def test_sixteen_bits_are_scaled_as_declared(
    tmp_path: Path, profile: dict[str, Any], grey: list[int]
) -> None:
    stored = np.minimum(STORED, 4095) if "nbits" in profile else STORED
    path = write(tmp_path / "a.tif", stored, **profile)
    assert read_window(path)[0][0, :, 0].tolist() == grey
    assert len(look(path).warnings) == (profile == {})


def test_sixteen_bit_colour(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tif", NOISE.astype(np.uint16) * 257)
    assert np.array_equal(read_window(path)[0], NOISE.transpose(1, 2, 0))


@pytest.mark.parametrize("name", ["a.tif", "a.png"])
def test_palettes_become_colours(tmp_path: Path, name: str) -> None:
    palette = {0: (10, 20, 30, 255), 1: (200, 100, 50, 255), 2: (0, 0, 0, 0)}
    values = np.array([[[0, 1, 1, 2]]], np.uint8)
    profile = {"photometric": "palette"} if name == "a.tif" else {"driver": "PNG"}
    rgb, valid = read_window(write(tmp_path / name, values, palette=palette, **profile))
    assert rgb[0, :2].tolist() == [[10, 20, 30], [200, 100, 50]]
    if name == "a.png":  # a TIFF's palette has no transparency
        assert valid.tolist() == [[True, True, True, False]]
