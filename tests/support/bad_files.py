"""Real files, each wrong in one way: the catalogue of docs/use/bad-input.md.

Every case has a folder of its own, so that no file is another's neighbour, and lies on ground of its own.
"""

import os
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray
from PIL import Image
from rasterio.enums import ColorInterp
from rasterio.windows import Window

CRS = "EPSG:25832"
TILES = {"tiled": True, "blockxsize": 64, "blockysize": 64}
NOISE = np.random.default_rng(0).integers(110, 131, (3, 120, 180), dtype=np.uint8)
GREY = NOISE[:1]
LONGEST_NAME = "n" * 251 + ".tif"  # 255 bytes: no sidecar can have a longer one


@dataclass(frozen=True)
class Case:
    """What is wrong, how the folder of the case is filled, and which file in it the table speaks of."""

    what: str
    make: Callable[[Path, Affine], object]
    name: str = "a.tif"


CASES: list[Case] = []
_ROW_M = 5.0  # cases lie this far apart


def case(what: str, name: str = "a.tif") -> Callable[[Callable[[Path, Affine], object]], None]:
    def add(make: Callable[[Path, Affine], object]) -> None:
        CASES.append(Case(what, make, name))

    return add


def folder_of(case: Case) -> str:
    return f"case-{CASES.index(case):02d}"


def image_id_of(case: Case) -> str:
    return f"{folder_of(case)}/{case.name}"


def build(survey: Path, cases: list[Case] | None = None) -> None:
    """Write all cases into a survey folder."""
    for each in CASES if cases is None else cases:
        folder = survey / folder_of(each)
        folder.mkdir(parents=True)
        place = Affine(0.001, 0, 500_100, 0, -0.001, 5_400_000 + _ROW_M * CASES.index(each))
        each.make(folder, place)


def write(path: Path, place: Affine, values: NDArray[Any] = NOISE, **profile: Any) -> Path:
    """Values (bands, h, w) as a GeoTIFF of 1 mm/px at `place`, but for what `profile` says."""
    bands, height, width = values.shape
    colours, palette = profile.pop("colours", None), profile.pop("palette", None)
    tags, gcps = profile.pop("tags", {}), profile.pop("gcps", None)
    settings = {"driver": "GTiff", "crs": CRS, "transform": place, **profile}
    path.parent.mkdir(parents=True, exist_ok=True)
    with rasterio.open(
        path, "w", count=bands, height=height, width=width, dtype=values.dtype, **settings
    ) as dataset:
        if colours:
            dataset.colorinterp = [ColorInterp[name] for name in colours]
        if palette:
            dataset.write_colormap(1, palette)
        if gcps:
            dataset.gcps = gcps
        for domain, items in tags.items():
            dataset.update_tags(ns=domain, **items)
        dataset.write(values)
    return path


def photograph(path: Path, place: Affine, values: NDArray[Any] = NOISE, **profile: Any) -> Path:
    """A JPEG or PNG with a world file and a .prj."""
    driver = "PNG" if path.suffix == ".png" else "JPEG"
    write(path, place, values, **{"driver": driver, "crs": None, "transform": None, **profile})
    world_file(path, place)
    path.with_suffix(".prj").write_text(rasterio.crs.CRS.from_string(CRS).to_wkt())
    return path


def world_file(path: Path, place: Affine) -> None:
    centre = place @ (0.5, 0.5)
    numbers = (place.a, place.d, place.b, place.e, *centre)
    path.with_suffix(".wld").write_text("\n".join(map(repr, map(float, numbers))))


def bare_photograph(path: Path, place: Affine) -> Path:
    """A JPEG that nothing places."""
    return write(path, place, driver="JPEG", crs=None, transform=None)


def beside(path: Path, world_name: str, prj_name: str, place: Affine) -> None:
    """A world file and a .prj of any names beside an image."""
    world_file(path, place)
    path.with_suffix(".wld").rename(path.with_name(world_name))
    path.with_name(prj_name).write_text(rasterio.crs.CRS.from_string(CRS).to_wkt())


def in_degrees(path: Path, place: Affine, digits: int) -> None:
    """A JPEG of about 1 mm/px whose world file holds degrees with some digits after the point."""
    bare_photograph(path, place)
    numbers = (1.349e-8, 0.0, 0.0, -8.993e-9, 11.5, 48.1 + (place.f - 5_400_000) * 9e-6)
    path.with_suffix(".wld").write_text("\n".join(f"{number:.{digits}f}" for number in numbers))
    path.with_suffix(".prj").write_text(rasterio.crs.CRS.from_epsg(4326).to_wkt())


