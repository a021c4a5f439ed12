"""How much road a survey shows: its ground and its length, each piece of ground once.

Strategy: images that share ground are taken together. Their inspected areas are joined to one, so that each
piece of ground counts once, and each image of the group gets the same share of it. Its length of road is its
ground, divided by how wide the image is across the direction of travel.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from pyproj import CRS
from scipy import sparse
from scipy.sparse import csgraph

from crackpipe.pipeline.geometry.arrays import Floats, Geometries, Ints
from crackpipe.pipeline.tables.overlaps import plane
from crackpipe.pipeline.tables.overlaps.plane import Frame


@dataclass(frozen=True)
class Extent:
    """What was inspected, overlaps counted once."""

    lane_km: float = 0.0
    """Length along the direction of travel, km; lanes side by side count each."""
    ground_m2: float = 0.0
    """Area on the ground."""


def extent_of(frames: Sequence[Frame], travel_deg: Sequence[float | None], crs: CRS) -> Extent:
    """The extent of N images in `crs`, the CRS of their frames' corners.

    `travel_deg` are their directions of travel, clockwise from north on the ground; where one is unknown, the
    longer side of the image is taken for it.
    """
    if not frames:
        return Extent()
    areas = plane.areas_of(frames, crs, seam_mm=0.0)
    own_m2 = shapely.area(areas.polygons) / areas.per_metre**2
    ground_m2 = own_m2.copy()
    for group in _groups_that_share_ground(areas.polygons):
        union_m2 = shapely.area(shapely.union_all(areas.polygons[group])) / np.mean(
            areas.per_metre[group] ** 2
        )
        ground_m2[group] *= union_m2 / max(own_m2[group].sum(), 1e-12)
    across_m = np.array([_across_m(*each) for each in zip(frames, travel_deg, strict=True)])
    return Extent(
        lane_km=round(float((ground_m2 / across_m).sum()) / 1000.0, 6),
        ground_m2=round(float(ground_m2.sum()), 3),
    )


def _groups_that_share_ground(polygons: Geometries) -> list[Ints]:
    """Indices of the images of each group of two or more."""
    first, second = shapely.STRtree(polygons).query(polygons, predicate="intersects")
    graph = sparse.csr_array((np.ones(len(first)), (first, second)), shape=(len(polygons), len(polygons)))
    _, label = csgraph.connected_components(graph, directed=False)
    order = np.argsort(label, kind="stable")
    groups = np.split(order, np.flatnonzero(np.diff(label[order])) + 1)
    return [group for group in groups if len(group) > 1]


def _across_m(frame: Frame, travel_deg: float | None) -> float:
    """Width of an image across the direction of travel, metres on the ground."""
    sides: Floats = frame.ground * np.array([frame.height_px, frame.width_px])  # columns: down, right
    length = np.hypot(sides[0], sides[1])
    if travel_deg is None:
        return float(length.min())
    ahead = np.array([np.sin(np.radians(travel_deg)), np.cos(np.radians(travel_deg))])
    along = int(np.argmax(np.abs(ahead @ sides) / length))
    return float(length[1 - along])
