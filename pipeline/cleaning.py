"""Take away what thinning made of a ragged mask: spurs, holes and crossings in two pieces.

    spur       a path with one free end, shorter than `max(spur_px, spur_widths * local width)`
    hole       a loop or a pair of paths between the same nodes, every one of them shorter than that: they
               go around a few sound pixels inside one crack; the longest of them goes
    crossing   two junctions nearer than 1.5 local widths: thinning pulls an X apart into two Y; they become
               one junction, midway

Each removal can make others needless or possible (two prongs at the end of a line: without the shorter one
the longer is the line), so everything is done shortest first, one at a time, until nothing is left to do.
Ties are broken by position (row, col), which makes the result independent of how the graph was made.
"""

import heapq
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from crackpipe.pipeline.graph import Graph

# Two Y of one X: nearer than this many local widths, or pixels where lines are thin. Lines that cross at 60
# degrees and more become one junction; at smaller angles they do run together for a while.
_CROSSING_WIDTHS = 1.5
_CROSSING_PX = 4.0

# Order of paths: length, first and last position, id.
Rank = tuple[float, float, float, float, float, int]


@dataclass(frozen=True)
class _Limits:
    spur_px: float
    spur_widths: float

    def at(self, graph: Graph, node: int) -> float:
        """Paths at this node that are shorter than this, px, say nothing of their own."""
        width_px = 2 * float(graph.samples.half_width_px[node])
        return max(self.spur_px, self.spur_widths * width_px)


def clean(graph: Graph, *, spur_px: float, spur_widths: float) -> None:
    """Remove spurs and holes and unite crossings, in place, until none is left."""
    limits = _Limits(spur_px, spur_widths)
    while _prune(graph, limits) or _fill_holes(graph, limits) or _unite_crossings(graph):
        pass


def _rank(graph: Graph, path_id: int) -> Rank:
    nodes = graph.samples.position[list(graph.nodes(path_id))].tolist()
    first, last = sorted(map(tuple, nodes))
    return (graph.length_px[path_id], *first, *last, path_id)


def _shortest_first(graph: Graph, path_ids: Iterable[int]) -> Iterator[int]:
    """The paths in order of rank; those that were removed meanwhile are passed over."""
    heap = [_rank(graph, path_id) for path_id in path_ids]
    heapq.heapify(heap)
    while heap:
        path_id = heapq.heappop(heap)[-1]
        if path_id in graph.paths:
            yield path_id


def _prune(graph: Graph, limits: _Limits) -> int:
    """Remove spurs. A path that joins two others becomes longer, so no new spur can arise from it."""
    removed = 0
    spurs = [path_id for path_id in graph.paths if _root_of_spur(graph, path_id) is not None]
    for path_id in _shortest_first(graph, spurs):
        root = _root_of_spur(graph, path_id)
        if root is not None and graph.length_px[path_id] < limits.at(graph, root):
            graph.remove(path_id)
            graph.dissolve(root)
            removed += 1
    return removed


def _root_of_spur(graph: Graph, path_id: int) -> int | None:
    """The node where a path with exactly one free end branches off; None for all others."""
    first, last = graph.nodes(path_id)
    if graph.is_free(first) == graph.is_free(last):
        return None
    return last if graph.is_free(first) else first


def _fill_holes(graph: Graph, limits: _Limits) -> int:
    """Remove the longest path around each hole."""
    removed = 0
    between: dict[tuple[int, ...], list[int]] = {}
    for path_id in graph.paths:
        between.setdefault(tuple(sorted(graph.nodes(path_id))), []).append(path_id)
    around = [ids for (first, last), ids in between.items() if first == last or len(ids) > 1]
    for path_id in _shortest_first(graph, [path_id for ids in around for path_id in ids]):
        first, last = graph.nodes(path_id)
        limit = min(limits.at(graph, first), limits.at(graph, last))
        if graph.length_px[path_id] >= limit or graph.is_ring(path_id):
            continue
        if first == last or _has_shorter_twin(graph, path_id):
            graph.remove(path_id)
            for node in dict.fromkeys((first, last)):
                graph.dissolve(node)
            removed += 1
    return removed


def _has_shorter_twin(graph: Graph, path_id: int) -> bool:
    """Whether a path of lesser rank joins the same nodes."""
    rank, nodes = _rank(graph, path_id), sorted(graph.nodes(path_id))
    return any(
        sorted(graph.nodes(other)) == nodes and _rank(graph, other) < rank
        for other in graph.at_node[nodes[0]]
        if other != path_id
    )


def _unite_crossings(graph: Graph) -> int:
    """Make one junction of two that lie nearer to each other than the local width."""
    united = 0
    samples = graph.samples
    inner = [path_id for path_id in graph.paths if all(map(graph.is_junction, graph.nodes(path_id)))]
    for path_id in _shortest_first(graph, inner):
        first, last = sorted(graph.nodes(path_id))
        if first == last or not (graph.is_junction(first) and graph.is_junction(last)):
            continue
        half_width_px = float(samples.half_width_px[[first, last]].max())
        if graph.length_px[path_id] >= max(_CROSSING_PX, _CROSSING_WIDTHS * 2 * half_width_px):
            continue
        graph.remove(path_id)
        samples.position[first] = samples.position[[first, last]].mean(axis=0)
        samples.half_width_px[first] = half_width_px
        graph.move_ends(last, first)
        graph.measure_again(first)
        united += 1
    return united
