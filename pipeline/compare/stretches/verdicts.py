"""What became of each stretch of crack.

    new            no crack was there before, and the place had been inspected
    longer         the same, but it goes on from the end of a crack that was there
    wider          it was there, and its width grew beyond the uncertainty of both widths
    narrower       the same the other way round: filled, dirty, or warmer
    unchanged      it was there
    first seen     no crack was found there before, but the place had not been inspected
    repaired       a crack was there, and now the place is inspected and sound
    not seen       a crack was there, and now nothing tells: `reason` says why
    too short      it is less than what a comparison can tell (`least_m`)
    not registered nothing is said: too few cracks of the road lie on each other

Legend: T stretches of one year, U of them unmatched.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.sparse import csgraph
from scipy.spatial import cKDTree

from crackpipe.pipeline.compare.flat.coverage import Inspected
from crackpipe.pipeline.compare.flat.lines import Lines, Ruler, dot
from crackpipe.pipeline.compare.stretches.match import Stretches
from crackpipe.pipeline.familiarity.told import STRANGE_BELOW
from crackpipe.pipeline.geometry.arrays import Bools, Floats, Ints, Texts

VERDICTS = (
    *("new", "longer", "wider", "narrower", "unchanged", "first seen"),
    *("repaired", "not seen", "too short", "not registered"),
)
_TOUCH_M = 0.03
"""Ends of stretches so near to each other belong to one crack: lines of a network share their nodes."""
_END_M = 0.08
"""A stretch that begins so near to the end of an older crack goes on from it, if it has its direction."""
_ONWARDS = np.cos(np.radians(60.0))
_LOOKS_M = 0.2
"""Distance of the points at which it is looked whether a stretch was inspected."""


@dataclass(frozen=True)
class Unmatched:
    """U stretches that the other year does not show."""

    stretch: Ints
    """(U,) index of the stretch."""
    cluster: Ints
    """(U,) the same for stretches that touch each other."""
    cluster_m: Floats
    """(U,) length of all stretches of the cluster."""
    inspected: Bools
    """(U,) the other year inspected at least half of the stretch."""
    familiarity: Floats
    """(U,) of the other year's images there, 0..1; NaN where unknown."""
    goes_on: Bools
    """(U,) it goes on from the end of a crack of the other year, or from such a stretch."""


def unmatched(
    lines: Lines,
    stretches: Stretches,
    others: Lines,
    other_ground: Inspected,
    to_their_frame: Callable[[Floats], Floats],
) -> Unmatched:
    """What is to be known of the stretches that the other year does not show.

    `lines` and `others` lie in one frame; `to_their_frame` brings points of it into the frame in which
    `other_ground` lies.
    """
    some = np.flatnonzero(~stretches.both)
    kept, line = np.unique(stretches.line[some], return_inverse=True)
    lines, start, stop = lines.take(kept), stretches.start_m[some], stretches.stop_m[some]
    ruler = Ruler.of(lines)
    (begin, along_begin), (end, along_end) = (ruler.at(line, arc) for arc in (start, stop))
    ends, inwards = np.stack([begin, end], axis=1), np.stack([along_begin, -along_end], axis=1)
    cluster = _clusters(ends)
    length = np.asarray(np.bincount(cluster, stop - start, minlength=len(some)), np.float64)
    tips = _goes_on(ends, inwards, others)
    chain = _chains(ends, inwards)
    which, points = _looked_at(ruler, line, start, stop)
    there = to_their_frame(points)
    covered = np.bincount(which, other_ground.covers(there), minlength=len(some))
    looked = np.maximum(np.bincount(which, minlength=len(some)), 1)
    return Unmatched(
        stretch=some,
        cluster=cluster,
        cluster_m=length[cluster],
        inspected=covered / looked >= 0.5,
        familiarity=_mean(which, other_ground.familiarity_at(there), len(some)),
        goes_on=np.bincount(chain, tips, minlength=len(some))[chain] > 0,
    )


def of_newer(found: Unmatched, least_m: float) -> tuple[Texts, Texts]:
    """Verdicts and reasons (U,) of stretches that the older year does not show."""
    conditions = [found.cluster_m < least_m, ~found.inspected, found.goes_on]
    verdict = np.select(conditions, ["too short", "first seen", "longer"], "new").astype(object)
    reason = np.full(len(verdict), None, object)
    reason[verdict == "first seen"] = "not inspected before"
    unsure = np.isin(verdict, ["new", "longer"]) & (found.familiarity < STRANGE_BELOW)
    reason[unsure] = "the older images were unfamiliar"
    return verdict, reason


