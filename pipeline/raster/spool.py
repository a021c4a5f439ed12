"""A decoded image in a tiled temporary file, for formats that can only be decoded from the top."""

import tempfile
from pathlib import Path

import numpy as np

from crackpipe.pipeline.geometry.grid import Window
from crackpipe.pipeline.raster import gdal
from crackpipe.pipeline.raster.windows import Pixels, raster_window

_TILE_PX = 512


class Spool:
    """A temporary file of four bands: red, green, blue and the reasons.

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
        rgb, reasons = pixels
        self._dataset.write(rgb.transpose(2, 0, 1), [1, 2, 3], window=raster_window(stripe))
        self._dataset.write(reasons, 4, window=raster_window(stripe))

    def finish(self) -> None:
        """End writing; from now on windows are read."""
        self._dataset.close()
        self._dataset = gdal.open_raster(self._file, "GTiff", georeferenced=False)

    def read(self, window: Window) -> Pixels:
        """Read a window inside the image."""
        values = np.empty((window.height, window.width, 4), np.uint8)
        self._dataset.read(out=values.transpose(2, 0, 1), window=raster_window(window))
        return np.ascontiguousarray(values[..., :3]), values[..., 3]

    def close(self) -> None:
        """Remove the file."""
        try:
            self._dataset.close()
        finally:
            self._folder.cleanup()
