"""The offset field: each node moves the ground around it as a rigid body; between nodes this is blended.

A year that was turned as a whole is then exact between the nodes too, which offsets alone would not be.
Legend: K nodes, P points, B = 4 nodes that are blended at a point. Frame: a plane in metres.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.spatial import cKDTree

from crackpipe.pipeline.compare.flat.lines import Lines
from crackpipe.pipeline.compare.flat.threads import in_threads
from crackpipe.pipeline.geometry.arrays import Floats, Ints

_AT_ONCE = 100_000
_BLENDED = 4
_BLEND_M = 12.0
"""Standard deviation of the Gaussian by which a node's weight falls with distance."""
_LONGEST_LEVER_M = 30.0
"""A rotation counts to this distance from its node. Further off it would only magnify its own error."""


@dataclass(frozen=True)
class Blend:
    """Which nodes move P points, and how much each counts."""

    node: Ints
    """(P, B)."""
    weight: Floats
    """(P, B), sums to 1."""
    lever_m: Floats
    """(P, B, 2) from the node to the point, shortened to 30 m."""
    distance_m: Floats
    """(P,) to the nearest node."""

    def offsets(self, motion: Floats) -> Floats:
        """Offsets (P, 2) in metres by motions (K, 3): x and y in metres, rotation in radians."""
        offsets = np.zeros((len(self.node), 2))
        # node by node, since a sum over an axis of four is several times as slow
        for node, weight, lever in zip(
            self.node.T, self.weight.T, self.lever_m.transpose(1, 2, 0), strict=True
        ):
            x, y, turn = motion[node].T
            offsets[:, 0] += weight * (x - turn * lever[1])
            offsets[:, 1] += weight * (y + turn * lever[0])
        return offsets


@dataclass(frozen=True)
class Field:
    """Where points of the older year lie in the newer one."""

    nodes: Floats
    """(K, 2) m; K may be 0: then nothing moves."""
    motion: Floats
    """(K, 3) offset x and y in metres, rotation in radians."""

    @cached_property
    def _tree(self) -> cKDTree:
        return cKDTree(self.nodes)

    def blend(self, points: Floats) -> Blend:
        """The nodes that move each of `points` (P, 2)."""
        count = min(_BLENDED, len(self.nodes))
        distance, node = self._tree.query(points, k=[*range(1, count + 1)])
        weight = np.exp((distance[:, :1] ** 2 - distance**2) / (2 * _BLEND_M**2))
        lever = points[:, None] - self.nodes[node]
        shorter = np.minimum(1.0, _LONGEST_LEVER_M / np.maximum(distance, 1e-9))
        return Blend(
            np.asarray(node, np.int64),
            weight / weight.sum(axis=1, keepdims=True),
            lever * shorter[..., None],
            distance[:, 0],
        )

    def offsets(self, points: Floats) -> Floats:
        """Offsets (P, 2) of points (P, 2) of the older year, m."""
        found = np.zeros((len(points), 2))

        def fill(low: int) -> None:
            some = slice(low, low + _AT_ONCE)
            found[some] = self.blend(points[some]).offsets(self.motion)

        if len(self.nodes):
            # a few at a time: a blend holds two dozen numbers for each point
            list(in_threads(fill, range(0, len(points), _AT_ONCE)))
        return found

    def moved(self, lines: Lines) -> Lines:
        """Lines of the older year where the newer one sees them."""
        xy = self.offsets(lines.xy)
        xy += lines.xy
        return Lines(xy, lines.first)

    def back(self, points: Floats) -> Floats:
        """Where points (P, 2) of the newer year lie in the older one, (P, 2)."""
        # the field changes by millimetres a metre, so one step of the fixed point is enough
        return np.asarray(points - self.offsets(points - self.offsets(points)))
