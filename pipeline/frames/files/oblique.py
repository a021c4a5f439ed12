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
}
_POSE = ("focal_px", "height_m", "pitch_deg")
Points = tuple[tuple[float, float, float, float], ...]


@dataclass(frozen=True, kw_only=True)
class Oblique:
    """A camera that looks ahead and down: four or more points, or focal length, height and angles."""

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


def oblique_of(values: Mapping[str, Any], file: str) -> Oblique:
    """Check the table [oblique]. Raises ConfigurationError."""
    unknown = set(values) - set(_NUMBERS) - {"points"}
    if unknown:
        known = ", ".join([*_NUMBERS, "points"])
        raise ConfigurationError(
            f"{file}: [oblique] {sorted(unknown)[0]!r} is not known. It may hold {known}."
        )
    if "gsd_mm" not in values:
        raise ConfigurationError(f"{file}: [oblique] needs gsd_mm, millimetres per pixel of the plan view.")
    numbers = {name: _number(name, values[name], file) for name in _NUMBERS if name in values}
    if ("points" in values) == any(name in values for name in _POSE):
        raise ConfigurationError(
            f"{file}: [oblique] needs either points or focal_px, height_m and pitch_deg, and not both."
        )
    if "points" in values:
        points = _points(values["points"], file)
        return Oblique(gsd_mm=numbers["gsd_mm"], points=points)
    missing = [name for name in _POSE if name not in values]
    if missing:
        raise ConfigurationError(f"{file}: [oblique] needs {missing[0]} too, or points instead.")
    return Oblique(
        gsd_mm=numbers["gsd_mm"],
        focal_px=numbers["focal_px"],
        height_m=numbers["height_m"],
        pitch_deg=numbers["pitch_deg"],
        roll_deg=numbers.get("roll_deg", 0.0),
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
