"""A decoded image in a tiled temporary file, for formats that can only be decoded from the top."""

import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rasterio.windows import Window as RasterWindow

from crackpipe.pipeline.geometry.grid import Window
from crackpipe.pipeline.raster import gdal

Pixels = tuple[NDArray[np.uint8], NDArray[np.bool_]]
"""Grey values uint8 (h, w, 3) RGB, and bool (h, w): True where the pixel may be inspected."""

_TILE_PX = 512


def raster_window(window: Window) -> RasterWindow:
    """The same window in rasterio's order, columns first."""
    return RasterWindow(window.col, window.row, window.width, window.height)


class Spool:
    """A temporary file of four bands: red, green, blue and validity (0 or 255).

    Lies where `tempfile` puts it (`TMPDIR`) and is gone after `close`. Raises OSError where that is full.
    """

    def __init__(self, height_px: int, width_px: int) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="crackpipe-")
        self._file = Path(self._folder.name) / "decoded.tif"
        self._dataset = gdal.create_raster(
            self._file,
            driver="GTiff",
            height=height_px,
            width=width_px,
            count=4,
            dtype="uint8",
            tiled=True,
            blockxsize=_TILE_PX,
            blockysize=_TILE_PX,
            interleave="pixel",
            bigtiff="IF_SAFER",
        )

    def write(self, stripe: Window, pixels: Pixels) -> None:
        """Write rows; whole tiles at a time are quickest."""
        rgb, valid = pixels
        self._dataset.write(rgb.transpose(2, 0, 1), [1, 2, 3], window=raster_window(stripe))
        self._dataset.write(valid.astype(np.uint8) * 255, 4, window=raster_window(stripe))

    def finish(self) -> None:
        """End writing; from now on windows are read."""
        self._dataset.close()
        self._dataset = gdal.open_raster(self._file, "GTiff", georeferenced=False)

    def read(self, window: Window) -> Pixels:
        """Read a window inside the image."""
        values = np.empty((window.height, window.width, 4), np.uint8)
        self._dataset.read(out=values.transpose(2, 0, 1), window=raster_window(window))
        return np.ascontiguousarray(values[..., :3]), values[..., 3] != 0

    def close(self) -> None:
        """Remove the file."""
        self._dataset.close()
        self._folder.cleanup()
