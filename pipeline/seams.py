"""Lines of neighbouring images: what both have is counted once, and what runs on is connected.

Each image's lines go on for half a tolerance into its neighbour's ground (`overlaps`). There both have the
same crack, side by side as far as the images lie off each other. The image that comes first by image_id keeps
it; a line of a later one is dropped where a line of an earlier one runs beside it within the tolerance: so
far as its own perpendiculars meet the other. It therefore goes on exactly where the other ends, and its
length counts once however the images are shifted, along the crack or across.

Whatever was dropped beside a line is the same crack: their networks are connected. So are two ends of
different images that point at each other within the tolerance, each with one other: there a line ends at the
border of its image and goes on in the next, which may not overlap at all.
"""

from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse import csgraph

from crackpipe.pipeline.overlaps import Parts, own_parts
from crackpipe.pipeline.plane import Areas, Floats, Geometries

Ints = NDArray[np.int64]

# A stretch of one line within the tolerance of another runs along it if it is this many tolerances long, or
# if it moves along the other by this share of its own length (45 degrees).
_SURELY_ALONG = 3.0
_ALONG_SHARE = 0.7
# Parts shorter than this say nothing; nor do they point anywhere.
_LEAST_PART_PX = 3.0
# Two ends go on in each other where their directions differ by at most 45 degrees.
_AGREE = float(np.cos(np.radians(45.0)))
# The direction of an end is taken over this length.
_DIRECTION_PX = 30.0
# Ends of lines that meet in a node are equal but for the rounding of their CRS.
_SAME_PX = 0.01


@dataclass(frozen=True)
class Joined:
    """What remains of lines, and which networks are one."""

    parts: Parts
    network: Ints
    """(W,) for each network the first one that it is connected with."""
    nodes: Ints
    """(K, 2) numbers of the nodes at the start and the end of each part: equal where ends meet, also in
    another image."""


def join(lines: Geometries, image: Ints, network: Ints, areas: Areas) -> Joined:
    """Cut lines (L,) so that each piece of crack is counted once, and connect what belongs together.

    `lines` are LineStrings in the plane, sorted by `image` (L,), an index into `areas` in the order of
    image_id; `network` (L,) numbers the networks of all images in the order of their first lines.
    """
    kept = own_parts(lines, image, areas)
    node = _nodes(lines, image, areas)
    free = np.bincount(node.ravel())[node] == 1
    parts, same = _without_doubles(lines, kept, image, free, areas)
    links = _links(lines, parts, image, free, areas)
    pairs = np.concatenate([network[same], network[parts.line[links[:, :, 0]]]])
    count = int(network.max()) + 1 if len(network) else 0
    graph = sparse.csr_array((np.ones(len(pairs)), tuple(pairs.T)), shape=(count, count))
    label = csgraph.connected_components(graph, directed=False)[1]
    # labels come in the order of the components' first members
    first = np.unique(label, return_index=True)[1][label].astype(np.int64)
    return Joined(parts, first, _linked_nodes(node, parts, shapely.length(lines), links))


def cut(lines: Geometries, parts: Parts, length: Floats) -> Geometries:
    """The parts of lines as LineStrings (K,); `length` (L,) of the whole lines."""
    cuts = lines[parts.line].copy()
    for index in np.flatnonzero((parts.start > 0) | (parts.stop < length[parts.line])):
        cuts[index] = _substring(cuts[index], parts.start[index], parts.stop[index])
    return cuts


def _substring(line: shapely.LineString, start: float, stop: float) -> shapely.LineString:
    xy = shapely.get_coordinates(line)
    arc = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(xy, axis=0).T))])
    # an end that meets a vertex to rounding becomes that vertex
    close = 1e-9 * arc[-1]
    ends = np.column_stack([np.interp([start, stop], arc, xy[:, axis]) for axis in (0, 1)])
    if start <= close:
        ends[0] = xy[0]
    if stop >= arc[-1] - close:
        ends[1] = xy[-1]
    between = xy[(arc > start + close) & (arc < stop - close)]
    return shapely.LineString(np.concatenate([ends[:1], between, ends[1:]]))


