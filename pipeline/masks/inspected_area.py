"""Which part of an image was inspected, as a small polygon in its pixel frame.

The ground that several images cover is divided among them by these polygons (`tables.overlaps`). An image may
have parts that it did not see, such as a collar without data or a masked vehicle. Such a part must stay with
the images that saw it.

Strategy: pixels are counted in cells of 16 x 16 px. The cells lie on a lattice fixed to the image, so that
the result does not depend on how the image was cut into blocks. A cell counts as inspected if nine tenths of
its pixels are, because single dark pixels that look like no data are no holes. The outlines of these cells
are simplified by at most one and a half cells.
"""

import base64
import zlib
from collections.abc import Iterable

import numpy as np
import shapely
from numpy.typing import NDArray
from rasterio import features

from crackpipe.pipeline.geometry.grid import Window

CELL_PX = 16
_INSPECTED_SHARE = 0.9
# The slanted side of a rotated frame is a staircase of cells, whose corners stray by up to 1.42 cells from a
# straight line. This tolerance makes it one straight side again.
_SIMPLIFY_CELLS = 1.5
# Outlines with more corners, such as a lattice of holes, are simplified further, because distances to them
# are computed often.
_MOST_CORNERS = 1000


def uninspected_cells(valid: NDArray[np.bool_], window: Window) -> str | None:
    """Uninspected pixels per cell of one block, as short text; None where there are none.

    `valid` is bool (h, w) of `window`.
    """
    if valid.all():
        return None
    counts = np.add.reduceat(~valid, _cell_starts(window.row, window.height), axis=0, dtype=np.uint16)
    counts = np.add.reduceat(counts, _cell_starts(window.col, window.width), axis=1, dtype=np.uint16)
    return base64.b64encode(zlib.compress(counts.astype("<u2").tobytes())).decode()


def _cell_starts(start: int, size: int) -> NDArray[np.intp]:
    """Where cells begin within `size` pixels from pixel `start` of the image; the first cell may be cut."""
    return np.append(0, np.arange(CELL_PX - start % CELL_PX, size, CELL_PX))


def inspected_area(cells: Iterable[tuple[Window, str | None]], height_px: int, width_px: int) -> str | None:
    """The inspected part of an image from the cells of all its blocks; None if the whole image was inspected.

    Returns WKT of a Polygon or MultiPolygon in pixel corners, x along columns and y along rows. It is empty
    if nothing was inspected.
    """
    missing = np.zeros((-(-height_px // CELL_PX), -(-width_px // CELL_PX)), np.int32)
    for window, text in cells:
        if text is not None:
            rows, cols = (
                slice(start // CELL_PX, -(-stop // CELL_PX))
                for start, stop in ((window.row, window.row_stop), (window.col, window.col_stop))
            )
            counts = np.frombuffer(zlib.decompress(base64.b64decode(text)), "<u2")
            missing[rows, cols] += counts.reshape(missing[rows, cols].shape)
    most = (1 - _INSPECTED_SHARE) * np.outer(_sizes(height_px), _sizes(width_px))
    seen = missing <= most
    if seen.all():
        return None
    outline = _outline(seen)
    outline = shapely.transform(outline, lambda xy: np.minimum(xy * CELL_PX, [width_px, height_px]))
    return str(shapely.to_wkt(outline, rounding_precision=0))


def _sizes(length_px: int) -> NDArray[np.float32]:
    """Pixels of each cell along one side of the image."""
    return np.minimum(CELL_PX, length_px - np.arange(0, length_px, CELL_PX)).astype(np.float32)


def _outline(seen: NDArray[np.bool_]) -> shapely.Geometry:
    """Polygons around the cells that were seen, in cells."""
    polygons = [shapely.geometry.shape(outline) for outline, _ in features.shapes(seen.view(np.uint8), seen)]
    outline, tolerance = shapely.union_all(polygons), _SIMPLIFY_CELLS
    simple = shapely.simplify(outline, tolerance)
    while shapely.get_num_coordinates(simple) > _MOST_CORNERS and tolerance < max(seen.shape):
        tolerance *= 2
        # Topology is not preserved, so that small holes and islands may vanish.
        simple = shapely.make_valid(shapely.simplify(outline, tolerance, preserve_topology=False))
    return simple
