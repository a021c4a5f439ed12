"""Routes as short straight segments, and where a point lies against them.

Frame: the working plane of `tables.overlaps.plane`, in which a short distance is the same in all directions.

Legend
    P parts, S segments
    s   metres of true ground length along all parts; parts stand one after another, with room between them
    o   metres to the right of the way in which the measure rises, negative to the left
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import shapely
from pyproj import CRS

from crackpipe.pipeline.geometry.arrays import Bools, Floats, Geometries, Ints
from crackpipe.pipeline.sections.routes.chain import Part
from crackpipe.pipeline.tables.overlaps import plane

# Longer steps of a route are divided, so that the scale of the plane is right all along.
_LONGEST_STEP_M = 20.0
# Between two parts lies so much of s. What lies beyond the ends of a part falls in there.
_APART_M = 10_000.0
# Routes that run together within this distance and angle are on the same ground.
_SAME_GROUND_M = 0.5
_SAME_WAY_COS = np.cos(np.radians(20.0))
_POINTS_AT_ONCE = 50_000
"""Points that are shapely's objects at one time."""


@dataclass(frozen=True)
class Axes:
    """All parts of all routes."""

    crs: CRS
    parts: tuple[Part, ...]
    """(P,) with a vertex at least every 20 m."""
    begin_s: Floats
    """(P,) s at the start of each part."""
    part: Ints
    """(S,) part of each segment."""
    start: Floats
    """(S, 2) (x, y) in the plane."""
    way: Floats
    """(S, 2) unit vector towards rising measure."""
    length: Floats
    """(S,) in units of the plane."""
    s: Floats
    """(S,) s at the start of each segment."""
    metres: Floats
    """(S,) metres on the ground per unit of the plane."""
    is_first: Bools
    """(S,) whether it begins its part."""
    is_last: Bools
    given_to: Ints
    """(S,) the earlier part that runs on the same ground and has it, or -1."""

    @property
    def end_s(self) -> Floats:
        """(P,) s at the end of each part."""
        return np.asarray(self.begin_s + np.array([part.ground_m[-1] for part in self.parts]))

    def segments(self, part: int) -> Ints:
        """The segments of a part, in order."""
        return np.arange(*np.searchsorted(self.part, [part, part + 1]))

    def project(self, segment: Ints, points: Floats, *, within: bool) -> tuple[Floats, Floats]:
        """(s, o) of points (N, 2) in the plane against a segment each (N,).

        With `within`, points beyond the end of a segment take its end, unless the part ends there.
        """
        aside = points - self.start[segment]
        way, length = self.way[segment], self.length[segment]
        along = (aside * way).sum(axis=1)
        across = aside[:, 0] * way[:, 1] - aside[:, 1] * way[:, 0]
        if within:
            low = np.where(self.is_first[segment], along, np.maximum(along, 0.0))
            inside = np.where(self.is_last[segment], low, np.minimum(low, length))
            beyond = along - inside
            across = np.where(beyond == 0, across, np.copysign(np.hypot(across, beyond), across))
            along = inside
        metres = self.metres[segment]
        return self.s[segment] + along * metres, across * metres

    def distance_m(self, segment: Ints, points: Floats) -> Floats:
        """Distance of points (N, 2) from a segment each, m."""
        aside = points - self.start[segment]
        way, length = self.way[segment], self.length[segment]
        along = (aside * way).sum(axis=1)
        across = aside[:, 0] * way[:, 1] - aside[:, 1] * way[:, 0]
        beyond = along - np.clip(along, 0.0, length)
        return np.asarray(np.hypot(across, beyond) * self.metres[segment])

    def slid(self, segment: Ints, points: Floats) -> Ints:
        """The nearest segment to points (N, 2) that is reached from `segment` (N,) by nearer neighbours.

        It is found faster than by searching all segments, if the points are not far from where they start.
        """
        found, distance = segment.copy(), self.distance_m(segment, points)
        moving = np.arange(len(points))
        while len(moving):
            moved = np.zeros(len(moving), np.bool_)
            for step, at_end in ((-1, self.is_first), (1, self.is_last)):
                some = np.flatnonzero(~at_end[found[moving]])
                index = moving[some]
                other = self.distance_m(found[index] + step, points[index])
                nearer = other < distance[index]
                found[index[nearer]] += step
                distance[index[nearer]] = other[nearer]
                moved[some[nearer]] = True
            moving = moving[moved]
        return found

    def measure_m(self, part: Ints, s: Floats) -> Floats:
        """Measure of the route at s (N,), each in its part (N,); beyond an end, that of the end."""
        vertex_s = np.concatenate(
            [begin + each.ground_m for begin, each in zip(self.begin_s, self.parts, strict=True)]
        )
        vertex_m = np.concatenate([each.measure_m for each in self.parts])
        inside = np.clip(s, self.begin_s[part], self.end_s[part])
        return np.asarray(np.interp(inside, vertex_s, vertex_m))

    def points(self, segment: Ints, s: Floats, o: Floats) -> Floats:
        """(N, 2) (x, y) in the plane of (s, o), each (N,), against a segment each."""
        way = self.way[segment]
        right = np.column_stack([way[:, 1], -way[:, 0]])
        metres = self.metres[segment]
        along = (s - self.s[segment]) / metres
        return np.asarray(self.start[segment] + way * along[:, None] + right * (o / metres)[:, None])

    def lines(self, segments: Ints | None = None) -> Geometries:
        """Some segments, or all (S,), as LineStrings in the plane."""
        some = slice(None) if segments is None else segments
        start = self.start[some]
        ends = start + self.way[some] * self.length[some, None]
        return np.asarray(shapely.linestrings(np.stack([start, ends], axis=1)))


