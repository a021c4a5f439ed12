"""Several offset fields on one ground: lanes and carriageways that were driven by themselves.

GNSS places each drive some decimetres off, so two lanes side by side may have two offsets, and one smooth
field can have one of them only. The other lane's cracks would all read gone and new. So where much of both
years lies on nothing, these cracks are registered once more, among themselves. A further field counts where
it lays half of them on each other, far more than chance; then each older crack has the field that fits it.

Legend: N older lines, M newer lines, P points, A polygons, L layers.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import shapely
from scipy.spatial import cKDTree

from crackpipe.pipeline.compare.flat import ground
from crackpipe.pipeline.compare.flat.lines import Lines, joined, sampled
from crackpipe.pipeline.compare.flat.threads import in_threads
from crackpipe.pipeline.compare.registration.field import Field
from crackpipe.pipeline.compare.registration.fit import beside
from crackpipe.pipeline.compare.registration.register import Registration, register
from crackpipe.pipeline.geometry.arrays import Bools, Floats, Geometries, Ints

_MOST = 4
"""So many drives side by side are told from each other."""
_STEP_M, _REACH_M = 0.1, 0.06
_CELL_M = 50.0
_SUSPICIOUS = 0.2
"""Share of the length of both years in a cell that lies on nothing, from which another drive is sought."""
_HALF = 0.5
_LEAST_CRACKS = 5
_OVER_CHANCE = 3.0
_MOST_RESIDUAL_M = 0.03
_NODE_M = 60.0
"""A crack has its field from a node so near."""


@dataclass(frozen=True)
class Layered:
    """One registration of all, further ones of what it did not fit, and whose each older line is."""

    first: Registration
    further: tuple[Registration, ...]
    layer: Ints
    """(N,) 0 is the first."""

    def moved(self, lines: Lines) -> Lines:
        """The older lines (N,) where the newer year sees them."""
        if not self.further:
            return self.first.field.moved(lines)
        parts, places = [], []
        for number, each in enumerate(self._fields):
            some = np.flatnonzero(self.layer == number)
            parts.append(each.moved(lines.take(some)))
            places.append(some)
        return joined(parts).take(np.argsort(np.concatenate(places)))

    def back(self, points: Floats, moved: Lines) -> Floats:
        """Where points (P, 2) of the newer year lie in the older one, (P, 2).

        Each goes back by the field of the nearest older line. `moved` (N,) are these where they are seen.
        """
        if not self.further or len(points) == 0:
            return self.first.field.back(points)
        layer = self.layer[cKDTree(moved.middles()).query(points)[1]]
        found = np.empty((len(points), 2))
        for number, field in enumerate(self._fields):
            some = np.flatnonzero(layer == number)
            found[some] = field.back(points[some])
        return found

    def moved_areas(self, areas: Geometries, moved: Lines) -> Geometries:
        """What the older year inspected, polygons (A,), where the newer year sees it.

        Each has the field of most of the older lines in it; the first one where there are none, or as many.
        `moved` (N,) are these lines where they are seen.
        """
        layer = self._of_areas(areas, moved) if self.further else np.zeros(len(areas), np.int64)
        found = np.empty(len(areas), object)
        for number, field in enumerate(self._fields):
            some = np.flatnonzero(layer == number)
            found[some] = shapely.transform(areas[some], _moving(field))
        return found

    @property
    def _fields(self) -> list[Field]:
        return [each.field for each in (self.first, *self.further)]

    def _of_areas(self, areas: Geometries, moved: Lines) -> Ints:
        """Whose each area (A,) is."""
        middles = self.back(moved.middles(), moved)
        line, area = shapely.STRtree(areas).query(shapely.points(middles), predicate="intersects")
        layers = 1 + len(self.further)
        lines = np.bincount(area * layers + self.layer[line], minlength=len(areas) * layers)
        return np.asarray(lines.reshape(len(areas), layers).argmax(axis=1), np.int64)


def _moving(field: Field) -> Callable[[Floats], Floats]:
    return lambda xy: xy + field.offsets(xy)


def layered(older: Lines, newer: Lines, within_m: float) -> Layered:
    """Register the older year, drive by drive where that is needed."""
    first = register(older, newer, within_m)
    layer = np.zeros(len(older), np.int64)
    some, others = (_at_doubtful_node(first, lines) for lines in (older, newer))
    if min(len(some), len(others)) < _LEAST_CRACKS:
        return Layered(first, (), layer)
    found = _further(first, older.take(some), newer.take(others), within_m)
    layer[some] = found.layer
    return Layered(first, found.further, layer)


def _at_doubtful_node(registration: Registration, lines: Lines) -> Ints:
    """Lines at nodes where so much lies on nothing that there may be another drive."""
    nodes = registration.field.nodes
    if len(nodes) == 0:
        return np.zeros(0, np.int64)
    distance, nearest = cKDTree(nodes).query(lines.middles())
    doubtful = registration.share < 1 - _SUSPICIOUS
    return np.flatnonzero(doubtful[nearest] & (distance <= _NODE_M))


def _further(first: Registration, older: Lines, newer: Lines, within_m: float) -> Layered:
    """Further fields of lines that the first one may not fit."""
    found = Layered(first, (), np.zeros(len(older), np.int64))
    lies = np.zeros(len(older), np.bool_)
    for _ in range(_MOST - 1):
        moved = found.moved(older)
        lies, has = _on(moved, newer), _on(newer, moved)
        left, new_left = _suspicious(moved, newer, lies, has)
        if min(len(left), len(new_left)) < _LEAST_CRACKS:
            break
        others = newer.take(new_left)
        again = register(older.take(left), others, within_m)
        there = again.field.moved(older.take(left))
        fits = _on(there, others) & _near_good_node(again, older.take(left))
        if fits.sum() < _LEAST_CRACKS:
            break
        layer = found.layer.copy()
        layer[left[fits]] = 1 + len(found.further)
        lies[left[fits]] = True
        found = Layered(found.first, (*found.further, again), layer)
    return Layered(found.first, found.further, _as_neighbours(older, found.layer, lies))


def _on(lines: Lines, others: Lines) -> Bools:
    """Whether half of each line lies on others that run the same way."""
    length = np.zeros(len(lines))
    here, there = ground.places_of(lines.bounds, 0.0), ground.places_of(others.bounds, _REACH_M + _STEP_M)

    def of_tile(tile: tuple[int, Ints]) -> tuple[Ints, Floats]:
        key, own = tile
        points = sampled(lines.take(own), _STEP_M)
        targets = sampled(others.take(there.near(key)), _STEP_M / 2)
        if len(targets.line) == 0:
            return own, np.zeros(len(own))
        found, _, _ = beside(points.xy, points.tangent, targets, cKDTree(targets.xy), _REACH_M)
        on = np.bincount(points.line[found], points.weight_m[found], minlength=len(own))
        return own, np.asarray(on, np.float64)

    for own, on in in_threads(of_tile, ground.tiles(here)):
        length[own] += on
    return np.asarray(length >= _HALF * lines.length_m)


def _suspicious(older: Lines, newer: Lines, lies: Bools, has: Bools) -> tuple[Ints, Ints]:
    """Lines of both years that lie on nothing, in cells where there are many of both."""
    keys = [ground.cells_at(lines.middles(), _CELL_M) for lines in (older, newer)]
    both, place = np.unique(np.concatenate(keys), return_inverse=True)
    many = np.ones(len(both), np.bool_)
    for lines, some, at in ((older, ~lies, place[: len(older)]), (newer, ~has, place[len(older) :])):
        total = np.bincount(at, lines.length_m, minlength=len(both))
        alone = np.bincount(at[some], lines.length_m[some], minlength=len(both))
        many &= alone > _SUSPICIOUS * total
    return np.flatnonzero(~lies & many[place[: len(older)]]), np.flatnonzero(~has & many[place[len(older) :]])


def _near_good_node(registration: Registration, lines: Lines) -> Bools:
    """Whether the node nearest to each line lays cracks on cracks, and far more than chance does."""
    nodes = registration.field.nodes
    if len(nodes) == 0:
        return np.zeros(len(lines), np.bool_)
    with np.errstate(invalid="ignore"):
        good = (registration.share >= _HALF) & (registration.share > _OVER_CHANCE * registration.chance)
        good &= registration.residual_m <= _MOST_RESIDUAL_M
    distance, nearest = cKDTree(nodes).query(lines.middles())
    return np.asarray(good[nearest] & (distance <= _NODE_M))


def _as_neighbours(lines: Lines, layer: Ints, lies: Bools) -> Ints:
    """What lies on nothing is of the drive of the nearest line that lies on something."""
    if not layer.any() or lies.all():
        return layer
    middles: Floats = lines.middles()
    _, nearest = cKDTree(middles[lies]).query(middles[~lies])
    found = layer.copy()
    found[~lies] = layer[lies][nearest]
    return found
