"""Sections along routes, strips across lanes, and lines cut at their borders.

Along the route, each section is divided into rows of about 1 m. Across it, the ground is divided into columns
at the borders of lanes, of their zones, of three equal strips, and of a grid of 1 m. So each figure of a
section is a sum over rows and columns.
"""

from dataclasses import dataclass, fields

import numpy as np

from crackpipe.pipeline.geometry.arrays import Bools, Floats, Ints
from crackpipe.pipeline.sections.options import ZONES, Lanes
from crackpipe.pipeline.sections.routes.axis import Axes, Finder

STRIPS = 3
"""Strips of a lane that some standards count cells in."""
ROW_M = 1.0
"""Length of a cell along the road, and side of the cells of a grid."""

# What is left at the end of a route and is shorter than this share of a section joins the section before.
_LEAST_SHARE = 0.01


@dataclass(frozen=True)
class Sections:
    """N sections, by route and measure, and their rows."""

    part: Ints
    """(N,)"""
    begin_s: Floats
    """(N,) in the s of `axis`."""
    end_s: Floats
    begin_m: Floats
    """(N,) measure, m."""
    end_m: Floats
    edge_s: Floats
    """(E + 1,) edges along s, ascending, of all rows and of what lies between parts."""
    row: Ints
    """(E,) row of each interval between edges; -1 between parts."""
    row_section: Ints
    """(R,) section of each row."""

    @property
    def length_m(self) -> Floats:
        """(N,) length on the ground."""
        return self.end_s - self.begin_s

    def of_part(self, part: int) -> Ints:
        """The sections of a part, in order."""
        return np.arange(*np.searchsorted(self.part, [part, part + 1]))

    def row_at(self, s: Floats) -> Ints:
        """The row at each s (N,); -1 beyond the ends of parts."""
        index = np.searchsorted(self.edge_s, s, side="right") - 1
        inside = (index >= 0) & (index < len(self.row))
        return np.where(inside, self.row[np.clip(index, 0, len(self.row) - 1)], -1)


@dataclass(frozen=True)
class Columns:
    """K intervals across the road, from left to right; -1 where an interval lies in no lane."""

    edge_o: Floats
    """(K + 1,) metres to the right of the route."""
    lane: Ints
    """(K,) index of the lane."""
    zone: Ints
    strip: Ints
    grid: Ints
    """Number of the 1 m column of the lane's grid, from its left edge."""

    def at(self, o: Floats) -> Ints:
        """The interval at each o (N,), or -1 outside of all."""
        index = np.searchsorted(self.edge_o, o, side="right") - 1
        return np.where((index >= 0) & (index < len(self.lane)), index, -1)


@dataclass(frozen=True)
class Layout:
    """Everything that ground is divided by."""

    finder: Finder
    lanes: Lanes
    sections: Sections
    columns: Columns

    @classmethod
    def of(cls, finder: Finder, lanes: Lanes, length_m: float) -> "Layout":
        """Routes divided into sections of `length_m` and lanes."""
        return cls(finder, lanes, sections_of(finder.axes, length_m), columns_of(lanes))

    @property
    def axes(self) -> Axes:
        """The routes."""
        return self.finder.axes

    @property
    def shape(self) -> tuple[int, int, int]:
        """(N, L, Z): sections, lanes, zones of a lane."""
        return len(self.sections.part), len(self.lanes.offsets_m), len(ZONES)

    @property
    def cells(self) -> int:
        """W = L * Z + 1 cells of a section, the last for what lies beside all lanes."""
        return len(self.lanes.offsets_m) * len(ZONES) + 1


def sections_of(axes: Axes, length_m: float) -> Sections:
    """Sections whose borders are multiples of `length_m` of the measure; shorter only where a part ends."""
    found: list[tuple[float, ...]] = []
    edges: list[Floats] = []
    rows: list[Ints] = []
    row_section: list[int] = []
    for index, part in enumerate(axes.parts):
        measure, ground = part.measure_m, part.ground_m
        begin, end = float(measure[0]), float(measure[-1])
        near = _LEAST_SHARE * length_m
        first, last = np.floor(begin / length_m), np.ceil(end / length_m)
        borders = np.arange(first, last + 1) * length_m
        borders = borders[(borders > begin + near) & (borders < end - near)]
        borders = np.concatenate([[begin], borders, [end]])
        s = axes.begin_s[index] + np.interp(borders, measure, ground)
        for at in range(len(borders) - 1):
            count = max(1, round((s[at + 1] - s[at]) / ROW_M))
            edges.append(np.linspace(s[at], s[at + 1], count + 1)[:-1])
            rows.append(np.arange(len(row_section), len(row_section) + count))
            row_section += [len(found)] * count
            found.append((index, s[at], s[at + 1], borders[at], borders[at + 1]))
        edges.append(s[-1:])
        rows.append(np.array([-1]))
    part_of, begin_s, end_s, begin_m, end_m = (np.array(each) for each in zip(*found, strict=True))
    return Sections(
        part=part_of.astype(np.int64),
        begin_s=begin_s,
        end_s=end_s,
        begin_m=begin_m,
        end_m=end_m,
        edge_s=np.concatenate(edges),
        row=np.concatenate(rows)[:-1],
        row_section=np.array(row_section, np.int64),
    )


