"""The rough offset of each node, by votes: each pair of points that run the same way votes for its offset.

The points of one straight crack vote for every offset along it. Cracks of several directions agree only in
the true one. Legend: K nodes, A anchors (points of the older year), D x D bins of 50 mm.
"""

import numpy as np
from scipy.ndimage import gaussian_filter
from scipy.spatial import cKDTree

from crackpipe.pipeline.compare.flat.lines import Samples, dot
from crackpipe.pipeline.geometry.arrays import Floats, Ints

_BIN_M = 0.05
_SAME_WAY = np.cos(np.radians(8.0))
_ANCHORS_AT_ONCE = 5_000
# A node hears its neighbours so far off, and then trusts what they agree on by so much.
_HEARS_M = 60.0
_TRUST_M = 0.2


def rough_offsets(nodes: Floats, anchors: Samples, node: Ints, newer: Samples, within_m: float) -> Floats:
    """Offsets (K, 2) in metres, of nodes (K, 2), up to `within_m` in each axis.

    `node` (A,) is the node of each anchor; `newer` are points of the newer year, some 50 mm apart.
    """
    votes = _votes(len(nodes), anchors, node, newer, within_m)
    size = votes.shape[1]
    middle = np.asarray((np.arange(size) + 0.5) * _BIN_M - within_m, np.float64)
    smooth = gaussian_filter(votes, (0, 1, 1), mode="constant")
    # what a node and those around it say together
    apart = np.hypot(*(nodes[:, None] - nodes[None]).transpose(2, 0, 1))
    heard = np.exp(-((apart / _HEARS_M) ** 2) / 2)
    together = (heard @ smooth.reshape(len(nodes), -1)).reshape(smooth.shape)
    agreed = _highest(gaussian_filter(together, (0, 1, 1), mode="constant"), middle)
    # what it says itself, near that
    nearness = [np.exp(-(((middle - agreed[:, axis : axis + 1]) / _TRUST_M) ** 2) / 2) for axis in (0, 1)]
    own = _highest(smooth * nearness[1][:, :, None] * nearness[0][:, None, :], middle)
    silent = smooth.reshape(len(nodes), -1).max(axis=1) == 0
    return np.where(silent[:, None], agreed, own)


def _votes(count: int, anchors: Samples, node: Ints, newer: Samples, within_m: float) -> Floats:
    """Votes (K, D, D) by offset in y and x. Each anchor has one vote, divided among the pairs it is in."""
    size = int(np.ceil(2 * within_m / _BIN_M))
    votes = np.zeros(count * size * size)
    tree = cKDTree(newer.xy)
    for low in range(0, len(anchors.line), _ANCHORS_AT_ONCE):
        some = np.arange(low, min(low + _ANCHORS_AT_ONCE, len(anchors.line)))
        pairs = cKDTree(anchors.xy[some]).sparse_distance_matrix(tree, within_m, output_type="ndarray")
        anchor, other = some[pairs["i"]], pairs["j"]
        same_way = np.abs(dot(anchors.tangent[anchor], newer.tangent[other])) >= _SAME_WAY
        anchor, other = anchor[same_way], other[same_way]
        offset = newer.xy[other] - anchors.xy[anchor]
        bin_of = np.clip(np.floor((offset + within_m) / _BIN_M).astype(np.int64), 0, size - 1)
        share = 1.0 / np.bincount(anchor, minlength=len(anchors.line))[anchor]
        key = (node[anchor] * size + bin_of[:, 1]) * size + bin_of[:, 0]
        votes += np.bincount(key, share, minlength=len(votes))
    return votes.reshape(count, size, size)


def _highest(votes: Floats, middle: Floats) -> Floats:
    """Offset (K, 2) (x, y) of the fullest bin of each node."""
    best = votes.reshape(len(votes), -1).argmax(axis=1)
    return np.column_stack([middle[best % len(middle)], middle[best // len(middle)]])
