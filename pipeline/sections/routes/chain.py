"""The parts of a route in order, each with the measure at its vertices.

A route may come as several lines: out of order, some drawn the other way round, with gaps between them.

Strategy without measures: the part that comes first begins the chain. The remaining part nearest to an end of
the chain is put on there, turned if that fits better, until none remains. The chain then runs the way in
which most of its length was drawn. The measure is the true ground length from its start; it goes on over a
gap by the gap's own length. With measures, each part stands where its measures say, and a part whose measures
fall is turned. Lines whose ends touch, and whose measures meet, are one part, so that ground in the bend
between them lies beyond no end. A line that runs back on the ground of the one before stays by itself.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from pyproj import CRS

from crackpipe.pipeline.errors import UsageError
from crackpipe.pipeline.geometry.arrays import Floats
from crackpipe.pipeline.geometry.ground import ground_steps_m

# Ends nearer than this are one point: digitised lines of a route often miss each other by centimetres.
_TOUCH_M = 0.5
# A line runs back where so far from the touch, or at its end, it lies within 20 degrees of the line before.
_BACK_M = 10.0
_BACK_SHARE = float(2 * np.sin(np.radians(10.0)))
# Units of measures, and how far the ratio of measure and ground length may lie off. Calibrated measures
# differ from ground length by some per cent.
_MEASURE_UNITS = {"m": 1.0, "km": 1000.0, "mi": 1609.344, "ft": 0.3048}
_RATIO_WITHIN = 0.2
# Measures are rounded, so that one may fall by a little where vertices lie close together.
_FALL_M = 0.02


@dataclass(frozen=True)
class Part:
    """A connected part of a route. Its measure rises from vertex to vertex."""

    route_id: str
    world: Floats
    """(V, 2) (x, y) in the CRS of the tables, V >= 2, no two consecutive vertices the same."""
    ground_m: Floats
    """(V,) true ground length from the part's start, rising."""
    measure_m: Floats
    """(V,) measure of the route, in metres, rising."""


@dataclass
class Chain:
    """A route in parts, by rising measure."""

    parts: list[Part] = field(default_factory=list)
    lines: int = 0
    """Lines that the parts are made of."""
    turned: int = 0
    """Lines that were drawn against the others, or against their measures."""
    gaps: list[tuple[float, float]] = field(default_factory=list)
    """Measure at which each gap begins, and its length, m."""


@dataclass
class Routes:
    """Parts of routes in the CRS of the tables, by route_id, then measure."""

    parts: list[Part] = field(default_factory=list)
    measured: bool = False
    """Whether the measures are those of a file; else they are ground length."""
    notes: list[str] = field(default_factory=list)
    """Sentences about what was assumed, turned or left out."""


def without_measures(route_id: str, lines: Sequence[Floats], crs: CRS) -> Chain:
    """The chain of lines (each (V, 2) in `crs`) of one route, measured by ground length from its start."""
    order = _order(lines)
    drawn = sum((-1 if turned else 1) * _ground_m(lines[index], crs)[-1] for index, turned in order)
    if drawn < 0:
        order = [(index, not turned) for index, turned in reversed(order)]
    chain = in_order(route_id, [lines[index][:: -1 if turned else 1] for index, turned in order], crs)
    chain.turned = sum(turned for _, turned in order)
    return chain


def in_order(route_id: str, lines: Sequence[Floats], crs: CRS) -> Chain:
    """The chain of lines (each (V, 2) in `crs`) as they are, measured by ground length and over gaps."""
    chain = Chain(lines=len(lines))
    single: list[Part] = []
    at = 0.0
    for world in lines:
        ground = _ground_m(world, crs)
        if single:
            gap = _apart_m(single[-1].world[-1], world[0], crs)
            if gap > _TOUCH_M:
                chain.gaps.append((at, gap))
                at += gap
        single.append(Part(route_id, world, ground, at + ground))
        at += float(ground[-1])
    chain.parts = _joined(single, crs)
    return chain


def with_measures(
    route_id: str, lines: Sequence[Floats], measures: Sequence[Floats], unit_m: float, crs: CRS
) -> Chain:
    """The chain of lines whose vertices have measures (each (V,), NaN where a vertex has none).

    `unit_m` is the unit of measures in metres. Raises UsageError where measures both rise and fall.
    """
    chain = Chain(lines=len(lines))
    for line, measure in zip(lines, measures, strict=True):
        world, ground = line, _ground_m(line, crs)
        rising = _filled(ground, measure, unit_m)
        steps = np.diff(rising)
        if rising[-1] < rising[0]:
            world, ground, rising = world[::-1], ground[-1] - ground[::-1], rising[::-1]
            steps, chain.turned = np.diff(rising), chain.turned + 1
        if (steps < -_FALL_M).any() or rising[-1] <= rising[0]:
            worst = int(np.argmin(steps))
            raise UsageError(
                f"route {route_id}: its measures neither only rise nor only fall, but go from "
                f"{rising[worst] / unit_m:g} to {rising[worst + 1] / unit_m:g} from vertex to vertex. "
                "Calibrate the route again, or take the measures away: then ground length counts."
            )
        chain.parts.append(Part(route_id, world, ground, np.maximum.accumulate(rising)))
    chain.parts.sort(key=lambda part: (part.measure_m[0], part.measure_m[-1]))
    for one, other in zip(chain.parts, chain.parts[1:], strict=False):
        gap = float(other.measure_m[0] - one.measure_m[-1])
        if gap > _TOUCH_M:
            chain.gaps.append((float(one.measure_m[-1]), gap))
    chain.parts = _joined(chain.parts, crs)
    return chain