def of_older(found: Unmatched, least_m: float) -> tuple[Texts, Texts]:
    """Verdicts and reasons (U,) of stretches that the newer year does not show."""
    strange = found.familiarity < STRANGE_BELOW
    conditions = [found.cluster_m < least_m, ~found.inspected, strange]
    verdict = np.select(conditions, ["too short", "not seen", "not seen"], "repaired").astype(object)
    reason = np.full(len(verdict), None, object)
    reason[(verdict == "not seen") & strange] = "the newer images are unfamiliar"
    reason[(verdict == "not seen") & ~found.inspected] = "not inspected"
    return verdict, reason


def _clusters(ends: Floats) -> Ints:
    """Which stretches (U,) touch each other, directly or through others; `ends` (U, 2, 2)."""
    return _together(_touching(ends) // 2, len(ends))


def _chains(ends: Floats, inwards: Floats) -> Ints:
    """Which stretches (U,) go on in each other: just two meet there, and have roughly one direction."""
    pairs, way = _touching(ends), inwards.reshape(-1, 2)
    alone = np.bincount(pairs.ravel(), minlength=2 * len(ends)) == 1
    onwards = -dot(way[pairs[:, 0]], way[pairs[:, 1]]) >= _ONWARDS
    return _together(pairs[onwards & alone[pairs].all(axis=1)] // 2, len(ends))


def _touching(ends: Floats) -> Ints:
    """Pairs (P, 2) of ends that touch; end 2 u + i is end i of stretch u."""
    if len(ends) == 0:
        return np.zeros((0, 2), np.int64)
    pairs = cKDTree(ends.reshape(-1, 2)).query_pairs(_TOUCH_M, output_type="ndarray")
    return np.asarray(pairs, np.int64).reshape(-1, 2)


def _together(pairs: Ints, count: int) -> Ints:
    """Number of the group of each of `count` things, of which some pairs (P, 2) belong together."""
    if count == 0:
        return np.zeros(0, np.int64)
    graph = sparse.csr_array((np.ones(len(pairs)), tuple(pairs.T)), shape=(count, count))
    return np.asarray(csgraph.connected_components(graph, directed=False)[1], np.int64)


def _goes_on(ends: Floats, inwards: Floats, others: Lines) -> Bools:
    """Whether a stretch (U,) goes on from a free end of another year's crack, in roughly its direction.

    `ends` (U, 2, 2) are the stretches' ends and `inwards` (U, 2, 2) unit vectors from there into the stretch.
    """
    theirs = others.ends().reshape(-1, 2)
    if len(theirs) == 0 or len(ends) == 0:
        return np.zeros(len(ends), np.bool_)
    ours = ends.reshape(-1, 2)
    # most of their ends are far from all of ours: only the others are looked at
    away, _ = cKDTree(ours).query(theirs, distance_upper_bound=_END_M)
    near = np.flatnonzero(np.isfinite(away))
    # an end where another line begins is a node within a crack
    near = near[cKDTree(theirs).query_ball_point(theirs[near], _TOUCH_M, return_length=True) == 1]
    if len(near) == 0:
        return np.zeros(len(ends), np.bool_)
    ruler, is_end = Ruler.of(others.take(near // 2)), near % 2 == 1
    _, along = ruler.at(np.arange(len(near)), np.where(is_end, ruler.length_m, 0.0))
    outwards = np.where(is_end[:, None], along, -along)
    distance, nearest = cKDTree(theirs[near]).query(ours, distance_upper_bound=_END_M)
    found = np.isfinite(distance)
    onwards = dot(inwards.reshape(-1, 2)[found], outwards[nearest[found]]) >= _ONWARDS
    found[found] = onwards
    return np.asarray(found.reshape(-1, 2).any(axis=1))


def _looked_at(ruler: Ruler, line: Ints, start: Floats, stop: Floats) -> tuple[Ints, Floats]:
    """Points (P, 2) along stretches (U,), and the stretch of each (P,)."""
    count = np.maximum(np.ceil((stop - start) / _LOOKS_M), 1).astype(np.int64)
    which = np.repeat(np.arange(len(line)), count)
    rank = np.arange(len(which)) - (np.cumsum(count) - count)[which]
    arc = start[which] + (rank + 0.5) * ((stop - start) / count)[which]
    return which, ruler.at(line[which], arc)[0]


def _mean(which: Ints, values: Floats, count: int) -> Floats:
    known = np.isfinite(values)
    total = np.bincount(which[known], values[known], minlength=count)
    number = np.bincount(which[known], minlength=count)
    return np.where(number > 0, total / np.maximum(number, 1), np.nan)
