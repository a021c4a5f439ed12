"""Cases of the catalogue in `bad_files` that are no image, or an image of another format."""

import os
import struct
from pathlib import Path

import numpy as np
from affine import Affine
from bad_files import GREY, NOISE, bare_photograph, beside, case, write
from PIL import Image


def compressed_by(path: Path, place: Affine, code: int) -> None:
    """A TIFF that says its pixels are compressed by another method."""
    content = write(path, place, compress="deflate").read_bytes()
    entry = struct.pack("<HHIHH", 259, 3, 1, 8, 0)
    assert entry in content
    path.write_bytes(content.replace(entry, struct.pack("<HHIHH", 259, 3, 1, code, 0)))


@case("zero bytes")
def _(folder: Path, _place: Affine) -> None:
    (folder / "a.tif").touch()


@case("a text file")
def _(folder: Path, _place: Affine) -> None:
    (folder / "a.tif").write_text("to be photographed on Monday\n")


@case("another format under its own suffix", "a.jp2")
def _(folder: Path, _place: Affine) -> None:
    (folder / "a.jp2").write_bytes(b"\x00\x00\x00\x0cjP  \r\n\x87\n")


@case("a TIFF with JPEG XL inside")
def _(folder: Path, place: Affine) -> None:
    compressed_by(folder / "a.tif", place, 50002)


@case("a TIFF with JPEG 2000 inside")
def _(folder: Path, place: Affine) -> None:
    compressed_by(folder / "a.tif", place, 34712)


@case("a TIFF with JPEG XR inside")
def _(folder: Path, place: Affine) -> None:
    compressed_by(folder / "a.tif", place, 22610)


@case("a TIFF of two pages")
def _(folder: Path, place: Affine) -> None:
    first, second = (Image.fromarray(np.moveaxis(values, 0, -1)) for values in (NOISE, NOISE[:, ::-1]))
    first.save(folder / "a.tif", save_all=True, append_images=[second])
    beside(folder / "a.tif", "a.tfw", "a.prj", place)


@case("a GeoTIFF under another suffix", "a.gtiff")
def _(folder: Path, place: Affine) -> None:
    write(folder / "a.gtiff", place)


@case("a JPEG under another suffix", "a.jfif")
def _(folder: Path, place: Affine) -> None:
    bare_photograph(folder / "a.jfif", place)


@case("a PGM", "a.pgm")
def _(folder: Path, place: Affine) -> None:
    Image.fromarray(GREY[0]).save(folder / "a.pgm")
    beside(folder / "a.pgm", "a.wld", "a.prj", place)


@case("a file of a camera's maker", "a.fis")
def _(folder: Path, _place: Affine) -> None:
    (folder / "a.fis").write_bytes(b"\x00" * 100)


@case("a TIFF signature, then garbage")
def _(folder: Path, _place: Affine) -> None:
    (folder / "a.tif").write_bytes(b"II*\x00\x08\x00\x00\x00" + b"\xff" * 80)


@case("a named pipe")
def _(folder: Path, _place: Affine) -> None:
    os.mkfifo(folder / "a.tif")
