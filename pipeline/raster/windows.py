"""What passes between the files of this room: windows as rasterio wants them, and pixels with reasons."""

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.windows import Window as RasterWindow

from crackpipe.pipeline.geometry.grid import Window

Pixels = tuple[NDArray[np.uint8], NDArray[np.uint8]]
"""Grey values uint8 (h, w, 3) RGB, and uint8 (h, w): 0 where the pixel is pavement to be inspected, else the
reason why it is not (`validity.reasons`)."""


def empty_pixels(window: Window) -> Pixels:
    """Pixels of the size of a window, not filled."""
    shape = (window.height, window.width)
    return np.empty((*shape, 3), np.uint8), np.empty(shape, np.uint8)


def raster_window(window: Window) -> RasterWindow:
    """The same window in rasterio's order, columns first."""
    return RasterWindow(window.col, window.row, window.width, window.height)


def stored_values(
    dataset: rasterio.DatasetReader,
    bands: list[int],
    window: Window,
    values: NDArray[np.generic] | None = None,
) -> NDArray[np.generic]:
    """Stored values (h, w, bands) of a window inside an open raster, in `values` if given.

    GDAL writes the bands beside each other, which spares a copy. Raises RasterioError.
    """
    if values is None:
        values = np.empty((window.height, window.width, len(bands)), dataset.dtypes[0])
    dataset.read(bands, out=values.transpose(2, 0, 1), window=raster_window(window))
    return values
