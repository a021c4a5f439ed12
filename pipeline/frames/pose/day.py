"""Positions that name frames, but are of another day: names such as 0001.jpg come back every day."""

from collections.abc import Sequence

import numpy as np

from crackpipe.pipeline.errors import UsageError
from crackpipe.pipeline.frames.files.camera import Camera
from crackpipe.pipeline.frames.files.listing import Frame
from crackpipe.pipeline.frames.files.said import moment
from crackpipe.pipeline.frames.positions.table import Positions

# no two zones are further apart
_MOST_ZONES_S = 14 * 3600.0
# smaller times count from something else than 1970, such as the begin of the week
_POSIX_FROM = 1e8


def check_day(pairs: Sequence[tuple[Frame, int]], positions: Positions, camera: Camera) -> None:
    """Compare the times of positions with those in the EXIF of their frames, where both are known.

    `pairs` are frames with the numbers of their positions. Raises UsageError where most are further apart
    than any two time zones.
    """
    offset_s = camera.clock_offset_s or 0.0
    frames = np.array([frame.exif.time_s for frame, _ in pairs]) + offset_s
    theirs = positions.time_s[[number for _, number in pairs]]
    known = np.nonzero(np.isfinite(frames) & (theirs > _POSIX_FROM) & (frames > _POSIX_FROM))[0]
    if not len(known) or np.median(np.abs(frames[known] - theirs[known])) <= _MOST_ZONES_S:
        return
    at = int(known[0])
    frame, number = pairs[at]
    raise UsageError(
        f"{positions.source}, {positions.unit} {positions.lines[number]} is of {moment(float(theirs[at]))}, "
        f"but its frame {frame.name} was taken at {moment(frame.exif.time_s)}: these are positions of "
        "another day, with the same names. Give those of that day; if the camera's clock was wrong, "
        f"write clock_offset_s = {offset_s + float(np.median(theirs[known] - frames[known])):.0f} in "
        "camera.toml."
    )
