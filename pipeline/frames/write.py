"""The files of a survey that is made of frames."""

import json
import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from pyproj import CRS

from crackpipe.pipeline.errors import OutputNotWritableError
from crackpipe.pipeline.frames import record
from crackpipe.pipeline.frames.files import beside
from crackpipe.pipeline.frames.files.listing import Frame
from crackpipe.pipeline.frames.files.said import Assumption, SetAside
from crackpipe.pipeline.frames.geotiff import write_geotiffs
from crackpipe.pipeline.frames.oblique.write import write_plan_views
from crackpipe.pipeline.frames.positions.table import Positions
from crackpipe.pipeline.frames.quality import text
from crackpipe.pipeline.frames.quality.check import Quality
from crackpipe.pipeline.frames.record import Row
from crackpipe.pipeline.geometry.arrays import Floats
from crackpipe.pipeline.geometry.crs import crs_name
from crackpipe.pipeline.geometry.plan_view import PlanView
from crackpipe.pipeline.storage.durable import remove_partials
from crackpipe.pipeline.survey.sidecars.names import key, world_file_names


def claim(survey: Path, crs: CRS) -> None:
    """Make the survey's folder and say in it whose it is, so that a call that is killed can be made again."""
    try:
        survey.mkdir(parents=True, exist_ok=True)
        remove_partials(survey)
    except OSError as error:
        raise OutputNotWritableError(f"cannot write into {survey}: {error}") from error
    if not (survey / "survey.toml").exists():
        beside.write_text(survey / "survey.toml", record.survey_toml(crs_name(crs), [], None, None))


def write_frames(
    survey: Path,
    frames: Sequence[Frame],
    matrices: Floats,
    crs: CRS,
    *,
    view: PlanView | None,
    times_s: Floats | None,
) -> tuple[int, list[SetAside]]:
    """Write images, world files and .prj, or plan views, or GeoTIFFs where their `times_s` (N,) are given.

    Returns how many frames are new or changed, and those that no GeoTIFF can be made of. Raises
    OutputNotWritableError.
    """
    try:
        for folder in sorted({(survey / frame.name).parent for frame in frames}):
            folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputNotWritableError(f"cannot write into {survey}: {error}") from error
    is_tif = view is not None or times_s is not None
    targets = [survey / image_name(frame.name, is_tif=is_tif) for frame in frames]
    if view is not None:
        return write_plan_views(frames, targets, matrices, crs, view)
    if times_s is not None:
        return write_geotiffs(frames, targets, matrices, crs, times_s)
    prj = crs.to_wkt("WKT1_ESRI") + "\n"
    stems = Counter(_stem(survey / frame.name) for frame in frames)
    written = 0
    for frame, target, matrix in zip(frames, targets, matrices, strict=True):
        is_alone = stems[_stem(target)] == 1
        # where an earlier call saw more or fewer pictures of this stem
        beside.remove(beside.world_file_of(target, is_alone=not is_alone))
        # the image comes last: a run never sees it without its place
        news = [
            beside.write_text(beside.world_file_of(target, is_alone=is_alone), beside.world_file(matrix)),
            beside.write_text(target.with_suffix(".prj"), prj),
            beside.link(frame.path, target),
        ]
        written += any(news)
    return written, []


def take_away(survey: Path, frames: Sequence[Frame], aside: Sequence[SetAside], *, is_tif: bool) -> list[str]:
    """Remove what earlier calls wrote for frames that have no place any more: image, world file and .prj.

    So with images of the other kind, where the camera became one that looks ahead, or GeoTIFFs were asked
    for, or no longer. The frames themselves stay where they are. Returns images that stay because their
    frame is gone: they may be the last copy. Raises OutputNotWritableError.
    """
    listed = {frame.name for frame in frames} | {each.name for each in aside}
    kept = {image_name(frame.name, is_tif=is_tif) for frame in frames}
    stems = {_stem(survey / name) for name in kept}
    earlier = record.placed_earlier(survey)
    mine = [
        name
        for name in earlier
        if name in listed or name.removesuffix(".tif") in listed or not (survey / name).is_file()
    ]
    try:
        for name in {*mine, *(image_name(each.name, is_tif=is_tif) for each in aside)} - kept:
            image = survey / name
            image.unlink(missing_ok=True)
            own, shared = world_file_names(image)[:1], world_file_names(image)[1:2]
            names = own if _stem(image) in stems else [*own, *shared, f"{image.stem}.prj"]
            for each in map(image.with_name, names):
                each.unlink(missing_ok=True)
    except OSError as error:
        raise OutputNotWritableError(f"cannot take files out of {survey}: {error}") from error
    return sorted(name for name in {*earlier} - {*mine} - kept if (survey / name).is_file())


def write_record(
    survey: Path, rows: Sequence[Row], aside: Sequence[SetAside], crs: CRS, assumptions: Sequence[Assumption]
) -> None:
    """Write `survey.toml` and `frames.csv`, after all images. Raises OutputNotWritableError."""
    os.sync()  # frames are on disk before the record says so
    day = record.day_of(np.array([row.time_s for row in rows]))
    direction = record.one_direction(np.array([row.heading_deg for row in rows]))
    beside.write_text(survey / "frames.csv", record.frames_csv(rows, aside))
    beside.write_text(survey / "survey.toml", record.survey_toml(crs_name(crs), assumptions, day, direction))


def write_report(
    survey: Path,
    quality: Quality,
    aside: Sequence[SetAside],
    unused: Sequence[int],
    positions: Positions,
    *,
    lonlat: Floats,
) -> list[int]:
    """Write the report of the delivery, for a person and for programs.

    `unused` are numbers of positions that no frame has, `lonlat` (K, 2) where these are; returns their lines
    in the file.
    """
    lines = [positions.lines[number] for number in unused]
    places = [
        [round(value, 9) for value in place] if np.isfinite(place).all() else None
        for place in lonlat.tolist()
    ]
    reasons = Counter(each.reason for each in aside)
    values = {
        **text.as_json(quality),
        "set_aside": dict(sorted(reasons.items())),
        "positions": len(positions),
        "positions_without_frame": lines,
        "places_without_frame": places,
        "unit": positions.unit,
        "positions_unreadable": [{"line": each.line, "said": each.said} for each in positions.faults],
    }
    said = [*text.lines_of(quality), *text.left_over(aside, positions, lines)]
    beside.write_text(survey / "delivery.json", json.dumps(values, indent=1, ensure_ascii=False) + "\n")
    beside.write_text(survey / "delivery.txt", "\n".join(said) + "\n")
    return lines


def image_name(frame: str, *, is_tif: bool) -> str:
    """The name of a frame's image in the survey: its own, or that of its plan view or GeoTIFF."""
    return f"{frame}.tif" if is_tif else frame


def _stem(image: Path) -> tuple[Path, str]:
    return image.parent, key(image.stem)
