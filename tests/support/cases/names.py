"""Cases of the catalogue in `bad_files` about names, links and copies."""

import os
from pathlib import Path

from affine import Affine
from bad_files import CASES, LONGEST_NAME, case, image_id_of, write


@case("the same content twice: the first")
def _(folder: Path, place: Affine) -> None:
    write(folder / "a.tif", place)


@case("the same content twice: the second", "copy/a.tif")
def _(folder: Path, _place: Affine) -> None:
    (folder / "copy").mkdir()
    first = next(each for each in CASES if each.what == "the same content twice: the first")
    (folder / "copy/a.tif").write_bytes((folder.parent / image_id_of(first)).read_bytes())


@case("a name with spaces, umlauts and CJK", "Straße 7, 路面 #?%.tif")
def _(folder: Path, place: Affine) -> None:
    write(folder / "Straße 7, 路面 #?%.tif", place)


@case("a name with line breaks, escape sequences and script tags", "a\n\x1b[2J<script>|`.tif")
def _(folder: Path, place: Affine) -> None:
    write(folder / "a\n\x1b[2J<script>|`.tif", place)


@case("a name of 255 bytes", LONGEST_NAME)
def _(folder: Path, place: Affine) -> None:
    write(folder / LONGEST_NAME, place)


@case("a path of more than 2,048 bytes", "/".join(["d" * 240] * 9) + "/a.tif")
def _(folder: Path, place: Affine) -> None:
    write(folder.joinpath(*["d" * 240] * 9, "a.tif"), place)


@case("a name that is not UTF-8", "stra\\udcdfe.tif")
def _(folder: Path, _place: Affine) -> None:
    with open(os.fsencode(folder) + b"/stra\xdfe.tif", "wb") as file:  # noqa: PTH123 (Path has no bytes)
        file.write(b"II*\x00")


@case("four names that differ only in suffix or case", "A.tif")
def _(folder: Path, place: Affine) -> None:
    for index, name in enumerate(("a.tif", "a.tiff", "a.TIF", "A.tif")):
        write(folder / name, place @ Affine.translation(200 * index, 0))


@case("in a folder named zarr.json", "zarr.json/a.tif")
def _(folder: Path, place: Affine) -> None:
    write(folder / "zarr.json/a.tif", place)


@case("a link that leads nowhere")
def _(folder: Path, _place: Affine) -> None:
    (folder / "a.tif").symlink_to("absent.tif")


@case("a link to itself")
def _(folder: Path, _place: Affine) -> None:
    (folder / "a.tif").symlink_to("a.tif")


@case("a link to a file outside the survey")
def _(folder: Path, place: Affine) -> None:
    outside = folder.parent.parent / "outside"
    write(outside / "a.tif", place)
    (folder / "a.tif").symlink_to(outside / "a.tif")


@case("a link to a folder outside the survey", "up")
def _(folder: Path, _place: Affine) -> None:
    (folder / "up").symlink_to(folder.parent.parent)


@case("beside a link to its own folder, which is not followed")
def _(folder: Path, place: Affine) -> None:
    write(folder / "a.tif", place)
    (folder / "loop").symlink_to(".")
