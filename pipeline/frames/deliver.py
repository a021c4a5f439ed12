"""From a folder of frames and a file of positions to a survey.

Strategy. Everything is decided from headers and positions before the first file is written, so a call that is
refused leaves nothing behind. Then frames are written one by one, each whole or not at all, and `survey.toml`
and `frames.csv` last. The same input gives the same bytes, so a call that was killed is simply made again.
"""

import json
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from pyproj import CRS

from crackpipe.pipeline.errors import OutputNotWritableError, UsageError
from crackpipe.pipeline.frames import record
from crackpipe.pipeline.frames.files import beside
from crackpipe.pipeline.frames.files.camera import Camera, read_camera, scale_of, with_found
from crackpipe.pipeline.frames.files.listing import Frame, list_frames
from crackpipe.pipeline.frames.files.said import Assumption, SetAside
from crackpipe.pipeline.frames.pose.by_time import join_by_time
from crackpipe.pipeline.frames.pose.crs import check_order, named_crs, survey_crs, to_datum
from crackpipe.pipeline.frames.pose.frames_posed import Poses, poses_of
from crackpipe.pipeline.frames.pose.join import join_by_name
from crackpipe.pipeline.frames.pose.place import geod_of, moved, transforms
from crackpipe.pipeline.frames.positions.read import read_positions
from crackpipe.pipeline.frames.positions.table import Fault, Positions
from crackpipe.pipeline.frames.quality import text
from crackpipe.pipeline.frames.quality.check import Quality, check
from crackpipe.pipeline.frames.record import Row
from crackpipe.pipeline.geometry.arrays import Floats
from crackpipe.pipeline.geometry.crs import crs_name, short_name
from crackpipe.pipeline.storage.durable import remove_partials
from crackpipe.pipeline.survey.sidecars.names import key


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """What was made."""

    survey: Path
    rows: list[Row]
    aside: list[SetAside]
    faults: list[Fault]
    """Lines of the file of positions that gave none."""
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
) -> Delivery:
    """Write a survey of frames with the places that a file of positions gives.

    `columns` names columns of a table (`positions.words`), `positions_crs` the CRS of x and y in it, `crs`
    that of the survey. Raises UsageError, ConfigurationError, NoReadableImageError, OutputNotWritableError.
    """
    _check_folders(frames_folder, survey)
    earlier = record.earlier_crs(survey)
    camera = read_camera(camera_file)
    frames, aside = list_frames(frames_folder, exclude)
    positions = read_positions(positions_source, frames, camera, columns or {}, positions_crs)
    camera, found = with_found(camera, positions.camera, positions.source)
    scale_of(camera)
    source, target, crs_line = _crs(positions, crs, earlier)
    positions, source, clock = _timed(frames, positions, source, camera)
    joined = join_by_name(frames, positions)
    poses, without, headings = poses_of(joined.pairs, positions, source, target, camera)
    aside = [*aside, *joined.aside, *without]
    sizes = np.array([[frame.height_px, frame.width_px] for frame in poses.frames], float)
    poses, matrices, centres, quality = _together(poses, sizes, camera, target, with_seams=seams)
    rows = _rows(poses, centres)
    assumptions = [crs_line, *record.mount_assumptions(camera, found), *clock, *headings]
    unused = [positions.lines[number] for number in joined.unused]
    _claim(survey, target)
    written = _write(survey, poses.frames, matrices, target, aside)
    os.sync()  # frames are on disk before the record says so
    _record(survey, rows, aside, target, assumptions)
    _report(survey, quality, aside, unused, positions)
    return Delivery(
        survey=survey,
        rows=rows,
        aside=aside,
        faults=positions.faults,
        unused=unused,
        assumptions=assumptions,
        notes=[*positions.notes, *_turned(poses.frames)],
        written=written,
        quality=quality,
    )


def _together(
    poses: Poses, sizes: Floats, camera: Camera, crs: CRS, *, with_seams: bool
) -> tuple[Poses, Floats, Floats, Quality]:
    """Poses after neighbours were brought together, their transforms and centres, and the report about it."""

    def placed(each: Poses) -> tuple[Floats, Floats]:
        return transforms(each.lonlat, each.heading_deg, sizes, camera, crs, ahead_m=each.ahead_m)

    matrices, centres = placed(poses)
    quality, moves = check(poses, matrices, centres, camera, crs, with_seams=with_seams)
    if not moves.any():
        return poses, matrices, centres, quality
    azimuth = np.degrees(np.arctan2(moves[:, 0], moves[:, 1]))
    poses = replace(poses, lonlat=moved(geod_of(crs), poses.lonlat, azimuth, np.hypot(*moves.T)))
    return poses, *placed(poses), quality


def _check_folders(frames: Path, survey: Path) -> None:
    ours, theirs = survey.resolve(), frames.resolve()
    if ours == theirs or theirs in ours.parents or ours in theirs.parents:
        raise UsageError(f"--out {survey} and {frames} lie in each other. Name a folder beside the frames.")