@dataclass(frozen=True)
class Finder:
    """Finds the nearest segment among those that have their ground."""

    axes: Axes
    tree: shapely.STRtree
    segment: Ints
    """Of each line of the tree."""

    @classmethod
    def of(cls, axes: Axes) -> "Finder":
        """For all parts."""
        segment = np.flatnonzero(axes.given_to < 0)
        return cls(axes, shapely.STRtree(axes.lines()[segment]), segment)

    def nearest(self, points: Floats) -> Ints:
        """The segment (N,) nearest to each point (N, 2)."""
        found: Ints = self.segment[self.tree.nearest(shapely.points(points))]
        return found

    def nearest_within(self, points: Floats, reach_m: float) -> Ints:
        """The segment (N,) nearest to each point (N, 2); -1 where that is farther than `reach_m`.

        Of very many points this takes a tenth of the time of `nearest`.
        """
        found = np.full(len(points), -1, np.int64)
        for low in range(0, len(points), _POINTS_AT_ONCE):
            some = slice(low, low + _POINTS_AT_ONCE)
            # what has a segment within a part of the reach has its nearest one there: few pairs are measured
            for reach in (reach_m / 4, reach_m):
                left = low + np.flatnonzero(found[some] < 0)
                point, segment = self._nearest_pairs(points[left], reach)
                found[left[point]] = segment
        away = self.axes.distance_m(np.maximum(found, 0), points)
        return np.where(away <= reach_m, found, -1)

    def _nearest_pairs(self, points: Floats, reach_m: float) -> tuple[Ints, Ints]:
        """Which points (N, 2) have a segment within some `reach_m`, and the nearest segment of each of these.

        Nearest in the plane, as `nearest` has it.
        """
        reach = reach_m / float(self.axes.metres.min())
        point, line = self.tree.query(shapely.points(points), predicate="dwithin", distance=reach)
        segment = self.segment[line]
        away = self.axes.distance_m(segment, points[point]) / self.axes.metres[segment]
        order = np.lexsort((segment, away, point))
        some, first = np.unique(point[order], return_index=True)
        return some, segment[order[first]]


def axes_of(parts: Sequence[Part], crs: CRS) -> Axes:
    """Parts, sorted by route, as segments. `crs` is that of the tables."""
    parts = tuple(_divided(part) for part in parts)
    flat = plane.to_plane(np.array([shapely.LineString(part.world) for part in parts], dtype=object), crs)
    lengths = np.array([part.ground_m[-1] for part in parts])
    begin = np.cumsum(np.concatenate([[0.0], lengths[:-1] + _APART_M]))
    steps = np.array([len(part.world) - 1 for part in parts])
    of_part = np.repeat(np.arange(len(parts)), steps)
    points, which = shapely.get_coordinates(flat, return_index=True)
    same = which[1:] == which[:-1]
    ground = np.concatenate([part.ground_m for part in parts])
    vector = np.diff(points, axis=0)[same]
    length = np.hypot(vector[:, 0], vector[:, 1])
    number = np.arange(len(of_part)) - np.repeat(np.cumsum(steps) - steps, steps)
    axes = Axes(
        crs=crs,
        parts=parts,
        begin_s=begin,
        part=of_part,
        start=points[:-1][same],
        way=vector / length[:, None],
        length=length,
        s=begin[of_part] + ground[:-1][same],
        metres=np.diff(ground)[same] / length,
        is_first=number == 0,
        is_last=number == steps[of_part] - 1,
        given_to=np.full(len(of_part), -1),
    )
    return replace(axes, given_to=_given_to(axes))


def _divided(part: Part) -> Part:
    """The part with vertices at most 20 m apart."""
    steps = np.diff(part.ground_m)
    count = np.maximum(np.ceil(steps / _LONGEST_STEP_M), 1).astype(np.int64)
    index = np.repeat(np.arange(len(steps)), count)
    number = np.arange(len(index)) - np.repeat(np.cumsum(count) - count, count)
    at = np.append(index + number / count[index], len(steps))
    old = np.arange(len(part.ground_m))
    world = np.column_stack([np.interp(at, old, part.world[:, axis]) for axis in (0, 1)])
    return Part(part.route_id, world, np.interp(at, old, part.ground_m), np.interp(at, old, part.measure_m))


def _given_to(axes: Axes) -> Ints:
    """For each segment the first earlier part that runs beside its middle on the same ground, or -1."""
    lines = axes.lines()
    middle = shapely.points(axes.start + axes.way * (axes.length / 2)[:, None])
    reach = _SAME_GROUND_M / axes.metres
    one, other = shapely.STRtree(lines).query(middle, predicate="dwithin", distance=reach)
    earlier = axes.part[other] < axes.part[one]
    cosine = np.abs((axes.way[one] * axes.way[other]).sum(axis=1))
    keep = earlier & (cosine >= _SAME_WAY_COS)
    given = np.full(len(axes.part), len(axes.parts))
    np.minimum.at(given, one[keep], axes.part[other[keep]])
    given[given == len(axes.parts)] = -1
    return given


def shared_notes(axes: Axes) -> list[str]:
    """A sentence for each two routes that run on the same ground."""
    shared = np.flatnonzero(axes.given_to >= 0)
    length_m: dict[tuple[str, str], float] = {}
    for segment in shared.tolist():
        pair = (
            axes.parts[int(axes.part[segment])].route_id,
            axes.parts[int(axes.given_to[segment])].route_id,
        )
        length_m[pair] = length_m.get(pair, 0.0) + float(axes.length[segment] * axes.metres[segment])
    return [
        f"routes {one} and {other} lie at one place over {metres:.0f} m: cracks there count for {other}."
        if one != other
        else f"lines of route {one} lie twice at one place over {metres:.0f} m: cracks there count once."
        for (one, other), metres in sorted(length_m.items())
    ]