def compressed_by(path: Path, place: Affine, code: int) -> None:
    """A TIFF that says its pixels are compressed by another method."""
    content = write(path, place, compress="deflate").read_bytes()
    entry = struct.pack("<HHIHH", 259, 3, 1, 8, 0)
    assert entry in content
    path.write_bytes(content.replace(entry, struct.pack("<HHIHH", 259, 3, 1, code, 0)))


def cut(path: Path, part: float) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * part)])


def damage(path: Path, at: float, count: int) -> None:
    content = bytearray(path.read_bytes())
    start = int(len(content) * at)
    content[start : start + count] = bytes(count)
    path.write_bytes(content)


def empty(path: Path, place: Affine, *, written: bool = False, **profile: Any) -> None:
    """A TIFF whose writer was killed before any block, or after the first."""
    common = {"driver": "GTiff", "crs": CRS, "transform": place, "dtype": "uint8", "sparse_ok": True}
    with rasterio.open(path, "w", **{**common, "count": 3, "height": 120, "width": 180, **profile}) as out:
        if written:
            out.write(NOISE[:, :64, :64], window=Window(0, 0, 64, 64))


# ---- files that are none


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


# ---- bombs


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


# ---- georeference


@case("no CRS")
def _(folder: Path, place: Affine) -> None:
    write(folder / "a.tif", place, crs=None)


@case("coordinates in metres, CRS in degrees")
def _(folder: Path, place: Affine) -> None:
    write(folder / "a.tif", place, crs="EPSG:4326")


@case("a local CRS")
def _(folder: Path, place: Affine) -> None:
    write(folder / "a.tif", place, crs='LOCAL_CS["site",UNIT["metre",1]]')


@case("a CRS on the Moon")
def _(folder: Path, place: Affine) -> None:
    write(folder / "a.tif", place, crs="IAU_2015:30100")


@case("a .prj with a projection that nobody knows", "a.jpg")
def _(folder: Path, place: Affine) -> None:
    prj = photograph(folder / "a.jpg", place).with_suffix(".prj")
    prj.write_text(prj.read_text().replace("Transverse_Mercator", "Transvers[_Mercator"))


@case("a .prj that is none", "a.jpg")
def _(folder: Path, place: Affine) -> None:
    photograph(folder / "a.jpg", place).with_suffix(".prj").write_text("UTM, I think")


@case("a .prj that refers to a grid on this machine", "a.jpg")
def _(folder: Path, place: Affine) -> None:
    path = photograph(folder / "a.jpg", place)
    wkt = rasterio.crs.CRS.from_epsg(3857).to_wkt()
    path.with_suffix(".prj").write_text(wkt.replace("+nadgrids=@null", f"+nadgrids={folder}/a.jpg"))


@case("no world file", "a.jpg")
def _(folder: Path, place: Affine) -> None:
    photograph(folder / "a.jpg", place).with_suffix(".wld").unlink()


@case("ground control points only")
def _(folder: Path, place: Affine) -> None:
    corners = [(0, 0), (0, 180), (120, 0), (120, 180)]
    points = [
        rasterio.control.GroundControlPoint(row, col, *(place @ (col, row)), 0.0) for row, col in corners
    ]
    write(folder / "a.tif", place, crs=None, transform=None, gcps=(points, rasterio.crs.CRS.from_epsg(25832)))


@case("a world file of five numbers", "a.jpg")
def _(folder: Path, place: Affine) -> None:
    photograph(folder / "a.jpg", place).with_suffix(".wld").write_text("0.001 0 0 -0.001 500000")


@case("a world file with NaN", "a.jpg")
def _(folder: Path, place: Affine) -> None:
    photograph(folder / "a.jpg", place).with_suffix(".wld").write_text("0.001 0 0 nan 500000 5400000")


@case("a world file that disagrees with the georeference in the file")
def _(folder: Path, place: Affine) -> None:
    world_file(write(folder / "a.tif", place), place @ Affine.translation(500, 0))


@case("a georeferencing .aux.xml beside a georeferenced file")
def _(folder: Path, place: Affine) -> None:
    aux = Path(f"{write(folder / 'a.tif', place)}.aux.xml")
    aux.write_text("<PAMDataset><SRS>EPSG:4326</SRS><GeoTransform>1,1,0,1,0,1</GeoTransform></PAMDataset>")


