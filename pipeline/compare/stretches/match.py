"""Which stretches of a crack both years show.

Strategy: points along the lines of one year look for the nearest line of the other that runs the same way.
Runs of points that found one are stretches that both years show. Then short gaps are closed and short
islands dropped: neither a tracer nor a network ends a crack at the same millimetre twice.

Legend: S samples, T stretches, P pairs of a stretch and a line of the other year.
"""

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from crackpipe.pipeline.compare.flat import ground
from crackpipe.pipeline.compare.flat.lines import Lines, Samples, cross, dot, sampled
from crackpipe.pipeline.compare.flat.threads import in_threads
from crackpipe.pipeline.geometry.arrays import Bools, Floats, Ints

STEP_M = 0.04
_SAME_WAY = np.cos(np.radians(30.0))
_CANDIDATES = 6
"""Samples that a point looks at where the nearest one runs another way, as at a crossing."""
LEAST_MATCH_M = 0.08
"""A shorter stretch beside another line is a crossing, or chance."""


@dataclass(frozen=True)
class Stretches:
    """T stretches of the lines of one year: what the other year shows too, and what it does not."""

    line: Ints
    """(T,) ascending."""
    start_m: Floats
    """(T,) distance from the start of the line, in the plane."""
    stop_m: Floats
    both: Bools
    """(T,) the other year shows it too."""
    pair_stretch: Ints
    """(P,) index of the stretch."""
    pair_line: Ints
    """(P,) line of the other year beside it."""
    pair_m: Floats
    """(P,) over what length."""
    away_m: Floats
    """(T,) mean distance from the lines beside it; NaN where there is none."""

    @property
    def length_m(self) -> Floats:
        """(T,) in the plane."""
        return self.stop_m - self.start_m


_NONE, _NOTHING = np.zeros(0, np.int64), np.zeros(0)
NO_STRETCHES = Stretches(_NONE, _NOTHING, _NOTHING, _NONE > 0, _NONE, _NONE, _NOTHING, _NOTHING)


def stretches(lines: Lines, others: Lines, reach_m: Floats, least_m: float) -> Stretches:
    """Cut `lines` (N,) into stretches that run beside one of `others`, and stretches that do not.

    Both lie in one plane. `reach_m` (N,) is how far off the other line may run. A gap or an end of less than
    `least_m` beside a stretch that both years show counts as shown.
    """
    most = float(reach_m.max(initial=0.0))
    here, there = ground.places_of(lines.bounds, 0.0), ground.places_of(others.bounds, most + STEP_M)

    def of_tile(tile: tuple[int, Ints]) -> Stretches:
        key, own = tile
        near = there.near(key)
        near = near[_boxes_meet(others.bounds[near], lines.bounds[own], most)]
        return _part(lines.take(own), others.take(near), reach_m[own], least_m, own, near)

    return _sorted([*in_threads(of_tile, ground.tiles(here))])


def _boxes_meet(boxes: Floats, others: Floats, reach_m: float) -> Bools:
    low, high = others[:, :2].min(axis=0) - reach_m, others[:, 2:].max(axis=0) + reach_m
    return np.asarray((boxes[:, 2:] >= low).all(axis=1) & (boxes[:, :2] <= high).all(axis=1))


def _part(  # noqa: PLR0917
    lines: Lines, others: Lines, reach_m: Floats, least_m: float, own: Ints, near: Ints
) -> Stretches:
    samples, targets = sampled(lines, STEP_M), sampled(others, STEP_M)
    other, away = _beside(samples, targets, reach_m[samples.line])
    shown = _closed(samples, other >= 0, least_m)
    first = _starts(samples.line, shown)
    run = np.cumsum(np.bincount(first, minlength=len(shown))) - 1
    last = np.append(first[1:], len(shown)) - 1
    half = samples.weight_m / 2
    found = (other >= 0) & shown
    stretch, target, weight = run[found], targets.line[other[found]], samples.weight_m[found]
    keys, which = np.unique(stretch * max(len(others), 1) + target, return_inverse=True)
    length = np.bincount(stretch, weight, minlength=len(first))
    with np.errstate(invalid="ignore"):
        mean = np.bincount(stretch, weight * away[found], minlength=len(first)) / length
    return Stretches(
        line=own[samples.line[first]],
        start_m=samples.arc_m[first] - half[first],
        stop_m=samples.arc_m[last] + half[last],
        both=shown[first],
        pair_stretch=keys // max(len(others), 1),
        pair_line=near[keys % max(len(others), 1)] if len(keys) else np.zeros(0, np.int64),
        pair_m=np.asarray(np.bincount(which, weight, minlength=len(keys)), np.float64),
        away_m=mean,
    )


