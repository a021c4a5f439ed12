"""Read positions from a layer of points, or frames by their chainage along a layer with one line."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

import numpy as np
import shapely
from pyproj import CRS

from crackpipe.pipeline.errors import UsageError
from crackpipe.pipeline.frames.files.camera import Camera
from crackpipe.pipeline.frames.files.listing import Frame
from crackpipe.pipeline.frames.files.said import SetAside
from crackpipe.pipeline.frames.positions.table import Fault, Positions, unknown
from crackpipe.pipeline.frames.positions.words import columns_of, is_no_position, number_of, time_of
from crackpipe.pipeline.geometry.arrays import Floats
from crackpipe.pipeline.geometry.crs import crs_name
from crackpipe.pipeline.geometry.ground import metres_between
from crackpipe.pipeline.geometry.vectors import Drawn, are_lines, read_vectors

_APART_M = 1.0


def read_layer(file: Path, columns: Mapping[str, str], frames: Sequence[Frame], camera: Camera) -> Positions:
    """Positions of a layer of points, with columns as in a CSV; or of frames along a line. Raises
    UsageError.
    """
    drawn = read_vectors(file, with_columns=True)
    if are_lines(drawn.geometry).all() and len(drawn.geometry):
        return _along(file.name, drawn, frames, camera)
    points = shapely.get_type_id(drawn.geometry) == shapely.GeometryType.POINT
    if not points.all() or not len(points):
        raise UsageError(f"{file.name} holds neither points nor lines alone. Give a layer of one of them.")
    return _points(file.name, drawn, columns)


def _points(name: str, drawn: Drawn, columns: Mapping[str, str]) -> Positions:
    header = [str(column) for column in drawn.table.columns if column != drawn.table.geometry.name]
    found = columns_of(header, columns, name)
    if "filename" not in found and "time" not in found:
        raise UsageError(
            f"{name}: it has neither a column of file names nor one of times, but "
            f"{', '.join(map(repr, header))}. Say which one with --columns filename=NAME."
        )
    words = {
        meant: ["" if value is None else str(value) for value in drawn.table[header[at]]]
        for meant, at in found.items()
    }
    count = len(drawn.geometry)
    faults: list[Fault] = []
    heading, time_s = unknown(count), unknown(count)
    for number in range(count):
        # each by itself, since one that cannot be read says nothing against the other
        try:
            heading[number] = number_of(words["heading"][number]) if "heading" in words else np.nan
        except ValueError as error:
            faults.append(Fault(line=number + 1, said=str(error)))
        try:
            time_s[number] = time_of(words["time"][number])[0] if "time" in words else np.nan
        except ValueError as error:
            faults.append(Fault(line=number + 1, said=str(error)))
    xy = shapely.get_coordinates(drawn.geometry)
    xy[[is_no_position(*place) for place in xy.tolist()]] = np.nan
    return Positions(
        source=name,
        lines=list(range(1, count + 1)),
        unit="feature",
        names=words.get("filename"),
        xy=xy,
        crs=crs_name(drawn.crs),
        crs_from="the layer says it",
        heading=heading,
        time_s=time_s,
        faults=faults,
    )


# ---- chainage


def chainage_in(name: str) -> float:
    """The last number in a file's name, as 12.5 in `A7_0012.5.jpg`; NaN where there is none."""
    numbers = re.findall(r"\d+(?:[.,]\d+)?", PurePosixPath(name).stem)
    return float(numbers[-1].replace(",", ".")) if numbers else float("nan")


def _along(name: str, drawn: Drawn, frames: Sequence[Frame], camera: Camera) -> Positions:
    line = shapely.line_merge(shapely.union_all(drawn.geometry))
    if line.geom_type != "LineString":
        raise UsageError(
            f"{name} holds {len(shapely.get_parts(line))} lines that do not join into one, so a chainage "
            "could be on any. Give the one line of this road, drawn the way that chainage rises."
        )
    if len(drawn.geometry) == 1 and drawn.geometry[0].geom_type == "LineString":
        line = drawn.geometry[0]
    vertices = _dense(line, drawn.crs)
    way_m = np.concatenate([[0.0], np.cumsum(metres_between(vertices, drawn.crs))])
    chainage = np.array([chainage_in(frame.name) for frame in frames])
    at_m = chainage * camera.chainage_unit_m - camera.chainage_begin_m
    outside = ~((at_m >= 0) & (at_m <= way_m[-1]))
    if outside.all():
        raise UsageError(
            f"no frame lies on the line of {name}, which is {way_m[-1]:.0f} m long: the name "
            f"{frames[0].name!r} means {at_m[0]:.0f} m from its begin. Say what numbers in names are with "
            "chainage_unit_m and chainage_begin_m in camera.toml."
        )
    xy = np.column_stack([np.interp(at_m, way_m, vertices[:, axis]) for axis in (0, 1)])
    xy[outside] = np.nan
    return Positions(
        source=name,
        lines=list(range(1, len(frames) + 1)),
        unit="frame",
        names=[frame.name for frame in frames],
        xy=xy,
        crs=crs_name(drawn.crs),
        crs_from="the layer says it",
        heading=unknown(len(frames)),
        time_s=unknown(len(frames)),
        order=at_m if camera.driven == "with" else -at_m,
        absent={
            number: _outside(frames[number].name, float(at_m[number]), float(way_m[-1]), name)
            for number in np.nonzero(outside)[0].tolist()
        },
        notes=[
            f"names of frames are chainages along {name}, from {np.nanmin(at_m):.1f} to "
            f"{np.nanmax(at_m):.1f} m of its {way_m[-1]:.1f} m"
        ],
    )


def _outside(frame: str, at_m: float, length_m: float, name: str) -> SetAside:
    if np.isnan(at_m):
        said = "its name holds no number that could be a chainage"
    else:
        said = f"its name means {at_m:.1f} m from the begin of {name}, which is {length_m:.1f} m long"
    return SetAside(
        name=frame,
        reason="not-on-line",
        said=said,
        remedy="Give the whole line, or correct chainage_unit_m and chainage_begin_m in camera.toml.",
    )


def _dense(line: shapely.LineString, crs: CRS) -> Floats:
    """Vertices (N, 2) of a line, at most about a metre apart, so that lengths between them are those on the
    ground.
    """
    per_metre = 1e-5 if crs.is_geographic else 1.0 / crs.axis_info[0].unit_conversion_factor
    return np.asarray(shapely.get_coordinates(shapely.segmentize(line, _APART_M * per_metre)))
