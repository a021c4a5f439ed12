"""Lines of neighbouring images: what both have is counted once, and what runs on is connected.

    own_ground   each image keeps its lines where it sees the ground best, and a little beyond
    doubles      where lines of several images then lie side by side, one of them is kept
    here         networks that belong together are connected

Networks are connected for two reasons. First, a line that was dropped beside another is the same crack, so
the networks of the two are one. Second, two ends of different images may point at each other within the
tolerance. There a crack leaves one image and goes on in the next, even if the two images do not overlap. Each
end is connected with at most one other.
"""

from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse import csgraph

from crackpipe.pipeline.geometry.arrays import Floats, Geometries, Ints
from crackpipe.pipeline.tables.overlaps.doubles import pairs_near, without_doubles
from crackpipe.pipeline.tables.overlaps.own_ground import own_parts
from crackpipe.pipeline.tables.overlaps.parts import Parts, cut
from crackpipe.pipeline.tables.overlaps.plane import Areas

# Two ends may be connected if they bend by at most 45 degrees from one line into the other.
_AGREE = float(np.cos(np.radians(45.0)))
# The direction of an end is taken over this length.
_DIRECTION_PX = 30.0
# Ends of lines that meet in a node differ by no more than this, which is the rounding of their CRS.
_SAME_PX = 0.01


@dataclass(frozen=True)
class Joined:
    """What remains of the lines, and which networks are one."""

    parts: Parts
    network: Ints
    """(W,) for each network the first of those that it is connected with, which may be itself."""
    nodes: Ints
    """(K, 2) numbers of the nodes at the start and the end of each part. Ends that meet have equal numbers,
    also if they are of different images."""


def join(lines: Geometries, image: Ints, network: Ints, areas: Areas) -> Joined:
    """Cut lines (L,) so that each piece of crack is counted once, and connect what belongs together.

    `lines` are LineStrings in the plane, sorted by `image` (L,), an index into `areas` in the order of
    image_id; `network` (L,) numbers the networks of all images in the order of their first lines.
    """
    kept = own_parts(lines, image, areas)
    node = _nodes(lines, image, areas)
    free = np.bincount(node.ravel())[node] == 1
    parts, same = without_doubles(lines, kept, image, free, areas)
    links = _links(lines, parts, image, free, areas)
    pairs = np.concatenate([network[same], network[parts.line[links[:, :, 0]]]])
    count = int(network.max()) + 1 if len(network) else 0
    graph = sparse.csr_array((np.ones(len(pairs)), tuple(pairs.T)), shape=(count, count))
    label = csgraph.connected_components(graph, directed=False)[1]
    # Labels come in the order of the components' first members, so `unique` finds the first network of each.
    first = np.unique(label, return_index=True)[1][label].astype(np.int64)
    return Joined(parts, first, _linked_nodes(node, parts, shapely.length(lines), links))


def _nodes(lines: Geometries, image: Ints, areas: Areas) -> Ints:
    """Numbers of the nodes where lines start and end, (L, 2). Lines of one image that meet share a number."""
    ends = np.stack([shapely.get_coordinates(shapely.get_point(lines, at)) for at in (0, -1)], axis=1)
    place = np.round(ends / (_SAME_PX * areas.pixel[image])[:, None, None]).astype(np.int64)
    keys = np.column_stack([np.repeat(image, 2), place.reshape(-1, 2)])
    return np.unique(keys, axis=0, return_inverse=True)[1].reshape(-1, 2).astype(np.int64)


def _linked_nodes(node: Ints, parts: Parts, length: Floats, links: Ints) -> Ints:
    """Numbers of the nodes at the ends of parts, (K, 2).

    An end that is no cut keeps the node of its line. A cut gets a new node. The two nodes of a link become
    one.
    """
    nodes = node[parts.line]
    at_cut = parts.at_cut(length)
    fresh = int(node.max(initial=-1)) + 1
    nodes[at_cut] = fresh + np.arange(np.count_nonzero(at_cut))
    pairs = nodes[links[:, :, 0], links[:, :, 1]]
    count = fresh + np.count_nonzero(at_cut)
    graph = sparse.csr_array((np.ones(len(pairs)), tuple(pairs.T)), shape=(count, count))
    return np.asarray(csgraph.connected_components(graph, directed=False)[1][nodes], dtype=np.int64)


# ---- ends that go on in another image


def _links(lines: Geometries, parts: Parts, image: Ints, free: NDArray[np.bool_], areas: Areas) -> Ints:
    """Pairs of ends that point at each other, (M, 2, 2): (part, 0 or 1) of both ends.

    Each end occurs once at most. Strategy: ends that may go on in another image are cuts, and free ends at
    the border of their image. Pairs of these within the tolerance are kept if they point against each other.
    The pairs are then taken from the nearest to the farthest, and a pair is passed over if one of its ends is
    taken already.
    """
    length = shapely.length(lines)
    cuts = cut(lines, parts, length)
    own = image[parts.line]
    at_cut = parts.at_cut(length)
    ends = np.column_stack([shapely.get_point(cuts, at) for at in (0, -1)])
    at_border = shapely.distance(areas.borders[own][:, None], ends) <= areas.tolerance[own][:, None]
    part, side = np.nonzero(at_cut | (free[parts.line] & at_border))
    if len(part) == 0:
        return np.zeros((0, 2, 2), np.int64)
    points, own = ends[part, side], own[part]
    outwards = _outwards(cuts[part], side, _DIRECTION_PX * areas.pixel[own])
    first, second = pairs_near(points, areas.tolerance[own], own)
    agree = (outwards[first] * outwards[second]).sum(axis=1) <= -_AGREE
    first, second = first[agree], second[agree]
    order = np.lexsort((second, first, shapely.distance(points[first], points[second])))
    taken: set[int] = set()
    links = []
    for one, other in zip(first[order].tolist(), second[order].tolist(), strict=True):
        if one not in taken and other not in taken:
            taken |= {one, other}
            links.append([[part[one], side[one]], [part[other], side[other]]])
    return np.array(links, dtype=np.int64).reshape(-1, 2, 2)


def _outwards(cuts: Geometries, side: Ints, over: Floats) -> Floats:
    """Unit vectors (M, 2) that point out of the start (side 0) or end (1) of lines."""
    length = shapely.length(cuts)
    tip = shapely.get_coordinates(shapely.get_point(cuts, -side))
    back = np.where(side == 0, np.minimum(over, length), np.maximum(length - over, 0.0))
    vector = tip - shapely.get_coordinates(shapely.line_interpolate_point(cuts, back))
    size = np.hypot(vector[:, 0], vector[:, 1])
    return np.asarray(vector / np.where(size > 0, size, 1.0)[:, None])
