"""What several images have is counted once: in the image that comes first by image_id.

A line of a later image is dropped where a line of an earlier one runs beside it within the tolerance, as far
as the perpendiculars of the earlier line reach. So what remains goes on exactly where the other line ends,
and the length counts once, whichever way the images are shifted against each other.

Strategy: all parts of lines that lie near other images are compared at once, as arrays of pairs.

    pairs       two parts of different images near each other, the one of the later image first
    stretches   where the later part of a pair runs within a zone around the earlier one
    covered     the stretches of one part from all its pairs, in order
    rest        what `covered` leaves of the part: it replaces the part
"""

from dataclasses import dataclass

import numpy as np
import shapely

from crackpipe.pipeline.geometry.arrays import Bools, Floats, Geometries, Ints
from crackpipe.pipeline.tables.overlaps.parts import Parts, cut
from crackpipe.pipeline.tables.overlaps.plane import Areas

Interval = tuple[float, float]

# A stretch of one line within the tolerance of another runs along it if it is this many tolerances long, or
# if it moves along the other by this share of its own length (45 degrees).
_SURELY_ALONG = 3.0
_ALONG_SHARE = 0.7
# Parts shorter than this say nothing.
_LEAST_PART_PX = 3.0


@dataclass(frozen=True)
class _Stretches:
    """Stretches of parts. M of them."""

    pair: Ints
    """(M,) index of the pair of parts that they come from."""
    low: Floats
    """(M,) distance from the start of the later part."""
    high: Floats


def without_doubles(
    lines: Geometries, kept: Parts, image: Ints, free: Bools, areas: Areas
) -> tuple[Parts, Ints]:
    """The parts of lines (L,) without doubles, and pairs of lines (M, 2) that have a stretch in common.

    `image` (L,) is an index into `areas` in the order of image_id; `free` bool (L, 2) whether nothing else of
    its image meets the start and the end of each line.
    """
    # take the parts that come near another image
    length = shapely.length(lines)
    cuts, own = cut(lines, kept, length), image[kept.line]
    tolerance = areas.tolerance[own]
    near = np.flatnonzero(_near_others(cuts, own, areas))
    # pair them, and put the part of the later image first
    later, earlier = (near[each] for each in pairs_near(cuts[near], tolerance[near], own[near]))
    swap = own[later] < own[earlier]
    later, earlier = np.where(swap, earlier, later), np.where(swap, later, earlier)
    # find what of each later part the earlier one covers, and the wedges at the earlier one's nodes
    reach = np.maximum(tolerance[later], tolerance[earlier])
    beside = _beside(cuts, later, earlier, reach)
    wedges = _around_nodes(cuts, later, earlier, reach, ~kept.at_cut(length) & ~free[kept.line])
    # gather the stretches by part, and keep what they leave of it
    lost, covered = _by_part(later, beside)
    _, filled = _by_part(later, wedges)
    loose = free[kept.line] & ~kept.at_cut(length)
    rest = [
        (index, start, stop)
        for index in lost.tolist()
        for start, stop in _rest(
            covered[index],
            filled.get(index, []),
            float(kept.stop[index] - kept.start[index]),
            least=float(_LEAST_PART_PX * areas.pixel[own[index]]),
            at_ends=np.where(loose[index], tolerance[index], 0.0).tolist(),
        )
    ]
    same = np.column_stack([kept.line[later[beside.pair]], kept.line[earlier[beside.pair]]])
    return _without_bits(_replaced(kept, lost, rest), length, areas.pixel[image]), same


def _near_others(cuts: Geometries, image: Ints, areas: Areas) -> Bools:
    """Whether parts (K,) come within a tolerance of what another image inspected: most do not."""
    reach = areas.tolerance[image]
    part, area = shapely.STRtree(areas.polygons).query(cuts, predicate="dwithin", distance=2 * reach)
    near = np.zeros(len(cuts), np.bool_)
    near[part[image[part] != area]] = True
    return near


def pairs_near(geometries: Geometries, reach: Floats, image: Ints) -> tuple[Ints, Ints]:
    """Pairs of geometries (N,) of different images that come within the `reach` of either, each once."""
    first, second = shapely.STRtree(geometries).query(geometries, predicate="dwithin", distance=reach)
    others = image[first] != image[second]
    pairs = np.unique(np.sort(np.column_stack([first[others], second[others]]), axis=1), axis=0)
    return pairs[:, 0], pairs[:, 1]


def _beside(cuts: Geometries, later: Ints, earlier: Ints, reach: Floats) -> _Stretches:
    """Where the later part of each pair runs along the earlier one."""
    # cut the later part with the zone that the perpendiculars of the earlier one reach
    zones = shapely.buffer(cuts[earlier], reach, cap_style="flat", quad_segs=4)
    found, stretches = _common(cuts, later, zones)
    # find where along the earlier part each stretch begins and ends
    ends = [
        shapely.line_locate_point(cuts[earlier[found.pair]], shapely.get_point(stretches, at))
        for at in (0, -1)
    ]
    # keep those that run along it; the others only cross it
    size = found.high - found.low
    along = (size > _SURELY_ALONG * reach[found.pair]) | (np.abs(ends[1] - ends[0]) >= _ALONG_SHARE * size)
    return _Stretches(found.pair[along], found.low[along], found.high[along])


