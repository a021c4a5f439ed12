"""Cases of the catalogue in `bad_files` that are cut off, damaged, or say they are huge."""

from pathlib import Path

from affine import Affine
from bad_files import TILES, case, damage, empty, photograph, write


def cut(path: Path, part: float) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * part)])


# ---- cut off and damaged


@case("cut off in the header of a TIFF")
def _(folder: Path, place: Affine) -> None:
    cut(write(folder / "a.tif", place, BIGTIFF="YES"), 0.0002)


@case("cut off in the directory of a TIFF")
def _(folder: Path, place: Affine) -> None:
    cut(write(folder / "a.tif", place), 0.002)


@case("cut off in a block of a TIFF")
def _(folder: Path, place: Affine) -> None:
    cut(write(folder / "a.tif", place, compress="deflate", **TILES), 0.6)


@case("cut off in the data of a JPEG", "a.jpg")
def _(folder: Path, place: Affine) -> None:
    cut(photograph(folder / "a.jpg", place), 0.6)


@case("cut off in the data of a PNG", "a.png")
def _(folder: Path, place: Affine) -> None:
    cut(photograph(folder / "a.png", place), 0.6)


@case("a damaged block in a TIFF")
def _(folder: Path, place: Affine) -> None:
    damage(write(folder / "a.tif", place, compress="deflate", **TILES), 0.5, 30)


@case("damaged data in a JPEG", "a.jpg")
def _(folder: Path, place: Affine) -> None:
    damage(photograph(folder / "a.jpg", place), 0.6, 100)


@case("damaged data in a PNG", "a.png")
def _(folder: Path, place: Affine) -> None:
    damage(photograph(folder / "a.png", place), 0.5, 1000)


@case("some blocks never written")
def _(folder: Path, place: Affine) -> None:
    empty(folder / "a.tif", place, written=True, **TILES)


@case("no block ever written")
def _(folder: Path, place: Affine) -> None:
    empty(folder / "a.tif", place, **TILES)


# ---- small files that say they are huge


@case("blocks of 65,536 x 65,536 px")
def _(folder: Path, place: Affine) -> None:
    empty(folder / "a.tif", place, tiled=True, blockxsize=65536, blockysize=65536, count=1)


@case("says it has 65,536 x 65,536 px")
def _(folder: Path, place: Affine) -> None:
    empty(folder / "a.tif", place, tiled=True, width=65536, height=65536, count=1)


@case("a PNG that says it has 100,000 x 100,000 px", "a.png")
def _(folder: Path, place: Affine) -> None:
    content = photograph(folder / "a.png", place).read_bytes()
    size = (100_000).to_bytes(4, "big")
    (folder / "a.png").write_bytes(with_header(content, size + size))


def with_header(png: bytes, size: bytes) -> bytes:
    """A PNG with another size in its header, and the checksum that belongs to it."""
    from zlib import crc32

    header = b"IHDR" + size + png[24:29]
    return png[:12] + header + crc32(header).to_bytes(4, "big") + png[33:]


@case("ten million blocks")
def _(folder: Path, place: Affine) -> None:
    tiny = {"tiled": True, "blockxsize": 16, "blockysize": 16}
    empty(folder / "a.tif", place, width=44_000, height=44_000, count=1, **tiny)
