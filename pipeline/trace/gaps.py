"""Bridge gaps of the mask where two ends of lines point at each other.

Candidates are pairs of free ends near each other whose tangents agree with one another and with the chord
between them. Each gets the path of least -log p through the probability, kept near the chord; the cheapest
comes first (a bend makes it dearer: of two cracks side by side each goes on in itself), and each end is used
once. So a faint crack is followed where the network saw something, and
goes straight where it saw nothing. What was bridged is marked, and never hidden in a length.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from skimage.graph import MCP_Geometric

from crackpipe.pipeline.geometry.arrays import Floats, Ints
from crackpipe.pipeline.geometry.grid import Window
from crackpipe.pipeline.trace.ends import End
from crackpipe.pipeline.trace.graph import Graph, Samples

ReadProbability = Callable[[Window], NDArray[np.uint8]]

# Where exactly a line ends is known to about this.
_END_DOUBT_PX = 1.0
# Probability is read in windows of this size, which are the chunks on disk with the default blocks.
_READ_PX = 3072
# The path may swing out from the chord by this part of its length, and a little.
_SWING = 0.25
_SWING_PX = 2.0
# Cost of a pixel that is surely crack, and of each pixel away from the chord: where the probability says
# nothing, straight is best.
_STEP_COST = 0.05
_AWAY_COST = 0.05
_PIXEL_COST = _STEP_COST - np.log(np.maximum(np.arange(255), 1) / 254.0)
# A bridge that bends as much as it may costs this much more, relative to one straight on.
_BEND_COST = 4.0
# Around a bend tangents differ by more than either does from the chord: over gaps up to the first length by
# this many times more than they may otherwise, from the second length on by no more.
_SHORT_PX = (5.0, 15.0)
_SHORT_BEND = 1.5
# Of the pairs of an end only so many are looked at, by length and bend: ragged masks have dozens.
_CHOICES = 3
# A bridge must not run into other lines.
_APART_PX = 1.0
# So far beside the mask of another line the probability is that line's, and must not lure a bridge there.
_FLANK_PX = 3.0


@dataclass(frozen=True)
class _Ends:
    """E free ends that point somewhere, in the order of their pixels."""

    node: Ints
    """(E,)"""
    position: Floats
    """(E, 2) (row, col)"""
    direction: Floats
    """(E, 2) unit vector, outwards"""
    reach_px: Floats
    """(E,) how far the mask goes on beyond the last sample"""


@dataclass(frozen=True)
class _Bridge:
    cost: float
    first: int
    """Index of an end."""
    last: int
    """Index of another end."""
    between: Samples
    """What is added between the two."""


def bridge_gaps(
    graph: Graph,
    ends: Mapping[int, End],
    read_probability: ReadProbability,
    shape: tuple[int, int],
    *,
    gap_px: float,
    gap_angle_deg: float,
) -> int:
    """Join lines over gaps of the mask of at most `gap_px`, in place; returns how many were bridged.

    `ends` says where the free ends, by node, point; the two tangents and the chord must agree pairwise within
    `gap_angle_deg`. `read_probability` gives uint8 round(254 p), 255 not inspected, of a window inside the
    image of `shape` (H, W).
    """
    pointing = _pointing(graph, ends, gap_px)
    pairs, bend = _facing(pointing, gap_px, math.radians(gap_angle_deg))
    if len(pairs) == 0:
        return 0
    bridges = _each_end_once(
        _bridges(graph, pointing, pairs, bend, read_probability=read_probability, shape=shape)
    )
    joined = _joined([bridge.between for bridge in bridges])
    added = np.split(graph.samples.extend(joined), np.cumsum([len(b.between.bridged) for b in bridges]))
    for bridge, between in zip(bridges, added, strict=False):
        first, last = int(pointing.node[bridge.first]), int(pointing.node[bridge.last])
        graph.add(np.concatenate([[first], between, [last]]))
        graph.dissolve(first)
        graph.dissolve(last)
    return len(bridges)


def _pointing(graph: Graph, ends: Mapping[int, End], gap_px: float) -> _Ends:
    """The ends that are still free and point somewhere."""
    node = [n for n in sorted(ends) if graph.is_free(n) and ends[n].direction != (0.0, 0.0)]
    return _Ends(
        node=np.array(node, dtype=np.int64),
        position=graph.samples.position[node].reshape(-1, 2),
        direction=np.array([ends[n].direction for n in node]).reshape(-1, 2),
        reach_px=np.array([min(ends[n].reach_px, gap_px / 2) for n in node]),
    )


def _facing(ends: _Ends, gap_px: float, angle: float) -> tuple[Ints, Floats]:
    """Pairs of ends (N, 2) that face each other over a gap, sorted, and how much they bend (N,), 0 to 1."""
    if len(ends.node) < 2:
        return np.zeros((0, 2), np.int64), np.zeros(0)
    radius = gap_px + 2 * float(ends.reach_px.max())
    pairs = cKDTree(ends.position).query_pairs(radius, output_type="ndarray").astype(np.int64)
    first, last = np.sort(pairs, axis=1).T
    # between the last places where the lines are sure, not between the ragged tips: those are too near
    chord = ends.position[last] - ends.position[first]
    gap = np.sqrt((chord**2).sum(axis=1)) - ends.reach_px[first] - ends.reach_px[last]
    one, other = ends.direction[first], -ends.direction[last]
    bends = [_between(one, other) / np.interp(gap, _SHORT_PX, (_SHORT_BEND, 1.0))]
    bends += [_between(each, chord, _END_DOUBT_PX) for each in (one, other)]
    bend = np.max(bends, axis=0) / max(angle, 1e-9)
    facing = np.flatnonzero((gap <= gap_px) & (bend <= 1))
    order = facing[np.lexsort((last[facing], first[facing]))]
    length = np.sqrt((chord[order] ** 2).sum(axis=1)) * (1 + _BEND_COST * bend[order])
    order = order[_among_best(first[order], length) & _among_best(last[order], length)]
    return np.column_stack([first[order], last[order]]), bend[order]


def _among_best(end: Ints, length: Floats) -> NDArray[np.bool_]:
    """Which pairs (N,) are among the _CHOICES shortest of their end (N,)."""
    order = np.lexsort((length, end))  # stable: of equals the first stays first
    starts = np.flatnonzero(np.append(True, np.diff(end[order]) != 0)[: len(end)])
    rank = np.empty(len(end), np.int64)
    rank[order] = np.arange(len(end)) - np.repeat(starts, np.diff(np.append(starts, len(end))))
    return rank < _CHOICES


def _between(direction: Floats, vector: Floats, doubt_px: float = 0.0) -> Floats:
    """Angle between unit vectors (N, 2) and vectors (N, 2) whose tips are known to `doubt_px`, radians."""
    along = (direction * vector).sum(axis=1)
    across = np.abs(direction[:, 0] * vector[:, 1] - direction[:, 1] * vector[:, 0])
    return np.asarray(np.arctan2(np.maximum(across - doubt_px, 0.0), along))


def _bridges(
    graph: Graph,
    ends: _Ends,
    pairs: Ints,
    bend: Floats,
    *,
    read_probability: ReadProbability,
    shape: tuple[int, int],
) -> Iterator[_Bridge]:
    """The bridges that run into no other line; `pairs` (N, 2) of ends that bend by `bend` (N,), 0 to 1."""
    lines = _Lines.of(graph)
    corner = np.rint(ends.position).astype(np.int64).clip(0, np.array(shape) - 1)
    boxes = [_box(corner[first], corner[last], shape) for first, last in pairs.tolist()]
    for index, box, probability in _reading(boxes, read_probability, shape):
        first, last = pairs[index].tolist()
        to_others = lines.distance_to_others(box, {int(ends.node[first]), int(ends.node[last])})
        found = _least_cost_path(probability, to_others, corner[first], corner[last], box)
        if found is not None:
            path, cost = found
            at_path = probability[tuple((path - np.array([box.row, box.col])).T)] / 254.0
            cost *= 1 + _BEND_COST * float(bend[index])
            yield _Bridge(cost, first, last, _samples(graph, ends, (first, last), path, at_path))


def _samples(graph: Graph, ends: _Ends, pair: tuple[int, int], path: Ints, probability: Floats) -> Samples:
    """What lies between two ends, on a path of pixels (N, 2). At either end the mask may still go on."""
    share = np.linspace(0.0, 1.0, len(path))[1:-1]
    half_width = graph.samples.half_width_px[ends.node[list(pair)]]
    away = [np.sqrt(((path[1:-1] - path[end]) ** 2).sum(axis=1)) for end in (0, -1)]
    return Samples(
        position=path[1:-1].astype(np.float64),
        half_width_px=(1 - share) * half_width[0] + share * half_width[1],
        probability=probability[1:-1],
        bridged=(away[0] > ends.reach_px[pair[0]]) & (away[1] > ends.reach_px[pair[1]]),
    )


def _box(first: Ints, last: Ints, shape: tuple[int, int]) -> Window:
    """The window around two pixels in which a bridge may run."""
    (row, col), (row_last, col_last) = np.minimum(first, last).tolist(), np.maximum(first, last).tolist()
    margin = math.ceil(_swing_px(math.hypot(row_last - row, col_last - col)))
    return Window(row, col, row_last - row + 1, col_last - col + 1).padded(margin).clipped(*shape)


def _swing_px(chord_px: float) -> float:
    return _SWING * chord_px + _SWING_PX


def _reading(
    boxes: list[Window], read: ReadProbability, shape: tuple[int, int]
) -> Iterator[tuple[int, Window, NDArray[np.uint8]]]:
    """Every box with its index and probability (255 made 0); neighbours share one reading."""
    cells: dict[tuple[int, int], list[int]] = {}
    for index, box in enumerate(boxes):
        cells.setdefault((box.row // _READ_PX, box.col // _READ_PX), []).append(index)
    for members in cells.values():
        row, col = min(boxes[i].row for i in members), min(boxes[i].col for i in members)
        row_stop, col_stop = max(boxes[i].row_stop for i in members), max(boxes[i].col_stop for i in members)
        window = Window(row, col, row_stop - row, col_stop - col).clipped(*shape)
        probability = read(window)
        for index in members:
            part = probability[boxes[index].within(window)]
            yield index, boxes[index], np.where(part == 255, 0, part).astype(np.uint8)


def _least_cost_path(
    probability: NDArray[np.uint8], to_others: Floats, first: Ints, last: Ints, box: Window
) -> tuple[Ints, float] | None:
    """Pixels (N, 2) from `first` to `last` inside the box at the least cost of -log p, and that cost.

    None if a line lies between; `to_others` (H, W) is the distance of pixels from other lines, px.
    """
    rows, cols = np.ogrid[box.row : box.row_stop, box.col : box.col_stop]
    chord_px = math.hypot(*(last - first).tolist())
    across = (rows - first[0]) * (last[1] - first[1]) - (cols - first[1]) * (last[0] - first[0])
    away = np.abs(across) / max(chord_px, 1.0)
    own = np.where(to_others > _FLANK_PX, probability, 0)
    cost = _PIXEL_COST[own] + _AWAY_COST * away
    cost[(away > _swing_px(chord_px)) | (to_others < _APART_PX)] = np.inf
    corner = np.array([box.row, box.col])
    start, stop = (first - corner).tolist(), (last - corner).tolist()
    cost[tuple(start)] = cost[tuple(stop)] = _STEP_COST
    search = MCP_Geometric(cost, fully_connected=True)
    total, _ = search.find_costs([start], [stop])
    if not np.isfinite(total[tuple(stop)]):
        return None
    path = np.array(search.traceback(stop), dtype=np.int64)
    return path + corner, float(total[tuple(stop)])


@dataclass(frozen=True)
class _Lines:
    """Where all lines are, to keep bridges away from them."""

    sample: Ints
    """Samples on lines, (N,)"""
    path_id: Ints
    """(N,)"""
    tree: cKDTree
    widest_px: float
    """The largest half width of all."""
    graph: Graph

    @classmethod
    def of(cls, graph: Graph) -> "_Lines":
        sample = np.concatenate(list(graph.paths.values()))
        path_id = np.repeat(list(graph.paths), [len(path) for path in graph.paths.values()])
        widest_px = float(graph.samples.half_width_px[sample].max())
        return cls(sample, path_id, cKDTree(graph.samples.position[sample]), widest_px, graph)

    def distance_to_others(self, box: Window, of_nodes: set[int]) -> Floats:
        """From the pixels of a box to the masks of lines other than those that end at `of_nodes`, (H, W), px.

        Exact up to _FLANK_PX, beyond that only larger.
        """
        own = {path_id for node in of_nodes for path_id in self.graph.at_node[node]}
        middle = box.row + (box.height - 1) / 2, box.col + (box.width - 1) / 2
        near = self.tree.query_ball_point(
            middle, math.hypot(box.height, box.width) / 2 + _FLANK_PX + self.widest_px
        )
        others = [self.sample[index] for index in near if self.path_id[index] not in own]
        if not others:
            return np.full((box.height, box.width), np.inf)
        samples = self.graph.samples
        rows = np.arange(box.row, box.row_stop) - samples.position[others][:, :1]
        cols = np.arange(box.col, box.col_stop) - samples.position[others][:, 1:]
        distance = np.sqrt((rows**2)[:, :, None] + (cols**2)[:, None, :])
        return np.asarray((distance - samples.half_width_px[others][:, None, None]).min(axis=0))


def _each_end_once(bridges: Iterator[_Bridge]) -> list[_Bridge]:
    """The cheapest bridges that share no end."""
    used: set[int] = set()
    chosen = []
    for bridge in sorted(bridges, key=lambda bridge: (bridge.cost, bridge.first, bridge.last)):
        if not used & {bridge.first, bridge.last}:
            used |= {bridge.first, bridge.last}
            chosen.append(bridge)
    return chosen


def _joined(parts: list[Samples]) -> Samples:
    if not parts:
        return Samples(np.zeros((0, 2)), np.zeros(0), np.zeros(0), np.zeros(0, np.bool_))
    return Samples(
        np.concatenate([part.position for part in parts]),
        np.concatenate([part.half_width_px for part in parts]),
        np.concatenate([part.probability for part in parts]),
        np.concatenate([part.bridged for part in parts]),
    )
