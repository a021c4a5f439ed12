"""Crack lists of a laser crack measurement system (LCMS) become tables like those of a run.

`cracks.parquet` has the columns of a run, with `origin` lcms, and `depth_mm`. What LCMS does not say is null:
sigma and probabilities of a width. A network of several cracks is not known, so each is one of its own.
`images.parquet` has a row for each section, so that ground without cracks can be told from ground that nobody
saw.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import shapely
from pyproj import CRS, Transformer

from crackpipe.pipeline.errors import OutputNotWritableError, UsageError
from crackpipe.pipeline.frames.files.camera import Camera, read_camera
from crackpipe.pipeline.frames.pose.crs import check_order, survey_crs, to_datum
from crackpipe.pipeline.frames.pose.frames_posed import grid_north, taken_headings
from crackpipe.pipeline.frames.pose.heading import check_given, track_headings
from crackpipe.pipeline.frames.pose.place import geod_of, moved, steps_of
from crackpipe.pipeline.frames.positions.lcms import Crack, Section, sections_below
from crackpipe.pipeline.frames.positions.table import Fault, unknown
from crackpipe.pipeline.geometry.arrays import Floats
from crackpipe.pipeline.storage.durable import replace_file
from crackpipe.pipeline.tables import geoparquet
from crackpipe.pipeline.tables.crack_rows import SCHEMA
from crackpipe.pipeline.tables.crack_type import TypeLimits, azimuth_deg, crack_types, directions
from crackpipe.pipeline.tables.image_rows import ImageRow, write_images

ORIGIN = "lcms"
_TINY_BELOW_MM, _SMALL_UP_TO_MM = 1.0, 3.0
_MORE = geoparquet.described([("depth_mm", pa.float64(), True, "mean depth, mm")])
_WGS84 = CRS.from_epsg(4326)


@dataclass(frozen=True, kw_only=True)
class Imported:
    """What was made."""

    sections: int
    cracks: int
    length_m: float
    without_place: list[str]
    """Sections whose place or direction is unknown, so their cracks are left out."""
    too_short: int
    """Cracks of less than two nodes."""
    faults: list[Fault]
    """Files that cannot be read."""


def import_lcms(folder: Path, out: Path, *, camera_file: Path | None, crs: str | None) -> Imported:
    """Write cracks.parquet and images.parquet of all LCMS sections below a folder into `out`.

    `camera_file` says where positions lie to pictures, as for frames. Raises UsageError, ConfigurationError,
    OutputNotWritableError.
    """
    if out.exists() and any(out.iterdir()):
        raise OutputNotWritableError(f"{out} is not empty. Remove it, or name another folder with --out.")
    camera = read_camera(camera_file)
    found, faults = sections_below(folder)
    places = np.array([section.place for _, _, section in found])
    check_order(places, folder.name, [number for number, _, _ in found], "file")
    target, _ = survey_crs(_WGS84, places, crs, None)
    names = [file.relative_to(folder).with_suffix("").as_posix() for _, file, _ in found]
    sections = [section for _, _, section in found]
    if camera.heading_north == "grid":
        grid_north(places, _WGS84)  # refuses it, since places are longitude and latitude
    placed = _placed(names, sections, to_datum(places, _WGS84, target), camera, target, source=folder.name)
    if not placed:
        raise UsageError(
            f"no section below {folder} has a place, a direction and a size. Give other XML files."
        )
    rows = [
        _row(each, crack, folder.name)
        for each in placed
        for crack in each.section.cracks
        if len(crack.nodes_mm) > 1
    ]
    of_section: dict[str, list[dict[str, Any]]] = {each.name: [] for each in placed}
    for row in rows:
        of_section[row["image_id"]].append(row)
    _write(out, rows, [_image(each, of_section[each.name]) for each in placed], target)
    return Imported(
        sections=len(placed),
        cracks=len(rows),
        length_m=float(sum(row["length_m"] for row in rows)),
        without_place=sorted(set(names) - {each.name for each in placed}),
        too_short=sum(len(crack.nodes_mm) < 2 for each in placed for crack in each.section.cracks),
        faults=faults,
    )


@dataclass(frozen=True, kw_only=True)
class _Placed:
    """A section with the ground that it shows."""

    name: str
    section: Section
    camera: Camera
    lonlat: Floats
    """(1, 2) degrees on the datum of the tables' CRS."""
    heading_deg: float
    crs: CRS

    @property
    def size_m(self) -> Floats:
        """Width across and length along the road."""
        size_mm = np.array(self.section.mm) * np.array(self.section.size_px)
        return np.asarray(size_mm / 1000, np.float64)

    def world(self, millimetres: Floats) -> Floats:
        """World (N, 2) of points (N, 2) to the right of and ahead of the lower left corner."""
        ahead_m = self.camera.ahead_m + self.section.ahead_m
        middle = np.array([self.camera.right_m + self.camera.lane_offset_m, ahead_m])
        # the camera is turned about the middle of its picture, which stays where it is
        yaw = np.radians(self.camera.yaw_deg)
        turn = np.array([[np.cos(yaw), -np.sin(yaw)], [np.sin(yaw), np.cos(yaw)]])
        way = (millimetres / 1000 - self.size_m / 2) @ turn + middle
        azimuth = self.heading_deg + np.degrees(np.arctan2(way[:, 0], way[:, 1]))
        start = np.repeat(self.lonlat, len(way), axis=0)
        lonlat = moved(geod_of(self.crs), start, azimuth, np.hypot(*way.T))
        return np.column_stack(_to_world(self.crs).transform(*lonlat.T))


