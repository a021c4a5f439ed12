"""Lines on the map -> labels of pixels, in one image.

Frame: pixels are (row, col) with the centre of the first pixel at (0, 0). Geometries "in pixels" have x = col
and y = row in that frame.
"""

from collections.abc import Sequence

import numpy as np
import shapely
from affine import Affine
from numpy.typing import NDArray
from rasterio.features import rasterize

from crackpipe.pipeline.geometry.arrays import Floats, Geometries
from crackpipe.pipeline.geometry.grid import Window
from crackpipe.pipeline.geometry.ground import gsd_mm_of

LEAST_WIDTH_PX = 1.2
"""A crack is painted at least this wide, as in rendered masks. A line of less than 0.71 px may fall apart.
Annotators of photographs paint hair cracks no thinner than this."""


def in_pixels(geometries: Geometries, transform: Affine) -> Geometries:
    """World geometries (N,) in the image's CRS -> in pixels."""
    back = ~transform

    def pixel_of(xy: Floats) -> Floats:
        x, y = xy[:, 0], xy[:, 1]
        col = back.a * x + back.b * y + back.c
        row = back.d * x + back.e * y + back.f
        return np.column_stack([col, row]) - 0.5

    return np.asarray(shapely.transform(geometries, pixel_of))


def strips(lines: Geometries, width_mm: Floats, ground: Floats) -> Geometries:
    """Lines (N,) in pixels -> their areas in pixels, `width_mm` (N,) wide on the ground, with round ends.

    Lines are widened on the ground and not in pixels, because pixels may be oblong or sheared. A strip is at
    least `LEAST_WIDTH_PX` wide. `ground` is float64 (2, 2), see `ground.ground_matrix`.
    """
    back = np.linalg.inv(ground)
    half_m = np.maximum(width_mm, LEAST_WIDTH_PX * gsd_mm_of(ground)) / 2000
    on_ground = shapely.transform(lines, lambda xy: xy[:, ::-1] @ ground.T)
    return np.asarray(shapely.transform(shapely.buffer(on_ground, half_m), lambda m: (m @ back.T)[:, ::-1]))


def paint(areas: Sequence[shapely.Geometry], window: Window) -> NDArray[np.bool_]:
    """Which pixels of a window have their centre in one of the areas (in pixels): bool (h, w)."""
    shape = (window.height, window.width)
    if not len(areas):
        return np.zeros(shape, bool)
    corner = Affine.translation(window.col - 0.5, window.row - 0.5)
    return np.asarray(rasterize(list(areas), out_shape=shape, transform=corner, dtype="uint8")) > 0


def box_of(window: Window) -> shapely.Polygon:
    """The outer edge of a window's pixels, in pixels."""
    return shapely.box(window.col - 0.5, window.row - 0.5, window.col_stop - 0.5, window.row_stop - 0.5)
