"""Which way cracks run: orientation on the map, type against the travel direction, cells of a network."""

from collections import Counter
from collections.abc import Sequence

import networkx as nx  # type: ignore[import-untyped]
import numpy as np
from affine import Affine
from numpy.typing import NDArray

from crackpipe.pipeline.grid import orientation_deg

Floats = NDArray[np.float64]

LONGITUDINAL_WITHIN_DEG = 10.0
TRANSVERSE_FROM_DEG = 80.0
# Strips at least this many times as long as wide were taken along the road.
_STRIP_ASPECT = 2.0


def travel_azimuth_deg(ground: Floats, height_px: int, width_px: int) -> float | None:
    """Direction of the road from the strip's long axis, clockwise from north, 0 <= angle < 180.

    `ground` is float64 (2, 2), metres per pixel step. None where the image is no strip: its long side is
    less than twice its short one.
    """
    sides = ground * np.array([height_px, width_px])
    length = np.hypot(sides[0], sides[1])
    longer = int(np.argmax(length))
    if length[longer] < _STRIP_ASPECT * length[1 - longer]:
        return None
    return float(np.degrees(np.arctan2(sides[0, longer], sides[1, longer])) % 180.0)


def ground_azimuth_deg(vertices: Floats, ground: Floats) -> float:
    """Direction of a line (V, 2) (row, col) on the ground, clockwise from north, 0 <= angle < 180."""
    steps = Affine(ground[0, 1], ground[0, 0], 0.0, ground[1, 1], ground[1, 0], 0.0)
    return orientation_deg(vertices, steps)


def map_orientation_deg(world: Floats, *, geographic: bool) -> float:
    """Direction of a line (V, 2) (x, y) on the map, clockwise from grid north, 0 <= angle < 180.

    Degrees of longitude are shortened to the length that they have at the line's latitude.
    """
    east = np.cos(np.radians(world[:, 1].mean())) if geographic else 1.0
    return orientation_deg(np.column_stack([world[:, 1], world[:, 0] * east]), Affine.identity())


def crack_type(azimuth_deg: float, travel_deg: float | None, *, closes_cell: bool) -> str | None:
    """`longitudinal`, `transverse`, `diagonal` or `pattern`; None where the travel direction is unknown."""
    if travel_deg is None:
        return None
    if closes_cell:
        return "pattern"
    between = abs(azimuth_deg - travel_deg) % 180.0
    between = min(between, 180.0 - between)
    if between <= LONGITUDINAL_WITHIN_DEG:
        return "longitudinal"
    return "transverse" if between >= TRANSVERSE_FROM_DEG else "diagonal"


def closing_cells(nodes: Sequence[tuple[int, int]]) -> NDArray[np.bool_]:
    """Which lines, given by the nodes at their two ends, border a cell: bool (L,).

    Those are the edges of the network whose removal leaves it connected.
    """
    graph = nx.Graph()
    graph.add_edges_from(nodes)
    graph.remove_edges_from(list(nx.selfloop_edges(graph)))
    bridges = {tuple(sorted(edge)) for edge in nx.bridges(graph)}
    edges = [tuple(sorted(edge)) for edge in nodes]
    count = Counter(edges)
    return np.array([edge not in bridges or count[edge] > 1 for edge in edges], dtype=np.bool_)
