"""What a person asks for: how long sections are, where lanes lie, and into which zones a lane is divided."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from crackpipe.pipeline.errors import UsageError

ZONES = ("edge_left", "wheel_path_left", "centre", "wheel_path_right", "edge_right")
"""Zones of a lane, from left to right of rising measure."""

UNITS_M = {"": 1.0, "m": 1.0, "km": 1000.0, "mi": 1609.344, "ft": 0.3048}
"""Metres per unit; the mile and the foot are the international ones."""

_LANE_WIDTHS_M = (2.0, 8.0)
_LENGTHS_M = (1.0, 100_000.0)
_OFFSETS_M = 100.0


@dataclass(frozen=True, kw_only=True)
class Wheelpaths:
    """Where the wheel paths lie in a lane (AASHTO R 85: two strips of 1.0 m)."""

    from_centre_m: float = 0.375
    """Distance of a path's inner edge from the lane's centre."""
    width_m: float = 1.0


@dataclass(frozen=True, kw_only=True)
class Lanes:
    """Lanes beside a route, numbered from 1."""

    offsets_m: tuple[float, ...] = (0.0,)
    """From the route to the centre of each lane, positive to the right of rising measure."""
    width_m: float = 3.5
    wheelpaths: Wheelpaths = field(default_factory=Wheelpaths)

    def __post_init__(self) -> None:
        low, high = _LANE_WIDTHS_M
        if not low <= self.width_m <= high:
            raise UsageError(
                f"--lane-width is {self.width_m:g} m. A lane is {low:g} to {high:g} m wide: give its width "
                "in metres, such as --lane-width 3.5."
            )
        for offset in self.offsets_m:
            if not abs(offset) <= _OFFSETS_M:
                raise UsageError(
                    f"--offset is {offset:g} m. A lane's centre lies at most {_OFFSETS_M:g} m from its "
                    "route: give metres, positive to the right of rising measure."
                )
        for one, other in pairwise(sorted(self.offsets_m)):
            if other - one < self.width_m - 1e-6:
                raise UsageError(
                    f"the lanes at --offset {one:g} and {other:g} m overlap: they are {other - one:g} m "
                    f"apart and {self.width_m:g} m wide. Give a smaller --lane-width, or other offsets."
                )

    @property
    def reach_m(self) -> float:
        """How far from the route the outermost lane reaches."""
        return max(map(abs, self.offsets_m)) + self.width_m / 2

    def zone_edges_m(self) -> tuple[float, ...]:
        """The six edges of the five zones, from the lane's centre. In a narrow lane outer zones are empty."""
        half, inner = self.width_m / 2, self.wheelpaths.from_centre_m
        outer = min(inner + self.wheelpaths.width_m, half)
        return (-half, -outer, -inner, inner, outer, half)


def length_m(text: str) -> float:
    """Metres of `100m`, `0.1mi`, `528ft`, `1km` or `100`. Raises UsageError."""
    found = re.fullmatch(r"\s*([0-9.]+(?:e-?[0-9]+)?)\s*([a-z]*)\s*", text.lower())
    try:
        metres = float(found[1]) * UNITS_M[found[2]] if found else float("nan")
    except (ValueError, KeyError):
        metres = float("nan")
    low, high = _LENGTHS_M
    if not low <= metres <= high:
        raise UsageError(
            f"--length is {text!r}. A section is {low:g} m to {high / 1000:g} km long: give a number and m, "
            "km, mi or ft, such as 100m or 0.1mi."
        )
    return metres


def lanes_of(offsets_m: Sequence[float], width_m: float, wheelpaths: Wheelpaths | None = None) -> Lanes:
    """Lanes at these offsets, in the order given; without any offset there is one lane on the route."""
    return Lanes(offsets_m=tuple(offsets_m) or (0.0,), width_m=width_m, wheelpaths=wheelpaths or Wheelpaths())
