"""Which part of each cell was inspected, ground that several images show counted once.

Strategy: what the images inspected near a part of a route is drawn straight, in (s, o). For each section the
polygons are united, and the union is cut with the rectangle of each zone. Where another route is near, ground
counts for the route it is nearest to, as cracks do: rectangles of 1 m along the road that lie nearer to
another route are taken away. Areas are those of the straight road: length along the axis times width.

Legend
    N sections, L lanes, Z zones, R rows of sections
"""

from dataclasses import dataclass

import numpy as np
import shapely

from crackpipe.pipeline.geometry.arrays import Bools, Floats, Geometries, Ints
from crackpipe.pipeline.sections.cells import Layout
from crackpipe.pipeline.sections.options import ZONES

# Edges of what was inspected get a vertex at least this often, so that they bend with the road.
_LONGEST_EDGE_M = 3.0
# Areas below this are rounding.
_LEAST_M2 = 1e-4


def inspected_m2(layout: Layout, areas: Geometries) -> Floats:
    """Inspected area of each zone of each lane of each section, m2, float64 (N, L, Z).

    `areas` are what the images inspected, (A,) polygons in the plane of the routes.
    """
    found = np.zeros(layout.shape)
    part, area = _near(layout, areas)
    edges = np.searchsorted(part, np.arange(len(layout.axes.parts) + 1))
    foreign = _Foreign.of(layout)
    for index in range(len(layout.axes.parts)):
        some = area[edges[index] : edges[index + 1]]
        if len(some):
            _fill(found, layout, index, _straight(layout, index, areas[some]), foreign)
    return np.where(found < _LEAST_M2, 0.0, found)


def zone_m2(layout: Layout) -> Floats:
    """Area of each zone of each lane of each section, m2, float64 (N, L, Z)."""
    width = np.diff(layout.lanes.zone_edges_m())
    return np.asarray(
        layout.sections.length_m[:, None, None] * np.broadcast_to(width, (layout.shape[1], len(ZONES)))
    )


def _near(layout: Layout, areas: Geometries) -> tuple[Ints, Ints]:
    """(part, area) of all pairs in which the area reaches into a lane of the part, sorted."""
    axes = layout.axes
    segment = layout.finder.segment
    reach = layout.lanes.reach_m / axes.metres[segment]
    one, area = shapely.STRtree(areas).query(axes.lines(segment), predicate="dwithin", distance=reach)
    pairs = np.unique(axes.part[segment[one]] * len(areas) + area)
    return pairs // max(1, len(areas)), pairs % max(1, len(areas))


def _straight(layout: Layout, part: int, areas: Geometries) -> Geometries:
    """Areas in the plane as areas in (s, o) of one part."""
    axes = layout.axes
    segments = axes.segments(part)
    areas = shapely.segmentize(areas, _LONGEST_EDGE_M / float(np.median(axes.metres[segments])))
    points, of_area = shapely.get_coordinates(areas, return_index=True)
    middles = shapely.centroid(areas)
    start = segments[shapely.STRtree(axes.lines(segments)).nearest(middles)]
    nearest = axes.slid(start[of_area], points)
    straight = shapely.set_coordinates(areas, np.column_stack(axes.project(nearest, points, within=True)))
    broken = ~shapely.is_valid(straight)
    straight[broken] = shapely.make_valid(straight[broken])
    return np.asarray(straight)


def _fill(found: Floats, layout: Layout, part: int, areas: Geometries, foreign: "_Foreign") -> None:
    """Add the inspected area of the sections of one part to `found`."""
    sections, reach = layout.sections, layout.lanes.reach_m
    here = sections.of_part(part)
    begins, ends = sections.begin_s[here], sections.end_s[here]
    full = _seen_in_full(areas, reach, begins, ends)
    section, area = _pairs(areas, begins, ends)
    edges = np.searchsorted(section, np.arange(len(here) + 1))
    left, right = _sides(layout)
    for index, row in enumerate(here.tolist()):
        begin, end = float(begins[index]), float(ends[index])
        some = areas[area[edges[index] : edges[index + 1]]]
        if full[index]:
            seen = shapely.box(begin, -reach, end, reach)
            found[row] = ((end - begin) * (right - left)).reshape(layout.shape[1:])
        elif len(some):
            seen = shapely.union_all(shapely.clip_by_rect(some, begin, -reach, end, reach))
            boxes = shapely.box(begin, left, end, right)
            found[row] = shapely.area(shapely.intersection(seen, boxes)).reshape(layout.shape[1:])
        else:
            continue
        foreign.take_away(found[row], row, seen)


def _pairs(areas: Geometries, begins: Floats, ends: Floats) -> tuple[Ints, Ints]:
    """(section, area) of all pairs that may share ground, by section."""
    bounds = shapely.bounds(areas)
    low = np.searchsorted(ends, bounds[:, 0], side="right")
    high = np.searchsorted(begins, bounds[:, 2], side="left")
    count = np.maximum(high - low, 0)
    area = np.repeat(np.arange(len(areas)), count)
    section = np.repeat(low, count) + np.arange(len(area)) - np.repeat(np.cumsum(count) - count, count)
    order = np.argsort(section, kind="stable")
    return section[order], area[order]


