"""What a person gets to label: pictures with their place, the run's lines, and the steps in words.

    DIR/README.txt           the steps
    DIR/tiles.gpkg           layer cracks: the run's lines within the tiles; layer tiles: the tiles
    DIR/pictures/NAME.png    the pixels of the image, with a world file (.pgw), a .prj, and the CRS once more
                             as .png.aux.xml, because GDAL reads no .prj beside a PNG
    DIR/masks/               empty: for masks, where somebody paints pixels and draws no lines

The same choice gives the same bytes.
"""

import shlex
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path
from xml.sax.saxutils import escape

import geopandas
import numpy as np
import pyogrio
import shapely
from affine import Affine
from PIL import Image
from pyproj import CRS
from pyproj.exceptions import CRSError

from crackpipe.pipeline.adapt.choose import Chosen
from crackpipe.pipeline.dataset.finished_run import FinishedRun
from crackpipe.pipeline.geometry.ground import world_of_pixel
from crackpipe.pipeline.image import SurveyImage
from crackpipe.pipeline.raster.reader import ImageReader

README, GEOPACKAGE, PICTURES, MASKS = "README.txt", "tiles.gpkg", "pictures", "masks"
CRACKS_LAYER, TILES_LAYER = "cracks", "tiles"
LEAST_TILES = 6
"""Three to judge, and as many to teach."""

_LINE_COLUMNS = ("width_mm", "class", "confidence")
"""What a line keeps of its row in `cracks.parquet`."""

_STEPS = """\
{count} tiles of {run} to be corrected.

1. Open tiles.gpkg and the pictures of the folder pictures in QGIS.
2. In the layer tiles take one tile after the other. Choose its picture by the column tile.
3. In the layer cracks delete what is no crack, draw the cracks that are missing, and move lines that do not
   lie on theirs. Draw every crack that you see in the tile, also where it ends at the edge of the tile. Only
   the geometry is needed; width_mm may stay empty, then 2 mm are assumed.
4. When a tile is right, set reviewed to true in its row of the layer tiles. A tile without any crack teaches
   too: delete its lines, if it has any, and set reviewed. A tile that is not reviewed teaches nothing.
5. Save both layers, then run

   {command}

At least {least} tiles are needed; twenty are better. Every fifth is kept from training and judges it.

Instead of lines you may paint masks: masks/NAME.png, with the name and the size of pictures/NAME.png, grey
values 0 sound, 255 crack, 127 not to be judged. A tile with a mask counts as reviewed.
"""


def write(run_folder: Path, run: FinishedRun, chosen: Sequence[Chosen], folder: Path) -> None:
    """Write `folder`, whole or not at all. Raises OSError, ImageRejectedError (an image)."""
    staging = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(staging, ignore_errors=True)
    (staging / PICTURES).mkdir(parents=True)
    (staging / MASKS).mkdir()
    _write_pictures(chosen, staging / PICTURES)
    tiles = _tiles_table(run, chosen)
    _write_geopackage(tiles, _lines_within(run_folder, run, tiles), staging / GEOPACKAGE)
    file = folder.absolute() / GEOPACKAGE
    command = shlex.join(["crackpipe", "adapt", str(run_folder.absolute()), "--train", str(file)])
    steps = _STEPS.format(count=len(chosen), run=run_folder.name, command=command, least=LEAST_TILES)
    (staging / README).write_text(steps, encoding="utf-8")
    staging.rename(folder)


def _write_pictures(chosen: Sequence[Chosen], folder: Path) -> None:
    tiles = sorted(
        (each.candidate.tile for each in chosen), key=lambda tile: (tile.image.image_id, tile.name)
    )
    for _, some in groupby(tiles, key=lambda tile: tile.image.image_id):
        of_image = list(some)
        with ImageReader(of_image[0].image) as reader:
            for tile in of_image:
                rgb, _ = reader.read(tile.window)
                Image.fromarray(rgb).save(folder / f"{tile.name}.png")
                corner = Affine.translation(tile.window.col, tile.window.row)
                _write_place(folder / tile.name, tile.image, tile.image.transform @ corner)


