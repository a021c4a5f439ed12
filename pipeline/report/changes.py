"""What changed since the previous result, which a run keeps in .crackpipe/previous.parquet."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from crackpipe.pipeline.errors import OutputDamagedError

_LENGTHS = ("crack_length_m", "crack_length_tiny_m", "crack_length_small_m", "crack_length_wide_m")
_LEAST_M = 0.0005
"""A length that differs by less did not change."""


def changes(previous: Path, images: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """Compare the rows of images.parquet with those before; None where there were none.

    Raises OutputDamagedError if the file cannot be read.
    """
    if not previous.is_file():
        return None
    try:
        before = {str(row["image_id"]): row for row in pq.read_table(previous).to_pylist()}
    except (pa.ArrowInvalid, OSError) as error:
        raise OutputDamagedError(f"{previous} cannot be read: {error}. Remove it.") from error
    now = {str(row["image_id"]): row for row in images}
    rows = [
        {
            "image_id": name,
            "what": what,
            "before_m": _length(before.get(name)),
            "now_m": _length(now.get(name)),
        }
        for name in sorted({*before, *now})
        if (what := _what(before.get(name), now.get(name))) is not None
    ]
    totals = [
        {"class": name.removeprefix("crack_length_").removesuffix("_m") if name != _LENGTHS[0] else "all",
         "before_m": _total(before, name), "now_m": _total(now, name)}
        for name in _LENGTHS
    ]  # fmt: skip
    return {"rows": rows, "totals": totals, "images_before": len(before), "images_now": len(now)}


def _what(before: Mapping[str, Any] | None, now: Mapping[str, Any] | None) -> str | None:
    """What happened to an image, in words; None where nothing did."""
    if before is None:
        return "new"
    if now is None:
        return "no longer in the survey"
    if before["status"] != now["status"]:
        return "inspected now, set aside before" if now["status"] == "done" else "set aside now"
    differs = any(abs((before.get(name) or 0.0) - (now[name] or 0.0)) > _LEAST_M for name in _LENGTHS)
    return "other lengths" if differs else None


def _length(row: Mapping[str, Any] | None) -> float | None:
    return None if row is None else row.get("crack_length_m")


def _total(rows: Mapping[str, Mapping[str, Any]], name: str) -> float:
    return sum(row.get(name) or 0.0 for _, row in sorted(rows.items()))
