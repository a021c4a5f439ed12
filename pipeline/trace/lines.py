"""Room 4: from masks to lines in the pixel frame.

    skeleton_of_block    each block of mask and probability -> its skeleton pixels   (skeleton.py)
    join                 all blocks of an image -> one skeleton
    trace_lines          skeleton -> graph -> clean -> bridge gaps -> lines

Up to `join` the work is cut into blocks. From there on an image is one sparse graph. So no line is broken or
doubled where two blocks meet.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse import csgraph

from crackpipe.pipeline.geometry.arrays import Floats
from crackpipe.pipeline.geometry.polyline import length_of
from crackpipe.pipeline.trace.cleaning import clean
from crackpipe.pipeline.trace.corridors import ReadProbability
from crackpipe.pipeline.trace.ends import LEAST_TANGENT_PX, End, farthest_reach_px, straighten_ends
from crackpipe.pipeline.trace.gaps import bridge_gaps
from crackpipe.pipeline.trace.graph import Graph, graph_of
from crackpipe.pipeline.trace.skeleton import Skeleton
from crackpipe.pipeline.trace.smoothing import Drawn, draw, simplify


@dataclass(frozen=True, kw_only=True)
class TraceOptions:
    """What is taken for a line, in pixels of the image. The values come from the configuration."""

    spur_px: float
    """Spurs shorter than this are pruned."""
    spur_widths: float
    """Spurs shorter than so many local widths are pruned too."""
    gap_px: float
    """Gaps up to this length are bridged."""
    gap_angle_deg: float
    """A gap is bridged only if tangents and chord agree within this angle."""
    simplify_px: float
    """Vertices are left out if that moves the line by at most this."""
    min_length_px: float
    """Networks shorter than this in total are dropped."""


@dataclass(frozen=True, kw_only=True)
class Line:
    """One crack between two nodes, in pixels."""

    vertices: NDArray[np.float64]
    """(V, 2) (row, col), centre of pixel (i, j) at (i, j); V >= 2. The first vertex is the lesser end by
    (row, col). A closed line repeats its first vertex at the end."""
    vertex_half_width_px: NDArray[np.float64]
    """(V,) from the line to the edge of the mask."""
    network: int
    """Number of its network, from 0 in the order of the networks' first vertices.

    Connected lines share it.
    """
    start_node: int
    """Number of the node at its start, from 0 within the image. Lines that meet at a junction share it."""
    end_node: int
    """Number of the node at its end. It equals `start_node` if the line is closed."""
    start_free: bool
    """Whether no other line meets this end."""
    end_free: bool
    confidence: float
    """Mean probability along the line, 0..1."""
    half_width_px: float
    """Mean along the line. This is a first guess, because a mask measures a width poorly."""
    bridged_px: float
    """Length where the mask had a gap."""
    mask_value: int = 1
    """Value of its class in the mask."""


def trace_lines(
    skeleton: Skeleton, read_probability: ReadProbability, shape: tuple[int, int], options: TraceOptions
) -> list[Line]:
    """The lines of an image of `shape` (H, W) from its whole skeleton, sorted by network and position.

    `read_probability` gives uint8 round(254 p), 255 not inspected, of a window inside the image; only the
    surroundings of gaps are read. The result does not depend on how the skeleton was cut into blocks.
    """
    graph = graph_of(skeleton)
    clean(graph, shape, spur_px=options.spur_px, spur_widths=options.spur_widths)
    _drop_specks(graph, options.min_length_px)
    ends = straighten_ends(graph, shape)
    if options.gap_px > 0:
        bridge_gaps(
            graph,
            ends,
            read_probability,
            shape,
            gap_px=options.gap_px,
            gap_angle_deg=options.gap_angle_deg,
        )
    networks = _long_networks(graph, ends, options.min_length_px)
    drawn = simplify([draw(graph, path_id, ends, shape) for path_id in networks], options.simplify_px)
    lines = [_line(graph, path_id, line) for path_id, line in zip(networks, drawn, strict=True)]
    return _in_order(lines, list(networks.values()), options.min_length_px)


def _line(graph: Graph, path_id: int, drawn: Drawn) -> Line:
    """A line that starts at its lesser end by (row, col). Network and nodes are still those of the graph."""
    path = graph.paths[path_id]
    first, last = graph.nodes(path_id)
    vertices, half_width = drawn.points, drawn.half_width_px
    if graph.is_ring(path_id):
        vertices, half_width = _from_least_vertex(vertices, half_width)
    forward = [tuple(vertex) for vertex in vertices.tolist()]
    if forward[::-1] < forward:
        first, last = last, first
        vertices, half_width = vertices[::-1], half_width[::-1]
    return Line(
        vertices=np.ascontiguousarray(vertices),
        vertex_half_width_px=np.ascontiguousarray(half_width),
        network=-1,
        start_node=first,
        end_node=last,
        start_free=graph.is_free(first),
        end_free=graph.is_free(last),
        confidence=float(graph.samples.probability[path].mean()),
        half_width_px=float(graph.samples.half_width_px[path].mean()),
        bridged_px=drawn.bridged_px,
    )


def _from_least_vertex(vertices: Floats, half_width: Floats) -> tuple[Floats, Floats]:
    """Turn a ring (V, 2) so that it starts and ends at its least vertex by (row, col)."""
    start = int(np.lexsort((vertices[:-1, 1], vertices[:-1, 0]))[0])
    turned = np.append(np.roll(np.arange(len(vertices) - 1), -start), start)
    return vertices[turned], half_width[turned]


def _drop_specks(graph: Graph, min_length_px: float) -> None:
    """Remove paths that will be dropped in any case, because each would cost as much time as a line.

    These are paths that meet no other path, are too short to have a direction, and are too short to be a
    network. Ragged masks have many of them.
    """
    for path_id in list(graph.paths):
        first, last = graph.nodes(path_id)
        length_px = graph.length_px[path_id]
        if length_px >= LEAST_TANGENT_PX or not (graph.is_free(first) and graph.is_free(last)):
            continue
        widest_px = float(graph.samples.half_width_px[graph.paths[path_id]].max())
        if length_px + 2 * farthest_reach_px(length_px, widest_px) < 0.5 * min_length_px:
            graph.remove(path_id)


def _long_networks(graph: Graph, ends: Mapping[int, End], min_length_px: float) -> dict[int, int]:
    """A label of its network for each path id. Networks far too short even before smoothing are left out."""
    if not graph.paths:
        return {}
    at_ends = np.array([graph.nodes(path_id) for path_id in graph.paths])
    nodes, index = np.unique(at_ends, return_inverse=True)
    links = sparse.csr_array((np.ones(len(at_ends)), tuple(index.reshape(-1, 2).T)), shape=(len(nodes),) * 2)
    _, of_node = csgraph.connected_components(links, directed=False)
    label = of_node[index.reshape(-1, 2)[:, 0]]
    reach_px = [sum(ends[node].reach_px for node in pair if node in ends) for pair in at_ends.tolist()]
    raw_px = np.bincount(label, np.array(list(graph.length_px.values())) + np.array(reach_px))
    long_enough = raw_px[label] >= 0.5 * min_length_px
    return {
        path_id: int(network)
        for path_id, network, keep in zip(graph.paths, label, long_enough, strict=True)
        if keep
    }


def _in_order(lines: list[Line], networks: list[int], min_length_px: float) -> list[Line]:
    """Drop short networks, sort the rest, and number networks and nodes as they come."""
    length_px = np.bincount(networks, [length_of(line.vertices) for line in lines]) if lines else np.zeros(0)
    first: dict[int, tuple[float, ...]] = {}
    for line, network in zip(lines, networks, strict=True):
        least = min(map(tuple, line.vertices.tolist()))
        first[network] = min(first.get(network, least), least)
    kept = [
        (first[network], network, line.vertices.tolist(), line)
        for line, network in zip(lines, networks, strict=True)
        if length_px[network] >= min_length_px and length_of(line.vertices) > 0
    ]
    kept.sort(key=lambda item: item[:3])
    network_number: dict[int, int] = {}
    node_number: dict[int, int] = {}
    return [
        replace(
            line,
            network=network_number.setdefault(network, len(network_number)),
            start_node=node_number.setdefault(line.start_node, len(node_number)),
            end_node=node_number.setdefault(line.end_node, len(node_number)),
        )
        for _, network, _, line in kept
    ]
