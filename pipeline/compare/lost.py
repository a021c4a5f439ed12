"""Places within a registered road where the years do not lie on each other after all.

A side street that one year places by more than the tolerance off hangs together with streets that lie well,
and is one road with them. All of its cracks would read gone and new. So around each node of the field it is
looked once more: where both years have cracks and hardly any lie on each other, nothing is said. Where one
year has none, as on a new surface, the field of the neighbours counts.

Legend: K nodes, N lines of a year.
"""

import numpy as np
from scipy.spatial import cKDTree

from crackpipe.pipeline.compare.flat.lines import Lines
from crackpipe.pipeline.compare.registration.register import Registration
from crackpipe.pipeline.geometry.arrays import Bools, Floats

_AROUND_M = 30.0
"""What lies so near to a node tells whether it lies well: a node and its neighbours along the road."""
_OF_NODE_M = 60.0
"""A line farther from every node is judged as its road."""
_LEAST_CRACKS = 5
_HALF = 0.5
_OVER_CHANCE = 1.5


def lost_nodes(registration: Registration, older: Lines, newer: Lines, matched: Bools) -> Bools:
    """Whether the years do not lie on each other around each node, (K,).

    `older` lies where the newer year sees it. `matched` (N,) are the newer lines of which half lies on an
    older one.
    """
    nodes = seen_nodes(registration)
    if len(nodes) == 0:
        return np.zeros(0, np.bool_)
    middles = newer.middles()
    both, now, before = (_count(nodes, each) for each in (middles[matched], middles, older.middles()))
    least = np.minimum(now, before)
    few = (both < _LEAST_CRACKS) & (both < _HALF * least)
    share, chance = (_around(nodes, each) for each in (registration.share, registration.chance))
    is_chance = np.maximum(share, both / np.maximum(now, 1)) <= _OVER_CHANCE * chance
    return np.asarray((least >= _LEAST_CRACKS) & (few | is_chance))


def at_lost(registration: Registration, lost: Bools, lines: Lines) -> Bools:
    """Whether the node nearest to each line is a lost one, (N,)."""
    if not lost.any() or len(lines) == 0:
        return np.zeros(len(lines), np.bool_)
    distance, nearest = cKDTree(seen_nodes(registration)).query(lines.middles())
    return np.asarray(lost[nearest] & (distance <= _OF_NODE_M))


def seen_nodes(registration: Registration) -> Floats:
    """The nodes (K, 2) where the newer year sees them."""
    return np.asarray(registration.field.nodes + registration.field.motion[:, :2])


def _count(nodes: Floats, middles: Floats) -> Floats:
    """How many lines have their middle around each node, (K,)."""
    if len(middles) == 0:
        return np.zeros(len(nodes))
    found = cKDTree(middles).query_ball_point(nodes, _AROUND_M, return_length=True)
    return np.asarray(found, np.float64)


def _around(nodes: Floats, values: Floats) -> Floats:
    """Mean of the known values of the nodes around each node, (K,)."""
    near = cKDTree(nodes).query_ball_point(nodes, _AROUND_M)
    known = np.isfinite(values)
    total = [values[some][known[some]].sum() for some in near]
    number = [known[some].sum() for some in near]
    return np.asarray(total, np.float64) / np.maximum(number, 1)
