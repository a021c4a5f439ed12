"""A mask of the run with its place on earth, as a raster that lies north up.

Most GIS take a rotated raster, but no mosaic does. So a mask that is not north up is turned: each pixel of
the turned raster takes the value of the pixel below its centre, at the same size of pixel. Only a long strip
that lies askew stays as it is, since its bounding box would be many times as large.
"""

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from affine import Affine

from crackpipe.pipeline.errors import OutputDamagedError
from crackpipe.pipeline.export.rasters.ranks import Mask
from crackpipe.pipeline.geometry.grid import Window
from crackpipe.pipeline.geometry.ground import footprint_corners
from crackpipe.pipeline.masks import arrays
from crackpipe.pipeline.masks.values import NOT_INSPECTED

MOST_TURNED = 4.0
"""A mask is turned if the turned raster has at most so many times its pixels."""


@dataclass(frozen=True)
class StoredMask:
    """The mask of one image, as the run stored it."""

    image_id: str
    group: Path
    """Its Zarr group."""
    height_px: int
    width_px: int
    transform: Affine
    """Outer corner of a pixel (col, row) to world (x, y)."""
    crs_wkt: str
    classes: tuple[str, ...]
    """Names of the values 1, 2 ..."""

    @property
    def is_north_up(self) -> bool:
        """Whether rows run east and columns south."""
        t = self.transform
        return t.b == t.d == 0 and t.a > 0 > t.e

    def read(self, window: Window) -> Mask:
        """uint8 (h, w) of a window inside the mask. Raises OutputDamagedError for a damaged chunk."""
        try:
            return arrays.read_window(self.group / "mask", window)
        except ValueError as error:
            raise OutputDamagedError(
                f"the mask of {self.image_id} cannot be read: {error}. `crackpipe verify` says what is "
                f"damaged, and `crackpipe verify --repair` lets the next run do it again."
            ) from error


@dataclass(frozen=True)
class Raster:
    """Something that can be written as a raster, block by block."""

    height_px: int
    width_px: int
    transform: Affine
    crs_wkt: str
    classes: tuple[str, ...]
    read: Callable[[Window], Mask]
    """uint8 (h, w) of a window inside the raster."""


def stored_mask(image_id: str, group: Path) -> StoredMask:
    """The mask in a Zarr group of a run. Raises OutputDamagedError where the group cannot be read."""
    try:
        said = json.loads((group / "zarr.json").read_bytes())
        place = said["attributes"]
        values = said["consolidated_metadata"]["metadata"]["mask"]["attributes"]
        height, width = place["spatial:shape"]
        names = str(values["flag_meanings"]).split()
        return StoredMask(
            image_id=image_id,
            group=group,
            height_px=int(height),
            width_px=int(width),
            transform=Affine(*place["spatial:transform"][:6]),
            crs_wkt=str(place["proj:wkt2"]),
            classes=tuple(names[1:-1]),
        )
    except (OSError, KeyError, ValueError, TypeError) as error:
        raise OutputDamagedError(
            f"{group / 'zarr.json'} cannot be read ({error!r}). `crackpipe verify` says what is damaged."
        ) from error


def as_raster(mask: StoredMask) -> Raster:
    """The mask as it is stored."""
    return Raster(mask.height_px, mask.width_px, mask.transform, mask.crs_wkt, mask.classes, mask.read)


def north_up(mask: StoredMask) -> Raster | None:
    """The mask as a raster that lies north up; None for one whose bounding box is too large for that."""
    if mask.is_north_up:
        return as_raster(mask)
    t = mask.transform
    step_x, step_y = math.hypot(t.a, t.b), math.hypot(t.d, t.e)
    corners = footprint_corners(t, mask.height_px, mask.width_px)
    (west, south), (east, north) = corners.min(axis=0), corners.max(axis=0)
    width, height = math.ceil((east - west) / step_x), math.ceil((north - south) / step_y)
    if width * height > MOST_TURNED * mask.width_px * mask.height_px:
        return None
    turned = Affine(step_x, 0.0, float(west), 0.0, -step_y, float(north))
    to_stored = ~t * turned
    return Raster(
        height, width, turned, mask.crs_wkt, mask.classes, lambda window: _turned(mask, to_stored, window)
    )


def _turned(mask: StoredMask, to_stored: Affine, window: Window) -> Mask:
    """A window of the turned raster; not inspected where the stored mask has no pixel."""
    col = np.arange(window.col, window.col_stop) + 0.5
    row = np.arange(window.row, window.row_stop)[:, None] + 0.5
    t = to_stored
    cols = np.floor(t.a * col + t.b * row + t.c).astype(np.int64)
    rows = np.floor(t.d * col + t.e * row + t.f).astype(np.int64)
    inside = (rows >= 0) & (rows < mask.height_px) & (cols >= 0) & (cols < mask.width_px)
    found = np.full(inside.shape, NOT_INSPECTED, np.uint8)
    if inside.any():
        rows, cols = rows[inside], cols[inside]
        first = rows.min(), cols.min()
        part = Window(
            int(first[0]), int(first[1]), int(rows.max() - first[0]) + 1, int(cols.max() - first[1]) + 1
        )
        found[inside] = mask.read(part)[rows - first[0], cols - first[1]]
    return found
