"""From skeleton pixels to a graph of nodes and paths.

Legend
    P       skeleton pixels
    S       samples: the P pixels, then one per junction, then what bridges add
    sample  a place on a line with its position, half width and probability; known by its index
    node    a sample where paths end: a free end (the pixel itself), a junction (its centroid), or one
            sample of a ring, which has no other
    path    the samples from one node to another, both included

Pixels are 8-neighbours, but a diagonal step is left out where a corner pixel joins the two anyway: so a
staircase is a line and not a chain of triangles. Pixels that still have three neighbours or more form
clusters, and each cluster is one junction. Finding neighbours, clusters and the order of pixels along a
path is array work; only paths are handled one by one.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse import csgraph

from crackpipe.pipeline.geometry.arrays import Floats, Ints
from crackpipe.pipeline.geometry.polyline import length_of
from crackpipe.pipeline.masks.values import CERTAIN
from crackpipe.pipeline.trace.skeleton import Skeleton


@dataclass(kw_only=True)
class Samples:
    """Places on lines. Grows by `extend` only, so indices stay valid."""

    position: Floats
    """(S, 2) (row, col), centre of pixel (i, j) at (i, j)."""
    half_width_px: Floats
    """(S,) from the line to the edge of the mask; at a junction the largest of its pixels."""
    probability: Floats
    """(S,) 0..1."""
    bridged: NDArray[np.bool_]
    """(S,) true where the mask has a gap."""

    def extend(self, more: "Samples") -> Ints:
        """Append samples; returns their indices."""
        first = len(self.position)
        self.position = np.concatenate([self.position, more.position])
        self.half_width_px = np.concatenate([self.half_width_px, more.half_width_px])
        self.probability = np.concatenate([self.probability, more.probability])
        self.bridged = np.concatenate([self.bridged, more.bridged])
        return np.arange(first, len(self.position))


@dataclass
class Graph:
    """Paths between nodes, to be cleaned in place. Path ids only grow, so their order is reproducible."""

    samples: Samples
    paths: dict[int, Ints] = field(default_factory=dict)
    """Path id -> samples from its first node to its last."""
    length_px: dict[int, float] = field(default_factory=dict)
    """Path id -> length through its samples."""
    at_node: dict[int, list[int]] = field(default_factory=dict)
    """Node -> ids of the paths that end there; a path that starts and ends there stands twice."""
    _next_id: int = 0

    def add(self, path: Ints, length_px: float | None = None) -> int:
        """Add a path; returns its id."""
        path_id, self._next_id = self._next_id, self._next_id + 1
        self.paths[path_id] = path
        self.length_px[path_id] = self._length_px(path) if length_px is None else length_px
        for node in self.nodes(path_id):
            self.at_node.setdefault(node, []).append(path_id)
        return path_id

    def remove(self, path_id: int) -> None:
        """Remove a path, and its nodes if nothing else ends there."""
        for node in self.nodes(path_id):
            self.at_node[node].remove(path_id)
            if not self.at_node[node]:
                del self.at_node[node]
        del self.paths[path_id], self.length_px[path_id]

    def nodes(self, path_id: int) -> tuple[int, int]:
        """First and last node of a path."""
        path = self.paths[path_id]
        return int(path[0]), int(path[-1])

    def degree(self, node: int) -> int:
        """Number of path ends at a node."""
        return len(self.at_node.get(node, ()))

    def is_free(self, node: int) -> bool:
        """Whether a line just ends at this node."""
        return self.degree(node) == 1

    def is_junction(self, node: int) -> bool:
        """Whether three path ends or more meet at this node."""
        return self.degree(node) >= 3

    def is_ring(self, path_id: int) -> bool:
        """Whether a path closes upon itself and touches no other."""
        first, last = self.nodes(path_id)
        return first == last and self.degree(first) == 2

    def from_node(self, path_id: int, node: int) -> Ints:
        """The path's samples, seen from one of its nodes."""
        path = self.paths[path_id]
        return path if path[0] == node else path[::-1]

    def dissolve(self, node: int) -> int | None:
        """Join the two paths that meet at a node of degree 2; returns the new id, None for other nodes."""
        ids = self.at_node.get(node, [])
        if len(ids) != 2 or ids[0] == ids[1]:
            return None
        before, after = sorted(ids)
        path = np.concatenate([self.from_node(before, node)[::-1], self.from_node(after, node)[1:]])
        length_px = self.length_px[before] + self.length_px[after]
        self.remove(before)
        self.remove(after)
        return self.add(path, length_px)

    def move_ends(self, node: int, to_node: int) -> None:
        """Make all paths that end at `node` end at `to_node` instead."""
        for path_id in dict.fromkeys(self.at_node[node]):
            path = self.paths[path_id].copy()
            path[[0, -1]] = np.where(path[[0, -1]] == node, to_node, path[[0, -1]])
            self.remove(path_id)
            self.add(path)

    def measure_again(self, node: int) -> None:
        """Correct the lengths of the paths at a node that has moved."""
        for path_id in self.at_node[node]:
            self.length_px[path_id] = self._length_px(self.paths[path_id])

    def _length_px(self, path: Ints) -> float:
        return length_of(self.samples.position[path])


