"""The truth of rendered images as a table: every crack's centreline with its width at every vertex.

Frame: pixels are (row, col) of the image, centre of the first pixel at (0, 0); world is (x, y).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import geopandas
import numpy as np
from affine import Affine
from pyproj import CRS, Transformer
from shapely import LineString

from crackpipe.model.render.picture import Scene
from crackpipe.pipeline.geometry.arrays import Floats
from crackpipe.pipeline.geometry.grid import Window
from crackpipe.pipeline.geometry.ground import ground_matrix, gsd_mm_of, length_m, world_of_pixel

COLUMNS = (
    *("image_id", "crack", "length_m", "width_mm", "contrast_grey"),
    *("gsd_mm", "row_px", "col_px", "geometry"),
)


@dataclass(frozen=True)
class TruthImage:
    """One georeferenced image and the window of the scene that it shows."""

    image_id: str
    scene: Scene
    window: Window
    crs: CRS
    transform: Affine


def truth_table(images: Sequence[TruthImage], crs: CRS) -> geopandas.GeoDataFrame:
    """One row per crack and image, cut at the image's edge, in the order of images and of the scene's cracks.

    The columns are image_id, crack (running number in the image), length_m (on the ground), width_mm (list,
    at each vertex), contrast_grey (see `Crack`), gsd_mm, row_px and col_px (lists, the vertices in the
    image's frame), and geometry (LineString in `crs`, the same vertices).
    """
    rows = [row for image in images for row in _rows_of(image, crs)]
    names = [
        "image_id",
        "crack",
        "length_m",
        "width_mm",
        "contrast_grey",
        "gsd_mm",
        "row_px",
        "col_px",
        "geometry",
    ]
    columns = {name: [row[name] for row in rows] for name in names}
    return geopandas.GeoDataFrame(columns, geometry="geometry", crs=crs)


def _rows_of(image: TruthImage, crs: CRS) -> list[dict[str, Any]]:
    part = image.window
    ground = ground_matrix(image.transform, image.crs, part.height, part.width)
    gsd_mm = gsd_mm_of(ground)
    move = None if image.crs == crs else Transformer.from_crs(image.crs, crs, always_xy=True)
    rows: list[dict[str, Any]] = []
    for crack in image.scene.cracks:
        for points, width_px in clip_crack(crack.centreline, crack.width_px, part):
            world = world_of_pixel(image.transform, points)
            if move is not None:
                world = np.column_stack(move.transform(world[:, 0], world[:, 1]))
            rows.append(
                {
                    "image_id": image.image_id,
                    "crack": len(rows),
                    "length_m": length_m(points, ground),
                    "width_mm": width_px * gsd_mm,
                    "contrast_grey": crack.contrast_grey,
                    "gsd_mm": gsd_mm,
                    "row_px": points[:, 0],
                    "col_px": points[:, 1],
                    "geometry": LineString(world),
                }
            )
    return rows


def clip_crack(centreline: Floats, width_px: Floats, window: Window) -> list[tuple[Floats, Floats]]:
    """The parts of a crack inside a window, as (vertices (V, 2) in the window's own frame, width_px (V,)).

    Cracks are cut exactly at the outer edge of the window's pixels, and widths are interpolated there. Parts
    without length are left out.
    """
    low = np.array([window.row - 0.5, window.col - 0.5])
    high = low + np.array([window.height, window.width])
    origin = np.array([window.row, window.col])
    stations = np.column_stack([centreline, width_px])
    parts: list[list[Floats]] = []
    joined = False
    for p, q in pairwise(stations):
        enter, leave = _inside_share(p[:2], q[:2], low, high)
        if enter >= leave:
            joined = False
            continue
        if not (joined and enter == 0.0):
            parts.append([p + enter * (q - p)])
        parts[-1].append(p + leave * (q - p))
        joined = leave == 1.0
    arrays = [np.array(part) for part in parts]
    long = [a for a in arrays if np.hypot(*np.diff(a[:, :2], axis=0).T).sum() > 0]
    return [(a[:, :2] - origin, a[:, 2]) for a in long]


def _inside_share(p: Floats, q: Floats, low: Floats, high: Floats) -> tuple[float, float]:
    """Where a segment from p to q enters and leaves a box, as shares 0..1 (Liang and Barsky, TOG 1984)."""
    enter, leave = 0.0, 1.0
    for axis in range(2):
        step = q[axis] - p[axis]
        if step == 0:
            if not low[axis] <= p[axis] <= high[axis]:
                return 0.0, 0.0
            continue
        near, far = sorted(((low[axis] - p[axis]) / step, (high[axis] - p[axis]) / step))
        enter, leave = max(enter, near), min(leave, far)
    return enter, leave
