"""`camera.toml`: how a camera is mounted and what its pixels are on the ground.

mm_per_px_along = 1.0       # along the road; mm_per_px gives both
mm_per_px_across = 1.0
up = "ahead"                # where the top of a picture looks: ahead, behind, left or right
ahead_m = -1.2              # from the position (the antenna) to the centre of the picture
right_m = 0.0
clock_offset_s = 0.8        # added to a frame's time it gives the time of the positions
"""

import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal, get_args

from crackpipe.pipeline.errors import ConfigurationError
from crackpipe.pipeline.frames.files.oblique import Oblique, oblique_of

Up = Literal["ahead", "right", "behind", "left"]
HeadingUnit = Literal["degrees", "radians", "gon"]
North = Literal["true", "grid"]
TrajectoryTime = Literal["gps", "utc"]
Driven = Literal["with", "against"]
HeadingSource = Literal["auto", "given", "track"]
HEADING_UNITS = {"degrees": 1.0, "radians": math.degrees(1.0), "gon": 0.9}
"""Degrees in each unit of headings."""

_WORDS: dict[str, tuple[str, ...]] = {
    "up": get_args(Up),
    "heading_unit": get_args(HeadingUnit),
    "heading_north": get_args(North),
    "heading": get_args(HeadingSource),
    "driven": get_args(Driven),
    "trajectory_time": get_args(TrajectoryTime),
}
_LIMITS = {
    "mm_per_px_along": (0.01, 1000.0),
    "mm_per_px_across": (0.01, 1000.0),
    "ahead_m": (-100.0, 100.0),
    "right_m": (-100.0, 100.0),
    "lane_offset_m": (-100.0, 100.0),
    "yaw_deg": (-180.0, 180.0),
    "heading_add_deg": (-360.0, 360.0),
    "clock_offset_s": (-1e9, 1e9),
    "utc_offset_h": (-14.0, 14.0),
    "chainage_unit_m": (1e-6, 1e6),
    "chainage_begin_m": (-1e9, 1e9),
}


@dataclass(frozen=True, kw_only=True)
class Camera:
    """What is known of a camera. None: not said."""

    mm_per_px_along: float | None = None
    """Millimetres of ground per pixel along the road."""
    mm_per_px_across: float | None = None
    """Millimetres of ground per pixel across the road."""
    up: Up = "ahead"
    """Where the top of a picture looks, as stored, whatever EXIF says of turning it."""
    ahead_m: float = 0.0
    """From the position to the centre of the picture, ahead as the vehicle drives."""
    right_m: float = 0.0
    """From the position to the centre of the picture, to the right."""
    lane_offset_m: float = 0.0
    """From the line on which positions lie to the middle of the lane, to the right; for centrelines."""
    yaw_deg: float = 0.0
    """How far the camera is turned clockwise against the vehicle, seen from above."""
    heading: HeadingSource = "auto"
    """Headings of the positions are taken (`given`: none may be empty), or those of the smoothed track.
    `auto`: given ones where there are any."""
    heading_unit: HeadingUnit = "degrees"
    heading_north: North = "true"
    """From which north given headings count: true north, or the grid's of the positions' CRS."""
    heading_add_deg: float = 0.0
    """Added to given headings, such as the declination where a compass gave them."""
    clock_offset_s: float | None = None
    """Added to a frame's time, it gives the time of the positions."""
    utc_offset_h: float | None = None
    """By how much the frames' clock is ahead of UTC, where their times name no zone."""
    trajectory_time: TrajectoryTime | None = None
    """Whether the seconds of the week in an SBET file are GPS time or UTC."""
    chainage_unit_m: float = 1.0
    """Metres per unit of the numbers in names of frames, where these are chainages."""
    chainage_begin_m: float = 0.0
    """Chainage at the first vertex of the line."""
    driven: Driven = "with"
    """Whether the vehicle went the way that the line is drawn."""
    oblique: Oblique | None = None
    """Of a camera that looks ahead and down."""
    said: frozenset[str] = frozenset()
    """Names of the values that the file gives; the others are defaults."""
    source: str = "default"
    """Name of the file."""


def read_camera(file: Path | None) -> Camera:
    """Read `camera.toml`; without a file nothing is known. Raises ConfigurationError."""
    if file is None:
        return Camera()
    try:
        values = tomllib.loads(file.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigurationError(f"{file} cannot be read as TOML: {error}. Correct the file.") from error
    if "mm_per_px" in values:
        both = values.pop("mm_per_px")
        values = {"mm_per_px_along": both, "mm_per_px_across": both, **values}
    oblique = values.pop("oblique", None)
    if oblique is not None and not isinstance(oblique, dict):
        raise ConfigurationError(f"{file}: oblique must be a table [oblique]")
    known = [field.name for field in fields(Camera) if field.name not in {"said", "source", "oblique"}]
    for name in values:
        if name not in known:
            raise ConfigurationError(
                f"{file}: {name!r} is not known. It may hold mm_per_px, {', '.join(known)}, and [oblique]."
            )
    checked = {name: _checked(name, value, file) for name, value in values.items()}
    looking = None if oblique is None else oblique_of(oblique, file.name)
    if looking is not None and {"up", "mm_per_px_along", "mm_per_px_across"} & set(checked):
        raise ConfigurationError(
            f"{file}: with [oblique], gsd_mm says what a pixel is and ahead is up; leave out mm_per_px and "
            "up."
        )
    return Camera(**checked, oblique=looking, said=frozenset(checked), source=file.name)


def _checked(name: str, value: Any, file: Path) -> Any:
    if name in _WORDS:
        if value not in _WORDS[name]:
            raise ConfigurationError(f"{file}: {name} is {value!r}, but must be {' or '.join(_WORDS[name])}")
        return value
    low, high = _LIMITS[name]
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not math.isfinite(value) or not low <= value <= high:
        raise ConfigurationError(
            f"{file}: {name} is {value!r}, but must be a number from {low:g} to {high:g}"
        )
    return float(value)


def with_found(camera: Camera, found: Mapping[str, float], source: str) -> tuple[Camera, dict[str, str]]:
    """The camera with values that the delivery itself holds, and from where each of these came.

    What `camera.toml` says goes before what the delivery says. Raises ConfigurationError where that is
    impossible.
    """
    taken = {name: value for name, value in found.items() if name not in camera.said}
    for name, value in taken.items():
        low, high = _LIMITS[name]
        if not low <= value <= high:
            raise ConfigurationError(
                f"{source} says that {name} is {value:g}, but it must be from {low:g} to {high:g}. Write "
                "what it is in truth into camera.toml, which goes before."
            )
    values = {field.name: getattr(camera, field.name) for field in fields(Camera)}
    return Camera(**{**values, **taken}), dict.fromkeys(taken, source)


def scale_of(camera: Camera) -> tuple[float, float]:
    """Millimetres of ground per pixel (along, across). Raises ConfigurationError if they are not known."""
    if camera.mm_per_px_along is None or camera.mm_per_px_across is None:
        raise ConfigurationError(
            "the size of a pixel on the ground is not known, and no length could be right without it. Write "
            "a camera.toml with mm_per_px = 1.0 (or mm_per_px_along and mm_per_px_across), measured on "
            "something of known length in a picture, and give it with --camera."
        )
    return camera.mm_per_px_along, camera.mm_per_px_across
