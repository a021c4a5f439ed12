"""From matched and unmatched stretches to the rows of `changes.parquet`.

Legend: T stretches of the newer year that both show, U stretches of a year that the other does not show.
"""

from dataclasses import dataclass

import numpy as np

from crackpipe.pipeline.compare.laid import Laid
from crackpipe.pipeline.compare.stretches import verdicts, widths
from crackpipe.pipeline.compare.stretches.match import Stretches
from crackpipe.pipeline.compare.stretches.widths import Changes, Sided
from crackpipe.pipeline.compare.table import Rows
from crackpipe.pipeline.compare.years import Year
from crackpipe.pipeline.geometry.arrays import Floats, Ints, Texts

_OF_ROAD = "too few cracks of this road lie on each other"
_OF_PLACE = "too few cracks lie on each other at this place of the road"
_SHAPE_SD = 0.11
"""`width_shape_sd` where an output does not say another."""


def rows_of(laid: Laid, least_m: float, *, one_camera: bool) -> tuple[Rows, Changes]:
    """All rows, and how the widths of matched stretches changed."""
    both, changes = _both(laid, one_camera=one_camera)
    parts = [both, _only_newer(laid, least_m), _only_older(laid, least_m), *_unregistered(laid)]
    return _joined(parts), changes


def _both(laid: Laid, *, one_camera: bool) -> tuple[Rows, Changes]:
    """Stretches that both years show, on registered roads."""
    stretches = laid.on_newer
    some = np.flatnonzero(stretches.both & laid.newer_told[stretches.line])
    before, changes = _width_changes(laid, some, one_camera=one_camera)
    verdict = np.full(len(some), "unchanged", object)
    verdict[changes.sure > widths.SURE] = "wider"
    verdict[changes.sure < -widths.SURE] = "narrower"
    reason = np.full(len(some), None, object)
    unsaid = np.isnan(changes.sure)
    reason[unsaid] = np.where(np.isnan(changes.change_mm[unsaid]), "width unknown", "width doubtful")
    numbers = {
        "width_mm": laid.newer.numbers("width_mm")[stretches.line[some]],
        "width_before_mm": laid.newer.numbers("width_mm")[stretches.line[some]] - changes.change_mm,
        "width_change_mm": changes.change_mm,
        "width_change_sigma_mm": changes.sigma_mm,
        "width_change_sure": changes.sure,
        "distance_mm": stretches.away_m[some] * 1000,
    }
    return _rows(laid, stretches, some, verdict, reason, numbers, before=before), changes


def _width_changes(laid: Laid, some: Ints, *, one_camera: bool) -> tuple[Ints, Changes]:
    """The older crack beside most of each stretch (T,), -1 where none is, and the change of its width."""
    stretches = laid.on_newer
    place = np.full(len(stretches.line), -1, np.int64)
    place[some] = np.arange(len(some))
    kept = place[stretches.pair_stretch] >= 0
    stretch, line, length = (
        place[stretches.pair_stretch[kept]],
        stretches.pair_line[kept],
        stretches.pair_m[kept],
    )
    before = np.full(len(some), -1, np.int64)
    order = np.lexsort((-line, length, stretch))  # the longest one comes last of its stretch
    before[stretch[order]] = line[order]
    covered = stretches.length_m[some] / laid.newer.lines.length_m[stretches.line[some]]
    own = _Pairs(np.arange(len(some)), stretches.line[some], np.ones(len(some)), covered)
    shown = length / laid.older.lines.length_m[line]
    now = _side(laid.newer, own, len(some))
    then = _side(laid.older, _Pairs(stretch, line, length, shown), len(some))
    return before, widths.changes(then, now, one_camera=one_camera)


@dataclass(frozen=True)
class _Pairs:
    """P pairs of a stretch and a row beside it."""

    stretch: Ints
    """(P,)"""
    line: Ints
    """(P,) row of the year."""
    length: Floats
    """(P,) weighs the pairs of one stretch."""
    shown: Floats
    """(P,) the part of the row that lies beside the stretch, 0..1."""


def _side(year: Year, pairs: _Pairs, count: int) -> Sided:
    """Widths of a year along stretches (count,)."""
    stretch, line, length, shown = pairs.stretch, pairs.line, pairs.length, pairs.shown
    width = year.numbers("width_mm")[line]
    own, shared, spread = (
        each[line]
        for each in widths.of_rows(
            year.numbers("width_mm"),
            year.numbers("width_sigma_mm"),
            year.numbers("width_noise_mm"),
            year.numbers("width_p95_mm"),
            _SHAPE_SD,
        )
    )
    known = np.isfinite(width) & np.isfinite(own)
    stretch, line, length, width = stretch[known], line[known], length[known], width[known]
    total = np.bincount(stretch, length, minlength=count)
    share = length / total[stretch]
    cut = spread[known] * np.sqrt(np.clip(1 - shown[known], 0.0, 1.0))
    doubtful = year.flags("width_flag")[line].astype(np.float64)
    missing = total == 0

    def together(values: Floats) -> Floats:
        return np.where(missing, np.nan, np.bincount(stretch, values, minlength=count))

    return Sided(
        width_mm=together(share * width),
        own_mm=np.sqrt(together((share * own[known]) ** 2)),
        shared_mm=together(share * shared[known]),
        cut_mm=np.sqrt(together((share * cut) ** 2)),
        doubtful=np.bincount(stretch, share * doubtful, minlength=count) >= 0.5,
    )


