"""Where each frame was and which way the vehicle went, and from where that is known."""

from dataclasses import dataclass, replace

import numpy as np
from pyproj import CRS

from crackpipe.pipeline.errors import UsageError
from crackpipe.pipeline.frames.files.camera import HEADING_UNITS, Camera
from crackpipe.pipeline.frames.files.listing import Frame
from crackpipe.pipeline.frames.files.said import Assumption, SetAside
from crackpipe.pipeline.frames.pose.crs import to_datum
from crackpipe.pipeline.frames.pose.heading import Agreement, check_given, in_degrees, track_headings
from crackpipe.pipeline.frames.pose.place import geod_of, steps_of
from crackpipe.pipeline.frames.positions.table import Positions, unknown
from crackpipe.pipeline.geometry.arrays import Bools, Floats, Ints

_TURNED_DEG = 1.5


@dataclass(frozen=True, kw_only=True)
class Poses:
    """Frames that have a position, N of them, in the order of their names."""

    frames: list[Frame]
    lines: list[int]
    lonlat: Floats
    """(N, 2) degrees on the datum of the survey's CRS."""
    heading_deg: Floats
    """(N,) clockwise from true north."""
    heading_from: list[str]
    time_s: Floats
    ahead_m: Floats
    """(N,), from each position to the middle of its picture, beyond what the camera says."""
    order: Ints
    """(N,), numbers of frames in the order driven."""
    notes: list[str]
    """What a person should look at, a sentence each."""


def poses_of(
    pairs: list[tuple[Frame, int]], positions: Positions, source: CRS, target: CRS, camera: Camera
) -> tuple[Poses, list[SetAside], list[Assumption]]:
    """Poses of the frames, the frames whose direction is unknown, and from where headings are.

    Headings of the positions count from true north (`from_true_north`).
    """
    numbers = [number for _, number in pairs]
    lonlat = to_datum(positions.xy[numbers], source, target)
    time_s = positions.time_s[numbers]
    # along the way driven; where times are not known, names are in its order
    driven = next((each for each in (_of(positions.order, numbers), time_s) if np.isfinite(each).all()), None)
    order = np.arange(len(numbers)) if driven is None else np.argsort(driven, kind="stable")
    track = np.empty(len(numbers))
    track[order] = track_headings(steps_of(geod_of(target), lonlat[order]))
    given = positions.heading[numbers]
    check_given(given, positions.source, camera.heading)
    headings, origin, assumptions, notes = _headings(given, track, camera, positions)
    known = np.isfinite(headings) & np.isfinite(lonlat).all(axis=1)
    without = [
        SetAside(
            name=frame.name,
            reason="no-direction",
            said="it has a position, but no heading, and there is no neighbour that tells where it looks",
            remedy="Give headings in the file of positions, or the positions of the frames beside it.",
        )
        for (frame, _), is_known in zip(pairs, known, strict=True)
        if not is_known
    ]
    kept = np.nonzero(known)[0]
    if not len(kept):
        raise UsageError(f"no frame has a direction. {without[0].said}. {without[0].remedy}")
    poses = Poses(
        frames=[pairs[number][0] for number in kept],
        lines=[positions.lines[numbers[number]] for number in kept],
        lonlat=lonlat[kept],
        heading_deg=headings[kept],
        heading_from=[origin[number] for number in kept],
        time_s=time_s[kept],
        ahead_m=_of(positions.ahead_m, numbers, 0.0)[kept],
        order=np.argsort(np.argsort(order)[kept]),
        notes=notes,
    )
    return poses, without, assumptions


def _of(values: Floats | None, numbers: list[int], otherwise: float = np.nan) -> Floats:
    """The values of some positions, where there are any."""
    return np.full(len(numbers), otherwise) if values is None else values[numbers]


def from_true_north(positions: Positions, source: CRS, camera: Camera) -> Positions:
    """Positions whose headings count from true north, as read in their own CRS. Raises UsageError where
    headings are said to count from grid north and there is no grid.
    """
    if camera.heading_north != "grid":
        return positions
    turn_deg = np.nan_to_num(grid_north(positions.xy, source))
    return replace(positions, heading=positions.heading + turn_deg / HEADING_UNITS[camera.heading_unit])


def grid_north(xy: Floats, crs: CRS) -> Floats:
    """Where grid north looks, degrees (N,) clockwise from true north, at world (N, 2) of a projected CRS."""
    if crs.is_geographic:
        raise UsageError(
            'heading_north is "grid", but the positions are longitude and latitude, which have no grid. '
            'Write heading_north = "true" into camera.toml, or give positions as x and y.'
        )
    there = to_datum(xy + np.array([0.0, 1.0]), crs, crs)
    here = to_datum(xy, crs, crs)
    azimuth, _, _ = geod_of(crs).inv(*here.T, *there.T)
    return np.asarray(azimuth, np.float64)


def taken_headings(given: Floats, track: Floats, camera: Camera, source: str) -> tuple[Floats, Agreement]:
    """Given headings (N,) in degrees as `camera.toml` takes them, NaN where the track's (N,) count instead.

    Raises UsageError where they do not agree with the track.
    """
    if camera.heading == "track":
        return unknown(len(track)), Agreement(compared=0, median_deg=np.nan, spread_deg=np.nan)
    given, found = in_degrees(given, track - camera.heading_add_deg, camera.heading_unit, source)
    return (given + camera.heading_add_deg) % 360.0, found


def _headings(
    given: Floats, track: Floats, camera: Camera, positions: Positions
) -> tuple[Floats, list[str], list[Assumption], list[str]]:
    """Headings (N,) in degrees, from where each is, the lines for survey.toml, and what to look at."""
    if positions.heading_from == "track":
        track, given = given, np.full(len(track), np.nan)
    given, found = taken_headings(given, track, camera, positions.source)
    taken = np.isfinite(given)
    origin = ["given" if each else "track" for each in taken]
    lines = []
    if taken.any():
        compared = "; too few could be compared with the way driven, so their unit is as you said or degrees"
        if np.isfinite(found.median_deg):
            compared = f"; they are {found.median_deg:+.1f} degrees off the way driven in the median"
        lines.append(
            Assumption(
                what="heading",
                value=f"given for {int(taken.sum())} frames, in {camera.heading_unit} from "
                f"{camera.heading_north} north{compared}",
                source=positions.source,
                ten_percent=(
                    "an error of 1 degree turns a frame by 17 mm in a metre; no length within it changes"
                ),
            )
        )
    if not taken.all():
        lines.append(
            Assumption(
                what="heading of the track",
                value=f"{int((~taken).sum())} frames look the way that was driven",
                source="smoothed track",
                ten_percent=(
                    "smoothing over 10 % more of the way turns frames in bends; no length within changes"
                ),
            )
        )
    return np.where(taken, given, track), origin, lines, _doubts(taken, found, positions.source)


def _doubts(taken: Bools, found: Agreement, source: str) -> list[str]:
    """What is odd about given headings that were taken."""
    if not taken.any():
        return []
    if not np.isfinite(found.median_deg):
        return [f"headings of {source} could not be compared with the way driven, nor their unit and north"]
    # of a steady turn, and not of chance
    if abs(found.median_deg) < _TURNED_DEG or found.spread_deg > abs(found.median_deg):
        return []
    return [
        f"headings of {source} are {found.median_deg:+.1f} degrees off the way driven: from a compass "
        "(magnetic north), from the grid's north (heading_north), or of a camera that is turned? "
        f"heading_add_deg = {-found.median_deg:.1f} in camera.toml would correct them"
    ]
