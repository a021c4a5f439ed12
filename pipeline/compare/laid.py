"""The older year where the newer one sees it, and which stretches of crack both show there."""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import shapely
from scipy.spatial import cKDTree

from crackpipe.pipeline.compare.flat import ground
from crackpipe.pipeline.compare.flat.lines import Lines, points_along
from crackpipe.pipeline.compare.lost import at_lost, lost_nodes, seen_nodes
from crackpipe.pipeline.compare.registration.layers import Layered, layered
from crackpipe.pipeline.compare.registration.register import Registration
from crackpipe.pipeline.compare.stretches import match
from crackpipe.pipeline.compare.stretches.match import Stretches
from crackpipe.pipeline.compare.years import Year
from crackpipe.pipeline.geometry.arrays import Bools, Floats, Ints

LEAST_CRACKS = 5
"""Matched cracks without which a road is not registered."""
MOST_RESIDUAL_M = 0.03
"""Median distance of matched lines above which a road is not registered."""
_ROAD_STEP_M = 20.0
"""Distance of the points on cracks from which roads are made."""
_CHANCE = 1.5
"""So many times as much of the older cracks must lie on newer ones as chance would lay there."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """What a person may choose."""

    within_m: float = 1.0
    """How far the older year may lie off the newer one, in x and in y."""
    least_m: float = 0.15
    """Shorter changes cannot be told from the end of a crack that is found a little earlier or later."""
    force: bool = False
    """Compare what should not be compared, and mark it."""
    camera: Literal["auto", "same", "other"] = "auto"
    """Whether both years have one camera. `auto`: unless something tells otherwise."""


@dataclass(frozen=True)
class Laid:
    """Both years in the newer one's place, and how well that went. W roads."""

    older: Year
    """With its lines where the newer year sees them."""
    newer: Year
    layers: Layered
    """The offset fields, and which of them moved each older line."""
    roads: ground.Roads
    older_road: Ints
    newer_road: Ints
    residual_m: Floats
    """(W,) median over the road's nodes; NaN where it has none."""
    matched: Ints
    """(W,) matched cracks."""
    registered: Bools
    """(W,)"""
    lost: Bools
    """(K,) nodes of registered roads around which the years do not lie on each other."""
    newer_told: Bools
    """Of each newer line: its road is registered, and its place is not lost."""
    older_told: Bools
    on_newer: Stretches
    on_older: Stretches

    @property
    def registration(self) -> Registration:
        """That of all cracks, which the figures of roads and nodes are of."""
        return self.layers.first

    @property
    def drives(self) -> int:
        """How many offset fields lie beside each other."""
        return 1 + len(self.layers.further)

    def without_stretches(self) -> "Laid":
        """All but the stretches, which rows are made of and nothing else needs."""
        return replace(self, on_newer=match.NO_STRETCHES, on_older=match.NO_STRETCHES)


def lay(older: Year, newer: Year, options: Options) -> Laid:
    """Register the older year, and find which stretches both years show."""
    layers = layered(older.lines, newer.lines, options.within_m)
    registration = layers.first
    moved = layers.moved(older.lines)
    older = replace(older, lines=moved)
    roads = _roads(older, newer)
    older_road, newer_road = (roads.at(lines.middles()) for lines in (moved, newer.lines))
    road_of_node = _road_of_nodes(registration, moved, roads)
    residual = _by_road(registration.residual_m, road_of_node, roads.count)
    share, chance = (
        _by_road(each, road_of_node, roads.count) for each in (registration.share, registration.chance)
    )
    # five median residuals hold nearly all lines that belong together
    reach = np.clip(5 * np.nan_to_num(residual), 0.025, 0.12)
    on_newer = match.stretches(newer.lines, moved, reach[newer_road], options.least_m)
    on_older = match.stretches(moved, newer.lines, reach[older_road], options.least_m)
    is_matched = _matched_cracks(on_newer, newer)
    matched = np.bincount(newer_road[is_matched], minlength=roads.count)
    registered = (matched >= LEAST_CRACKS) & (residual <= MOST_RESIDUAL_M) & (share > _CHANCE * chance)
    lost = lost_nodes(registration, moved, newer.lines, is_matched) & registered[road_of_node]
    newer_told, older_told = (
        registered[road] & ~at_lost(registration, lost, lines)
        for road, lines in ((newer_road, newer.lines), (older_road, moved))
    )
    return Laid(
        older=older,
        newer=newer,
        layers=layers,
        roads=roads,
        older_road=older_road,
        newer_road=newer_road,
        residual_m=residual,
        matched=matched,
        registered=registered,
        lost=lost,
        newer_told=newer_told,
        older_told=older_told,
        on_newer=on_newer,
        on_older=on_older,
    )


def _roads(older: Year, newer: Year) -> ground.Roads:
    points = []
    for year in (older, newer):
        points += [shapely.get_coordinates(shapely.segmentize(year.inspected.polygons, 20.0))]
        points += [points_along(year.lines, _ROAD_STEP_M), year.lines.middles()]
    return ground.roads_of(np.concatenate(points))


def _road_of_nodes(registration: Registration, older: Lines, roads: ground.Roads) -> Ints:
    """The road of each node (K,), which is that of the nearest of the older lines, where these are seen.

    A node is the mean of points on older lines: at a bend it lies beside the road, where no road is known.
    """
    nodes = seen_nodes(registration)
    if len(nodes) == 0:
        return np.zeros(0, np.int64)
    points = points_along(older, _ROAD_STEP_M)
    return roads.at(points[cKDTree(points).query(nodes)[1]])


def _by_road(values: Floats, road: Ints, count: int) -> Floats:
    """Median of the known values of each road, (W,)."""
    found = np.full(count, np.nan)
    known = np.isfinite(values)
    values, road = values[known], road[known]
    order = np.lexsort((values, road))
    number = np.bincount(road, minlength=count)
    some = np.flatnonzero(number)
    first = (np.cumsum(number) - number)[some]
    low, high = first + (number[some] - 1) // 2, first + number[some] // 2
    found[some] = (values[order][low] + values[order][high]) / 2
    return found


def _matched_cracks(stretches: Stretches, year: Year) -> Bools:
    """Whether half of each crack and at least 0.1 m are matched, (N,)."""
    length = np.bincount(
        stretches.line, np.where(stretches.both, stretches.length_m, 0.0), minlength=len(year.lines)
    )
    return np.asarray(length >= np.maximum(year.lines.length_m / 2, 0.1))
