"""The part of camera.toml about a camera that looks ahead and down.

[oblique]
gsd_mm = 4.0                          # of the plan view, both ways
points = [[212, 580, -1.8, 4.0],      # pixel (column, row) and its ground: metres right and ahead of the
position
          [830, 577, 1.8, 4.0], [660, 210, 1.8, 12.0], [395, 212, -1.8, 12.0]]
# or, instead of points:
focal_px = 1150.0
height_m = 2.4                        # above the road
pitch_deg = 25.0                      # below the horizon
roll_deg = 0.0                        # clockwise, as the driver sees it
# or, instead of height and pitch, which are then found in the frames:
lane_edges_m = 3.6                    # from the middle of the left lane line to that of the right one
axis_px = [511.5, 0.0]                # where the camera's axis is in the frame; the middle, if it is not said
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from crackpipe.pipeline.errors import ConfigurationError

_NUMBERS = {
    "gsd_mm": (0.25, 50.0),
    "focal_px": (10.0, 1e6),
    "height_m": (0.1, 50.0),
    "pitch_deg": (1.0, 90.0),
    "roll_deg": (-45.0, 45.0),
    "lane_edges_m": (1.0, 30.0),
}
_POSE = ("focal_px", "height_m", "pitch_deg")
_LANES = ("lane_edges_m", "focal_px")
_WAYS = "needs either points or focal_px, height_m and pitch_deg, or lane_edges_m and focal_px"
Points = tuple[tuple[float, float, float, float], ...]


@dataclass(frozen=True, kw_only=True)
class Oblique:
    """A camera that looks ahead and down: four or more points, or focal length and height and angles or lane
    edges."""

    gsd_mm: float
    """Millimetres of ground per pixel of the plan view."""
    points: Points = ()
    """(column, row) in pixels, (right, ahead) in metres from the position."""
    focal_px: float = math.nan
    height_m: float = math.nan
    pitch_deg: float = math.nan
    """Below the horizon."""
    roll_deg: float = 0.0
    """Clockwise, as one sees it who looks ahead."""
    axis_px: tuple[float, float] | None = None
    """(column, row) where the camera's axis goes through the frame; None: the middle."""
    lane_edges_m: float | None = None
    """From the middle of the left lane line to that of the right one; then height and pitch are found."""
    yaw_deg: float = 0.0
    """By how much the camera looks to the right of the lane, where that is found from its edges."""
    said: frozenset[str] = frozenset()
    """Names of the values that the file gives."""


def oblique_of(values: Mapping[str, Any], file: str) -> Oblique:
    """Check the table [oblique]. Raises ConfigurationError."""
    known = [*_NUMBERS, "points", "axis_px"]
    for name in sorted(set(values) - set(known)):
        raise ConfigurationError(f"{file}: [oblique] {name!r} is not known. It may hold {', '.join(known)}.")
    if "gsd_mm" not in values:
        raise ConfigurationError(f"{file}: [oblique] needs gsd_mm, millimetres per pixel of the plan view.")
    ways = [name for name in ("points", "lane_edges_m", "pitch_deg") if name in values]
    if len(ways) > 1 or ("points" in values and set(values) & {*_POSE, "roll_deg", "axis_px"}):
        raise ConfigurationError(f"{file}: [oblique] {_WAYS}, and not two of these.")
    if not ways and not set(values) & set(_POSE):
        raise ConfigurationError(f"{file}: [oblique] {_WAYS}.")
    needed = {"points": ("points",), "lane_edges_m": _LANES}.get("".join(ways), _POSE)
    for name in needed:
        if name not in values:
            raise ConfigurationError(f"{file}: [oblique] needs {name} too, or points instead.")
    numbers = {name: _number(name, values[name], file) for name in _NUMBERS if name in values}
    return Oblique(
        **numbers,
        points=_points(values["points"], file) if "points" in values else (),
        axis_px=_axis(values["axis_px"], file) if "axis_px" in values else None,
        said=frozenset(values),
    )


def _number(name: str, value: Any, file: str) -> float:
    low, high = _NUMBERS[name]
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise ConfigurationError(
            f"{file}: [oblique] {name} is {value!r}, but must be a number from {low:g} to {high:g}"
        )
    return float(value)


def _points(value: Any, file: str) -> Points:
    sound = isinstance(value, list) and len(value) >= 4
    sound = sound and all(
        isinstance(each, list)
        and len(each) == 4
        and all(isinstance(part, int | float) and math.isfinite(part) for part in each)
        for each in value
    )
    if not sound:
        raise ConfigurationError(
            f"{file}: [oblique] points must be four or more of [column, row, metres right, metres ahead]"
        )
    return tuple(tuple(map(float, each)) for each in value)  # type: ignore[misc]


def _axis(value: Any, file: str) -> tuple[float, float]:
    sound = isinstance(value, list) and len(value) == 2
    if not sound or not all(isinstance(each, int | float) and abs(each) < 1e6 for each in value):
        raise ConfigurationError(f"{file}: [oblique] axis_px must be [column, row]")
    return float(value[0]), float(value[1])