def _nodes(lines: Geometries, image: Ints, areas: Areas) -> Ints:
    """Numbers of the places where lines start and end, (L, 2): the same where lines of one image meet."""
    ends = np.stack([shapely.get_coordinates(shapely.get_point(lines, at)) for at in (0, -1)], axis=1)
    place = np.round(ends / (_SAME_PX * areas.pixel[image])[:, None, None]).astype(np.int64)
    keys = np.column_stack([np.repeat(image, 2), place.reshape(-1, 2)])
    return np.unique(keys, axis=0, return_inverse=True)[1].reshape(-1, 2).astype(np.int64)


def _linked_nodes(node: Ints, parts: Parts, length: Floats, links: Ints) -> Ints:
    """Nodes at the ends of parts (K, 2): those of the lines, new ones where these were cut, links united."""
    nodes = node[parts.line]
    at_cut = np.column_stack([parts.start > 0, parts.stop < length[parts.line]])
    fresh = int(node.max(initial=-1)) + 1
    nodes[at_cut] = fresh + np.arange(np.count_nonzero(at_cut))
    pairs = nodes[links[:, :, 0], links[:, :, 1]]
    count = fresh + np.count_nonzero(at_cut)
    graph = sparse.csr_array((np.ones(len(pairs)), tuple(pairs.T)), shape=(count, count))
    return np.asarray(csgraph.connected_components(graph, directed=False)[1][nodes], dtype=np.int64)


# ---- what two images have is counted once


def _without_doubles(
    lines: Geometries, kept: Parts, image: Ints, free: NDArray[np.bool_], areas: Areas
) -> tuple[Parts, Ints]:
    """The parts without what lines of earlier images run beside, and pairs of lines (M, 2) that did."""
    length = shapely.length(lines)
    tolerance = areas.tolerance[image[kept.line]]
    cuts = cut(lines, kept, length)
    own = image[kept.line]
    later, earlier = _pairs_near(cuts, tolerance, own)
    swap = own[later] < own[earlier]
    later, earlier = np.where(swap, earlier, later), np.where(swap, later, earlier)
    pair, low, high = _stretches_beside(
        cuts, later, earlier, np.maximum(tolerance[later], tolerance[earlier])
    )
    same = np.column_stack([kept.line[later[pair]], kept.line[earlier[pair]]])
    order = np.lexsort((high, low, later[pair]))
    at, low, high = later[pair][order], low[order], high[order]
    lost = np.unique(at)
    untouched = np.ones(len(kept.line), np.bool_)
    untouched[lost] = False
    rest = [
        (index, kept.start[index] + start, kept.start[index] + stop)
        for index, first, last in zip(
            lost.tolist(), np.searchsorted(at, lost), np.searchsorted(at, lost, side="right"), strict=True
        )
        for start, stop in _gaps(
            low[first:last],
            high[first:last],
            kept.stop[index] - kept.start[index],
            tolerance=float(tolerance[index]),
            least=float(_LEAST_PART_PX * areas.pixel[own[index]]),
            loose=_loose_ends(kept, index, free, length),
        )
    ]
    index = np.concatenate([np.flatnonzero(untouched), np.array([each[0] for each in rest], np.int64)])
    start = np.concatenate([kept.start[untouched], [each[1] for each in rest]])
    stop = np.concatenate([kept.stop[untouched], [each[2] for each in rest]])
    order = np.lexsort((start, kept.line[index]))
    parts = Parts(kept.line[index][order], start[order], stop[order])
    whole = (parts.start == 0) & (parts.stop == length[parts.line])
    long_enough = parts.stop - parts.start >= _LEAST_PART_PX * areas.pixel[image[parts.line]]
    return parts.take(np.flatnonzero(whole | long_enough)), same


