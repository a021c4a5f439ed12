"""Give frames positions by time: a receiver's own track, and the camera's clock.

Strategy. The track's places become metres (east, north) along it, and between them a curve that bends no more
than they ask for (Akima, J. ACM 1970) tells where the vehicle was at a frame's time. Where the track has a
gap nothing is told.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import PurePosixPath

import numpy as np
from pyproj import CRS

from crackpipe.pipeline.errors import UsageError
from crackpipe.pipeline.frames.files.camera import HEADING_UNITS, Camera
from crackpipe.pipeline.frames.files.listing import Frame
from crackpipe.pipeline.frames.files.said import Assumption, SetAside, moment
from crackpipe.pipeline.frames.pose.clock import SEARCHED_S, estimate
from crackpipe.pipeline.frames.pose.crs import to_datum
from crackpipe.pipeline.frames.pose.heading import about_empty, track_headings
from crackpipe.pipeline.frames.pose.place import geod_of, moved, steps_of
from crackpipe.pipeline.frames.pose.week import in_utc
from crackpipe.pipeline.frames.positions.table import Positions
from crackpipe.pipeline.geometry.arrays import Bools, Floats
from crackpipe.pipeline.geometry.crs import crs_name

_FEWEST_PLACES = 3
_LONGEST_GAP_S, _GAP_STEPS = 2.0, 3.0
_QUARTER_S = 900.0
_MOST_QUARTERS = 56  # 14 hours
_LEAP_S, _NEAR_S = 18.0, 0.6
# a camera that is told to go faster than its clock is fine may write one time twice now and then
_MOST_SHARED = 0.05
_STAMP = re.compile(r"(?<!\d)(20\d{6})[T_-]?(\d{6})(?:[._-]?(\d{1,6}))?(?!\d)")


@dataclass(frozen=True, kw_only=True)
class Timed:
    """Positions of frames, found by time."""

    positions: Positions
    """One for each frame, by its name; NaN where the track has none."""
    assumptions: list[Assumption]


def frame_times(frames: Sequence[Frame], camera: Camera) -> tuple[Floats, str, bool]:
    """Time of each frame (N,), POSIX seconds, NaN where it has none; from where; whether all name a zone.

    Raises UsageError where not one frame has a time.
    """
    exif = np.array([frame.exif.time_s for frame in frames])
    zoned = np.array([frame.exif.zoned for frame in frames])
    source = "EXIF"
    if not np.isfinite(exif).any():
        exif, zoned, source = (
            np.array([_stamp(frame.name) for frame in frames]),
            np.zeros(len(frames), bool),
            "names",
        )
    if not np.isfinite(exif).any():
        raise UsageError(
            "no frame has a time, neither in EXIF (DateTimeOriginal) nor in its name (20250520_100000), so "
            f"none can be found on the track; the first is {frames[0].name!r}. Give a CSV with a line for "
            "each frame."
        )
    ahead_s = 3600.0 * (camera.utc_offset_h or 0.0)
    return np.where(zoned, exif, exif - ahead_s), source, bool(zoned[np.isfinite(exif)].all())


def _stamp(name: str) -> float:
    found = _STAMP.search(PurePosixPath(name).stem)
    if found is None:
        return float("nan")
    day, clock, fraction = found.groups()
    try:
        moment_s = datetime.strptime(day + clock, "%Y%m%d%H%M%S").replace(tzinfo=UTC).timestamp()
    except ValueError:
        return float("nan")
    return moment_s + (float(f"0.{fraction}") if fraction else 0.0)


def join_by_time(frames: Sequence[Frame], track: Positions, source: CRS, camera: Camera) -> Timed:
    """The positions of frames on a track. Raises UsageError where clocks do not fit or cannot be compared."""
    times, times_from, zoned = frame_times(frames, camera)
    _check_fine(times, times_from)
    track, week = in_utc(track, times + (camera.clock_offset_s or 0.0))
    curve = _Curve(track, source, HEADING_UNITS[camera.heading_unit])
    empty = about_empty(track.heading[curve.order], track.source, camera.heading)
    _check_span(times, curve.time_s, track.source, camera, zoned=zoned)
    offset_s, line = _offset(times, curve, camera)
    at = times + offset_s
    lonlat, heading, nearest = curve.at(at)
    zone = Assumption(
        what="utc_offset_h",
        value=camera.utc_offset_h or 0.0,
        source=times_from if zoned else camera.source if "utc_offset_h" in camera.said else "assumed",
        ten_percent="nothing, since clocks of several zones do not meet at all",
    )
    positions = replace(
        track,
        names=[frame.name for frame in frames],
        lines=[track.lines[number] for number in curve.order[nearest]],
        xy=lonlat,
        crs=crs_name(geodetic_of(source)),
        heading=heading,
        heading_from="given" if curve.has_headings else "track",
        time_s=at,
        absent=_absent(frames, at, lonlat, curve, track.source),
        notes=[*track.notes, f"times of frames are from {times_from}", *empty],
    )
    return Timed(positions=positions, assumptions=[line, zone, *week])


def geodetic_of(crs: CRS) -> CRS:
    """The longitude and latitude of a CRS. Raises UsageError where it has none."""
    if crs.geodetic_crs is None:
        raise UsageError(
            f"CRS {crs.name!r} has no longitude and latitude. Name another with --positions-crs."
        )
    return crs.geodetic_crs.to_2d()


class _Curve:
    """A track by time: T places, sorted, each time once."""

    def __init__(self, track: Positions, source: CRS, degrees: float) -> None:
        from scipy.interpolate import Akima1DInterpolator

        known = np.nonzero(np.isfinite(track.xy).all(axis=1) & np.isfinite(track.time_s))[0]
        times, first = np.unique(track.time_s[known], return_index=True)
        if len(times) < _FEWEST_PLACES:
            raise UsageError(
                f"{track.source} holds {len(known)} positions with a time, of {len(times)} different times; "
                f"at least {_FEWEST_PLACES} are needed. Give the whole track."
            )
        self.order = known[first]
        """Numbers of the track's positions, by time."""
        self.time_s = times
        geodetic = geodetic_of(source)
        self._geod = geod_of(geodetic)
        self._lonlat = to_datum(track.xy[self.order], source, geodetic)
        steps = steps_of(self._geod, self._lonlat)
        self._places = np.vstack([np.zeros((1, 2)), np.cumsum(steps, axis=0)])
        given = track.heading[self.order] * degrees
        self.has_headings = bool(np.isfinite(given).all())
        self._heading = given if self.has_headings else track_headings(steps)
        self._unit = degrees if self.has_headings else 1.0
        """Degrees in the unit in which headings are given back."""
        self._curve = Akima1DInterpolator(times, self._places, axis=0)
        gaps = np.diff(times)
        self._longest_s = max(_LONGEST_GAP_S, _GAP_STEPS * float(np.median(gaps)))

    def place_at(self, time_s: Floats) -> Floats:
        """Places (M, 2) in metres at times (M,); NaN in gaps and outside."""
        found = np.asarray(self._curve(time_s), np.float64)
        found[~self._within(time_s)] = np.nan
        return found

    def _within(self, time_s: Floats) -> Bools:
        after = np.clip(np.searchsorted(self.time_s, time_s), 1, len(self.time_s) - 1)
        gap = self.time_s[after] - self.time_s[after - 1]
        inside = (time_s >= self.time_s[0]) & (time_s <= self.time_s[-1])
        return np.asarray(inside & (gap <= self._longest_s))

    def at(self, time_s: Floats) -> tuple[Floats, Floats, Floats]:
        """Longitude and latitude (M, 2), heading (M,) in the unit of the track's, or in degrees where it
        has none, and the number of the nearest place (M,).
        """
        after = np.clip(np.searchsorted(self.time_s, time_s), 1, len(self.time_s) - 1)
        nearer = self.time_s[after] - time_s > time_s - self.time_s[after - 1]
        nearest = np.where(nearer, after - 1, after)
        step = self.place_at(time_s) - self._places[nearest]
        azimuth = np.degrees(np.arctan2(step[:, 0], step[:, 1]))
        lonlat = moved(self._geod, self._lonlat[nearest], azimuth, np.hypot(*step.T))
        angle = np.radians(self._heading)
        east, north = (np.interp(time_s, self.time_s, each) for each in (np.sin(angle), np.cos(angle)))
        return lonlat, np.asarray(np.degrees(np.arctan2(east, north)) % 360.0 / self._unit), nearest

    def gap_at(self, time_s: float) -> float:
        """Seconds between the places before and after a time; NaN outside."""
        after = int(np.searchsorted(self.time_s, time_s))
        inside = self.time_s[0] <= time_s <= self.time_s[-1] and after > 0
        return float(self.time_s[after] - self.time_s[after - 1]) if inside else float("nan")