def columns_of(lanes: Lanes) -> Columns:
    """The intervals at the borders of all lanes."""
    zone_edges = np.array(lanes.zone_edges_m())
    half = lanes.width_m / 2
    strip_edges = np.linspace(-half, half, STRIPS + 1)
    grid_edges = np.append(np.arange(-half, half - 1e-9, ROW_M), half)
    within = np.concatenate([zone_edges, strip_edges, grid_edges])
    edges = np.unique(np.round([offset + within for offset in lanes.offsets_m], 9))
    middle = (edges[:-1] + edges[1:]) / 2
    lane = np.full(len(middle), -1)
    centre = np.zeros(len(middle))
    for index, offset in enumerate(lanes.offsets_m):
        inside = np.abs(middle - offset) < half
        lane[inside], centre[inside] = index, offset

    def number(borders: Floats) -> Ints:
        found = np.searchsorted(borders, middle - centre, side="right") - 1
        return np.where(lane < 0, -1, np.clip(found, 0, len(borders) - 2))

    return Columns(edges, lane, number(zone_edges), number(strip_edges), number(grid_edges))


@dataclass(frozen=True)
class Pieces:
    """Stretches of straight steps (s, o) between borders. Q pieces, by step."""

    step: Ints
    """(Q,) index of the step."""
    share: Floats
    """(Q,) of the step's length."""
    row: Ints
    """(Q,) row of a section, or -1."""
    column: Ints
    """(Q,) column, or -1."""
    low_o: Floats
    """(Q,) smallest and largest o."""
    high_o: Floats
    along_m: Floats
    """(Q,) length along the route."""

    def take(self, which: Bools) -> "Pieces":
        """Some of the pieces, (Q,)."""
        return Pieces(*(getattr(self, each.name)[which] for each in fields(Pieces)))


def cut(s: Floats, o: Floats, sections: Sections, columns: Columns) -> Pieces:
    """Steps from (s[:, 0], o[:, 0]) to (s[:, 1], o[:, 1]), each float64 (N, 2), cut at all borders.

    Strategy: for each step the borders between its two ends are listed, along s and along o, each as the
    share of the step at which it is crossed. All shares are sorted by step; pieces lie between neighbours.
    """
    steps, shares = [np.repeat(np.arange(len(s)), 2)], [np.tile([0.0, 1.0], len(s))]
    for value, borders in ((s, sections.edge_s), (o, columns.edge_o)):
        place = np.searchsorted(borders, value, side="right")
        low, count = place.min(axis=1), np.abs(place[:, 1] - place[:, 0])
        step = np.repeat(np.arange(len(s)), count)
        border = borders[
            np.repeat(low, count) + np.arange(len(step)) - np.repeat(np.cumsum(count) - count, count)
        ]
        begin, end = value[step, 0], value[step, 1]
        steps.append(step)
        shares.append(np.clip((border - begin) / (end - begin), 0.0, 1.0))
    step, share = np.concatenate(steps), np.concatenate(shares)
    order = np.lexsort((share, step))
    step, share = step[order], share[order]
    same = (step[1:] == step[:-1]) & (share[1:] > share[:-1])
    first, last, step = share[:-1][same], share[1:][same], step[:-1][same]
    middle = (first + last) / 2
    across = np.diff(o, axis=1)[step, 0]
    ends = o[step, 0][:, None] + across[:, None] * np.column_stack([first, last])
    return Pieces(
        step=step,
        share=last - first,
        row=sections.row_at(s[step, 0] + np.diff(s, axis=1)[step, 0] * middle),
        column=columns.at(o[step, 0] + across * middle),
        low_o=ends.min(axis=1),
        high_o=ends.max(axis=1),
        along_m=np.abs(np.diff(s, axis=1)[step, 0]) * (last - first),
    )
