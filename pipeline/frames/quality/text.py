"""The report of a delivery: sentences for a person, numbers for programs."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from crackpipe.pipeline.frames.files.said import SetAside
from crackpipe.pipeline.frames.positions.table import Positions
from crackpipe.pipeline.frames.quality.check import Quality, SeamFigures

_SHOWN = 3
NEAR_MM = 30.0
"""Neighbours should be no further off each other."""


def lines_of(quality: Quality) -> list[str]:
    """What is worth knowing of a delivery, a sentence each."""
    track, names = quality.track, quality.names
    lines = [
        f"{len(names)} frames along {track.way_m:,.1f} m, one each {track.step_m:.2f} m; of a frame the next "
        f"one shows {max(track.overlap, 0.0):.0%} too."
    ]
    if track.overlap < 0:
        lines.append(
            f"Frames do not meet: {-track.overlap / (1 - track.overlap):.0%} of the way are shown by none."
        )
    for what, found in (
        ("gaps, where ground is shown by no frame", [(at, f"{far:.1f} m") for at, far in track.gaps]),
        ("jumps of the position", [(at, f"{far:,.0f} m") for at, far in track.jumps]),
        ("standstills of the position", [(at, f"{count} frames") for at, count in track.standstills]),
        ("frames that look against the way driven", [(at, "") for at in track.backwards]),
        (
            "frames on ground of an earlier pass",
            [(late, f"on {names[early]}") for late, early in track.passes],
        ),
    ):
        if found:
            first = "; ".join(f"{names[at]}{f' ({said})' if said else ''}" for at, said in found[:_SHOWN])
            more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
            lines.append(f"{len(found)} {what}: {first}{more}.")
    return lines + ([] if quality.seams is None else _seam_lines(quality.seams))


def left_over(aside: Sequence[SetAside], positions: Positions, unused: Sequence[int]) -> list[str]:
    """Frames that have no place, lines of positions that cannot be read, and the `unused` ones that no frame
    has, a sentence each."""
    unit, faults = positions.unit, positions.faults
    lines = []
    for reason, count in sorted(Counter(each.reason for each in aside).items()):
        first = next(each for each in aside if each.reason == reason)
        lines.append(
            f"{count} frames set aside, {reason}: {first.name}: {first.said}. {first.remedy} All are in "
            "frames.csv."
        )
    lines += [f"Positions, {unit} {fault.line}: {fault.said}." for fault in faults[:_SHOWN]]
    if len(faults) > _SHOWN:
        lines.append(f"Positions: {len(faults) - _SHOWN} more {unit}s that cannot be read.")
    if unused:
        lines.append(f"{len(unused)} positions without a frame, the first in {unit} {unused[0]}.")
    return lines


def _seam_lines(seams: SeamFigures) -> list[str]:
    if not seams.compared:
        return ["Seams: no neighbours show common ground."]
    lines = [f"Seams: {seams.found} of {seams.compared} neighbours were found in each other."]
    if not seams.found:
        return [f"{lines[0]} Do their places, scale or `up` fit at all? Positions are as delivered."]
    before, after, moved = (
        f"{median:.0f} mm in the median, {most:.0f} mm at most"
        for median, _, most in (seams.before_mm, seams.after_mm, seams.moved_mm)
    )
    lines.append(f"They were off by {before}; now {after}. For that frames were moved by {moved}.")
    if seams.after_mm[1] > NEAR_MM:
        lines.append(
            f"More than one in twenty is still off by more than {NEAR_MM:.0f} mm: look for a wrong scale, "
            "lever arm or heading."
        )
    if seams.scale_off:
        lines.append(
            f"mm_per_px_along seems {abs(seams.scale_off):.1%} too "
            f"{'large' if seams.scale_off > 0 else 'small'}: then so are lengths along the road."
        )
    if seams.turn_deg:
        lines.append(
            f"The camera seems turned: add {seams.turn_deg:.1f} to yaw_deg, or to heading_add_deg if "
            "headings are off."
        )
    return lines


def as_json(quality: Quality) -> dict[str, Any]:
    """The same for programs: names instead of numbers, null where nothing is known."""
    track, names = quality.track, quality.names
    return {
        "frames": len(names),
        "way_m": round(track.way_m, 3),
        "step_m": round(track.step_m, 4),
        "overlap": round(track.overlap, 4),
        "gaps": [{"after": names[at], "metres": round(far, 3)} for at, far in track.gaps],
        "jumps": [{"after": names[at], "metres": round(far, 3)} for at, far in track.jumps],
        "standstills": [{"from": names[at], "frames": count} for at, count in track.standstills],
        "backwards": [names[at] for at in track.backwards],
        "passes": [{"frame": names[late], "on": names[early]} for late, early in track.passes],
        "seams": None if quality.seams is None else _rounded(asdict(quality.seams)),
    }


def _rounded(values: dict[str, Any]) -> dict[str, Any]:
    return {name: _plain(value) for name, value in values.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(each) for each in value]
    if isinstance(value, float):
        return None if math.isnan(value) else round(value, 4)
    return value
