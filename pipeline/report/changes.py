"""What changed since the previous result, which a run keeps, and since an older year, as `compare` says."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from crackpipe.pipeline.errors import OutputDamagedError
from crackpipe.pipeline.storage.durable import file_hash

_LENGTHS = ("crack_length_m", "crack_length_tiny_m", "crack_length_small_m", "crack_length_wide_m")
_SECTION = (
    *("section_id", "route_id", "lane", "m_begin", "m_end", "both_m2", "before_m"),
    *("grown_m", "grown_low_m", "grown_high_m", "wider_m", "repaired_m"),
)
_MOST_SECTIONS = 1000
_LEAST_M = 0.0005
"""A length that differs by less did not change."""


def since_older_year(root: Path) -> dict[str, Any] | None:
    """What `crackpipe compare` said of the output folder `root`; None where there is no comparison of it.

    Raises OutputDamagedError if a file of the comparison cannot be read.
    """
    summary, table = root / "changes.json", root / "changes.parquet"
    if not (summary.is_file() and table.is_file()):
        return None
    sections = root / "changes_sections.parquet"
    try:
        made_from = json.loads((pq.read_schema(table).metadata or {}).get(b"crackpipe_changes", b"{}"))
        if made_from.get("cracks.parquet") != file_hash(root / "cracks.parquet"):
            return None
        said = json.loads(summary.read_text(encoding="utf-8"))
        rows = pq.read_table(sections, columns=list(_SECTION)).to_pylist() if sections.is_file() else []
        found = {
            "older": Path(said["older"]).name,
            "comparable": said["comparable"],
            "least_m": said["least_m"],
            "verdicts": [
                {"verdict": name, **each} for name, each in said["verdicts"].items() if each["rows"]
            ],
            "registration": said["registration"],
            "common_shift": said["widths"]["common_shift"],
        }
    except (pa.ArrowInvalid, ValueError, KeyError, OSError) as error:
        raise OutputDamagedError(
            f"the comparison in {root} cannot be read: {error}. Run `crackpipe compare` again, or remove "
            f"{summary.name} and {table.name}."
        ) from error
    known = [row for row in rows if row["grown_m"] is not None]
    known.sort(key=lambda row: (-row["grown_m"], row["section_id"]))
    return {**found, "sections": known[:_MOST_SECTIONS]}


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