def graph_of(skeleton: Skeleton) -> Graph:
    """The graph of all skeleton pixels of an image. A pixel without neighbours is no line."""
    links = _links(skeleton.pixels)
    degree = np.bincount(links.reshape(-1), minlength=len(skeleton.pixels))
    cluster, junctions = _clusters(links, degree >= 3)
    graph = Graph(_samples(skeleton, cluster, junctions))
    for path in _paths(links, cluster):
        if len(path) > 1:
            graph.add(path)
    return graph


def _links(pixels: Ints) -> Ints:
    """Pairs of linked pixels as indices, (L, 2), the smaller first; `pixels` (P, 2) sorted."""
    if len(pixels) == 0:
        return np.zeros((0, 2), np.int64)
    stride = int(pixels[:, 1].max()) + 2  # so wide that no step leads into another row's pixels
    key = pixels[:, 0] * stride + pixels[:, 1]

    def at(row: int, col: int) -> tuple[NDArray[np.bool_], Ints]:
        """Is there a pixel at this step, and which?"""
        wanted = key + row * stride + col
        index = np.minimum(np.searchsorted(key, wanted), len(key) - 1)
        return key[index] == wanted, index

    west, _ = at(0, -1)
    (east, to_east), (south, to_south) = at(0, 1), at(1, 0)
    (south_east, to_south_east), (south_west, to_south_west) = at(1, 1), at(1, -1)
    steps = [
        (east, to_east),
        (south, to_south),
        (south_east & ~east & ~south, to_south_east),
        (south_west & ~west & ~south, to_south_west),
    ]
    own = np.arange(len(key))
    return np.concatenate([np.column_stack([own[there], to[there]]) for there, to in steps])


def _clusters(links: Ints, is_junction: NDArray[np.bool_]) -> tuple[Ints, int]:
    """Number the clusters of junction pixels: (P,) with -1 elsewhere, and how many there are."""
    cluster = np.full(len(is_junction), -1, np.int64)
    within = links[is_junction[links].all(axis=1)]
    _, label = csgraph.connected_components(_matrix(within, len(is_junction)), directed=False)
    names, cluster[is_junction] = np.unique(label[is_junction], return_inverse=True)
    return cluster, len(names)


def _matrix(links: Ints, count: int) -> sparse.csr_array:
    return sparse.csr_array((np.ones(len(links), np.int8), (links[:, 0], links[:, 1])), shape=(count, count))


