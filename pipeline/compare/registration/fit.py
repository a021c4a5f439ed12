"""The motions of nodes, so that points of the older year come to lie on the lines of the newer one.

Iterated closest points with the distance from point to line: a point may slide along its line, since where
along a straight crack it lies nobody can see. Robust weights (Tukey) leave out what grew, and what is new.
Chen and Medioni, "Object modelling by registration of multiple range images", IVC 10(3), 1992.

Legend: K nodes, A anchors, B nodes that are blended at a point.
"""

import numpy as np
from scipy import sparse
from scipy.spatial import cKDTree

from crackpipe.pipeline.compare.flat.lines import Samples, cross, dot
from crackpipe.pipeline.compare.registration.field import Blend, Field
from crackpipe.pipeline.geometry.arrays import Bools, Floats, Ints

_REACHES_M = (0.25, 0.18, 0.12, 0.12)
"""How far a point may lie off its line, from step to step."""
_SAME_WAY = np.cos(np.radians(25.0))
_LEVER_M = 10.0
"""Rotations are solved for as the offset at this distance, so that all unknowns are lengths."""
# What is believed beforehand: standard deviations.
_POINT_M = 0.03
"""Of a point from its line. Neighbouring points of a line share their error, so this is more than one has."""
_ROUGH_M = 0.3
"""Of a node from its rough offset."""
_LINK_M = 0.04
"""Between what two neighbouring nodes say of the ground between them."""
_TURN_RAD = np.radians(0.3)
_BEND_RAD = np.radians(0.1)
"""Of the rotations of two neighbouring nodes from each other."""
_NEIGHBOURS_M = 60.0


def fitted(nodes: Floats, rough: Floats, anchors: Samples, newer: Samples) -> Floats:
    """Motions (K, 3) of nodes (K, 2), beginning with the offsets `rough` (K, 2)."""
    motion = np.column_stack([rough, np.zeros(len(nodes))])
    blend = Field(nodes, motion).blend(anchors.xy)
    tree = cKDTree(newer.xy)
    believed, target = _believed(nodes, rough)
    for reach in _REACHES_M:
        moved = anchors.xy + blend.offsets(motion)
        found, other, away = beside(moved, anchors.tangent, newer, tree, reach)
        normal = np.column_stack([-newer.tangent[other, 1], newer.tangent[other, 0]])
        weight = (1 - (away / reach) ** 2) / _POINT_M
        rows = _rows(blend, found, weight[:, None] * normal, len(nodes))
        unknown = motion * [1, 1, _LEVER_M]
        wanted = rows @ unknown.ravel() - weight * away
        matrix = (rows.T @ rows + believed.T @ believed).toarray()
        solved = np.linalg.solve(matrix, rows.T @ wanted + believed.T @ target)
        motion = solved.reshape(-1, 3) / [1, 1, _LEVER_M]
    return motion


def beside(
    points: Floats, tangent: Floats, newer: Samples, tree: cKDTree, reach_m: float
) -> tuple[Ints, Ints, Floats]:
    """Which points (P, 2) have a line of the newer year beside them that runs the same way.

    Returns indices of points (F,), of samples of the newer year (F,), and the signed distances (F,) in
    metres of the points from the lines, to the left positive.
    """
    distance, other = tree.query(points, distance_upper_bound=reach_m)
    found = np.flatnonzero(np.isfinite(distance))
    other = other[found]
    found, other = (each[_same_way(tangent[found], newer.tangent[other])] for each in (found, other))
    step, along = points[found] - newer.xy[other], newer.tangent[other]
    return found, other, cross(along, step)


def _same_way(first: Floats, second: Floats) -> Bools:
    return np.asarray(np.abs(dot(first, second)) >= _SAME_WAY)


def _rows(blend: Blend, found: Ints, normal: Floats, count: int) -> sparse.csr_array:
    """How far each found point moves along `normal` per unknown, (F, 3 K)."""
    node, weight, lever = blend.node[found], blend.weight[found], blend.lever_m[found]
    turning = (lever[..., 0] * normal[:, None, 1] - lever[..., 1] * normal[:, None, 0]) / _LEVER_M
    blended = node.shape[1]
    value = np.stack([weight * normal[:, None, 0], weight * normal[:, None, 1], weight * turning], axis=-1)
    column = node[..., None] * 3 + np.arange(3)
    row = np.repeat(np.arange(len(found)), 3 * blended)
    return sparse.csr_array((value.ravel(), (row, column.ravel())), shape=(len(found), 3 * count))


def _believed(nodes: Floats, rough: Floats) -> tuple[sparse.csr_array, Floats]:
    """What holds before any crack is looked at: rows (R, 3 K) and target (R,), over their deviations."""
    count = len(nodes)
    own = sparse.diags_array(np.tile([1 / _ROUGH_M, 1 / _ROUGH_M, 1 / (_TURN_RAD * _LEVER_M)], count))
    target = np.column_stack([rough / _ROUGH_M, np.zeros(count)]).ravel()
    pairs = cKDTree(nodes).query_pairs(_NEIGHBOURS_M, output_type="ndarray").reshape(-1, 2)
    first, second = pairs.T
    half = (
        nodes[second] - nodes[first]
    ) / 2  # from the first node to the middle; the second has the opposite
    link = np.arange(len(pairs))
    rows, columns, values = [], [], []
    for axis, sign in ((0, -1.0), (1, 1.0)):
        turn = sign * half[:, 1 - axis] / _LEVER_M / _LINK_M
        for node, unknown, value in (
            (first, axis, np.full(len(pairs), 1 / _LINK_M)),
            (second, axis, np.full(len(pairs), -1 / _LINK_M)),
            (first, 2, turn),
            (second, 2, turn),
        ):
            rows.append(3 * link + axis)
            columns.append(3 * node + unknown)
            values.append(value)
    for node, sign in ((first, 1.0), (second, -1.0)):
        rows.append(3 * link + 2)
        columns.append(3 * node + 2)
        values.append(np.full(len(pairs), sign / (_BEND_RAD * _LEVER_M)))
    shape = (3 * len(pairs), 3 * count)
    links = sparse.csr_array(
        (np.concatenate(values), (np.concatenate(rows), np.concatenate(columns))), shape=shape
    )
    return sparse.csr_array(sparse.vstack([own, links])), np.concatenate([target, np.zeros(shape[0])])