def _seen_in_full(areas: Geometries, reach: float, begins: Floats, ends: Floats) -> Bools:
    """Sections that frames cover from edge to edge without a gap; this spares the union of polygons.

    A frame without holes covers the road from edge to edge between lo and hi, where lo is the largest of: the
    smallest s of its vertices to the left of all lanes, the same to their right, and the largest s of the
    vertices between that lie before its middle. hi is formed in the same way from behind. Of a frame with a
    notch about its middle that would be the notch, so only frames that hold what they claim are taken.
    """
    plain = (shapely.get_type_id(areas) == shapely.GeometryType.POLYGON) & (
        shapely.get_num_interior_rings(areas) == 0
    )
    points, of_area = shapely.get_coordinates(areas[plain], return_index=True)
    if len(points) == 0:
        return np.zeros(len(begins), np.bool_)
    first = np.searchsorted(of_area, np.arange(np.count_nonzero(plain)))
    s, o = points.T
    middle = (np.minimum.reduceat(s, first) + np.maximum.reduceat(s, first))[of_area] / 2
    left, right = o <= -reach, o >= reach
    between = ~left & ~right

    def least(which: Bools, without: float) -> Floats:
        return np.asarray(np.minimum.reduceat(np.where(which, s, without), first))

    def most(which: Bools, without: float) -> Floats:
        return np.asarray(np.maximum.reduceat(np.where(which, s, without), first))

    inf = np.inf
    low = np.max([least(left, inf), least(right, inf), most(between & (s <= middle), -inf)], axis=0)
    high = np.min([most(left, -inf), most(right, -inf), least(between & (s > middle), inf)], axis=0)
    some = np.flatnonzero(np.isfinite(low) & (low < high))
    some = some[shapely.covers(areas[plain][some], shapely.box(low[some], -reach, high[some], reach))]
    if len(some) == 0:
        return np.zeros(len(begins), np.bool_)
    low, high = low[some], high[some]
    order = np.argsort(low, kind="stable")
    low, high = low[order], np.maximum.accumulate(high[order])
    # Frames that go on in each other are one stretch, from `start` to `stop`.
    opens = np.append(True, low[1:] > high[:-1])
    start = low[opens]
    stop = np.maximum.reduceat(high, np.flatnonzero(opens))
    at = np.searchsorted(start, begins, side="right") - 1
    return (at >= 0) & (stop[np.maximum(at, 0)] >= ends)


def _sides(layout: Layout) -> tuple[Floats, Floats]:
    """Left and right border of each zone of each lane, (L * Z,), metres to the right of the route."""
    edges = np.array(layout.lanes.zone_edges_m())
    offsets = np.array(layout.lanes.offsets_m)[:, None]
    return (offsets + edges[:-1]).ravel(), (offsets + edges[1:]).ravel()


@dataclass(frozen=True)
class _Foreign:
    """Ground of lanes that lies nearer to another route: rectangles of a row and a zone. F rectangles."""

    section: Ints
    """(F,) ascending."""
    cell: Ints
    """(F,) lane * Z + zone."""
    boxes: Geometries
    """(F,) in (s, o)."""

    @classmethod
    def of(cls, layout: Layout) -> "_Foreign":
        """Looks only at rows that have another part near."""
        rows = np.flatnonzero(_beside_others(layout))
        sections, axes = layout.sections, layout.axes
        interval = np.flatnonzero(sections.row >= 0)[rows]
        begin, end = sections.edge_s[interval], sections.edge_s[interval + 1]
        left, right = _sides(layout)
        cells = len(left)
        row = np.repeat(np.arange(len(rows)), cells)
        cell = np.tile(np.arange(cells), len(rows))
        middle = ((begin + end) / 2)[row]
        segment = np.searchsorted(axes.s, middle, side="right") - 1
        points = axes.points(segment, middle, ((left + right) / 2)[cell])
        nearest = layout.finder.nearest(points) if len(points) else segment
        lost = np.flatnonzero((axes.part[nearest] != axes.part[segment]) & ((right - left)[cell] > 0))
        boxes = shapely.box(begin[row[lost]], left[cell[lost]], end[row[lost]], right[cell[lost]])
        return cls(sections.row_section[rows[row[lost]]], cell[lost], np.asarray(boxes))

    def take_away(self, found: Floats, section: int, seen: shapely.Geometry) -> None:
        """Subtract from `found` (L, Z) of a section what was seen of the other routes' ground."""
        some = slice(*np.searchsorted(self.section, [section, section + 1]))
        area = shapely.area(shapely.intersection(seen, self.boxes[some]))
        flat = np.bincount(self.cell[some], area, minlength=found.size)
        found -= flat.reshape(found.shape)


def _beside_others(layout: Layout) -> Bools:
    """(R,) whether another part is so near a row that ground of its lanes may be the other's."""
    axes, sections = layout.axes, layout.sections
    lines = axes.lines()
    reach = 2 * (layout.lanes.reach_m + 1.0) / axes.metres
    one, other = layout.finder.tree.query(lines, predicate="dwithin", distance=reach)
    foreign = axes.part[one] != axes.part[layout.finder.segment[other]]
    near = np.zeros(len(lines), np.bool_)
    near[one[foreign]] = True
    interval = np.flatnonzero(sections.row >= 0)
    middle = (sections.edge_s[interval] + sections.edge_s[interval + 1]) / 2
    return np.asarray(near[np.searchsorted(axes.s, middle, side="right") - 1])