@cache
def _to_world(crs: CRS) -> Transformer:
    # making one takes longer than a crack does
    return Transformer.from_crs(crs.geodetic_crs, crs, always_xy=True)


def _placed(
    names: Sequence[str],
    sections: Sequence[Section],
    lonlat: Floats,
    camera: Camera,
    crs: CRS,
    *,
    source: str,
) -> list[_Placed]:
    """The sections whose place, direction and size are known, in the order of their names.

    Raises UsageError where headings do not agree with the way driven.
    """
    order = np.argsort([section.begin_m for section in sections], kind="stable")
    # a section without a place would leave the way unknown from there to the end
    order = order[np.isfinite(lonlat[order]).all(axis=1)]
    track = unknown(len(sections))
    track[order] = track_headings(steps_of(geod_of(crs), lonlat[order]))
    given = np.array([section.heading for section in sections])
    check_given(given[order], source, camera.heading)
    given, _ = taken_headings(given, track, camera, source)
    heading = np.where(np.isfinite(given), given, track)
    return [
        _Placed(
            name=name, section=section, camera=camera, lonlat=place[None], heading_deg=float(turn), crs=crs
        )
        for name, section, place, turn in zip(names, sections, lonlat, heading, strict=True)
        if np.isfinite([*place, turn, *section.mm, *section.size_px]).all()
    ]


def _row(placed: _Placed, crack: Crack, survey: str) -> dict[str, Any]:
    steps_m = np.hypot(*np.diff(crack.nodes_mm, axis=0).T) / 1000
    width = crack.width_mm
    widths = crack.node_widths_mm[np.isfinite(crack.node_widths_mm)]
    if np.isnan(width) and len(widths):
        width = float(widths.mean())
    line = shapely.LineString(placed.world(crack.nodes_mm))
    # on the ground, as travel is
    in_picture_deg = azimuth_deg(directions(np.array([shapely.LineString(crack.nodes_mm)])))
    ground_deg = placed.heading_deg + placed.camera.yaw_deg + in_picture_deg
    name = f"{ORIGIN}-{placed.name}-{crack.number}"
    return {
        "crack_id": name,
        "network_id": name,
        "image_id": placed.name,
        "length_m": float(steps_m.sum()),
        "width_mm": _null(width),
        "width_p95_mm": _null(float(np.quantile(widths, 0.95)) if len(widths) else np.nan),
        "width_max_mm": _null(float(widths.max()) if len(widths) else np.nan),
        "width_class": _class(width),
        "class_uncertain": bool(np.isnan(width)),
        "class": "crack",
        "width_flag": False,
        "orientation_deg": float(azimuth_deg(directions(np.array([line])))[0]),
        "crack_type": crack_types(
            ground_deg, np.array([placed.heading_deg]), np.zeros(1, bool), TypeLimits()
        )[0],
        "confidence": np.nan,
        "bridged_m": 0.0,
        "gsd_mm": float(np.sqrt(placed.section.mm[0] * placed.section.mm[1])),
        "survey": survey,
        "weights": ORIGIN,
        "depth_mm": _null(crack.depth_mm),
        "origin": ORIGIN,
        "line": line,
    }


def _null(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def _class(width_mm: float) -> str | None:
    if np.isnan(width_mm):
        return None
    return "tiny" if width_mm < _TINY_BELOW_MM else "small" if width_mm <= _SMALL_UP_TO_MM else "wide"


def _image(placed: _Placed, found: Sequence[dict[str, Any]]) -> ImageRow:
    """The row of a section with the rows of its cracks."""
    width_mm, height_mm = 1000 * placed.size_m
    corners = np.array([[0.0, height_mm], [width_mm, height_mm], [width_mm, 0.0], [0.0, 0.0]])
    by_class = {
        name: sum(row["length_m"] for row in found if row["width_class"] == name)
        for name in ("tiny", "small", "wide")
    }
    return ImageRow(
        image_id=placed.name,
        status="done",
        path=f"{placed.name}.xml",
        width_px=int(placed.section.size_px[0]),
        height_px=int(placed.section.size_px[1]),
        gsd_mm=float(np.sqrt(placed.section.mm[0] * placed.section.mm[1])),
        crs_wkt=placed.crs.to_wkt(),
        footprint=placed.world(corners),
        inspected_m2=float(placed.size_m.prod()),
        uninspected_m2=0.0,
        crack_length_m=float(sum(row["length_m"] for row in found)),
        crack_length_tiny_m=float(by_class["tiny"]),
        crack_length_small_m=float(by_class["small"]),
        crack_length_wide_m=float(by_class["wide"]),
    )


def _write(out: Path, rows: Sequence[dict[str, Any]], images: Sequence[ImageRow], crs: CRS) -> None:
    lines = np.array([row["line"] for row in rows], dtype=object)
    geometry = {"geometry": geoparquet.wkb_of(lines), "bbox": geoparquet.bbox_of(lines)}
    schema = pa.schema([*list(SCHEMA)[:-2], *_MORE, *list(SCHEMA)[-2:]])
    plain = {field.name: [row.get(field.name) for row in rows] for field in list(schema)[:-2]}
    table = pa.table({**plain, **geometry}, schema=schema)
    try:
        out.mkdir(parents=True, exist_ok=True)
        for name in ("images.parquet", "cracks.parquet"):
            partial = out / f"{name}.partial"
            if name == "images.parquet":
                write_images(images, crs, partial)
            else:
                geoparquet.write(table, np.arange(len(rows)), partial, crs=crs, geometry_type="LineString")
            replace_file(partial, out / name)
    except OSError as error:
        raise OutputNotWritableError(f"cannot write into {out}: {error}. Check space and rights.") from error
