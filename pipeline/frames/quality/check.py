"""Look at a delivery as a whole: the way driven, and the seams between neighbours."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from affine import Affine
from pyproj import CRS

from crackpipe.pipeline.frames.files.camera import Camera, scale_of
from crackpipe.pipeline.frames.pose.frames_posed import Poses
from crackpipe.pipeline.frames.pose.place import geod_of, pixel_steps, steps_of
from crackpipe.pipeline.frames.quality.adjust import corrections
from crackpipe.pipeline.frames.quality.seams import Read, Seam, seams_of
from crackpipe.pipeline.frames.quality.track import TrackFaults, faults_of
from crackpipe.pipeline.geometry.arrays import Floats

_LEAST_SEAMS = 10
# a bias is told where it is this many times its standard error, and as large as this
_SURE, _LEAST_SCALE, _LEAST_TURN_DEG = 4.0, 0.003, 0.2


@dataclass(frozen=True, kw_only=True)
class SeamFigures:
    """How neighbours fit, in millimetres on the ground; NaN where no seam was found."""

    compared: int
    """Neighbours that show common ground by their places."""
    found: int
    """Of these, pairs in which the one was found in the other."""
    before_mm: tuple[float, float, float]
    """Median, 95th percentile and maximum of the offset as delivered."""
    after_mm: tuple[float, float, float]
    """The same after positions were moved."""
    moved_mm: tuple[float, float, float]
    """Median, 95th percentile and maximum of the moves."""
    scale_off: float
    """By which share mm_per_px_along seems too large; 0 where it does not."""
    turn_deg: float
    """By how much yaw_deg seems too small; 0 where it does not."""


@dataclass(frozen=True, kw_only=True)
class Quality:
    """The report of a delivery: numbers of frames are those in the order driven."""

    names: list[str]
    track: TrackFaults
    seams: SeamFigures | None
    """None where they were not looked at."""


def check(
    poses: Poses,
    matrices: Floats,
    centres: Floats,
    camera: Camera,
    crs: CRS,
    *,
    size_px: tuple[int, int],
    read: Read | None,
) -> tuple[Quality, Floats]:
    """The quality of a delivery, and moves (N, 2) (east, north) in metres that bring neighbours together.

    `matrices` (N, 6) and `centres` (N, 2) as `transforms` gives them, in the order of `poses`. `size_px` is
    (height, width) of what is placed: a frame or its plan view. `read` gives its pixels; None to leave seams
    alone.
    """
    order = poses.order
    steps = steps_of(geod_of(crs), centres[order])
    heading = poses.heading_deg[order]
    height, width = size_px
    along_mm, across_mm = scale_of(camera)
    frame_m = along_mm / 1000 * (height if camera.up in {"ahead", "behind"} else width)
    track = faults_of(steps, heading, frame_m)
    moves = np.zeros((len(order), 2))
    figures = None
    if read is not None and len(order) > 1:
        transforms = [Affine(*matrices[number].tolist()) for number in order]
        paths = [poses.frames[number].path for number in order]
        found = seams_of(paths, transforms, size_px, min(along_mm, across_mm), read)
        asked = _on_ground(found, heading, camera)
        moves[order] = corrections(asked)
        figures = _figures(found, asked, moves[order], steps, heading)
    names = [poses.frames[number].name for number in order]
    return Quality(names=names, track=track, seams=figures), moves


def _on_ground(seams: Sequence[Seam], heading_deg: Floats, camera: Camera) -> Floats:
    """Shifts (N - 1, 2) as (east, north) in metres."""
    per_col, per_row = (steps[:-1] for steps in pixel_steps(heading_deg, camera))
    shift = np.array([seam.shift_px for seam in seams])
    return np.asarray(shift[:, :1] * per_col + shift[:, 1:] * per_row, np.float64)


def _figures(
    seams: Sequence[Seam], asked_m: Floats, moves_m: Floats, steps_m: Floats, heading_deg: Floats
) -> SeamFigures:
    left = asked_m - np.diff(moves_m, axis=0)
    scale_off, turn_deg = _biases(asked_m, steps_m, heading_deg)
    return SeamFigures(
        compared=sum(seam.is_compared for seam in seams),
        found=int(np.isfinite(asked_m).all(axis=1).sum()),
        before_mm=_spread(asked_m),
        after_mm=_spread(left),
        moved_mm=_spread(moves_m),
        scale_off=scale_off,
        turn_deg=turn_deg,
    )


def _spread(metres: Floats) -> tuple[float, float, float]:
    """Median, 95th percentile and maximum of the lengths of (N, 2), in millimetres."""
    length = 1000 * np.hypot(*metres.T)
    length = length[np.isfinite(length)]
    if not len(length):
        return (np.nan, np.nan, np.nan)
    return float(np.median(length)), float(np.quantile(length, 0.95)), float(length.max())


def _biases(asked_m: Floats, steps_m: Floats, heading_deg: Floats) -> tuple[float, float]:
    """Share by which the scale along the road seems too large, and degrees by which the turn seems too small.

    With too large a scale frames overlap less in truth than they seem to, so the second one is asked ahead by
    the same share of the way. With a camera that is turned clockwise, it is asked to the left by the angle
    times the way.
    """
    angle = np.radians(heading_deg[:-1])
    ahead = np.column_stack([np.sin(angle), np.cos(angle)])
    right = np.column_stack([np.cos(angle), -np.sin(angle)])
    way = (steps_m * ahead).sum(axis=1)
    known = np.isfinite(asked_m).all(axis=1) & (np.abs(way) > 0.05)
    if known.sum() < _LEAST_SEAMS:
        return 0.0, 0.0
    shares = [(asked_m * axis).sum(axis=1)[known] / way[known] for axis in (ahead, right)]
    scale, turn = (_sure(share) for share in shares)
    turn_deg = -float(np.degrees(turn))
    return (
        scale if abs(scale) >= _LEAST_SCALE else 0.0,
        turn_deg if abs(turn_deg) >= _LEAST_TURN_DEG else 0.0,
    )


def _sure(values: Floats) -> float:
    """The median, or 0 where it may be chance."""
    median = float(np.median(values))
    error = 1.2533 * 1.4826 * float(np.median(np.abs(values - median))) / np.sqrt(len(values))
    return median if abs(median) > _SURE * error else 0.0
