"""Cases of the catalogue in `bad_files` whose values mean something else than they say, or say nothing."""

from pathlib import Path
from typing import Any

import numpy as np
from affine import Affine
from bad_files import GREY, NOISE, TILES, case, photograph, write
from numpy.typing import NDArray


def with_crack(width_px: int, values: NDArray[Any] = NOISE) -> NDArray[Any]:
    """The picture with a black crack, as wide in columns, from its upper side to its lower side."""
    values = values.copy()
    for row in range(values.shape[1]):
        col = 80 + round(6 * np.sin(row / 7)) + row // 9
        values[:, row, col : col + width_px] = 0
    return values


@case("a black collar that nothing declares")
def _(folder: Path, place: Affine) -> None:
    values = NOISE.copy()
    values[:, :, :20] = 2
    write(folder / "a.tif", place, values)


@case("white corners of a turned frame")
def _(folder: Path, place: Affine) -> None:
    values = NOISE.copy()
    row, col = np.indices(values.shape[1:])
    values[:, (row + 3 * col < 90) | (3 * row + col > 500)] = 255
    write(folder / "a.tif", place, values)


@case("a fourth band that is alpha and not marked so")
def _(folder: Path, place: Affine) -> None:
    values = np.concatenate([NOISE, np.full_like(GREY, 255)])
    values[:, :, :20] = 0
    write(folder / "a.tif", place, values, colours=["red", "green", "blue", "undefined"])


@case("nodata inside a black crack")
def _(folder: Path, place: Affine) -> None:
    write(folder / "a.tif", place, with_crack(9), nodata=0)


@case("a transparent colour inside a black crack", "a.png")
def _(folder: Path, place: Affine) -> None:
    photograph(folder / "a.png", place, with_crack(9), nodata=0)


@case("a hole of 30 px in the pavement")
def _(folder: Path, place: Affine) -> None:
    values = NOISE.copy()
    values[:, 40:70, 90:120] = 0
    write(folder / "a.tif", place, values, nodata=0)


@case("a row that a line scanner lost")
def _(folder: Path, place: Affine) -> None:
    values = NOISE.copy()
    values[:, 60] = 0
    write(folder / "a.tif", place, values, nodata=0)


@case("near infrared marked as alpha")
def _(folder: Path, place: Affine) -> None:
    values = with_crack(3, NOISE[[0, 1, 2, 0]])
    write(folder / "a.tif", place, values, colours=["red", "green", "blue", "alpha"])


@case("nodata under lossy compression")
def _(folder: Path, place: Affine) -> None:
    values = NOISE.copy()
    values[:, :, :21] = 0
    write(folder / "a.tif", place, values, nodata=0, compress="jpeg", photometric="ycbcr", **TILES)


@case("white is zero")
def _(folder: Path, place: Affine) -> None:
    write(folder / "a.tif", place, 255 - GREY, photometric="miniswhite")


@case("12 bits in 16 that do not say so")
def _(folder: Path, place: Affine) -> None:
    write(folder / "a.tif", place, NOISE.astype(np.uint16)[:, :, :170] * 16)


@case("12 bits in 16 with MaxSampleValue")
def _(folder: Path, place: Affine) -> None:
    values = NOISE.astype(np.uint16)[:, :, :170] * 16
    write(folder / "a.tif", place, values, tags={None: {"TIFFTAG_MAXSAMPLEVALUE": "4095"}})


@case("a copy filled up with zeros")
def _(folder: Path, place: Affine) -> None:
    path = write(folder / "a.tif", place, blockysize=8)
    content = path.read_bytes()
    path.write_bytes(content[:-32400] + bytes(32400))


@case("easting and northing swapped")
def _(folder: Path, place: Affine) -> None:
    write(folder / "a.tif", Affine(0.001, 0, 5_400_000, 0, -0.001, 500_100))