def _timed(
    frames: Sequence[Frame], positions: Positions, source: CRS, camera: Camera
) -> tuple[Positions, CRS, list[Assumption]]:
    """Positions with the names of frames, their CRS, and the lines about clocks where they are found by
    time."""
    if positions.names is not None:
        return positions, source, []
    timed = join_by_time(frames, positions, source, camera)
    return timed.positions, named_crs(timed.positions.crs, "positions"), timed.assumptions


def _crs(positions: Positions, wanted: str | None, earlier: str | None) -> tuple[CRS, CRS, Assumption]:
    """The CRS of the positions, that of the survey, and the line about them for survey.toml."""
    source = named_crs(positions.crs, "--positions-crs")
    if source.is_geographic:
        check_order(positions.xy, positions.source, positions.lines)
    target, reason = survey_crs(source, to_datum(positions.xy, source, source), wanted, earlier)
    line = Assumption(
        what="crs",
        value=short_name(target),
        source=f"{reason}; positions: {short_name(source)} ({positions.crs_from})",
        ten_percent="no number: a receiver with corrections may mean another datum, up to 2 m beside it",
    )
    return source, target, line


def _rows(poses: Poses, centres: Floats) -> list[Row]:
    return [
        Row(
            name=frame.name,
            longitude_deg=float(centre[0]),
            latitude_deg=float(centre[1]),
            heading_deg=float(heading),
            heading_from=origin,
            time_s=float(time_s),
            line=line,
        )
        for frame, centre, heading, origin, time_s, line in zip(
            poses.frames,
            centres,
            poses.heading_deg,
            poses.heading_from,
            poses.time_s,
            poses.lines,
            strict=True,
        )
    ]


def _turned(frames: Sequence[Frame]) -> list[str]:
    turned = sum(frame.exif.orientation != 1 for frame in frames)
    if not turned:
        return []
    return [
        f"EXIF says of {turned} frames that they are to be shown turned; `up` in camera.toml speaks of the "
        "pixels as they are stored"
    ]


def _claim(survey: Path, crs: CRS) -> None:
    """Make the survey's folder and say in it whose it is, so that a call that is killed can be made again."""
    try:
        survey.mkdir(parents=True, exist_ok=True)
        remove_partials(survey)
    except OSError as error:
        raise OutputNotWritableError(f"cannot write into {survey}: {error}") from error
    if not (survey / "survey.toml").exists():
        beside.write_text(survey / "survey.toml", record.survey_toml(crs_name(crs), [], None, None))


def _write(
    survey: Path, frames: Sequence[Frame], matrices: Floats, crs: CRS, aside: Sequence[SetAside]
) -> int:
    """Write images, world files and .prj; take away what frames had that have no place any more."""
    try:
        for folder in sorted({(survey / frame.name).parent for frame in frames}):
            folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputNotWritableError(f"cannot write into {survey}: {error}") from error
    prj = crs.to_wkt("WKT1_ESRI") + "\n"
    stems = Counter(_stem(survey / frame.name) for frame in frames)
    written = 0
    for frame, matrix in zip(frames, matrices, strict=True):
        target = survey / frame.name
        is_alone = stems[_stem(target)] == 1
        # the image comes last: a run never sees it without its place
        news = [
            beside.write_text(beside.world_file_of(target, is_alone=is_alone), beside.world_file(matrix)),
            beside.write_text(target.with_suffix(".prj"), prj),
            beside.link(frame.path, target),
        ]
        written += any(news)
    for each in aside:
        (survey / each.name).unlink(missing_ok=True)
    return written


def _record(
    survey: Path, rows: Sequence[Row], aside: Sequence[SetAside], crs: CRS, assumptions: Sequence[Assumption]
) -> None:
    day = record.day_of(np.array([row.time_s for row in rows]))
    direction = record.one_direction(np.array([row.heading_deg for row in rows]))
    beside.write_text(survey / "frames.csv", record.frames_csv(rows, aside))
    beside.write_text(survey / "survey.toml", record.survey_toml(crs_name(crs), assumptions, day, direction))


def _report(
    survey: Path, quality: Quality, aside: Sequence[SetAside], unused: Sequence[int], positions: Positions
) -> None:
    """The report of the delivery, for a person and for programs."""
    reasons = Counter(each.reason for each in aside)
    values = {
        **text.as_json(quality),
        "set_aside": dict(sorted(reasons.items())),
        "positions": len(positions),
        "positions_without_frame": list(unused),
        "positions_unreadable": [{"line": each.line, "said": each.said} for each in positions.faults],
    }
    beside.write_text(survey / "delivery.json", json.dumps(values, indent=1, ensure_ascii=False) + "\n")
    beside.write_text(survey / "delivery.txt", "\n".join(text.lines_of(quality)) + "\n")


def _stem(image: Path) -> tuple[Path, str]:
    return image.parent, key(image.stem)
