"""The story of the registration: nodes, rough offsets, a robust fit, one part of the ground at a time."""

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from crackpipe.pipeline.compare.flat import ground
from crackpipe.pipeline.compare.flat.lines import Lines, Samples, points_along, sampled
from crackpipe.pipeline.compare.flat.threads import in_threads
from crackpipe.pipeline.compare.registration.field import Field
from crackpipe.pipeline.compare.registration.fit import beside, fitted
from crackpipe.pipeline.compare.registration.nodes import nodes_of
from crackpipe.pipeline.compare.registration.votes import rough_offsets
from crackpipe.pipeline.geometry.arrays import Floats, Ints

# A node is fitted together with all nodes so near, and then these are forgotten.
_HALO_M = 80.0
_OLDER_STEP_M, _NEWER_STEP_M = 0.1, 0.05
_ANCHORS_OF_NODE = 150
_SEEN_AT_M = 0.12
"""A point farther off its line than this does not belong to it."""
# Where the field is moved so far to either side, only chance lays cracks on cracks.
_ASIDE_M = 0.4
_ASIDES = np.array([[1, 0], [0, 1], [-1, 0], [0, -1]]) * _ASIDE_M


@dataclass(frozen=True)
class Registration:
    """The field, and how well it lays the older cracks on the newer ones at each of its K nodes."""

    field: Field
    residual_m: Floats
    """(K,) median distance of older points from the newer lines that they lie on; NaN where none does."""
    share: Floats
    """(K,) part of the older points that lie on a newer line, 0..1."""
    chance: Floats
    """(K,) the same with the field moved aside by 0.4 m: what chance alone would give."""


def register(older: Lines, newer: Lines, within_m: float) -> Registration:
    """Find where the older year lies in the newer one, up to `within_m` off in each axis."""
    nodes = nodes_of(points_along(older, 1.0), points_along(newer, 1.0))
    motion, figures = np.zeros((len(nodes), 3)), np.full((len(nodes), 3), np.nan)
    if len(nodes):
        reach = _HALO_M + within_m
        near_older = ground.places_of(older.bounds, reach)
        near_newer = ground.places_of(newer.bounds, reach)
        tree, tile = cKDTree(nodes), ground.tile_of(nodes)

        def of_tile(key: int) -> tuple[Ints, Floats, Floats]:
            own = np.flatnonzero(tile == key)
            around = np.unique(np.concatenate(tree.query_ball_point(nodes[own], _HALO_M)).astype(np.int64))
            lines = older.take(near_older.near(key)), newer.take(near_newer.near(key))
            found, told = _part(nodes[around], *lines, within_m)
            kept = np.searchsorted(around, own)
            return own, found[kept], told[kept]

        for own, *found in in_threads(of_tile, np.unique(tile).tolist()):
            motion[own], figures[own] = found
    return Registration(Field(nodes, motion), *figures.T)


def _part(nodes: Floats, older: Lines, newer: Lines, within_m: float) -> tuple[Floats, Floats]:
    """Motions (K, 3) of some nodes, and residual, share and chance (K, 3) at each."""
    anchors, node = _anchors(nodes, sampled(older, _OLDER_STEP_M))
    others = sampled(newer, _NEWER_STEP_M)
    if len(anchors.line) == 0 or len(others.line) == 0:
        return np.zeros((len(nodes), 3)), np.full((len(nodes), 3), np.nan)
    rough = rough_offsets(nodes, anchors, node, others, within_m)
    motion = fitted(nodes, rough, anchors, others)
    moved = anchors.xy + Field(nodes, motion).offsets(anchors.xy)
    return motion, _figures(moved, anchors, node, others, len(nodes))


def _anchors(nodes: Floats, samples: Samples) -> tuple[Samples, Ints]:
    """At most 150 points for each node, evenly among those nearest to it, and their nodes (A,)."""
    _, node = cKDTree(nodes).query(samples.xy, distance_upper_bound=_HALO_M)
    near = np.flatnonzero(node < len(nodes))
    order = near[np.argsort(node[near], kind="stable")]
    count = np.bincount(node[order], minlength=len(nodes))
    rank = np.arange(len(order)) - (np.cumsum(count) - count)[node[order]]
    stride = np.maximum(1, -(-count // _ANCHORS_OF_NODE))[node[order]]
    some = order[rank % stride == 0]
    return samples.take(some), np.asarray(node[some], np.int64)


def _figures(moved: Floats, anchors: Samples, node: Ints, others: Samples, count: int) -> Floats:
    tree = cKDTree(others.xy)
    found, _, away = beside(moved, anchors.tangent, others, tree, _SEEN_AT_M)
    points = np.maximum(np.bincount(node, minlength=count), 1)
    share = np.bincount(node[found], minlength=count) / points
    aside = [beside(moved + step, anchors.tangent, others, tree, _SEEN_AT_M)[0] for step in _ASIDES]
    chance = np.mean([np.bincount(node[each], minlength=count) for each in aside], axis=0) / points
    residual = np.full(count, np.nan)
    for index in np.unique(node[found]).tolist():
        residual[index] = np.median(np.abs(away[node[found] == index]))
    return np.column_stack([residual, share, chance])
