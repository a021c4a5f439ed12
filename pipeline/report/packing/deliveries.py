"""Deliveries on the map of a report: tracks as lines, what is odd as places or pieces of the way."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import shapely
from pyproj import CRS

from crackpipe.pipeline.frames.told import Told
from crackpipe.pipeline.geometry.arrays import Geometries
from crackpipe.pipeline.geometry.crs import moved_to
from crackpipe.pipeline.report.packing import pack
from crackpipe.pipeline.report.packing.plane import Plane


def tracks_of(deliveries: Sequence[Told], crs: CRS) -> Geometries:
    """The tracks of all deliveries as lines in `crs`."""
    moved = [
        moved_to(crs, np.array([shapely.LineString(part) for part in each.parts], object), each.crs)
        for each in deliveries
        if each.parts
    ]
    return np.concatenate([np.zeros(0, object), *moved])


def packed(deliveries: Sequence[Told], crs: CRS | None, plane: Plane | None) -> list[dict[str, Any]]:
    """Each delivery as plain JSON; places in centimetres on the plane, null without one."""
    return [
        {
            "name": each.name,
            "lines": each.lines,
            "counts": dict(sorted(each.counts.items())),
            "events": [
                [event.kind, event.frame, event.said, places]
                for event, places in zip(each.events, _places(each, crs, plane), strict=True)
            ],
        }
        for each in deliveries
    ]


def _places(told: Told, crs: CRS | None, plane: Plane | None) -> list[list[int] | None]:
    if crs is None or plane is None:
        return [None] * len(told.events)
    shapes = np.array([shapely.MultiPoint(event.lonlat) for event in told.events], object)
    placed = plane.place(moved_to(crs, shapes, told.crs)) if len(shapes) else shapes
    found = [np.round(100 * shapely.get_coordinates(each)).astype(np.int64).ravel() for each in placed]
    return [each.tolist() or None for each in found]


def packed_tracks(tracks: Geometries, plane: Plane) -> dict[str, Any] | None:
    """Tracks as `pack.lines`; None where there are none."""
    return pack.lines(plane.place(tracks)) if len(tracks) else None
