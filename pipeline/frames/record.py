"""`survey.toml` with every assumption, and `frames.csv` with a row for every frame."""

import csv
import io
import json
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np

from crackpipe.pipeline.console.printable import from_cell, harmless
from crackpipe.pipeline.errors import OutputNotWritableError
from crackpipe.pipeline.frames.files.camera import Camera
from crackpipe.pipeline.frames.files.said import Assumption, SetAside, moment
from crackpipe.pipeline.geometry.arrays import Floats

MADE_BY = "crackpipe frames"


@dataclass(frozen=True, kw_only=True)
class Row:
    """A frame in the survey and where its values came from."""

    name: str
    longitude_deg: float
    latitude_deg: float
    heading_deg: float
    heading_from: str
    time_s: float
    line: int
    driven: int
    """Number of the frame along the way driven, from 1."""


_TEN_PERCENT = {
    "mm_per_px_along": "lengths along the road change by 10 %, and so do widths of transverse cracks",
    "mm_per_px_across": "lengths across the road change by 10 %, and so do widths of longitudinal cracks",
    "up": "no number: where it is wrong, frames are turned by 90 or 180 degrees and cracks end at seams",
    "ahead_m": "moves every frame by {moved:.3g} m along the road; no length changes",
    "right_m": "moves every frame by {moved:.3g} m across the road; no length changes",
    "lane_offset_m": "moves every frame by {moved:.3g} m across the road; no length changes",
    "yaw_deg": "turns every frame by {moved:.3g} degrees; no length within a frame changes",
    "heading_add_deg": "turns every frame by {moved:.3g} degrees; no length within a frame changes",
}


def mount_assumptions(camera: Camera, found: dict[str, str]) -> list[Assumption]:
    """A line for each value of the camera that places a frame; `found` says what the delivery itself held."""
    lines = []
    for name, words in _TEN_PERCENT.items():
        value = getattr(camera, name)
        source = found.get(name) or (camera.source if name in camera.said else "assumed")
        said = words if isinstance(value, str) else words.format(moved=abs(value) / 10)
        if value == 0.0:
            said = f"nothing, since it is 0; if it is 0.1 in truth: {words.format(moved=0.1)}"
        lines.append(Assumption(what=name, value=value, source=source, ten_percent=said))
    return lines


def survey_toml(
    crs: str, assumptions: Sequence[Assumption], acquired: date | None, travel_deg: float | None
) -> str:
    """The text of `survey.toml`."""
    lines = [
        f"# Written by `{MADE_BY}`. What `from` calls assumed nobody has said: check these first.",
        f"made_by = {_text(MADE_BY)}",
        f"crs = {_text(crs)}",
    ]
    if acquired is not None:
        lines.append(f"acquired = {acquired.isoformat()}")
    if travel_deg is not None:
        lines.append(f"travel_deg = {travel_deg:.1f}")
    for each in assumptions:
        value = _text(each.value) if isinstance(each.value, str) else repr(float(each.value))
        lines += [
            "",
            "[[assumption]]",
            f"what = {_text(each.what)}",
            f"value = {value}",
            f"from = {_text(each.source)}",
            f"ten_percent = {_text(each.ten_percent)}",
        ]
    return "\n".join(lines) + "\n"


def _text(words: str) -> str:
    # TOML's basic strings are JSON's, but for DEL
    return json.dumps(words, ensure_ascii=False).replace("\x7f", "\\u007f")


def earlier_crs(survey: Path) -> str | None:
    """The CRS that an earlier call gave this survey; None where there was none.

    Raises OutputNotWritableError where the folder holds something else than what `crackpipe frames` makes.
    """
    # the partial file is all that a call leaves which is killed at its very beginning
    if not survey.is_dir() or {each.name for each in survey.iterdir()} <= {"survey.toml.partial"}:
        return None
    file = survey / "survey.toml"
    try:
        values = tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        values = {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise OutputNotWritableError(
            f"{file} cannot be read: {error}. Name another folder with --out."
        ) from error
    if values.get("made_by") != MADE_BY:
        raise OutputNotWritableError(
            f"{survey} is not empty and was not made by `{MADE_BY}`. Name another folder with --out."
        )
    crs = values.get("crs")
    return crs if isinstance(crs, str) and crs else None


def frames_csv(rows: Sequence[Row], aside: Sequence[SetAside]) -> str:
    """A row for every frame: those of the survey, then those that were set aside with reason and remedy.

    A text that a spreadsheet would run as a formula has an apostrophe before it, as in exports.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    head = "frame status longitude latitude heading_deg heading_from time line driven reason message remedy"
    writer.writerow(head.split())
    for row in rows:
        place = [f"{row.longitude_deg:.9f}", f"{row.latitude_deg:.9f}", f"{row.heading_deg:.3f}"]
        time = "" if np.isnan(row.time_s) else moment(row.time_s)
        writer.writerow(
            [harmless(row.name), "placed", *place, row.heading_from, time, row.line, row.driven, "", "", ""]
        )
    for each in sorted(aside, key=lambda each: each.name):
        words = [harmless(word) for word in (each.reason, each.said, each.remedy)]
        writer.writerow([harmless(each.name), "set aside", *[""] * 7, *words])
    return text.getvalue()


def read_frames_csv(text: str) -> list[dict[str, str]]:
    """The rows of `frames.csv`, each text as it was before an apostrophe came before it."""
    rows = csv.DictReader(io.StringIO(text, newline=""), restval="")
    return [{name: from_cell(row[name]) for name in rows.fieldnames or ()} for row in rows]


def placed_earlier(survey: Path) -> list[str]:
    """Names of the images that an earlier call placed; empty where it did not come to its end.

    Names that lead out of the survey are left out: somebody may have edited the file.
    """
    try:
        text = (survey / "frames.csv").read_text(encoding="utf-8")
    except (FileNotFoundError, UnicodeDecodeError):
        return []
    names = [row.get("frame", "") for row in read_frames_csv(text) if row.get("status") == "placed"]
    return [name for name in names if name and not {"", ".", ".."} & set(name.split("/"))]


def day_of(time_s: Floats) -> date | None:
    """The one day, UTC, of all times (N,); None where they are unknown or of several days."""
    known = time_s[np.isfinite(time_s) & (time_s > 1e8) & (time_s < 1e11)]
    if not len(known):
        return None
    first, last = (datetime.fromtimestamp(float(each), UTC).date() for each in (known.min(), known.max()))
    return first if first == last else None


def one_direction(heading_deg: Floats) -> float | None:
    """The mean of headings (N,) if all lie within 10 degrees of it; None on a bend, and of no heading."""
    if not len(heading_deg):
        return None
    mean = np.angle(np.exp(1j * np.radians(heading_deg)).mean())
    off = np.degrees(np.abs(np.angle(np.exp(1j * (np.radians(heading_deg) - mean)))))
    return float(np.degrees(mean) % 360.0) if off.max() <= 10.0 else None