def _beside(samples: Samples, targets: Samples, reach_m: Floats) -> tuple[Ints, Floats]:
    """For each sample (S,) the nearest target that runs the same way within its reach, and how far off.

    -1 and NaN where there is none. The distance is that from the target's line, not from its point.
    """
    other, away = np.full(len(reach_m), -1, np.int64), np.full(len(reach_m), np.nan)
    if len(targets.line) == 0:
        return other, away
    tree = cKDTree(targets.xy)
    # a target's point may lie half a step further along than its line
    furthest = np.hypot(reach_m, STEP_M)
    left = np.arange(len(reach_m))
    for count in (1, _CANDIDATES):
        distance, found = tree.query(
            samples.xy[left],
            k=[count] if count == 1 else [*range(2, count + 1)],
            distance_upper_bound=float(furthest.max(initial=0.0)),
        )
        for column in range(found.shape[1]):
            known = np.flatnonzero(np.isfinite(distance[:, column]) & (other[left] < 0))
            point, target = left[known], found[known, column]
            step, along = samples.xy[point] - targets.xy[target], targets.tangent[target]
            off, slid = np.abs(cross(along, step)), np.abs(dot(along, step))
            same_way = np.abs(dot(samples.tangent[point], along)) >= _SAME_WAY
            good = same_way & (off <= reach_m[point]) & (slid <= STEP_M)
            other[point[good]], away[point[good]] = target[good], off[good]
        left = left[np.isfinite(distance[:, 0]) & (other[left] < 0)]
    return other, away


def _closed(samples: Samples, shown: Bools, least_m: float) -> Bools:
    """`shown` (S,) without short gaps and short islands.

    Gaps are closed first, the shortest ones of the tracer before the longer ones of the network, then
    islands are dropped. A line that is shorter than an island may be shown as a whole.
    """
    for limit, gap in ((LEAST_MATCH_M, True), (least_m, True), (LEAST_MATCH_M, False)):
        first = _starts(samples.line, shown)
        if len(first) == 0:
            return shown
        stop = np.append(first[1:], len(shown))
        length = np.add.reduceat(samples.weight_m, first)
        line = samples.line[first]
        meets = np.zeros(len(first), np.bool_)
        meets[1:] |= line[1:] == line[:-1]
        meets[:-1] |= line[:-1] == line[1:]
        flip = meets & (shown[first] != gap) & (length < limit)
        shown = shown ^ np.repeat(flip, stop - first)
    return shown


def _starts(line: Ints, shown: Bools) -> Ints:
    """Indices of the samples with which a run begins."""
    if len(line) == 0:
        return np.zeros(0, np.int64)
    new = np.ones(len(line), np.bool_)
    new[1:] = (line[1:] != line[:-1]) | (shown[1:] != shown[:-1])
    return np.flatnonzero(new)


def _sorted(parts: list[Stretches]) -> Stretches:
    """The stretches of all parts in the order of their lines."""
    if not parts:
        return NO_STRETCHES
    counts = np.array([len(part.line) for part in parts])
    base = np.concatenate([[0], np.cumsum(counts)[:-1]])
    line, start = (np.concatenate([getattr(part, name) for part in parts]) for name in ("line", "start_m"))
    order = np.lexsort((start, line))
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    pair = np.concatenate([part.pair_stretch + low for part, low in zip(parts, base, strict=True)])
    pair = place[pair]
    other = np.concatenate([part.pair_line for part in parts])
    by = np.lexsort((other, pair))
    return Stretches(
        line=line[order],
        start_m=start[order],
        stop_m=np.concatenate([part.stop_m for part in parts])[order],
        both=np.concatenate([part.both for part in parts])[order],
        pair_stretch=pair[by],
        pair_line=other[by],
        pair_m=np.concatenate([part.pair_m for part in parts])[by],
        away_m=np.concatenate([part.away_m for part in parts])[order],
    )
