"""Bridge gaps of the mask where two ends of lines point at each other.

Strategy: candidates are pairs of free ends near each other, whose tangents agree with one another and with
the chord between them. `corridors` finds the cheapest way for each pair. The way follows a faint crack where
the network saw something, and it is straight where the network saw nothing. A bend makes a bridge dearer, so
that of two cracks side by side each is joined with its own continuation. The cheapest bridges are made first,
and each end is used once. Bridged stretches are marked, so that the tables can tell their length.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from crackpipe.pipeline.geometry.arrays import Floats, Ints
from crackpipe.pipeline.trace.corridors import ReadProbability, Way, ways_between
from crackpipe.pipeline.trace.ends import End
from crackpipe.pipeline.trace.graph import Graph, Samples

# The place where a line ends is known to about this.
_END_DOUBT_PX = 1.0
# A bridge that bends as much as it may costs 1 + this times as much as a straight one.
_BEND_COST = 4.0
# The limit of the angle between the two tangents depends on the length of the gap. Around a bend they differ
# by more than either differs from the chord, so up to the first length the limit is wider by the factor
# `_SHORT_BEND`. From the second length on it is the limit that was asked for; between the two it is
# interpolated.
_SHORT_PX = (5.0, 15.0)
_SHORT_BEND = 1.5
# Only so many pairs of each end are looked at, those with the least length and bend. Ragged masks have
# dozens.
_CHOICES = 3


@dataclass(frozen=True, kw_only=True)
class _Ends:
    """E free ends with a direction, in the order of their pixels."""

    node: Ints
    """(E,)"""
    position: Floats
    """(E, 2) (row, col)"""
    direction: Floats
    """(E, 2) unit vector, outwards"""
    reach_px: Floats
    """(E,) how far the mask goes on beyond the last sample"""


@dataclass(frozen=True, kw_only=True)
class _Bridge:
    """A way between two ends that may become part of a line."""

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
    ways = ways_between(graph, pointing.node[pairs], read_probability, shape)
    bridges = _each_end_once(_bridge(graph, pointing, pairs[way.pair], way, bend[way.pair]) for way in ways)
    joined = _joined([bridge.between for bridge in bridges])
    added = np.split(graph.samples.extend(joined), np.cumsum([len(b.between.bridged) for b in bridges]))
    for bridge, between in zip(bridges, added, strict=False):
        first, last = int(pointing.node[bridge.first]), int(pointing.node[bridge.last])
        graph.add(np.concatenate([[first], between, [last]]))
        graph.dissolve(first)
        graph.dissolve(last)
    return len(bridges)


def _pointing(graph: Graph, ends: Mapping[int, End], gap_px: float) -> _Ends:
    """The ends that are still free and have a direction."""
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
    # The chord joins the last samples where the lines are sure. The ragged tips would be too near each other
    # to give a direction.
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
    order = np.lexsort((length, end))  # the sort is stable, so equal pairs keep their order
    starts = np.flatnonzero(np.append(True, np.diff(end[order]) != 0)[: len(end)])
    rank = np.empty(len(end), np.int64)
    rank[order] = np.arange(len(end)) - np.repeat(starts, np.diff(np.append(starts, len(end))))
    return rank < _CHOICES


def _between(direction: Floats, vector: Floats, doubt_px: float = 0.0) -> Floats:
    """Angle in radians between unit vectors (N, 2) and vectors (N, 2) whose tips are known to `doubt_px`."""
    along = (direction * vector).sum(axis=1)
    across = np.abs(direction[:, 0] * vector[:, 1] - direction[:, 1] * vector[:, 0])
    return np.asarray(np.arctan2(np.maximum(across - doubt_px, 0.0), along))


def _bridge(graph: Graph, ends: _Ends, pair: Ints, way: Way, bend: float) -> _Bridge:
    """The bridge between a pair of ends, (2,); `bend` is 0 for a straight one, 1 for the largest bend."""
    first, last = pair.tolist()
    cost = way.cost * (1 + _BEND_COST * float(bend))
    return _Bridge(cost=cost, first=first, last=last, between=_samples(graph, ends, pair, way))


def _samples(graph: Graph, ends: _Ends, pair: Ints, way: Way) -> Samples:
    """The samples between two ends.

    Those where the mask still goes on beyond an end are not marked as a gap.
    """
    path = way.pixels
    share = np.linspace(0.0, 1.0, len(path))[1:-1]
    half_width = graph.samples.half_width_px[ends.node[pair]]
    away = [np.sqrt(((path[1:-1] - path[end]) ** 2).sum(axis=1)) for end in (0, -1)]
    return Samples(
        position=path[1:-1].astype(np.float64),
        half_width_px=(1 - share) * half_width[0] + share * half_width[1],
        probability=way.probability[1:-1],
        bridged=(away[0] > ends.reach_px[pair[0]]) & (away[1] > ends.reach_px[pair[1]]),
    )


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
        return Samples(
            position=np.zeros((0, 2)),
            half_width_px=np.zeros(0),
            probability=np.zeros(0),
            bridged=np.zeros(0, np.bool_),
        )
    return Samples(
        position=np.concatenate([part.position for part in parts]),
        half_width_px=np.concatenate([part.half_width_px for part in parts]),
        probability=np.concatenate([part.probability for part in parts]),
        bridged=np.concatenate([part.bridged for part in parts]),
    )
