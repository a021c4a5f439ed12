"""Take away what thinning made of a ragged mask: spurs, holes and crossings in two pieces.

    spur       a path with one free end, shorter than `max(spur_px, spur_widths * local width)`
    hole       a loop, or several paths between the same two nodes, all of them shorter than that. They go
               around a few sound pixels inside one crack. The longest of them is removed.
    crossing   two junctions where two lines cross, since thinning pulls an X apart into two Y (see
    `crossings`)

Strategy: each removal can make others needless or possible. For example, a line may end in two prongs; once
the shorter one is removed, the longer one is the line. So paths are removed one at a time, shortest first,
until nothing is left to do. Ties are broken by position (row, col), so that the result does not depend on how
the graph was made.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from crackpipe.pipeline.trace.crossings import unite_crossings
from crackpipe.pipeline.trace.graph import Graph

# Paths are sorted by length, then first and last position (row, col), then id.
Rank = tuple[float, float, float, float, float, int]


@dataclass(frozen=True)
class _Rules:
    spur_px: float
    spur_widths: float
    shape: tuple[int, int]

    def limit_px(self, graph: Graph, node: int) -> float:
        """Paths at this node that are shorter than this are no cracks of their own."""
        width_px = 2 * float(graph.samples.half_width_px[node])
        return max(self.spur_px, self.spur_widths * width_px)

    def length_px(self, graph: Graph, path_id: int) -> float:
        """Length of a path.

        It is doubled if the path leaves the image, where its mirror image continues it.
        """
        nodes = graph.nodes(path_id)
        leaves = any(graph.is_free(node) and self._at_edge(graph, node) for node in nodes)
        return graph.length_px[path_id] * (2 if leaves else 1)

    def rank(self, graph: Graph, path_id: int) -> Rank:
        ends = graph.samples.position[list(graph.nodes(path_id))].tolist()
        first, last = sorted(map(tuple, ends))
        return (self.length_px(graph, path_id), *first, *last, path_id)

    def _at_edge(self, graph: Graph, node: int) -> bool:
        position = graph.samples.position[node].tolist()
        return any(not 0.5 < at < size - 1.5 for at, size in zip(position, self.shape, strict=True))


def clean(graph: Graph, shape: tuple[int, int], *, spur_px: float, spur_widths: float) -> None:
    """Remove spurs and holes and unite crossings, in place, until none is left.

    `shape` is that of the image, (H, W).
    """
    rules = _Rules(spur_px, spur_widths, shape)

    def shortest_first(path_ids: Iterable[int]) -> list[int]:
        return [path_id for *_, path_id in sorted(rules.rank(graph, path_id) for path_id in path_ids)]

    while _prune(graph, rules) or _fill_holes(graph, rules) or unite_crossings(graph, shortest_first):
        pass


def _shortest_first(graph: Graph, rules: _Rules, path_ids: Iterable[int]) -> Iterator[int]:
    """The paths in order of rank, without those that were removed in the meantime."""
    for *_, path_id in sorted(rules.rank(graph, path_id) for path_id in path_ids):
        if path_id in graph.paths:
            yield path_id


def _prune(graph: Graph, rules: _Rules) -> int:
    """Remove spurs.

    A spur that grows because a shorter one beside it was removed waits for the next round.
    """
    removed = 0
    spurs = [path_id for path_id in graph.paths if _root_of_spur(graph, path_id) is not None]
    for path_id in _shortest_first(graph, rules, spurs):
        root = _root_of_spur(graph, path_id)
        if root is not None and rules.length_px(graph, path_id) < rules.limit_px(graph, root):
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


def _fill_holes(graph: Graph, rules: _Rules) -> int:
    """Remove the longest path around each hole."""
    removed = 0
    between: dict[tuple[int, ...], list[int]] = {}
    for path_id in graph.paths:
        between.setdefault(tuple(sorted(graph.nodes(path_id))), []).append(path_id)
    around = [ids for (first, last), ids in between.items() if first == last or len(ids) > 1]
    for path_id in _shortest_first(graph, rules, [path_id for ids in around for path_id in ids]):
        first, last = graph.nodes(path_id)
        limit = min(rules.limit_px(graph, first), rules.limit_px(graph, last))
        if graph.length_px[path_id] >= limit or graph.is_ring(path_id):
            continue
        if first == last or _has_shorter_twin(graph, rules, path_id):
            graph.remove(path_id)
            for node in dict.fromkeys((first, last)):
                graph.dissolve(node)
            removed += 1
    return removed


def _has_shorter_twin(graph: Graph, rules: _Rules, path_id: int) -> bool:
    """Whether a path of lesser rank joins the same nodes."""
    rank, nodes = rules.rank(graph, path_id), sorted(graph.nodes(path_id))
    return any(
        sorted(graph.nodes(other)) == nodes and rules.rank(graph, other) < rank
        for other in graph.at_node[nodes[0]]
        if other != path_id
    )
