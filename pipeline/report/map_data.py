"""What the map of a report shows: cracks, footprints of images and axes of sections, on one plane, packed."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import shapely

from crackpipe.pipeline.frames.told import Told
from crackpipe.pipeline.geometry.arrays import Floats, Geometries, Ints
from crackpipe.pipeline.report.packing import pack
from crackpipe.pipeline.report.packing.deliveries import packed, packed_tracks, tracks_of
from crackpipe.pipeline.report.packing.plane import plane_around
from crackpipe.pipeline.report.sections import Sections
from crackpipe.pipeline.report.tables import Cracks, Tables


def map_data(
    tables: Tables, sections: Sections | None, shown: Ints, deliveries: Sequence[Told]
) -> dict[str, Any]:
    """Cracks, footprints, axes of sections and deliveries on one plane, packed; None without a CRS."""
    cracks = tables.cracks
    axes = np.zeros(0, object) if sections is None else sections.axes
    known = [each for each in (*tables.footprints, *cracks.lines, *axes) if each is not None]
    if tables.crs is None or not known:
        nothing = {"cracks": None, "images": _images(tables, tables.footprints), "axes": None}
        return {**nothing, "tracks": None, "deliveries": packed(deliveries, None, None)}
    plane = plane_around(np.array(known, object), tables.crs)
    section = np.full(len(cracks.crack_id), -1) if sections is None else sections.section
    return {
        "cracks": _columns(cracks, shown, section) | {"lines": pack.lines(plane.place(cracks.lines[shown]))},
        "images": _images(tables, plane.place(tables.footprints)),
        "axes": None if sections is None else pack.lines(plane.place(axes)),
        "tracks": packed_tracks(tracks_of(deliveries, tables.crs), plane),
        "deliveries": packed(deliveries, tables.crs, plane),
    }


def _columns(cracks: Cracks, rows: Ints, section: Ints) -> dict[str, Any]:
    identifiers = np.frombuffer(bytes.fromhex("".join(cracks.crack_id[rows])), np.uint8)
    names = sorted(set(cracks.class_name[rows]))
    code = {name: index for index, name in enumerate(names)}
    days = sorted({day for day in cracks.acquired[rows] if day is not None})
    day_code = {day: index + 1 for index, day in enumerate(days)}
    flags = cracks.class_uncertain[rows] * 1 + cracks.width_flag[rows] * 2
    return {
        "count": len(rows),
        "crack_id": pack.column(identifiers, "uint8"),
        "image": pack.column(cracks.image[rows], "uint32"),
        "section": pack.column(section[rows], "int32"),
        "length_mm": pack.column(np.round(cracks.length_m[rows] * 1000), "uint32"),
        "width": pack.hundredths(cracks.width_mm[rows]),
        "width_sigma": pack.hundredths(cracks.width_sigma_mm[rows]),
        "width_p95": pack.hundredths(cracks.width_p95_mm[rows]),
        "p": [pack.percent(cracks.p_class[rows, each]) for each in range(3)],
        "width_class": pack.column(cracks.width_class[rows], "uint8"),
        "type": pack.column(cracks.crack_type[rows], "uint8"),
        "class": pack.column(np.array([code[name] for name in cracks.class_name[rows]], np.int64), "uint8"),
        "class_names": names,
        "day": pack.column(
            np.array([day_code.get(day, 0) for day in cracks.acquired[rows]], np.int64), "uint16"
        ),
        "days": days,
        "confidence": pack.percent(cracks.confidence[rows]),
        "orientation": pack.column(np.floor(cracks.orientation_deg[rows]), "uint8"),
        "flags": pack.column(flags, "uint8"),
    }


def _images(tables: Tables, footprints: Geometries) -> dict[str, Any]:
    names = ("image_id", "status", "message", "gsd_mm", "inspected_m2", "uninspected_m2", "familiarity")
    lengths = tuple(f"crack_length_{each}m" for each in ("", "tiny_", "small_", "wide_"))
    return {
        "rows": [[rounded(row[name]) for name in (*names, *lengths)] for row in tables.images],
        "corners_cm": [None if each is None else _corners_cm(each) for each in footprints],
    }


def _corners_cm(polygon: shapely.Polygon) -> list[int]:
    corners: Floats = shapely.get_coordinates(polygon)[:4]
    return [int(each) for each in np.round(corners * 100).ravel()]


def rounded(value: Any) -> Any:
    """A value as JSON has it: no NaN, floats without digits that nobody measured."""
    if not isinstance(value, float):
        return value
    return round(value, 4) if np.isfinite(value) else None
