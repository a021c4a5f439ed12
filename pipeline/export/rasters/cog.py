"""One Cloud Optimized GeoTIFF of a mask, with colour table and overviews, written block by block.

GDAL's own resampling would lose thin cracks in the overviews, so they are made here (`ranks.py`) and GDAL's
COG driver is told to use them: it copies the file into its final order. Until then each overview is a file of
its own beside the next larger one (`base.tif.ovr`, `base.tif.ovr.ovr`), which is how GDAL finds it.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import rasterio.shutil
from affine import Affine
from rasterio.windows import Window as RasterioWindow

from crackpipe.pipeline.export.rasters.masks import Raster
from crackpipe.pipeline.export.rasters.ranks import halved
from crackpipe.pipeline.geometry.grid import Window
from crackpipe.pipeline.masks.values import NOT_INSPECTED
from crackpipe.pipeline.raster.gdal import create_raster

BLOCK_PX = 2048
"""Side of what is read at once."""
TILE_PX = 512
"""Side of a tile of the file."""
_STREAMED = 2
"""So many overviews are written block by block; the smaller ones are held in memory until the end."""
SOUND_COLOUR = (235, 235, 235)
CLASS_COLOURS = ((213, 94, 0), (0, 114, 178), (0, 158, 115), (204, 121, 167), (230, 159, 0))
"""Of the values 1, 2 ...; Okabe and Ito. Further classes begin again."""
NOT_INSPECTED_COLOUR = (160, 160, 160)


def write_cog(raster: Raster, target: Path, scratch: Path) -> None:
    """Write `raster` to `target`; `scratch` is an empty folder for files on the way.

    Value 255, not inspected, is nodata. The bytes depend on the raster only. Raises OSError, an error of
    rasterio, and what reading raises.
    """
    base = scratch / "base.tif"
    _write_levels(raster, base)
    # Overviews are found by the names of their files, which crackpipe forbids elsewhere: these are its own.
    with rasterio.Env(GDAL_DISABLE_READDIR_ON_OPEN="FALSE", GDAL_NUM_THREADS="1"):
        rasterio.shutil.copy(
            base,
            target,
            driver="COG",
            COMPRESS="DEFLATE",
            LEVEL="9",
            BLOCKSIZE=str(TILE_PX),
            OVERVIEWS="FORCE_USE_EXISTING",
            BIGTIFF="IF_SAFER",
        )
    for path in scratch.glob("base.tif*"):
        path.unlink()


def colours_of(classes: tuple[str, ...]) -> dict[int, tuple[int, int, int]]:
    """The colour table: value -> red, green, blue."""
    table = {0: SOUND_COLOUR, NOT_INSPECTED: NOT_INSPECTED_COLOUR}
    return table | {number + 1: CLASS_COLOURS[number % len(CLASS_COLOURS)] for number in range(len(classes))}


def _levels(raster: Raster) -> list[tuple[int, int]]:
    """(height, width) of the raster and its overviews, until one fits a tile."""
    sizes = [(raster.height_px, raster.width_px)]
    while max(sizes[-1]) > TILE_PX:
        height, width = sizes[-1]
        sizes.append((-(-height // 2), -(-width // 2)))
    return sizes


def _write_levels(raster: Raster, base: Path) -> None:
    sizes = _levels(raster)
    with ExitStack() as stack:
        files = [stack.enter_context(_created(raster, base, level, size)) for level, size in enumerate(sizes)]
        small = {
            level: np.full(size, NOT_INSPECTED, np.uint8)
            for level, size in enumerate(sizes)
            if level > _STREAMED
        }
        for window in _blocks(raster):
            block = raster.read(window)
            for level in range(len(sizes)):
                row, col = window.row >> level, window.col >> level
                height, width = block.shape
                if level in small:
                    small[level][row : row + height, col : col + width] = block
                else:
                    files[level].write(block, 1, window=RasterioWindow(col, row, width, height))
                block = halved(block)
        for level, values in small.items():
            files[level].write(values, 1)


def _blocks(raster: Raster) -> Iterator[Window]:
    for row, col in product(range(0, raster.height_px, BLOCK_PX), range(0, raster.width_px, BLOCK_PX)):
        yield Window(row, col, BLOCK_PX, BLOCK_PX).clipped(raster.height_px, raster.width_px)


def _created(raster: Raster, base: Path, level: int, size: tuple[int, int]) -> Any:
    """The file of one level, open for writing."""
    height, width = size
    step = raster.transform * Affine.scale(raster.width_px / width, raster.height_px / height)
    place = {"crs": raster.crs_wkt, "transform": step} if level == 0 else {}
    file = create_raster(
        base.with_name(base.name + ".ovr" * level),
        driver="GTiff",
        height=height,
        width=width,
        count=1,
        dtype="uint8",
        nodata=NOT_INSPECTED,
        tiled=True,
        blockxsize=TILE_PX,
        blockysize=TILE_PX,
        compress="deflate",
        zlevel=1,
        **place,
    )
    file.write_colormap(1, colours_of(raster.classes))
    if level == 0:
        meanings = {str(number + 1): name for number, name in enumerate(raster.classes)}
        file.update_tags(0, **{"0": "sound", str(NOT_INSPECTED): "not inspected", **meanings})
    return file