@case("the georeference in an .aux.xml only", "a.jpg")
def _(folder: Path, place: Affine) -> None:
    path = bare_photograph(folder / "a.jpg", place)
    wkt = rasterio.crs.CRS.from_string(CRS).to_wkt().replace('"', "&quot;")
    numbers = ", ".join(map(repr, place.to_gdal()))
    text = f"<PAMDataset><SRS>{wkt}</SRS><GeoTransform>{numbers}</GeoTransform></PAMDataset>"
    Path(f"{path}.aux.xml").write_text(text)


@case("a world file in another case", "IMG.JPG")
def _(folder: Path, place: Affine) -> None:
    beside(bare_photograph(folder / "IMG.JPG", place), "img.Jgw", "Img.PRJ", place)


@case("a world file whose name was written by macOS", "Stra\u00dfe m\u00fcde.jpg")
def _(folder: Path, place: Affine) -> None:
    path = bare_photograph(folder / "Stra\u00dfe m\u00fcde.jpg", place)
    beside(path, "Stra\u00dfe mu\u0308de.jgw", "Stra\u00dfe mu\u0308de.prj", place)


@case("a world file named a.jpg.jgw", "a.jpg")
def _(folder: Path, place: Affine) -> None:
    beside(bare_photograph(folder / "a.jpg", place), "a.jpg.jgw", "a.prj", place)


@case("a world file named a.jfw", "a.jpg")
def _(folder: Path, place: Affine) -> None:
    beside(bare_photograph(folder / "a.jpg", place), "a.jfw", "a.prj", place)


@case("an approximate place by ArcGIS", "a.jpg")
def _(folder: Path, place: Affine) -> None:
    beside(bare_photograph(folder / "a.jpg", place), "a.jgwx", "a.prj", place)


@case("a world file with decimal commas", "a.jpg")
def _(folder: Path, place: Affine) -> None:
    world = photograph(folder / "a.jpg", place).with_suffix(".wld")
    world.write_text(world.read_text().replace(".", ","))


@case("a world file with words and a seventh line", "a.jpg")
def _(folder: Path, place: Affine) -> None:
    world = photograph(folder / "a.jpg", place).with_suffix(".wld")
    world.write_text(world.read_text().replace("\n", "  size, turn or place\n") + "\n0.5 written by hand\n")


@case("a world file in UTF-16", "a.jpg")
def _(folder: Path, place: Affine) -> None:
    world = photograph(folder / "a.jpg", place).with_suffix(".wld")
    world.write_text(world.read_text(), encoding="utf-16")


@case("a world file in degrees with 8 digits after the point", "a.jpg")
def _(folder: Path, place: Affine) -> None:
    in_degrees(folder / "a.jpg", place, 8)


@case("a world file in degrees with 10 digits after the point", "a.jpg")
def _(folder: Path, place: Affine) -> None:
    in_degrees(folder / "a.jpg", place, 10)


@case("a smaller copy with the world file of its original", "a.jpg")
def _(folder: Path, place: Affine) -> None:
    photograph(folder / "a.png", place)
    write(folder / "a.jpg", place, NOISE[:, ::4, ::4], driver="JPEG", crs=None, transform=None)


@case("an original with a smaller copy beside it", "a.png")
def _(folder: Path, place: Affine) -> None:
    photograph(folder / "a.png", place)
    write(folder / "a.jpg", place, NOISE[:, ::4, ::4], driver="JPEG", crs=None, transform=None)


@case("NaN in the transform")
def _(folder: Path, place: Affine) -> None:
    write(folder / "a.tif", Affine(0.001, 0, float("nan"), 0, -0.001, place.f))


@case("pixels without area")
def _(folder: Path, place: Affine) -> None:
    write(folder / "a.tif", Affine(0.001, 0.001, place.c, 0.001, 0.001, place.f))


@case("US survey feet")
def _(folder: Path, place: Affine) -> None:
    for name, x in (("a.tif", 1e6), ("b.tif", 1e6 + 30)):  # one alone would be far from all others
        write(folder / name, Affine(0.003, 0, x, 0, -0.003, 2e5), crs="EPSG:2263")


@case("degrees")
def _(folder: Path, place: Affine) -> None:
    write(folder / "a.tif", Affine(1.349e-8, 0, 11.5, 0, -8.993e-9, 48.1), crs="EPSG:4326")


