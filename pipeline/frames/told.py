"""What a survey that `crackpipe frames` made tells of its delivery: the track, and what is odd where."""

import json
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pyproj import CRS

from crackpipe.pipeline.errors import UsageError
from crackpipe.pipeline.frames.pose.by_time import geodetic_of
from crackpipe.pipeline.frames.pose.crs import named_crs
from crackpipe.pipeline.frames.record import MADE_BY, read_frames_csv
from crackpipe.pipeline.geometry.arrays import Floats
from crackpipe.pipeline.tables.travel import natural_key

MOST_EVENTS = 1000
"""Of each kind so many are told, and how many there are."""


@dataclass(frozen=True, kw_only=True)
class Event:
    """Something that is odd about a delivery, and where."""

    kind: str
    """gap, jump, standstill, backwards, double, no frame or set aside."""
    frame: str
    said: str
    lonlat: Floats
    """(K, 2): one place, or the two ends of a gap or jump. (0, 2) where it is not known."""


@dataclass(frozen=True, kw_only=True)
class Told:
    """What is told of one delivery."""

    name: str
    crs: CRS
    """Longitude and latitude of all places."""
    lines: list[str]
    """The report of the delivery, a sentence each."""
    parts: list[Floats]
    """The track, cut where it jumps: (N, 2) each."""
    events: list[Event]
    counts: dict[str, int]
    """All events of each kind, also those that are not in `events`."""


def told_by(survey: Path) -> Told | None:
    """What a survey tells; None where `crackpipe frames` did not make it. Raises UsageError if damaged."""
    if not all((survey / name).is_file() for name in ("survey.toml", "frames.csv", "delivery.json")):
        return None
    try:
        facts = tomllib.loads((survey / "survey.toml").read_text(encoding="utf-8"))
        if facts.get("made_by") != MADE_BY:
            return None
        rows = read_frames_csv((survey / "frames.csv").read_text("utf-8"))
        said = json.loads((survey / "delivery.json").read_text(encoding="utf-8"))
        lines = (survey / "delivery.txt").read_text(encoding="utf-8").splitlines()
        crs = geodetic_of(named_crs(str(facts["crs"]), "survey.toml"))
        return _told(survey.name, crs, lines, rows, said)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UsageError(
            f"what {survey} tells of its delivery cannot be read ({type(error).__name__}: {error}). Call "
            "`crackpipe frames` again, which writes survey.toml, frames.csv and delivery.json anew."
        ) from error


def _told(
    name: str, crs: CRS, lines: list[str], rows: Sequence[Mapping[str, str]], said: Mapping[str, Any]
) -> Told:
    placed = sorted((row for row in rows if row["status"] == "placed"), key=lambda row: int(row["driven"]))
    lonlat = np.array([[float(row["longitude"]), float(row["latitude"])] for row in placed]).reshape(-1, 2)
    # a plan view or GeoTIFF is named after its frame
    at = {row["frame"].removesuffix(".tif"): number for number, row in enumerate(placed)}
    at |= {row["frame"]: number for number, row in enumerate(placed)}
    jumped = {at[each["after"]] for each in said["jumps"] if each["after"] in at}
    events = [*_odd(said, at, lonlat), *_aside(rows, at, lonlat)]
    counts: dict[str, int] = {}
    kept = []
    for event in events:
        counts[event.kind] = counts.get(event.kind, 0) + 1
        if counts[event.kind] <= MOST_EVENTS:
            kept.append(event)
    cuts = np.array(sorted(jumped), np.int64) + 1
    parts = [part for part in np.split(lonlat, cuts) if len(part) > 1]
    return Told(name=name, crs=crs, lines=lines, parts=parts, events=kept, counts=counts)


def _odd(said: Mapping[str, Any], at: Mapping[str, int], lonlat: Floats) -> Iterator[Event]:
    """What the report of the delivery names."""

    def event(kind: str, frame: str, words: str, *, with_next: bool = False) -> Event:
        number = at.get(frame)
        places = lonlat[:0] if number is None else lonlat[number : number + (2 if with_next else 1)]
        return Event(kind=kind, frame=frame, said=words, lonlat=places)

    for each in said["gaps"]:
        yield event("gap", each["after"], f"{each['metres']:.1f} m are on no frame", with_next=True)
    for each in said["jumps"]:
        yield event("jump", each["after"], f"{each['metres']:,.0f} m to the next frame", with_next=True)
    for each in said["standstills"]:
        yield event("standstill", each["from"], f"{each['frames']} frames at one place")
    for each in said["backwards"]:
        yield event("backwards", each, "looks against the way driven")
    for each in said["passes"]:
        yield event("double", each["frame"], f"on ground of {each['on']}")
    for line, place in zip(said["positions_without_frame"], said["places_without_frame"], strict=True):
        lonlat = np.array([] if place is None else [place], np.float64).reshape(-1, 2)
        where = f"{said['unit']} {line}"
        yield Event(kind="no frame", frame=where, said="no frame has this position", lonlat=lonlat)


def _aside(rows: Sequence[Mapping[str, str]], at: Mapping[str, int], lonlat: Floats) -> Iterator[Event]:
    """Frames that were set aside, each beside the frame before it by name: where it is, nobody knows."""
    aside = {row["frame"]: row for row in rows if row["status"] != "placed"}
    here: int | None = None
    for name in sorted({*at, *aside}, key=lambda name: (natural_key(name), name)):
        row = aside.get(name)
        if row is None:
            here = at[name]
            continue
        places = lonlat[:0] if here is None else lonlat[here : here + 1]
        yield Event(kind="set aside", frame=name, said=f"{row['reason']}: {row['message']}", lonlat=places)
