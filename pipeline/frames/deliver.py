"""From a folder of frames and a file of positions to a survey.

Strategy. Everything is decided from headers and positions before the first file is written, so a call that is
refused leaves nothing behind. Then frames are written one by one, each whole or not at all, and `survey.toml`
and `frames.csv` last. The same input gives the same bytes, so a call that was killed is simply made again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from pyproj import CRS

from crackpipe.pipeline.errors import UsageError
from crackpipe.pipeline.frames import record
from crackpipe.pipeline.frames.files.camera import Camera, read_camera, with_found
from crackpipe.pipeline.frames.files.listing import Frame, list_frames
from crackpipe.pipeline.frames.files.said import Assumption, SetAside
from crackpipe.pipeline.frames.looks import Looks, keep, look_down, read_plan_grey
from crackpipe.pipeline.frames.pose.by_time import join_by_time
from crackpipe.pipeline.frames.pose.crs import check_area, check_order, named_crs, survey_crs, to_datum
from crackpipe.pipeline.frames.pose.day import check_day
from crackpipe.pipeline.frames.pose.frames_posed import Poses, from_true_north, poses_of
from crackpipe.pipeline.frames.pose.join import Joined, join_by_name
from crackpipe.pipeline.frames.pose.place import geod_of, moved, transforms
from crackpipe.pipeline.frames.positions.read import read_positions
from crackpipe.pipeline.frames.positions.table import Positions
from crackpipe.pipeline.frames.quality.check import Quality, check
from crackpipe.pipeline.frames.quality.seams import read_grey
from crackpipe.pipeline.frames.record import Row
from crackpipe.pipeline.frames.write import (
    claim,
    image_name,
    take_away,
    write_frames,
    write_record,
    write_report,
)
from crackpipe.pipeline.geometry.arrays import Floats
from crackpipe.pipeline.geometry.crs import short_name
from crackpipe.pipeline.geometry.plan_view import PlanView


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """What was made."""

    survey: Path
    rows: list[Row]
    aside: list[SetAside]
    positions: Positions
    """As they were read, or found for frames by time; with lines that gave none."""
    unused: list[int]
    """Lines of positions that no frame has."""
    assumptions: list[Assumption]
    notes: list[str]
    written: int
    """Frames of which at least one file was written by this call."""
    quality: Quality


def make_survey(
    frames_folder: Path,
    positions_source: str,
    survey: Path,
    *,
    camera_file: Path | None = None,
    columns: Mapping[str, str] | None = None,
    positions_crs: str | None = None,
    crs: str | None = None,
    exclude: Sequence[str] = (),
    seams: bool = True,
    geotiff: bool = False,
) -> Delivery:
    """Write a survey of frames with the places that a file of positions gives.

    `columns` names columns of a table (`positions.words`), `positions_crs` the CRS of x and y in it, `crs`
    that of the survey. With `geotiff` frames become GeoTIFFs instead of hard links. Raises UsageError,
    ConfigurationError, NoReadableImageError, OutputNotWritableError.
    """
    earlier = _earlier_crs(frames_folder, survey)
    camera = read_camera(camera_file)
    frames, aside = list_frames(frames_folder, exclude)
    positions = read_positions(positions_source, frames, camera, columns or {}, positions_crs)
    camera, found = with_found(camera, positions.camera, positions.source)
    looks = look_down(camera, frames, survey)
    camera, view, is_tif = looks.camera, looks.view, geotiff or looks.view is not None
    source, target, crs_line = _crs(positions, crs, earlier)
    positions, source, clock = _timed(frames, positions, source, camera)
    joined = _joined(frames, positions, camera)
    poses, without, headings = poses_of(joined.pairs, positions, source, target, camera)
    aside += [*joined.aside, *without]
    poses, matrices, centres, quality = _together(poses, view, camera, target, with_seams=seams)
    assumptions = [crs_line, *record.mount_assumptions(camera, found), *looks.assumptions, *clock, *headings]
    written, damaged = _written(survey, poses, matrices, target, looks, geotiff=geotiff)
    aside += damaged
    rows, left = _kept(survey, poses.frames, _rows(poses, centres, is_tif=is_tif), aside, is_tif=is_tif)
    write_record(survey, rows, aside, target, assumptions)
    nobodys = to_datum(positions.xy[joined.unused], source, target)
    return Delivery(
        survey=survey,
        rows=rows,
        aside=aside,
        positions=positions,
        unused=write_report(survey, quality, aside, joined.unused, positions, lonlat=nobodys),
        assumptions=assumptions,
        notes=[*positions.notes, *poses.notes, *looks.notes, *_turned(poses.frames), *_left(left)],
        written=written,
        quality=quality,
    )


def _together(
    poses: Poses, view: PlanView | None, camera: Camera, crs: CRS, *, with_seams: bool
) -> tuple[Poses, Floats, Floats, Quality]:
    """Poses after neighbours were brought together, their transforms and centres, and the report about it."""

    size = (poses.frames[0].height_px, poses.frames[0].width_px)
    if view is not None:
        size = view.size_px
    sizes = np.tile(size, (len(poses.frames), 1))

    def placed(each: Poses) -> tuple[Floats, Floats]:
        return transforms(
            each.lonlat, each.heading_deg, sizes.astype(float), camera, crs, ahead_m=each.ahead_m
        )

    matrices, centres = placed(poses)
    read = None
    if with_seams:
        read = read_grey if view is None else partial(read_plan_grey, view)
    quality, moves = check(poses, matrices, centres, camera, crs, size_px=size, read=read)
    if not moves.any():
        return poses, matrices, centres, quality
    azimuth = np.degrees(np.arctan2(moves[:, 0], moves[:, 1]))
    poses = replace(poses, lonlat=moved(geod_of(crs), poses.lonlat, azimuth, np.hypot(*moves.T)))
    return poses, *placed(poses), quality


def _earlier_crs(frames: Path, survey: Path) -> str | None:
    """The CRS that an earlier call gave the survey. Raises UsageError where the folders lie in each other."""
    ours, theirs = survey.resolve(), frames.resolve()
    if ours == theirs or theirs in ours.parents or ours in theirs.parents:
        raise UsageError(f"--out {survey} and {frames} lie in each other. Name a folder beside the frames.")
    return record.earlier_crs(survey)


def _timed(
    frames: Sequence[Frame], positions: Positions, source: CRS, camera: Camera
) -> tuple[Positions, CRS, list[Assumption]]:
    """Positions with the names of frames and headings from true north, their CRS, and the lines about clocks
    where they are found by time."""
    # before the track's own CRS, and with it the grid, is left
    positions = from_true_north(positions, source, camera)
    if positions.names is not None:
        return positions, source, []
    timed = join_by_time(frames, positions, source, camera)
    return timed.positions, named_crs(timed.positions.crs, "positions"), timed.assumptions


def _joined(frames: list[Frame], positions: Positions, camera: Camera) -> Joined:
    joined = join_by_name(frames, positions)
    check_day(joined.pairs, positions, camera)
    return joined


def _crs(positions: Positions, wanted: str | None, earlier: str | None) -> tuple[CRS, CRS, Assumption]:
    """The CRS of the positions, that of the survey, and the line about them for survey.toml."""
    source = named_crs(positions.crs, "--positions-crs")
    if source.is_geographic:
        check_order(positions.xy, positions.source, positions.lines, positions.unit)
    lonlat = to_datum(positions.xy, source, source)
    if source.is_projected and np.isfinite(positions.xy).all(axis=1).any():
        check_area(source, lonlat, positions.source, "--positions-crs")
    target, reason = survey_crs(source, lonlat, wanted, earlier)
    line = Assumption(
        what="crs",
        value=short_name(target),
        source=f"{reason}; positions: {short_name(source)} ({positions.crs_from})",
        ten_percent="no number: a receiver with corrections may mean another datum, up to 2 m beside it",
    )
    return source, target, line


def _rows(poses: Poses, centres: Floats, *, is_tif: bool) -> list[Row]:
    return [
        Row(
            name=image_name(frame.name, is_tif=is_tif),
            longitude_deg=float(centre[0]),
            latitude_deg=float(centre[1]),
            heading_deg=float(heading),
            heading_from=origin,
            time_s=float(time_s),
            line=line,
            driven=int(driven) + 1,
        )
        for frame, centre, heading, origin, time_s, line, driven in zip(
            poses.frames,
            centres,
            poses.heading_deg,
            poses.heading_from,
            poses.time_s,
            poses.lines,
            np.argsort(poses.order),
            strict=True,
        )
    ]


def _written(
    survey: Path, poses: Poses, matrices: Floats, crs: CRS, looks: Looks, *, geotiff: bool
) -> tuple[int, list[SetAside]]:
    claim(survey, crs)
    keep(looks, survey)
    times_s = poses.time_s if geotiff else None
    return write_frames(survey, poses.frames, matrices, crs, view=looks.view, times_s=times_s)


def _kept(
    survey: Path,
    frames: Sequence[Frame],
    rows: Sequence[Row],
    aside: Sequence[SetAside],
    *,
    is_tif: bool,
) -> tuple[list[Row], list[str]]:
    """The rows of frames that were not set aside while they were written, and what `take_away` left."""
    lost = {each.name for each in aside}
    kept = [number for number, frame in enumerate(frames) if frame.name not in lost]
    left = take_away(survey, [frames[number] for number in kept], aside, is_tif=is_tif)
    return [rows[number] for number in kept], left


def _left(images: Sequence[str]) -> list[str]:
    if not images:
        return []
    return [
        f"{len(images)} images of earlier calls stay in the survey as they are, though their frames are no "
        f"longer found, the first {images[0]}. Remove them yourself if they are not to be inspected"
    ]


def _turned(frames: Sequence[Frame]) -> list[str]:
    turned = sum(frame.exif.orientation != 1 for frame in frames)
    if not turned:
        return []
    return [
        f"EXIF says of {turned} frames that they are to be shown turned; `up` in camera.toml speaks of the "
        "pixels as they are stored"
    ]
