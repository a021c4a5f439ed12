"""Cracks that are several rows: transverse ones as a number, and longitudinal ones that are too short.

A crack is one row of the table from node to node and from width class to width class. Transverse rows of one
network whose ends meet are counted as one. It counts in the section that holds most of it, in each lane that
holds at least 0.3 m of it.
"""

from dataclasses import dataclass, replace

import numpy as np
import shapely
from scipy import sparse
from scipy.sparse import csgraph

from crackpipe.pipeline.geometry.arrays import Floats, Ints
from crackpipe.pipeline.sections.cells import Layout
from crackpipe.pipeline.sections.count import Counted
from crackpipe.pipeline.sections.locate import TYPES
from crackpipe.pipeline.sections.options import ZONES

# Ends of one network nearer than this meet. It allows for a junction's few pixels and for the seam of images.
_MEET_M = 0.05
_LEAST_M = 0.3


@dataclass(frozen=True)
class Transverse:
    """Transverse cracks in lanes, (T,) each; one that crosses two lanes stands twice."""

    section: Ints
    lane: Ints
    """Index of the lane."""
    across_m: Floats
    """How much of the lane's width it spans, m."""

    def count(self, layout: Layout, *, least_m: float = 0.0, below_m: float = np.inf) -> Ints:
        """Number (N, L) of those that span at least `least_m` and less than `below_m`."""
        sections, lanes, _ = layout.shape
        some = (self.across_m >= least_m) & (self.across_m < below_m)
        index = self.section[some] * lanes + self.lane[some]
        return np.bincount(index, minlength=sections * lanes).reshape(sections, lanes)


def without_short(counted: Counted, layout: Layout, least_m: float) -> Counted:
    """The same with longitudinal cracks shorter than `least_m`, rows that meet together, as diagonal."""
    cracks = counted.cracks
    rows = np.flatnonzero(cracks.type == TYPES.index("longitudinal"))
    label = _labels(cracks.ends[rows], cracks.network[rows], layout)
    short = np.bincount(label, cracks.length_m[rows])[label] < least_m
    types = cracks.type.copy()
    types[rows[short]] = TYPES.index("diagonal")
    return replace(counted, cracks=replace(cracks, type=types))


def transverse_cracks(counted: Counted, layout: Layout) -> Transverse:
    """All transverse cracks of a run in its lanes."""
    rows = np.flatnonzero(counted.cracks.type == TYPES.index("transverse"))
    label = np.full(len(counted.cracks.type), -1)
    label[rows] = _labels(counted.cracks.ends[rows], counted.cracks.network[rows], layout)

    shares, zones = counted.shares, len(ZONES)
    section, within = shares.cell // layout.cells, shares.cell % layout.cells
    some = np.flatnonzero((label[shares.crack] >= 0) & (shares.cell >= 0) & (within < layout.cells - 1))
    one, lane, section = label[shares.crack][some], within[some] // zones, section[some]
    length, low, high = shares.length_m[some], shares.low_o[some], shares.high_o[some]
    order = np.lexsort((section, lane, one))
    one, lane, section = one[order], lane[order], section[order]
    if len(order) == 0:
        return Transverse(one, lane, np.zeros(0))
    first = np.flatnonzero(np.append(True, (np.diff(one) != 0) | (np.diff(lane) != 0)))
    group = np.cumsum(np.isin(np.arange(len(one)), first)) - 1
    # Within a group sections ascend, so that stretches of one section are neighbours.
    stretch = np.flatnonzero(np.append(True, (np.diff(group) != 0) | (np.diff(section) != 0)))
    in_section = np.add.reduceat(length[order], stretch)
    most = np.lexsort((section[stretch], -in_section, group[stretch]))
    chosen = most[np.searchsorted(group[stretch][most], np.arange(len(first)))]
    total = np.add.reduceat(length[order], first)
    across = np.maximum.reduceat(high[order], first) - np.minimum.reduceat(low[order], first)
    long_enough = total >= _LEAST_M
    return Transverse(section[stretch][chosen][long_enough], lane[first][long_enough], across[long_enough])


def _labels(ends: Floats, network: Ints, layout: Layout) -> Ints:
    """A number for each row (M,); rows that meet have the same. `ends` is (M, 4)."""
    points = shapely.points(ends.reshape(-1, 2))
    reach = _MEET_M / float(np.median(layout.axes.metres))
    one, other = shapely.STRtree(points).query(points, predicate="dwithin", distance=reach) // 2
    same = network[one] == network[other]
    graph = sparse.csr_array((np.ones(same.sum()), (one[same], other[same])), shape=(len(ends),) * 2)
    return np.asarray(csgraph.connected_components(graph, directed=False)[1], np.int64)