def _write_place(stem: Path, image: SurveyImage, transform: Affine) -> None:
    """The files that say where a picture lies; their names begin with `stem`."""
    t = transform
    # a world file gives the centre of the first pixel, a transform its corner
    x, y = world_of_pixel(t, np.zeros((1, 2)))[0].tolist()
    world = "".join(f"{value!r}\n" for value in (t.a, t.d, t.b, t.e, x, y))
    Path(f"{stem}.pgw").write_text(world, encoding="ascii")
    Path(f"{stem}.prj").write_text(_esri_wkt(image.crs_wkt) + "\n", encoding="utf-8")
    srs = f"<PAMDataset>\n  <SRS>{escape(image.crs_wkt)}</SRS>\n</PAMDataset>\n"
    Path(f"{stem}.png.aux.xml").write_text(srs, encoding="utf-8")


def _esri_wkt(crs_wkt: str) -> str:
    """The form of WKT that belongs into a .prj; where ESRI has no words for a CRS, it stays as it is."""
    try:
        return str(CRS.from_wkt(crs_wkt).to_wkt("WKT1_ESRI"))
    except CRSError:
        return crs_wkt


def _tiles_table(run: FinishedRun, chosen: Sequence[Chosen]) -> geopandas.GeoDataFrame:
    tiles = [each.candidate.tile for each in chosen]
    return geopandas.GeoDataFrame(
        {
            "tile": [tile.name for tile in tiles],
            "reviewed": np.zeros(len(tiles), bool),
            "image_id": [tile.image.image_id for tile in tiles],
            "picture": [f"{PICTURES}/{tile.name}.png" for tile in tiles],
            "why": [each.why for each in chosen],
            "unsure": [round(each.candidate.unsure, 4) for each in chosen],
            "familiarity": np.array([each.candidate.familiarity for each in chosen], float),
            "gsd_mm": [round(tile.image.gsd_mm, 4) for tile in tiles],
        },
        geometry=[tile.outline for tile in tiles],
        crs=run.found.crs or tiles[0].image.crs_wkt,
    )


def _lines_within(
    run_folder: Path, run: FinishedRun, tiles: geopandas.GeoDataFrame
) -> geopandas.GeoDataFrame:
    """The run's lines, cut at the edges of the tiles; each piece is of the image of its tile.

    Where images overlap, a crack has its line in one of them, and a person corrects it as the tile shows it.
    """
    cracks = geopandas.read_parquet(run_folder / "cracks.parquet")
    pieces = []
    for tile in tiles.itertuples():
        near = cracks.iloc[np.sort(cracks.sindex.query(tile.geometry, predicate="intersects"))]
        cut = shapely.intersection(near.geometry.to_numpy(), tile.geometry)
        parts, row = shapely.get_parts(cut, return_index=True)
        kept = shapely.length(parts) > 0
        piece = near.iloc[row[kept]][[*_LINE_COLUMNS]].assign(tile=tile.tile, image_id=tile.image_id)
        pieces.append(geopandas.GeoDataFrame(piece, geometry=parts[kept], crs=tiles.crs))
    columns = ["tile", "image_id", *_LINE_COLUMNS, "geometry"]
    some = [piece for piece in pieces if len(piece)] or pieces[:1]
    return geopandas.pd.concat(some, ignore_index=True)[columns]


def _write_geopackage(tiles: geopandas.GeoDataFrame, cracks: geopandas.GeoDataFrame, file: Path) -> None:
    with _without_clock():
        cracks.to_file(file, layer=CRACKS_LAYER, geometry_type="LineString", engine="pyogrio")
        tiles.to_file(file, layer=TILES_LAYER, geometry_type="Polygon", engine="pyogrio")


@contextmanager
def _without_clock() -> Iterator[None]:
    """A GeoPackage names the time of its last change; within, that is one fixed time."""
    name = "OGR_CURRENT_DATE"
    before = pyogrio.get_gdal_config_option(name)
    pyogrio.set_gdal_config_options({name: "2000-01-01T00:00:00.000Z"})
    try:
        yield
    finally:
        pyogrio.set_gdal_config_options({name: before})
