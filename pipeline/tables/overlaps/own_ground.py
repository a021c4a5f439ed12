"""Which image counts a piece of ground that several of them inspected.

Each point belongs to the image in which it lies deepest, that is farthest from the border of what the image
inspected. Far from its border a picture is at its best, and no line ends there only because the image ends.

Lines are cut where the ground of their image ends, but they go on for half a tolerance into the neighbour's
ground. The reason is that images do not lie exactly on each other. Each of two images may see a crack along
the seam a little on the other's side, and without the extra length the crack would be lost. What both images
then have is counted once by `doubles`.

Legend
    d_k(p)   depth of point p in image k: distance to the border of what k inspected, negative outside
    t        tolerance, how far images may lie off each other
    f(p)     d_i - max over others k of d_k + t, for points of a line of image i

Strategy: a line is kept where f >= 0. f is sampled along each line, coarsely at first. f changes by at most 2
per unit of length. So between two samples f1 and f2 at a distance g its sign can only change if
|f1| + |f2| <= 2 g. Only such stretches are halved and sampled again. The cuts lie where f, taken as linear
between two samples, is 0.
"""

from dataclasses import dataclass

import numpy as np
import shapely

from crackpipe.pipeline.geometry.arrays import Floats, Geometries, Ints
from crackpipe.pipeline.tables.overlaps.parts import Parts
from crackpipe.pipeline.tables.overlaps.plane import Areas

# Samples along a line are at first this many tolerances apart. Where f is near 0 they come down to half a
# tolerance.
_FIRST_STEP = 8.0
_LAST_STEP = 0.5
# So many pairs of line and image, and so many points, are looked at together. This bounds memory to some 100
# MB.
_PAIRS = 10_000
_POINTS = 50_000

# A point counts as this far outside of an area that is empty.
_FAR = 1e9


def own_parts(lines: Geometries, image: Ints, areas: Areas) -> Parts:
    """The parts of lines (L,) that lie in their own image's ground, or at most half a tolerance outside.

    `lines` are LineStrings in the plane, `image` (L,) the image of each as an index into `areas`. Lines that
    no other image saw stay whole.
    """
    seen = _Seen.of(lines, image, areas)
    length = shapely.length(lines)
    whole = np.ones(len(lines), np.bool_)
    cut: list[tuple[Ints, Floats, Floats]] = []
    for some in seen.portions():
        row, arc, value = _samples(seen, some, length[some])
        outside = np.unique(row[value < 0])
        whole[outside] = False
        among = np.isin(row, outside)
        cut.append(_positive(row[among], arc[among], value[among]))
    line = np.concatenate([np.flatnonzero(whole), *(each[0] for each in cut)])
    start = np.concatenate([np.zeros(whole.sum()), *(each[1] for each in cut)])
    stop = np.concatenate([length[whole], *(each[2] for each in cut)])
    order = np.lexsort((start, line))
    return Parts(line[order], start[order], stop[order])


