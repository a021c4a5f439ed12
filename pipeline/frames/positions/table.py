"""The table of positions that every reader gives."""

from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from crackpipe.pipeline.frames.files.said import SetAside
from crackpipe.pipeline.geometry.arrays import Floats


@dataclass(frozen=True, kw_only=True)
class Fault:
    """A line of a file that gives no position."""

    line: int
    """Line of the file, from 1; number of the record where it has no lines (`Positions.unit`)."""
    said: str


@dataclass(frozen=True, kw_only=True)
class Positions:
    """N positions in the order of the file. What is not known is NaN."""

    source: str
    """The file's name, for sentences."""
    lines: list[int]
    """Line or record of each position in its file, from 1."""
    unit: str = "line"
    """What `lines` counts: line, track point, feature, file or frame."""
    names: list[str] | None = None
    """The frame that each belongs to; None where they are joined by time."""
    xy: Floats
    """(N, 2): x and y in `crs`, longitude and latitude if that is geographic. NaN: no position."""
    crs: str
    """EPSG code or WKT."""
    crs_from: str
    """From where the CRS is known."""
    heading: Floats
    """(N,), in the unit that the file has."""
    heading_from: Literal["given", "track"] = "given"
    """Whether headings are of the file or were found on the track."""
    time_s: Floats
    """(N,), POSIX seconds, or seconds of the week (`time_from`)."""
    time_from: Literal["posix", "gps", "utc"] = "posix"
    """`gps` and `utc`: times are seconds of the week in that time."""
    ahead_m: Floats | None = None
    """(N,), from each position to the middle of its picture, ahead, beyond what the camera says."""
    order: Floats | None = None
    """(N,), rises the way that was driven, where neither times nor names of frames tell."""
    absent: dict[int, SetAside] = field(default_factory=dict)
    """Why a position that frames asked for is NaN, by its number, where that is more than an empty cell."""
    faults: list[Fault] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    """What was noticed or taken for granted while the file was read, a sentence each."""
    camera: dict[str, float] = field(default_factory=dict)
    """Values of `Camera` that the delivery itself holds."""

    def __len__(self) -> int:
        return len(self.lines)


def unknown(count: int) -> Floats:
    """NaN for each of so many positions."""
    return np.full(count, np.nan)
