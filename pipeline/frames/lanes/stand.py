"""Height and angles of a steady camera from the edges of its lane, once for all frames.

Edges are parallel on a flat road, so the point where they meet says how far the camera looks down and
aside, if its focal length and roll are known. How far they are apart says how high it is.

What was found is kept in the survey (`lane_edges.json`) and taken again by later calls: frames that are added
must not move those that are there.
"""

import json
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from crackpipe.model.data.plane import Matrix, angles_of, of_camera, to_ground
from crackpipe.pipeline.errors import ConfigurationError
from crackpipe.pipeline.frames.files.listing import Frame
from crackpipe.pipeline.frames.files.oblique import Oblique
from crackpipe.pipeline.frames.files.said import Assumption
from crackpipe.pipeline.frames.lanes.edges import Edges, edges_of
from crackpipe.pipeline.frames.lanes.marks import lines_of

FILE = "lane_edges.json"
MOST_FRAMES = 200
"""So many frames, evenly spread, are looked at."""
_MOST_APART = 0.1
"""Scales from two halves of the frames that differ by a larger share are no scale."""
_HEIGHT_ALIKE = 0.05
_PITCH_DEG = (2.0, 88.0)


@dataclass(frozen=True, kw_only=True)
class Seen:
    """The edges in all frames that were looked at, and in every second of them."""

    size_px: tuple[int, int]
    edges: Edges
    halves: tuple[Edges, ...]
    """Two; empty where half of the frames are too few."""

    def text(self) -> str:
        """The content of `lane_edges.json`."""
        return json.dumps(asdict(self), default=_plain, indent=1) + "\n"


def seen_edges(frames: Sequence[Frame], survey: Path, source: str) -> tuple[Seen, str | None]:
    """The edges in the frames, or those that an earlier call found, and then a note. Raises
    ConfigurationError.
    """
    size_px = frames[0].height_px, frames[0].width_px
    earlier = _earlier(survey / FILE)
    if earlier is not None and earlier.size_px == size_px:
        return earlier, (
            f"lane edges are those that an earlier call found in {earlier.edges.looked_at} frames; remove "
            f"{survey / FILE} to look for them again"
        )
    chosen = np.unique(np.linspace(0, len(frames) - 1, MOST_FRAMES).round().astype(int))
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        lines = list(pool.map(lines_of, [frames[number].path for number in chosen]))
    try:
        whole = edges_of(lines, size_px)
    except ValueError as error:
        raise ConfigurationError(
            f"{source}: [oblique] lane_edges_m: {error}. Give points, or height_m and pitch_deg, instead."
        ) from error
    try:
        halves = tuple(edges_of(lines[begin::2], size_px) for begin in (0, 1))
    except ValueError:
        halves = ()  # which is said
    return Seen(size_px=size_px, edges=whole, halves=halves), None


def stand_of(oblique: Oblique, seen: Seen, source: str) -> tuple[Oblique, list[Assumption]]:
    """The camera with the height and angles that the edges give, and what these rest on.

    Raises ConfigurationError where they contradict each other or the height that the table says.
    """
    try:
        found = posed(oblique, seen.edges, seen.size_px)
        halves = [posed(oblique, each, seen.size_px) for each in seen.halves]
        differ = _apart(halves[0], halves[1], seen) if halves else None
        if differ is not None and max(differ) > _MOST_APART:
            raise ValueError(
                f"the edges of the lane are not consistent: by every second frame lengths differ "
                f"{_said(differ)} from those by the others; at most {_MOST_APART:.0%} is taken"
            )
        if "height_m" in oblique.said and abs(found.height_m / oblique.height_m - 1) > _HEIGHT_ALIKE:
            raise ValueError(
                f"height_m is {oblique.height_m:g}, but by the edges the camera is {found.height_m:.2f} m "
                "above the road: lane_edges_m, focal_px or height_m is wrong"
            )
    except ValueError as error:
        raise ConfigurationError(
            f"{source}: [oblique] {error}. Correct the table, or give points instead."
        ) from error
    return found, _assumptions(oblique, found, seen, differ, source)


def posed(oblique: Oblique, edges: Edges, size_px: tuple[int, int]) -> Oblique:
    """The camera with height, pitch and yaw that edges in frames of `size_px` give. Raises ValueError."""
    height, width = size_px
    axis_px = oblique.axis_px or ((width - 1) / 2, (height - 1) / 2)
    pitch_deg, yaw_deg = angles_of(edges.meet, oblique.focal_px, axis_px, oblique.roll_deg)
    if not _PITCH_DEG[0] <= pitch_deg <= _PITCH_DEG[1]:
        raise ValueError(
            f"the edges meet at row {edges.meet[1]:.0f}, so the camera would look {pitch_deg:.1f} degrees "
            f"below the horizon; {_PITCH_DEG[0]:g} to {_PITCH_DEG[1]:g} are possible"
        )
    unit = of_camera(
        oblique.focal_px, axis_px, 1.0, pitch_deg=pitch_deg, roll_deg=oblique.roll_deg, yaw_deg=yaw_deg
    )
    # places of both edges along the lowest row, in heights of the camera
    col = edges.meet[0] + edges.slopes * (height - 1 - edges.meet[1])
    at = np.column_stack([np.full(col.size, height - 1.0), col.ravel()])
    right = to_ground(unit, at)[:, 0].reshape(-1, 2)
    high_m = (oblique.lane_edges_m or np.nan) / float(np.median(right[:, 1] - right[:, 0]))
    return replace(oblique, height_m=high_m, pitch_deg=pitch_deg, yaw_deg=yaw_deg, axis_px=axis_px)