@dataclass(frozen=True)
class _Seen:
    """Lines, and which other images saw something of each.

    The other images of line l are `other[first[l] : first[l + 1]]`.
    """

    lines: Geometries
    image: Ints
    areas: Areas
    other: Ints
    first: Ints

    @classmethod
    def of(cls, lines: Geometries, image: Ints, areas: Areas) -> "_Seen":
        line, other = shapely.STRtree(areas.polygons).query(lines, predicate="intersects")
        foreign = image[line] != other
        line, other = line[foreign], other[foreign]
        order = np.lexsort((other, line))
        first = np.searchsorted(line[order], np.arange(len(lines) + 1))
        return cls(lines, image, areas, other[order], first)

    def portions(self) -> list[Ints]:
        """Indices of the lines that other images saw, in portions of similar size."""
        count = np.diff(self.first)
        seen = np.flatnonzero(count)
        edges = np.flatnonzero(np.diff(np.cumsum(count[seen]) // _PAIRS)) + 1
        return [each for each in np.split(seen, edges) if len(each)]

    def pairs(self, line: Ints) -> tuple[Ints, Ints, Ints]:
        """For each of some lines all its images: index into `line`, image, and where each line begins."""
        count = self.first[line + 1] - self.first[line]
        begin = np.cumsum(count) - count
        index = np.repeat(np.arange(len(line)), count)
        return index, self.other[self.first[line][index] + np.arange(len(index)) - begin[index]], begin


def _samples(seen: _Seen, some: Ints, length: Floats) -> tuple[Ints, Floats, Floats]:
    """(line, distance from its start, f) of samples along some lines, dense where f is near 0.

    All lines are sampled together in flat arrays, sorted by line and distance. Each round inserts a sample in
    the middle of every gap in which the sign of f may change.
    """
    step = seen.areas.tolerance[seen.image]
    count = np.maximum(np.ceil(length / (_FIRST_STEP * step[some])), 1).astype(np.int64) + 1
    row = np.repeat(some, count)
    number = np.arange(len(row)) - np.repeat(np.cumsum(count) - count, count)
    arc = np.repeat(length, count) * number / np.repeat(count - 1, count)
    value = _values(seen, row, arc)
    while True:
        gap = np.diff(arc)
        near = (row[1:] == row[:-1]) & (np.abs(value[1:]) + np.abs(value[:-1]) <= 2 * gap)
        near &= gap > _LAST_STEP * step[row[1:]]
        index = np.flatnonzero(near)
        if len(index) == 0:
            return row, arc, value
        middle = (arc[index] + arc[index + 1]) / 2
        value = np.insert(value, index + 1, _values(seen, row[index], middle))
        row, arc = np.insert(row, index + 1, row[index]), np.insert(arc, index + 1, middle)


def _values(seen: _Seen, row: Ints, arc: Floats) -> Floats:
    """f at points of lines, (M,), given by line and distance from its start."""
    values = np.empty(len(row))
    for low in range(0, len(row), _POINTS):
        part = slice(low, low + _POINTS)
        points = shapely.line_interpolate_point(seen.lines[row[part]], arc[part])
        own = seen.image[row[part]]
        depth = _depth(seen.areas, own, points)
        index, other, begin = seen.pairs(row[part])
        others = _depth(seen.areas, other, points[index])
        tolerance = seen.areas.tolerance
        f = depth[index] - others + np.maximum(tolerance[own][index], tolerance[other])
        # An image that did not see the point cannot take it away.
        f = np.where(others > 0, f, np.maximum(f, -others))
        values[part] = np.minimum.reduceat(f, begin)
    return values


def _depth(areas: Areas, image: Ints, points: Geometries) -> Floats:
    """d of points (M,), each in its own image."""
    polygons = areas.polygons[image]
    inside = shapely.contains_xy(polygons, shapely.get_x(points), shapely.get_y(points))
    distance = np.nan_to_num(shapely.distance(areas.borders[image], points), nan=_FAR)
    return np.asarray(np.where(inside, distance, -distance))


def _positive(row: Ints, arc: Floats, value: Floats) -> tuple[Ints, Floats, Floats]:
    """(line, start, stop) of the stretches with value >= 0; samples are sorted by line and distance."""
    keep = value >= 0
    same = row[1:] == row[:-1]
    with np.errstate(divide="ignore", invalid="ignore"):
        zero = arc[:-1] + np.diff(arc) * value[:-1] / (value[:-1] - value[1:])
    opens, closes = same & ~keep[:-1] & keep[1:], same & keep[:-1] & ~keep[1:]
    first, last = np.append(True, ~same), np.append(~same, True)
    # Starts and stops both come in the order of line and distance, so the n-th start belongs to the n-th
    # stop.
    at_start = np.where(np.append(False, opens), np.append(0.0, zero), np.where(first & keep, arc, np.nan))
    at_stop = np.where(np.append(closes, False), np.append(zero, 0.0), np.where(last & keep, arc, np.nan))
    starts, stops = ~np.isnan(at_start), ~np.isnan(at_stop)
    return row[starts], at_start[starts], at_stop[stops]