@case("Web Mercator")
def _(folder: Path, place: Affine) -> None:
    write(folder / "a.tif", Affine(0.0015, 0, 1280174, 0, -0.0015, 6124000), crs="EPSG:3857")


@case("a GSD of 30 mm")
def _(folder: Path, place: Affine) -> None:
    write(folder / "a.tif", place @ Affine.scale(30))


@case("rotated by 30 degrees")
def _(folder: Path, place: Affine) -> None:
    write(folder / "a.tif", place @ Affine.rotation(30))


@case("sheared")
def _(folder: Path, place: Affine) -> None:
    write(folder / "a.tif", place @ Affine.shear(10, 0))


@case("mirrored")
def _(folder: Path, place: Affine) -> None:
    write(folder / "a.tif", place @ Affine.scale(1, -1))


# ---- bands and values


@case("16 bits")
def _(folder: Path, place: Affine) -> None:
    write(folder / "a.tif", place, NOISE.astype(np.uint16) * 257)


@case("a palette")
def _(folder: Path, place: Affine) -> None:
    palette = {index: (index, index, index, 255) for index in range(256)}
    write(folder / "a.tif", place, GREY, photometric="palette", palette=palette)


@case("1 band")
def _(folder: Path, place: Affine) -> None:
    write(folder / "a.tif", place, GREY)


@case("2 bands, grey and alpha")
def _(folder: Path, place: Affine) -> None:
    values = np.concatenate([GREY, np.full_like(GREY, 255)])
    write(folder / "a.tif", place, values, colours=["gray", "alpha"])


@case("2 bands of unknown meaning")
def _(folder: Path, place: Affine) -> None:
    write(folder / "a.tif", place, NOISE[:2])


@case("4 bands, RGB and near infrared")
def _(folder: Path, place: Affine) -> None:
    values = NOISE[[0, 1, 2, 0]]
    write(folder / "a.tif", place, values, colours=["red", "green", "blue", "undefined"])


@case("5 bands of unknown meaning")
def _(folder: Path, place: Affine) -> None:
    write(folder / "a.tif", place, NOISE[[0, 1, 2, 0, 1]], photometric="minisblack")


@case("floating-point values")
def _(folder: Path, place: Affine) -> None:
    write(folder / "a.tif", place, NOISE.astype(np.float32))


@case("a collar of alpha")
def _(folder: Path, place: Affine) -> None:
    alpha = np.full_like(GREY, 255)
    alpha[:, :, :20] = 0
    values = np.concatenate([NOISE, alpha])
    write(folder / "a.tif", place, values, colours=["red", "green", "blue", "alpha"])


@case("a collar of nodata")
def _(folder: Path, place: Affine) -> None:
    values = NOISE.copy()
    values[:, :, :20] = 0
    write(folder / "a.tif", place, values, nodata=0)


# ---- the mask beside an image


@case("a mask of another size")
def _(folder: Path, place: Affine) -> None:
    write(Path(f"{write(folder / 'a.tif', place)}.msk"), place, GREY[:, :20])


@case("a mask that is a VRT")
def _(folder: Path, place: Affine) -> None:
    Path(f"{write(folder / 'a.tif', place)}.msk").write_text("<VRTDataset rasterXSize='300'></VRTDataset>")


@case("a mask that is a link")
def _(folder: Path, place: Affine) -> None:
    Path(f"{write(folder / 'a.tif', place)}.msk").symlink_to("a.tif")


@case("a mask that is a named pipe")
def _(folder: Path, place: Affine) -> None:
    os.mkfifo(f"{write(folder / 'a.tif', place)}.msk")


@case("a mask with a damaged block")
def _(folder: Path, place: Affine) -> None:
    mask = Path(f"{write(folder / 'a.tif', place)}.msk")
    damage(write(mask, place, GREY, compress="deflate", **TILES), 0.5, 1000)


@case("metadata that name another file as overviews")
def _(folder: Path, place: Affine) -> None:
    write(folder / "a.tif", place, tags={"OVERVIEWS": {"OVERVIEW_FILE": "/vsicurl/http://127.0.0.1:9/a"}})


# ---- names, links, copies


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


# ---- bands and values that mean something else than they say, or say nothing


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


# More cases of the same list. They are imported last, since they use what is above.
import cases.places  # noqa: E402, F401