def _only_newer(laid: Laid, least_m: float) -> Rows:
    older = laid.older.lines
    found = verdicts.unmatched(
        laid.newer.lines,
        laid.on_newer,
        older,
        laid.older.inspected,
        lambda points: laid.layers.back(points, older),
    )
    verdict, reason = verdicts.of_newer(found, least_m)
    kept = laid.newer_told[laid.on_newer.line[found.stretch]]
    some = found.stretch[kept]
    numbers = {
        "width_mm": laid.newer.numbers("width_mm")[laid.on_newer.line[some]],
        "familiarity": found.familiarity[kept],
    }
    return _rows(laid, laid.on_newer, some, verdict[kept], reason[kept], numbers)


def _only_older(laid: Laid, least_m: float) -> Rows:
    found = verdicts.unmatched(
        laid.older.lines, laid.on_older, laid.newer.lines, laid.newer.inspected, lambda points: points
    )
    verdict, reason = verdicts.of_older(found, least_m)
    kept = laid.older_told[laid.on_older.line[found.stretch]]
    some = found.stretch[kept]
    numbers = {
        "width_before_mm": laid.older.numbers("width_mm")[laid.on_older.line[some]],
        "familiarity": found.familiarity[kept],
    }
    return _rows(laid, laid.on_older, some, verdict[kept], reason[kept], numbers, gone=True)


def _unregistered(laid: Laid) -> list[Rows]:
    """Whole cracks of both years on roads, and in places of roads, that are not registered."""
    parts = []
    for gone, lines, road, told in (
        (False, laid.newer.lines, laid.newer_road, laid.newer_told),
        (True, laid.older.lines, laid.older_road, laid.older_told),
    ):
        year = laid.older if gone else laid.newer
        line = np.flatnonzero(~told)
        whole = Stretches(
            line=line,
            start_m=np.zeros(len(line)),
            stop_m=lines.length_m[line],
            both=np.zeros(len(line), np.bool_),
            pair_stretch=np.zeros(0, np.int64),
            pair_line=np.zeros(0, np.int64),
            pair_m=np.zeros(0),
            away_m=np.full(len(line), np.nan),
        )
        name = "width_before_mm" if gone else "width_mm"
        numbers = {name: year.numbers("width_mm")[line]}
        verdict = np.full(len(line), "not registered", object)
        reason = np.where(laid.registered[road[line]], _OF_PLACE, _OF_ROAD).astype(object)
        parts.append(_rows(laid, whole, np.arange(len(line)), verdict, reason, numbers, gone=gone))
    return parts


_NUMBERS = (
    *("width_mm", "width_before_mm", "width_change_mm", "width_change_sigma_mm", "width_change_sure"),
    *("distance_mm", "familiarity"),
)


def _rows(  # noqa: PLR0917  the parts of a row, as every caller has them
    laid: Laid,
    stretches: Stretches,
    some: Ints,
    verdict: Texts,
    reason: Texts,
    numbers: dict[str, Floats],
    *,
    gone: bool = False,
    before: Ints | None = None,
) -> Rows:
    line = stretches.line[some]
    if before is None:
        before = line if gone else np.full(len(some), -1, np.int64)
    unknown = np.full(len(some), np.nan)
    return Rows(
        gone=np.full(len(some), gone),
        line=line,
        start_m=stretches.start_m[some],
        stop_m=stretches.stop_m[some],
        before=before,
        verdict=verdict,
        reason=reason,
        road=(laid.older_road if gone else laid.newer_road)[line],
        section=np.full(len(some), None, object),
        numbers={name: numbers.get(name, unknown) for name in _NUMBERS},
    )


def _joined(parts: list[Rows]) -> Rows:
    def of(name: str) -> np.ndarray:
        return np.concatenate([getattr(part, name) for part in parts])

    return Rows(
        gone=of("gone"),
        line=of("line"),
        start_m=of("start_m"),
        stop_m=of("stop_m"),
        before=of("before"),
        verdict=of("verdict"),
        reason=of("reason"),
        road=of("road"),
        section=of("section"),
        numbers={name: np.concatenate([part.numbers[name] for part in parts]) for name in _NUMBERS},
    )
