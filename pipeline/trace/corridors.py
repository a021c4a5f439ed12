"""The way that a bridge takes over a gap: through probable pixels, near the chord, apart from other lines.

Strategy: around the chord of each pair of ends lies a box, and every pixel in it has a cost. The cost is
-log p, and a little more for each pixel of distance from the chord. Pixels too far from the chord, or on
another line, cannot be entered. The cheapest path from end to end is the way. If no path is left, there is
no way.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from skimage.graph import MCP_Geometric

from crackpipe.pipeline.geometry.arrays import Floats, Ints
from crackpipe.pipeline.geometry.grid import Window
from crackpipe.pipeline.masks.values import CERTAIN, NOT_INSPECTED
from crackpipe.pipeline.trace.graph import Graph

ReadProbability = Callable[[Window], NDArray[np.uint8]]

# Probability is read in windows of this size, which are the chunks on disk with the default blocks.
_READ_PX = 3072
# The path may stray from the chord by this part of the chord's length, and by some pixels more.
_SWING = 0.25
_SWING_PX = 2.0
# Cost of a pixel that is surely crack, and of each pixel of distance from the chord. The second makes the
# path straight where the probability says nothing.
_STEP_COST = 0.05
_AWAY_COST = 0.05
# Cost of a pixel by its value. Value 0 costs as much as 1: its logarithm would be infinite.
_PIXEL_COST = _STEP_COST - np.log(np.maximum(np.arange(CERTAIN + 1), 1) / CERTAIN)
# A bridge keeps at least this far from the masks of other lines.
_APART_PX = 1.0
# Up to this far beside the mask of another line the probability belongs to that line. A bridge must not
# follow it.
_FLANK_PX = 3.0


@dataclass(frozen=True, kw_only=True)
class Way:
    """The cheapest way between two nodes."""

    pair: int
    """Index of the pair of nodes."""
    pixels: Ints
    """(N, 2) (row, col), from the pixel of the first node to that of the second."""
    probability: Floats
    """(N,) at the pixels, 0..1."""
    cost: float


def ways_between(
    graph: Graph, pairs: Ints, read_probability: ReadProbability, shape: tuple[int, int]
) -> Iterator[Way]:
    """The ways between pairs of nodes, (N, 2), in an image of `shape` (H, W).

    Pairs without a way are left out. `read_probability` gives uint8 round(254 p), 255 not inspected, of a
    window inside the image.
    """
    lines = _Lines.of(graph)
    corners = np.rint(graph.samples.position[pairs]).astype(np.int64).clip(0, np.array(shape) - 1)
    boxes = [_box(first, last, shape) for first, last in corners]
    for index, box, probability in _reading(boxes, read_probability, shape):
        first, last = corners[index]
        to_others = lines.distance_to_others(box, set(pairs[index].tolist()))
        found = _least_cost_path(probability, to_others, first, last, box)
        if found is not None:
            pixels, cost = found
            at_pixels = probability[tuple((pixels - np.array([box.row, box.col])).T)] / CERTAIN
            yield Way(pair=index, pixels=pixels, probability=at_pixels, cost=cost)


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
    """Every box with its index and probability, 0 where not inspected.

    Boxes near each other are read at once.
    """
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
            yield index, boxes[index], np.where(part == NOT_INSPECTED, np.uint8(0), part)


def _least_cost_path(
    probability: NDArray[np.uint8], to_others: Floats, first: Ints, last: Ints, box: Window
) -> tuple[Ints, float] | None:
    """Pixels (N, 2) from `first` to `last` inside the box at the least cost of -log p, and that cost.

    None if another line lies between. `to_others` (H, W) is the distance of pixels from other lines, px.
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


@dataclass(frozen=True, kw_only=True)
class _Lines:
    """Where all lines lie. Bridges are kept away from them."""

    graph: Graph
    sample: Ints
    """(N,) the samples on all lines."""
    path_id: Ints
    """(N,) the path of each sample."""
    tree: cKDTree
    """Of the positions of the samples."""
    widest_px: float
    """The largest half width of all samples."""

    @classmethod
    def of(cls, graph: Graph) -> "_Lines":
        sample = np.concatenate(list(graph.paths.values()))
        path_id = np.repeat(list(graph.paths), [len(path) for path in graph.paths.values()])
        widest_px = float(graph.samples.half_width_px[sample].max())
        tree = cKDTree(graph.samples.position[sample])
        return cls(graph=graph, sample=sample, path_id=path_id, tree=tree, widest_px=widest_px)

    def distance_to_others(self, box: Window, of_nodes: set[int]) -> Floats:
        """Distance from the pixels of a box to the masks of other lines, (H, W), px.

        Other lines are those that do not end at `of_nodes`. Distances up to _FLANK_PX are exact; where the
        true one is larger, any larger value may stand.
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
