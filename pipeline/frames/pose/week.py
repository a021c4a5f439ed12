"""Seconds of the week, GPS or UTC, become times of a day."""

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np

from crackpipe.pipeline.frames.files.said import Assumption, moment
from crackpipe.pipeline.frames.positions.table import Positions
from crackpipe.pipeline.geometry.arrays import Floats

_WEEK_S = 604_800.0
# weeks begin in the night to Sunday; 4 January 1970 was one
_SUNDAY_S = 3 * 86_400.0
_LEAPS = (("2017-01-01", 18), ("2015-07-01", 17), ("2012-07-01", 16), ("2009-01-01", 15), ("2006-01-01", 14))
"""From which day on GPS time is ahead of UTC by how many seconds (IERS Bulletin C)."""


def in_utc(track: Positions, frames_s: Floats) -> tuple[Positions, list[Assumption]]:
    """The track in POSIX seconds, where it counts seconds of the week, and the line about that.

    The week is the one in which frames (N,), POSIX seconds by the clock of the positions as far as its offset
    is said, lie nearest to the track.
    """
    if track.time_from == "posix":
        return track, []
    known = frames_s[np.isfinite(frames_s)]
    middle = float(np.median(track.time_s))
    weeks = round((float(np.median(known)) - middle - _SUNDAY_S) / _WEEK_S)
    begin_s = _SUNDAY_S + weeks * _WEEK_S
    leap_s = _leap_seconds(begin_s + middle) if track.time_from == "gps" else 0
    line = Assumption(
        what="trajectory_time",
        value=track.time_from,
        source=f"camera.toml; the week from {moment(begin_s)[:10]} is that of the frames",
        ten_percent=f"{leap_s} leap seconds were taken off; each of them is 15 m at 15 m/s"
        if leap_s
        else "none: were it GPS time, frames would lie 18 s off, which is 270 m at 15 m/s",
    )
    return replace(track, time_s=track.time_s + begin_s - leap_s, time_from="posix"), [line]


def _leap_seconds(time_s: float) -> int:
    day = datetime.fromtimestamp(time_s, UTC).date().isoformat()
    return next((seconds for begin, seconds in _LEAPS if day >= begin), 13)