def _loose_ends(kept: Parts, index: int, free: NDArray[np.bool_], length: Floats) -> tuple[bool, bool]:
    """Whether a part's start and end go on in nothing else of its image."""
    line = kept.line[index]
    return (
        bool(free[line, 0] or kept.start[index] > 0),
        bool(free[line, 1] or kept.stop[index] < length[line]),
    )


def _pairs_near(cuts: Geometries, tolerance: Floats, image: Ints) -> tuple[Ints, Ints]:
    """Pairs of parts of different images that come within the larger of their tolerances, each once."""
    first, second = shapely.STRtree(cuts).query(cuts, predicate="dwithin", distance=tolerance)
    others = image[first] != image[second]
    pairs = np.unique(np.sort(np.column_stack([first[others], second[others]]), axis=1), axis=0)
    return pairs[:, 0], pairs[:, 1]


def _stretches_beside(
    cuts: Geometries, later: Ints, earlier: Ints, reach: Floats
) -> tuple[Ints, Floats, Floats]:
    """Where the later part of each pair runs along the earlier one: (pair, from, to) along the later."""
    # flat ends: as far as perpendiculars of the earlier line reach
    zones = shapely.buffer(cuts[earlier], reach, cap_style="flat", quad_segs=4)
    beside, pair = shapely.get_parts(shapely.intersection(cuts[later], zones), return_index=True)
    lines = shapely.get_type_id(beside) == shapely.GeometryType.LINESTRING
    beside, pair = beside[lines], pair[lines]
    size = shapely.length(beside)
    ends = [shapely.get_point(beside, at) for at in (0, -1)]
    low, high = (shapely.line_locate_point(cuts[later[pair]], end) for end in ends)
    # a ring's stretch may run over its first vertex
    wrapped = high < low
    high = np.where(wrapped, low + size, high)
    moved = np.abs(np.subtract(*(shapely.line_locate_point(cuts[earlier[pair]], end) for end in ends)))
    along = (size > _SURELY_ALONG * reach[pair]) | (moved >= _ALONG_SHARE * size)
    along &= size > 0
    return pair[along], low[along], high[along]


def _gaps(
    low: Floats, high: Floats, length: float, *, tolerance: float, least: float, loose: tuple[bool, bool]
) -> list[tuple[float, float]]:
    """What (low, high), sorted by low, leave of 0 to length.

    Bends of the other line leave wedges: gaps between two stretches shorter than the tolerance count as
    covered, and so does what sticks out at a loose end.
    """
    gaps: list[tuple[float, float]] = []
    reached = 0.0
    for start, stop in [*zip(low.tolist(), high.tolist(), strict=True), (length, length)]:
        if start > reached:
            inner = reached > 0 and start < length
            sticks_out = (reached == 0 and loose[0]) or (start == length and loose[1])
            if start - reached > (tolerance if inner or sticks_out else least):
                gaps.append((reached, start))
        reached = max(reached, stop)
    return gaps


# ---- ends that go on in another image


def _links(lines: Geometries, parts: Parts, image: Ints, free: NDArray[np.bool_], areas: Areas) -> Ints:
    """Pairs of ends that point at each other, (M, 2, 2): (part, 0 or 1) of both; each end once."""
    length = shapely.length(lines)
    cuts = cut(lines, parts, length)
    own = image[parts.line]
    at_cut = np.column_stack([parts.start > 0, parts.stop < length[parts.line]])
    ends = np.column_stack([shapely.get_point(cuts, at) for at in (0, -1)])
    at_border = shapely.distance(areas.borders[own][:, None], ends) <= areas.tolerance[own][:, None]
    part, side = np.nonzero(at_cut | (free[parts.line] & at_border))
    if len(part) == 0:
        return np.zeros((0, 2, 2), np.int64)
    points, own = ends[part, side], own[part]
    outwards = _outwards(cuts[part], side, _DIRECTION_PX * areas.pixel[own])
    first, second = _pairs_near(points, areas.tolerance[own], own)
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
