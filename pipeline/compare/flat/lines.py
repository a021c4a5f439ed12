"""Many lines as flat arrays, so that a million of them need neither a million objects nor a loop.

Legend: N lines, V vertices of all lines together, S samples. Frame: a plane in metres, (x, y).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import shapely

from crackpipe.pipeline.geometry.arrays import Bools, Floats, Geometries, Ints

_AT_ONCE = 100_000
_CLOSE_M = 1e-6
"""A cut so near to a vertex is a cut at the vertex."""


@dataclass(frozen=True)
class Lines:
    """N polylines."""

    xy: Floats
    """(V, 2) vertices of all lines, one line after the other, m."""
    first: Ints
    """(N + 1,) index of the first vertex of each line, and V."""

    def __len__(self) -> int:
        return len(self.first) - 1

    @property
    def arc_m(self) -> Floats:
        """(V,) distance of each vertex from the start of its line, m."""
        total = np.zeros(len(self.xy))
        np.cumsum(self._steps_m, out=total[1:])
        total -= np.repeat(total[self.first[:-1]], np.diff(self.first))
        return total

    @property
    def _steps_m(self) -> Floats:
        """(V - 1,) from each vertex to the next; 0 from one line to the next."""
        # each axis by itself: along pairs of numbers numpy is several times as slow
        steps = np.hypot(*(np.diff(np.ascontiguousarray(self.xy[:, axis])) for axis in (0, 1)))
        steps[self.first[1:-1] - 1] = 0.0
        return np.asarray(steps)

    @cached_property
    def length_m(self) -> Floats:
        """(N,) in the plane."""
        return np.asarray(self.arc_m[self.first[1:] - 1])

    @cached_property
    def bounds(self) -> Floats:
        """(N, 4) xmin, ymin, xmax, ymax."""
        if len(self) == 0:
            return np.zeros((0, 4))
        found = np.empty((len(self), 4))
        for axis in (0, 1):
            # along contiguous numbers `reduceat` is twenty times as fast
            values = np.ascontiguousarray(self.xy[:, axis])
            found[:, axis] = np.minimum.reduceat(values, self.first[:-1])
            found[:, 2 + axis] = np.maximum.reduceat(values, self.first[:-1])
        return found

    def ends(self) -> Floats:
        """(N, 2, 2) the first and the last vertex of each line."""
        return np.stack([self.xy[self.first[:-1]], self.xy[self.first[1:] - 1]], axis=1)

    def take(self, some: Ints) -> "Lines":
        """The lines at the indices `some`, in that order."""
        count = np.diff(self.first)[some]
        first = np.concatenate([[0], np.cumsum(count)])
        vertex = np.arange(first[-1]) + np.repeat(self.first[:-1][some] - first[:-1], count)
        return Lines(self.xy[vertex], first)

    def portions(self) -> Iterator["Lines"]:
        """The lines in their order, 100,000 at a time, so that what is made of them stays small."""
        for low in range(0, len(self), _AT_ONCE):
            yield self.take(np.arange(low, min(low + _AT_ONCE, len(self))))

    def middles(self) -> Floats:
        """(N, 2) middles of the boxes."""
        return np.asarray((self.bounds[:, :2] + self.bounds[:, 2:]) / 2)


@dataclass(frozen=True)
class Samples:
    """S points on lines, in the order of the lines and along each."""

    xy: Floats
    """(S, 2) m."""
    tangent: Floats
    """(S, 2) unit vector along the line."""
    line: Ints
    """(S,) index of the line."""
    arc_m: Floats
    """(S,) distance from the start of the line."""
    weight_m: Floats
    """(S,) length of the line that the sample stands for; the sample lies in its middle."""

    def take(self, some: Ints | Bools) -> "Samples":
        """Some of the samples."""
        return Samples(
            self.xy[some], self.tangent[some], self.line[some], self.arc_m[some], self.weight_m[some]
        )


def dot(first: Floats, second: Floats) -> Floats:
    """Scalar product of each two vectors (P, 2), (P,). A sum over an axis of two is several times as slow."""
    return np.asarray(first[:, 0] * second[:, 0] + first[:, 1] * second[:, 1])


def cross(first: Floats, second: Floats) -> Floats:
    """How far each second vector (P, 2) points to the left of the first one, times both lengths, (P,)."""
    return np.asarray(first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0])


def lines_of(geometries: Geometries) -> Lines:
    """LineStrings (N,) in a plane as flat arrays."""
    count = shapely.get_num_points(geometries)
    return Lines(shapely.get_coordinates(geometries), np.concatenate([[0], np.cumsum(count)]))


def joined(parts: list[Lines]) -> Lines:
    """The lines of several sets, one set after the other."""
    if not parts:
        return Lines(np.zeros((0, 2)), np.zeros(1, np.int64))
    count = np.concatenate([np.diff(part.first) for part in parts])
    return Lines(np.concatenate([part.xy for part in parts]), np.concatenate([[0], np.cumsum(count)]))


def sampled(lines: Lines, step_m: float) -> Samples:
    """Points at even distances of at most `step_m` on each line, at least one on each."""
    ruler = Ruler.of(lines)
    length = ruler.length_m
    count = np.maximum(np.ceil(length / step_m), 1).astype(np.int64)
    first = np.concatenate([[0], np.cumsum(count)])
    line = np.repeat(np.arange(len(lines)), count)
    each = length / count
    weight = each[line]
    arc = (np.arange(first[-1]) - first[line] + 0.5) * weight
    xy, tangent = ruler.at(line, arc)
    return Samples(xy, tangent, line, arc, weight)


def points_along(lines: Lines, step_m: float) -> Floats:
    """Points (P, 2) of `sampled`, of very many lines."""
    return np.concatenate([np.zeros((0, 2)), *(sampled(part, step_m).xy for part in lines.portions())])


def cut(lines: Lines, line: Ints, start_m: Floats, stop_m: Floats) -> Lines:
    """The stretches of lines (M,) from `start_m` to `stop_m` (M,), with the vertices in between."""
    if len(line) == 0:
        return Lines(np.zeros((0, 2)), np.zeros(1, np.int64))
    ruler = Ruler.of(lines)
    low = np.searchsorted(ruler.vertex_m, ruler.start_m[line] + start_m + _CLOSE_M, side="right")
    high = np.searchsorted(ruler.vertex_m, ruler.start_m[line] + stop_m - _CLOSE_M, side="left")
    between = np.maximum(high, low) - low
    first = np.concatenate([[0], np.cumsum(between + 2)])
    xy = np.empty((first[-1], 2))
    xy[first[:-1]], _ = ruler.at(line, start_m)
    xy[first[1:] - 1], _ = ruler.at(line, stop_m)
    inner = np.ones(len(xy), np.bool_)
    inner[first[:-1]] = inner[first[1:] - 1] = False
    vertex = np.arange(between.sum()) + np.repeat(low - (np.cumsum(between) - between), between)
    xy[inner] = lines.xy[vertex]
    return Lines(xy, first)


@dataclass(frozen=True)
class Ruler:
    """All lines laid end to end, a metre apart: a single search then finds the segments of all samples."""

    lines: Lines
    arc_m: Floats
    """(V,) distance of each vertex from the start of its line."""
    length_m: Floats
    """(N,) of each line."""
    vertex_m: Floats
    """(V,) where each vertex lies on the ruler."""
    start_m: Floats
    """(N,) where each line begins on it."""

    @classmethod
    def of(cls, lines: Lines) -> "Ruler":
        """It holds two numbers for each vertex, so it is made of a portion of many lines."""
        arc = lines.arc_m
        length = arc[lines.first[1:] - 1]
        start = np.concatenate([[0.0], np.cumsum(length + 1.0)])[:-1]
        return cls(lines, arc, length, arc + np.repeat(start, np.diff(lines.first)), start)

    def at(self, line: Ints, arc_m: Floats) -> tuple[Floats, Floats]:
        """Points (S, 2) and unit tangents (S, 2) at distances `arc_m` (S,) from the starts of lines (S,)."""
        if len(line) == 0:
            return np.zeros((0, 2)), np.zeros((0, 2))
        first = self.lines.first
        segment = np.searchsorted(self.vertex_m, self.start_m[line] + arc_m, side="right") - 1
        segment = np.clip(segment, first[line], first[line + 1] - 2)
        low, high = self.lines.xy[segment], self.lines.xy[segment + 1]
        step = high - low
        size = np.hypot(step[:, 0], step[:, 1])
        known = np.where(size > 0, size, 1.0)
        share = np.clip((arc_m - self.arc_m[segment]) / known, 0.0, 1.0)
        return low + share[:, None] * step, step / known[:, None]


def geometries_of(lines: Lines) -> Geometries:
    """The lines as shapely LineStrings (N,)."""
    index = np.repeat(np.arange(len(lines)), np.diff(lines.first))
    return np.asarray(shapely.linestrings(lines.xy, indices=index), dtype=object)
