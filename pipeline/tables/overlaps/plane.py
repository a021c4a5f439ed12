"""The working plane in which images of a survey are compared, whatever the CRS of the tables.

Projected CRSs are used as they are. Degrees are projected to a Mercator plane. In both planes a short
distance is the same in all directions. How long it is follows from one factor per image, plane units per
metre on the ground.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from pyproj import CRS

from crackpipe.pipeline.geometry.arrays import Floats, Geometries

# The tolerance is at least this, because georeferences are rounded and lines are known to about a pixel.
_LEAST_TOLERANCE_PX = 3.0


@dataclass(frozen=True)
class Areas:
    """What N images inspected. Lengths are in units of the plane."""

    polygons: Geometries
    """(N,) Polygon, MultiPolygon or empty."""
    borders: Geometries
    """(N,) their boundaries."""
    per_metre: Floats
    """(N,) units per metre on the ground."""
    pixel: Floats
    """(N,) side of a pixel."""
    tolerance: Floats
    """(N,) how far the image may lie off the others."""


def to_plane(geometries: Geometries, crs: CRS) -> Geometries:
    """Geometries (x, y) in `crs` in its working plane."""
    if not crs.is_geographic:
        return geometries
    radians = crs.axis_info[
        0
    ].unit_conversion_factor  # of the CRS's unit, which is not always a degree: some CRSs use grads

    def mercator(xy: Floats) -> Floats:
        return np.column_stack([xy[:, 0] * radians, np.arcsinh(np.tan(xy[:, 1] * radians))])

    return np.asarray(shapely.transform(geometries, mercator), dtype=object)


def from_plane(geometries: Geometries, crs: CRS) -> Geometries:
    """The inverse of `to_plane`."""
    if not crs.is_geographic:
        return geometries
    radians = crs.axis_info[0].unit_conversion_factor

    def degrees(xy: Floats) -> Floats:
        return np.column_stack([xy[:, 0] / radians, np.arctan(np.sinh(xy[:, 1])) / radians])

    return np.asarray(shapely.transform(geometries, degrees), dtype=object)


@dataclass(frozen=True)
class Frame:
    """Where an image lies and what of it was inspected."""

    corners: Floats
    """(4, 2) (x, y) outer corners in the CRS of the tables, from the first pixel along the first row."""
    height_px: int
    width_px: int
    ground: Floats
    """(2, 2) metres on the ground per pixel step, see `grid.ground_matrix`."""
    inspected: str | None = None
    """WKT in pixels as `masks.inspected_area` gives it; None means that the whole image was inspected."""


def areas_of(frames: Sequence[Frame], crs: CRS, seam_mm: float) -> Areas:
    """The inspected areas of images in the working plane. Images lie at most `seam_mm` off each other."""
    polygons = to_plane(
        np.array(
            [
                inspected_polygon(each.corners, each.height_px, each.width_px, each.inspected)
                for each in frames
            ],
            dtype=object,
        ),
        crs,
    )
    outer = to_plane(np.array([shapely.Polygon(frame.corners) for frame in frames], dtype=object), crs)
    pixels = np.array([frame.height_px * frame.width_px for frame in frames], dtype=np.float64)
    pixel = np.sqrt(shapely.area(outer) / pixels)
    gsd_m = np.sqrt(np.abs(np.linalg.det(np.array([frame.ground for frame in frames]).reshape(-1, 2, 2))))
    per_metre = pixel / gsd_m
    tolerance = np.maximum(seam_mm / 1000.0 * per_metre, _LEAST_TOLERANCE_PX * pixel)
    borders = shapely.boundary(polygons)
    shapely.prepare(polygons)
    shapely.prepare(borders)
    return Areas(polygons, borders, per_metre, pixel, tolerance)


def inspected_polygon(
    corners: Floats, height_px: int, width_px: int, inspected: str | None
) -> shapely.Geometry:
    """What an image inspected, in the CRS of its `corners`; the arguments are those of `Frame`."""
    if inspected is None:
        return shapely.Polygon(corners)
    first, right, _, down = corners
    across, along = (right - first) / width_px, (down - first) / height_px
    return shapely.transform(
        shapely.from_wkt(inspected), lambda xy: first + xy[:, :1] * across + xy[:, 1:] * along
    )


def east_north(frame: Frame) -> Floats:
    """Metres (east, north) per unit (x, y) of the CRS of the tables, float64 (2, 2), at an image."""
    first, right, _, down = frame.corners
    steps = np.column_stack([(down - first) / frame.height_px, (right - first) / frame.width_px])
    return np.asarray(frame.ground @ np.linalg.inv(steps))