def _check_fine(times: Floats, times_from: str) -> None:
    """Refuse times in whole seconds where several frames share one: they would all get one place."""
    known = times[np.isfinite(times)]
    counts = np.unique(known, return_counts=True)[1]
    shared = int(counts[counts > 1].sum())
    if len(known) - len(counts) > _MOST_SHARED * len(known):
        raise UsageError(
            f"{shared} of {len(known)} frames have the same time as another (from {times_from}): these "
            "are whole seconds, in which a vehicle goes 15 m or more. Let the camera write fractions "
            "(SubSecTimeOriginal), or give a CSV with a line for each frame."
        )


def _absent(
    frames: Sequence[Frame], at: Floats, lonlat: Floats, curve: _Curve, source: str
) -> dict[int, SetAside]:
    """Why frames have no place on the track, by their numbers."""
    first, last = moment(float(curve.time_s[0])), moment(float(curve.time_s[-1]))
    found = {}
    for number in np.nonzero(~np.isfinite(lonlat).all(axis=1))[0].tolist():
        name, time_s = frames[number].name, float(at[number])
        if np.isnan(time_s):
            found[number] = SetAside(
                name=name,
                reason="no-time",
                said="neither its EXIF nor its name says when it was taken",
                remedy="Give a CSV that names this frame, or leave it out with --exclude.",
            )
            continue
        gap_s = curve.gap_at(time_s)
        where = (
            f"{source} holds positions from {first} to {last}"
            if np.isnan(gap_s)
            else f"{source} has a gap of {gap_s:.1f} s there"
        )
        found[number] = SetAside(
            name=name,
            reason="not-on-track",
            said=f"it was taken at {moment(time_s)} by the clock of the positions, but {where}",
            remedy="Give the whole track of that day; see clock_offset_s and utc_offset_h in survey.toml.",
        )
    return found