def scales(oblique: Oblique, size_px: tuple[int, int], meet_row: float) -> tuple[float, float]:
    """Metres of ground per pixel (along, across) the road, in the middle of a frame's lower half."""
    height, width = size_px
    row, col = (max(meet_row, 0.0) + 3 * (height - 1)) / 4, (width - 1) / 2
    here, right, below = to_ground(_matrix(oblique), [[row, col], [row, col + 1], [row + 1, col]])
    return float(here[1] - below[1]), float(right[0] - here[0])


def _matrix(oblique: Oblique) -> Matrix:
    return of_camera(
        oblique.focal_px,
        oblique.axis_px or (0.0, 0.0),
        oblique.height_m,
        pitch_deg=oblique.pitch_deg,
        roll_deg=oblique.roll_deg,
        yaw_deg=oblique.yaw_deg,
    )


def _apart(first: Oblique, second: Oblique, seen: Seen) -> tuple[float, float]:
    """By which share lengths (along, across) differ between two cameras, at least 0."""
    meet_row = seen.edges.meet[1]
    ones, others = (scales(each, seen.size_px, meet_row) for each in (first, second))
    return abs(ones[0] / others[0] - 1), abs(ones[1] / others[1] - 1)


def _assumptions(
    oblique: Oblique, found: Oblique, seen: Seen, differ: tuple[float, float] | None, source: str
) -> list[Assumption]:
    longer = posed(replace(oblique, focal_px=1.1 * oblique.focal_px), seen.edges, seen.size_px)
    rolled = posed(replace(oblique, roll_deg=oblique.roll_deg + 1.0), seen.edges, seen.size_px)
    bent = replace(found, pitch_deg=found.pitch_deg + 1.0)
    by_focal, by_roll, by_bend = (_said(_apart(each, found, seen)) for each in (longer, rolled, bent))
    rows: list[tuple[str, str | float, str, str]] = [
        (
            "lane_edges_m",
            float(oblique.lane_edges_m or 0.0),
            source,
            "10 % change all lengths by 10 %; one scale is taken for all frames, so a lane that is wider or "
            "narrower in places changes nothing there",
        ),
        ("focal_px", oblique.focal_px, source, f"10 % change lengths {by_focal}"),
        (
            "roll_deg",
            oblique.roll_deg,
            source if "roll_deg" in oblique.said else "assumed",
            f"1 degree changes lengths {by_roll} in the middle of the picture, and more beside it",
        ),
        (
            "flat_road",
            "flat, and straight where frames show both edges; the vehicle drives along its lane",
            "assumed",
            "no number: where the road bends up or down by 1 degree in a frame, or the vehicle pitches by "
            f"as much, lengths change {by_bend}",
        ),
        ("camera_stands", _stands(found, seen, differ), f"{seen.edges.looked_at} frames", "see lane_edges_m"),
    ]
    return [
        Assumption(what=what, value=value, source=origin, ten_percent=does)
        for what, value, origin, does in rows
    ]


def _stands(found: Oblique, seen: Seen, differ: tuple[float, float] | None) -> str:
    halves = "every second of them alone gives no edges to compare"
    if differ is not None:
        halves = f"by every second of them lengths differ {_said(differ)}"
    return (
        f"{found.height_m:.3f} m above the road, {found.pitch_deg:.2f} degrees below the horizon, "
        f"{abs(found.yaw_deg):.1f} degrees to the {'right' if found.yaw_deg >= 0 else 'left'} of the lane; "
        f"from {len(seen.edges.slopes)} frames with both edges of {seen.edges.looked_at} that were read; "
        + halves
    )


def _said(share: tuple[float, float]) -> str:
    return f"by {share[0]:.1%} along the road and by {share[1]:.1%} across"


def _plain(value: Any) -> Any:
    return value.tolist()


def _earlier(file: Path) -> Seen | None:
    """What an earlier call found; None where there is nothing that can be read."""
    try:
        values = json.loads(file.read_text(encoding="utf-8"))
        halves = tuple(_edges(each) for each in values["halves"])
        height, width = values["size_px"]
        return Seen(size_px=(int(height), int(width)), edges=_edges(values["edges"]), halves=halves)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _edges(values: dict[str, Any]) -> Edges:
    """Raises ValueError, KeyError or TypeError where these are no edges."""
    col, row = (float(each) for each in values["meet"])
    slopes = np.array(values["slopes"], np.float64)
    if slopes.ndim != 2 or slopes.shape[1] != 2 or not np.isfinite([*slopes.ravel(), col, row]).all():
        raise ValueError("slopes must be pairs of numbers")
    return Edges(
        meet=(col, row),
        slopes=slopes,
        looked_at=int(values["looked_at"]),
        both_sides=int(values["both_sides"]),
    )
