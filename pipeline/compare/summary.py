"""What `changes.json` and the closing lines say of a comparison."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from crackpipe.pipeline.compare import table
from crackpipe.pipeline.compare.laid import Laid, Options
from crackpipe.pipeline.compare.stretches.verdicts import VERDICTS
from crackpipe.pipeline.compare.stretches.widths import Changes


def summary_of(
    laid: Laid,
    rows: table.Rows,
    changes: Changes,
    options: Options,
    *,
    refused: list[str],
    cameras: list[str],
) -> dict[str, Any]:
    """Plain JSON."""
    length = table.length_of(rows, laid.older, laid.newer)
    field = laid.registration.field
    moved = np.hypot(*field.motion[:, :2].T) if len(field.nodes) else np.zeros(0)
    away, weight = rows.numbers["distance_mm"], rows.stop_m - rows.start_m
    known = np.isfinite(away)
    return {
        "older": str(laid.older.root),
        "newer": str(laid.newer.root),
        "comparable": not refused,
        "not_comparable_because": refused,
        "one_camera": not cameras,
        "cameras_differ_because": cameras,
        "least_m": options.least_m,
        "verdicts": {
            name: {
                "rows": int((rows.verdict == name).sum()),
                "length_m": round(float(length[rows.verdict == name].sum()), 3),
            }
            for name in VERDICTS
        },
        "registration": {
            "within_m": options.within_m,
            "roads": laid.roads.count,
            "roads_registered": int(laid.registered.sum()),
            "nodes": len(field.nodes),
            "nodes_not_registered": int(laid.lost.sum()),
            "drives": laid.drives,
            "cracks_matched": int(laid.matched.sum()),
            "offset_median_m": _rounded(np.median(moved) if len(moved) else np.nan),
            "offset_largest_m": _rounded(moved.max(initial=0.0)),
            "residual_median_mm": _rounded(_weighted_median(away[known], weight[known]), 1),
        },
        "widths": {
            "compared": int(np.isfinite(rows.numbers["width_change_sure"]).sum()),
            "common_shift": _rounded(changes.shift, 4),
            "common_shift_not_counted": _rounded(changes.shift_used, 4),
            "deviations_scaled_by": _rounded(changes.scale, 3),
        },
    }


def lines(summary: Mapping[str, Any]) -> Iterator[str]:
    """What the command prints."""
    found, road, width = summary["verdicts"], summary["registration"], summary["widths"]
    for sentence in summary["not_comparable_because"]:
        yield f"not comparable (--force): {sentence}"
    yield (
        f"registered {road['roads_registered']} of {_count(road['roads'], 'road')} with "
        f"{_count(road['nodes'], 'node')}: {_count(road['cracks_matched'], 'crack')} lie on each other, "
        "median residual "
        f"{_told(road['residual_median_mm'])} mm, the older year was moved by "
        f"{_told(road['offset_median_m'])} m (at most {_told(road['offset_largest_m'])} m)"
    )
    if road["drives"] > 1:
        yield (
            f"{road['drives']} offsets lie beside each other, as of lanes that were driven by themselves: "
            "each crack has the one that fits it"
        )
    lost = road["roads"] - road["roads_registered"]
    if lost:
        yield (
            f"{_count(lost, 'road')} not registered: fewer than five cracks of both years lie on each other, "
            "so nothing is said of theirs"
        )
    if road["nodes_not_registered"]:
        yield (
            f"around {_count(road['nodes_not_registered'], 'node')} of registered roads both years have "
            "cracks that do not lie on each other, so nothing is said of them. A larger --within may help"
        )
    if summary["cameras_differ_because"]:
        yield (
            f"two cameras ({'; '.join(summary['cameras_differ_because'])}): widths share no error. If it was "
            "one, give --camera same"
        )
    else:
        yield "one camera: nothing tells otherwise. If there were two, give --camera other"
    shift = width["common_shift"]
    if shift is not None and abs(shift) >= 0.02:
        yield (
            f"all widths read {100 * shift:+.0f} % against the older year: light, temperature or all cracks. "
            f"{100 * width['common_shift_not_counted']:+.0f} % is not taken for a change of single cracks"
        )
    yield from summary["notes"]
    for name in VERDICTS:
        if found[name]["rows"]:
            stretches = _count(found[name]["rows"], "stretch", "es")
            yield f"{name:15}{found[name]['length_m']:12.1f} m in {stretches}"


def _count(number: int, word: str, ending: str = "s") -> str:
    return f"{number} {word}{'' if number == 1 else ending}"


def _told(value: float | None) -> str:
    return "unknown" if value is None else f"{value:g}"


def _rounded(value: float, digits: int = 3) -> float | None:
    return round(float(value), digits) if np.isfinite(value) else None


def _weighted_median(values: Any, weights: Any) -> float:
    if len(values) == 0:
        return float("nan")
    order = np.argsort(values)
    total = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(total, total[-1] / 2)])
