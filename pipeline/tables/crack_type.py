"""Which way cracks run: orientation on the map, type against the travel direction, cells of a network."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import networkx as nx  # type: ignore[import-untyped]
import numpy as np
import shapely
from numpy.typing import NDArray

from crackpipe.pipeline.geometry.arrays import Floats


@dataclass(frozen=True)
class TypeLimits:
    """What makes a crack longitudinal or transverse."""

    longitudinal_within_deg: float = 10.0
    """A longitudinal crack differs from the direction of travel by at most this."""
    transverse_within_deg: float = 10.0
    """A transverse crack differs from the perpendicular to the direction of travel by at most this."""


def directions(lines: NDArray[np.object_]) -> Floats:
    """Vectors from the first to the last vertex of LineStrings (L,), float64 (L, 2) (x, y).

    A closed line ends where it starts. For it the vector is the long axis of its vertices.
    """
    ends = [shapely.get_coordinates(shapely.get_point(lines, at)) for at in (0, -1)]
    chords = np.asarray(ends[1] - ends[0]).reshape(-1, 2)
    for index in np.flatnonzero((chords == 0).all(axis=1)):
        points = shapely.get_coordinates(lines[index])[1:]
        centred = points - points.mean(axis=0)
        chords[index] = np.linalg.eigh(centred.T @ centred)[1][:, -1]
    return chords


def azimuth_deg(east_north: Floats) -> Floats:
    """Direction of vectors (N, 2) (east, north), clockwise from north, 0 <= angle < 180."""
    angle = np.degrees(np.arctan2(east_north[:, 0], east_north[:, 1])) % 180.0
    # A tiny negative angle has a remainder that rounds to 180.
    return np.where(angle >= 180.0, 0.0, angle)


def map_orientation_deg(
    lines: NDArray[np.object_], chords: Floats, *, radians_per_unit: float | None
) -> Floats:
    """Direction of lines (L,) with `chords` (L, 2) on the map, clockwise from grid north, 0 <= angle < 180.

    `radians_per_unit` is the size of the CRS's unit if it is geographic, else None. In a geographic CRS steps
    of longitude are shortened to the length that they have at the line's latitude.
    """
    if radians_per_unit is None:
        return azimuth_deg(chords)
    bounds = shapely.bounds(lines).reshape(-1, 4)
    east = np.cos((bounds[:, 1] + bounds[:, 3]) / 2 * radians_per_unit)
    return azimuth_deg(chords * np.column_stack([east, np.ones(len(east))]))


def crack_types(
    azimuth: Floats, travel_deg: Floats, closes_cell: NDArray[np.bool_], limits: TypeLimits
) -> list[str | None]:
    """The type of each crack: `longitudinal`, `transverse`, `diagonal` or `pattern`.

    It is None where the direction of travel is NaN. `azimuth` and `travel_deg` are (N,), degrees clockwise
    from north on the ground.
    """
    between = np.abs(azimuth - travel_deg) % 180.0
    between = np.minimum(between, 180.0 - between)
    types = np.full(len(azimuth), "diagonal", dtype=object)
    types[between <= limits.longitudinal_within_deg] = "longitudinal"
    types[between >= 90.0 - limits.transverse_within_deg] = "transverse"
    types[closes_cell] = "pattern"
    types[np.isnan(between)] = None
    found: list[str | None] = types.tolist()
    return found


def closing_cells(nodes: Sequence[tuple[int, int]]) -> NDArray[np.bool_]:
    """Which lines border a cell, bool (L,). Each line is given by the nodes at its two ends.

    A line borders a cell if its network stays connected without it.
    """
    graph = nx.Graph()
    graph.add_edges_from(nodes)
    graph.remove_edges_from(list(nx.selfloop_edges(graph)))
    bridges = {tuple(sorted(edge)) for edge in nx.bridges(graph)}
    edges = [tuple(sorted(edge)) for edge in nodes]
    count = Counter(edges)
    return np.array([edge not in bridges or count[edge] > 1 for edge in edges], dtype=np.bool_)