def _samples(skeleton: Skeleton, cluster: Ints, junctions: int) -> Samples:
    """One sample per pixel, and one per junction."""
    position = skeleton.pixels.astype(np.float64) + skeleton.offset_px
    half_width = skeleton.half_width_px.astype(np.float64)
    probability = skeleton.probability / CERTAIN
    member = np.flatnonzero(cluster >= 0)
    of = cluster[member]
    size = np.bincount(of, minlength=junctions)

    def mean(values: Floats) -> Floats:
        return np.asarray(np.bincount(of, values[member], minlength=junctions) / size)

    widest = np.zeros(junctions)
    np.maximum.at(widest, of, half_width[member])
    centroid = np.column_stack([mean(position[:, 0]), mean(position[:, 1])])
    return Samples(
        position=np.concatenate([position, centroid]),
        half_width_px=np.concatenate([half_width, widest]),
        probability=np.concatenate([probability, mean(probability)]),
        bridged=np.zeros(len(position) + junctions, np.bool_),
    )


def _paths(links: Ints, cluster: Ints) -> Iterator[Ints]:
    """All paths: the chains of pixels with at most two neighbours, with the junctions at their ends.

    Strategy: the pixels of all chains are put in order at once. Rings are cut open, so that every chain has
    two ends. Then the end of each chain is linked to the start of the next, which makes one long rope of all
    of them. A breadth-first walk from one end of the rope meets its pixels in order; where the number of the
    chain changes, the next path begins.
    """
    count = len(cluster)
    is_chain = cluster < 0
    if not is_chain.any():
        return
    # number the chains, by the links between their pixels
    inner = links[is_chain[links].all(axis=1)]
    _, chain = csgraph.connected_components(_matrix(inner, count), directed=False)
    inner, is_ring_head = _cut_rings(inner, chain)
    # find both ends of each chain, (chains, 2)
    neighbours = np.bincount(inner.reshape(-1), minlength=count)
    last = np.flatnonzero(is_chain & (neighbours <= 1))
    last = np.repeat(last, 2 - neighbours[last])  # a chain of a single pixel has it as both ends
    ends = last[np.argsort(chain[last], kind="stable")].reshape(-1, 2)
    # tie the chains to one rope, and walk along it
    rope = np.concatenate([inner, np.column_stack([ends[:-1, 1], ends[1:, 0]])])
    order = csgraph.breadth_first_order(
        _matrix(rope, count), int(ends[0, 0]), directed=False, return_predecessors=False
    ).astype(np.int64)
    # split the walk into chains, and put the junctions at their ends
    junctions = _junctions_beside(links, cluster)
    for pixels in np.split(order, np.flatnonzero(np.diff(chain[order])) + 1):
        if is_ring_head[pixels[0]]:
            yield np.append(pixels, pixels[0])
            continue
        head, tail = junctions[pixels[0], 0], junctions[pixels[-1], 1 if len(pixels) == 1 else 0]
        path = np.concatenate([[head], pixels, [tail]])
        yield path[path >= 0]


def _cut_rings(inner: Ints, chain: Ints) -> tuple[Ints, NDArray[np.bool_]]:
    """Take one link out of every ring, at its first pixel; also says which pixels those are, bool (P,)."""
    is_ring = np.bincount(chain[inner[:, 0]], minlength=len(chain)) == np.bincount(
        chain, minlength=len(chain)
    )
    names, first = np.unique(chain, return_index=True)
    is_head = np.zeros(len(chain), np.bool_)
    is_head[first[is_ring[names]]] = True
    inner = inner[np.lexsort((inner[:, 1], inner[:, 0]))]
    # a head is the smaller pixel of both its links: drop the second
    second = np.append(False, inner[1:, 0] == inner[:-1, 0])
    return inner[~(second & is_head[inner[:, 0]])], is_head


def _junctions_beside(links: Ints, cluster: Ints) -> Ints:
    """The junctions linked to each chain pixel, as samples, int64 (P, 2); -1 for none."""
    both_ways = np.concatenate([links, links[:, ::-1]])
    pairs = both_ways[(cluster[both_ways[:, 0]] < 0) & (cluster[both_ways[:, 1]] >= 0)]
    pairs = pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]
    second = np.append(False, pairs[1:, 0] == pairs[:-1, 0])[: len(pairs)].astype(np.int64)
    beside = np.full((len(cluster), 2), -1, np.int64)
    beside[pairs[:, 0], second] = len(cluster) + cluster[pairs[:, 1]]
    return beside