def _joined(single: Sequence[Part], crs: CRS) -> list[Part]:
    """Parts of single lines, sorted by measure, with those as one that go on in each other."""
    groups: list[list[Part]] = []
    going_on: list[list[Part]] = []  # those that a part further on may still touch
    for part in single:
        begins = part.measure_m[0]
        going_on = [group for group in going_on if group[-1].measure_m[-1] >= begins - _TOUCH_M]
        before = next((group for group in going_on if _goes_on(group[-1], part, crs)), None)
        if before is None:
            groups.append([part])
            going_on.append(groups[-1])
        else:
            before.append(part)
    return [_one_of(group, crs) if len(group) > 1 else group[0] for group in groups]


def _goes_on(one: Part, other: Part, crs: CRS) -> bool:
    """Whether a part begins where another ends, and does not run back on its ground."""
    if abs(other.measure_m[0] - one.measure_m[-1]) > _TOUCH_M:
        return False
    if _apart_m(one.world[-1], other.world[0], crs) > _TOUCH_M or (one.world[-1] == other.world[1]).all():
        return False
    far = min(_BACK_M, float(one.ground_m[-1]), float(other.ground_m[-1]))
    before, behind = _point(one, float(one.ground_m[-1]) - far), _point(other, far)
    return _apart_m(before, behind, crs) > _BACK_SHARE * far


def _one_of(parts: Sequence[Part], crs: CRS) -> Part:
    """One part of several that go on in each other. Where one begins is where the one before ends."""
    world = np.concatenate([parts[0].world, *(part.world[1:] for part in parts[1:])])
    measure = np.concatenate([parts[0].measure_m, *(part.measure_m[1:] for part in parts[1:])])
    return Part(parts[0].route_id, world, _ground_m(world, crs), np.maximum.accumulate(measure))


def _point(part: Part, ground_m: float) -> Floats:
    """(x, y) so far along a part."""
    return np.array([np.interp(ground_m, part.ground_m, part.world[:, axis]) for axis in (0, 1)])


def _apart_m(one: Floats, other: Floats, crs: CRS) -> float:
    return float(ground_steps_m(np.array([one, other]), crs)[0])


def _filled(ground: Floats, measure: Floats, unit_m: float) -> Floats:
    """Measures (V,) in metres. A vertex without one gets it by ground length from its neighbours."""
    known = np.flatnonzero(np.isfinite(measure))
    between = np.interp(ground, ground[known], measure[known]) * unit_m
    # Before the first known measure and after the last, np.interp stays at these; the ground goes on.
    way = np.sign(measure[known[-1]] - measure[known[0]])
    beyond = ground - np.clip(ground, ground[known[0]], ground[known[-1]])
    return np.asarray(between + way * beyond)


def measure_unit_m(lines: Sequence[Floats], measures: Sequence[Floats], crs: CRS) -> float | None:
    """Metres per unit of measure, from the ratio of ground length to measure; None if no unit fits.

    Both are of what lies between the first and the last known measure of each line. `lines` and `measures`
    are as in `with_measures`, of all routes.
    """
    ground, risen = 0.0, 0.0
    for line, measure in zip(lines, measures, strict=True):
        first, last = np.flatnonzero(np.isfinite(measure))[[0, -1]]
        at = _ground_m(line, crs)
        ground += at[last] - at[first]
        risen += abs(float(measure[last] - measure[first]))
    ratio = ground / risen if risen else np.inf
    for metres in _MEASURE_UNITS.values():
        if abs(ratio / metres - 1) <= _RATIO_WITHIN:
            return metres
    return None


def told(route_id: str, chain: Chain) -> list[str]:
    """Sentences about lines that were turned and about gaps."""
    notes = []
    if chain.turned:
        notes.append(
            f"route {route_id}: {chain.turned} of {chain.lines} lines run against the others or against "
            "their measures and were turned."
        )
    if chain.gaps:
        at, length = max(chain.gaps, key=lambda gap: gap[1])
        count = len(chain.gaps)
        notes.append(
            f"route {route_id} has {count} gap{'s' if count > 1 else ''}, the longest of {length:.1f} m from "
            f"{at:.0f} m on; sections end and begin there, and there is none in between."
        )
    return notes


def _ground_m(world: Floats, crs: CRS) -> Floats:
    return np.concatenate([[0.0], np.cumsum(ground_steps_m(world, crs))])


def _order(lines: Sequence[Floats]) -> list[tuple[int, bool]]:
    """(index, turned) of the lines along the chain."""
    ends = np.array([[line[0], line[-1]] for line in lines])
    left = set(range(1, len(lines)))
    order = [(0, False)]
    while left:
        rest = sorted(left)
        (first, first_turned), (last, last_turned) = order[0], order[-1]
        head, tail = ends[first, int(first_turned)], ends[last, 1 - int(last_turned)]
        candidates = []
        for at, point in enumerate((tail, head)):
            apart = np.hypot(*np.moveaxis(ends[rest] - point, -1, 0))
            which, end = divmod(int(apart.argmin()), 2)
            candidates.append((float(apart.min()), at, rest[which], end))
        _, at, index, end = min(candidates)
        left.discard(index)
        if at == 0:
            order.append((index, end == 1))
        else:
            order.insert(0, (index, end == 0))
    return order