def _check_span(times: Floats, track_s: Floats, source: str, camera: Camera, *, zoned: bool) -> None:
    """Refuse frames and a track that never meet, with the hours between their zones where that is the
    cause.
    """
    known = times[np.isfinite(times)]
    first, last = float(known.min()), float(known.max())
    low, high = float(track_s[0]), float(track_s[-1])
    said = (
        f"frames are of {moment(first)} to {moment(last)}, positions in {source} of {moment(low)} to "
        f"{moment(high)}"
    )
    if camera.clock_offset_s is not None:
        first, last = first + camera.clock_offset_s, last + camera.clock_offset_s
    if first - SEARCHED_S <= high and last + SEARCHED_S >= low:
        return
    # whole quarter hours for which all frames would lie within the track
    fitting = [
        quarters
        for quarters in range(-_MOST_QUARTERS, _MOST_QUARTERS + 1)
        if low - SEARCHED_S <= first - quarters * _QUARTER_S
        and last - quarters * _QUARTER_S <= high + SEARCHED_S
    ]
    if fitting and camera.clock_offset_s is None:
        quarters = min(fitting, key=abs)
        hours = quarters / 4 + (camera.utc_offset_h or 0.0)
        remedy = f"If the camera's clock shows local time, write utc_offset_h = {hours:g} into camera.toml."
        if zoned:  # utc_offset_h changes nothing then
            remedy = (
                "EXIF names the camera's zone (OffsetTimeOriginal), which seems to be wrong. Write "
                f"clock_offset_s = {-quarters * _QUARTER_S:g} into camera.toml, plus the seconds that the "
                "clocks are apart."
            )
        raise UsageError(f"{said}: they are of two time zones. {remedy}")
    raise UsageError(
        f"{said}: they never meet. Give the track of that day, or clock_offset_s in camera.toml."
    )


def _offset(times: Floats, curve: _Curve, camera: Camera) -> tuple[float, Assumption]:
    """The clock offset that is said, or the estimated one; and its line for survey.toml."""
    speed = _speed(curve)
    if camera.clock_offset_s is not None:
        source, seconds = camera.source, camera.clock_offset_s
    else:
        found = estimate(np.sort(times[np.isfinite(times)]), curve.place_at)
        if found.why_not:
            raise UsageError(
                "the offset between the clocks of camera and positions is not determinable: "
                f"{found.why_not}. Write clock_offset_s into camera.toml: 0 if both clocks are the same, or "
                "what a frame of a known place tells."
            )
        source = f"estimated from speed and the way between frames, +/- {found.sigma_s:.2f} s"
        seconds = round(found.seconds, 3)
    moved_m = 0.1 * abs(seconds) * speed
    said = f"moves every frame by {moved_m:.2g} m along the road at {speed:.0f} m/s; no length changes"
    if abs(abs(seconds) - _LEAP_S) < _NEAR_S:
        said += "; 18 s is the difference between GPS time and UTC"
    return seconds, Assumption(what="clock_offset_s", value=seconds, source=source, ten_percent=said)


def _speed(curve: _Curve) -> float:
    """The usual speed on a track, m/s."""
    steps = np.hypot(*np.diff(curve.place_at(curve.time_s), axis=0).T)
    seconds = np.diff(curve.time_s)
    found = steps / seconds
    return float(np.median(found[np.isfinite(found) & (found > 0.5)])) if (found > 0.5).any() else 0.0
