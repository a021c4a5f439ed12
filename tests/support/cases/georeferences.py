"""Cases of the catalogue in `bad_files` about where an image lies: CRS, transform, files beside it."""

from pathlib import Path

import rasterio
from affine import Affine
from bad_files import CRS, NOISE, bare_photograph, beside, case, photograph, world_file, write


def in_degrees(path: Path, place: Affine, digits: int) -> None:
    """A JPEG of about 1 mm/px whose world file holds degrees with some digits after the point."""
    bare_photograph(path, place)
    numbers = (1.349e-8, 0.0, 0.0, -8.993e-9, 11.5, 48.1 + (place.f - 5_400_000) * 9e-6)
    path.with_suffix(".wld").write_text("\n".join(f"{number:.{digits}f}" for number in numbers))
    path.with_suffix(".prj").write_text(rasterio.crs.CRS.from_epsg(4326).to_wkt())


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