def _around_nodes(cuts: Geometries, later: Ints, earlier: Ints, reach: Floats, is_node: Bools) -> _Stretches:
    """Stretches of the later parts around nodes of the earlier ones.

    Where lines meet in a node, no perpendicular reaches into the wedge between them.
    """
    pair, side = np.nonzero(is_node[earlier])
    discs = shapely.buffer(shapely.get_point(cuts[earlier[pair]], -side), reach[pair])
    found, _ = _common(cuts, later[pair], discs)
    return _Stretches(pair[found.pair], found.low, found.high)


def _common(cuts: Geometries, part: Ints, zones: Geometries) -> tuple[_Stretches, Geometries]:
    """The stretches of parts (M,) within zones (M,), and their geometries."""
    inside, pair = shapely.get_parts(shapely.intersection(cuts[part], zones), return_index=True)
    is_line = shapely.get_type_id(inside) == shapely.GeometryType.LINESTRING
    inside, pair = inside[is_line], pair[is_line]
    whole = cuts[part[pair]]
    # measure where each stretch begins and ends; an overlay may have turned it round
    low, high = np.sort(
        [shapely.line_locate_point(whole, shapely.get_point(inside, at)) for at in (0, -1)], axis=0
    )
    # split the stretches of rings that run over the first vertex: their length tells them from the others
    over = np.flatnonzero(
        shapely.is_closed(whole) & (np.abs(high - low - shapely.length(inside)) > 1e-6 * high)
    )
    head_stop = low[over]
    low[over], high[over] = high[over], shapely.length(whole[over])
    index = np.append(np.arange(len(pair)), over)
    low, high = np.append(low, np.zeros(len(over))), np.append(high, head_stop)
    some = high > low
    return _Stretches(pair[index][some].astype(np.int64), low[some], high[some]), inside[index][some]


def _by_part(later: Ints, stretches: _Stretches) -> tuple[Ints, dict[int, list[Interval]]]:
    """The later parts that have stretches, and these by part in order."""
    intervals: dict[int, list[Interval]] = {}
    for part, low, high in zip(
        later[stretches.pair].tolist(), stretches.low.tolist(), stretches.high.tolist(), strict=True
    ):
        intervals.setdefault(part, []).append((low, high))
    return np.array(sorted(intervals), np.int64), {part: sorted(each) for part, each in intervals.items()}


def _rest(
    covered: list[Interval], filled: list[Interval], length: float, *, least: float, at_ends: list[float]
) -> list[Interval]:
    """What `covered`, in order, leaves of 0 to `length`.

    A gap between two stretches counts as covered if it is shorter than `least` or lies within one of
    `filled`. What lies before the first stretch and after the last counts as covered if it is shorter than
    `at_ends`: a crack that two images see does not end at the same place in both.
    """
    rest: list[Interval] = []
    reached = 0.0
    for start, stop in [*covered, (length, length)]:
        if start > reached:
            limit = max(
                least,
                at_ends[0] if reached == 0 else 0.0,
                at_ends[1] if start == length else 0.0,
            )
            inner = reached > 0 and start < length
            wedge = inner and any(low <= reached and start <= high for low, high in filled)
            if start - reached >= limit and not wedge:
                rest.append((reached, start))
        reached = max(reached, stop)
    return rest


def _replaced(kept: Parts, lost: Ints, rest: list[tuple[int, float, float]]) -> Parts:
    """The parts with those in `lost` replaced by `rest`: (part, from, to)."""
    untouched = np.setdiff1d(np.arange(len(kept.line)), lost)
    index = np.concatenate([untouched, np.array([each[0] for each in rest], np.int64)])
    start, stop = kept.start[untouched], kept.stop[untouched]
    first = kept.start[index[len(untouched) :]]
    start = np.concatenate([start, first + [each[1] for each in rest]])
    stop = np.concatenate([stop, first + [each[2] for each in rest]])
    # let what ends with its part, to rounding, end exactly there
    ends = kept.stop[index]
    stop = np.where(np.isclose(stop, ends, rtol=0, atol=1e-9 * ends), ends, stop)
    order = np.lexsort((start, kept.line[index]))
    return Parts(kept.line[index][order], start[order], stop[order])


def _without_bits(parts: Parts, length: Floats, pixel: Floats) -> Parts:
    """The parts without those that cutting made too short."""
    was_cut = parts.at_cut(length).any(axis=1)
    return parts.take(
        np.flatnonzero(~was_cut | (parts.stop - parts.start >= _LEAST_PART_PX * pixel[parts.line]))
    )
