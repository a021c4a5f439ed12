"""Routes from a file of lines that a road agency keeps: any format of OGR or GeoParquet, in any CRS.

The file is checked and everything that was assumed, turned or left out is told in `notes`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import shapely
from pyproj import CRS

from crackpipe.pipeline.errors import UsageError
from crackpipe.pipeline.geometry.arrays import Floats, Geometries
from crackpipe.pipeline.geometry.crs import short_name
from crackpipe.pipeline.geometry.vectors import Drawn, are_lines, read_vectors
from crackpipe.pipeline.sections.routes import chain
from crackpipe.pipeline.sections.routes.chain import Routes

_ROUTE_FIELD = "route_id"
_NEAR_M = 100.0  # a route that comes no nearer to any image is left out
_NAMED = 5  # so many names stand in a sentence


@dataclass(frozen=True)
class _Line:
    route_id: str
    world: Floats
    measure: Floats
    """(V,), NaN without."""


def read_centreline(
    file: Path, crs: CRS, images: Geometries, *, layer: str | None = None, route_field: str | None = None
) -> Routes:
    """The routes of `file` that come near an image.

    `images` are footprints (N,) in `crs`, the CRS of the tables. Raises UsageError if the file cannot be used
    or none of its lines comes near an image.
    """
    drawn = read_vectors(file, layer=layer, layer_option="--layer", with_columns=True, with_measures=True)
    routes = Routes()
    names = _names(file, drawn, route_field, routes.notes)
    lines = _lines(file, drawn, names, crs, routes.notes)
    lines = _near(file, lines, crs, images, routes.notes)
    by_route: dict[str, list[_Line]] = {}
    for line in lines:
        by_route.setdefault(line.route_id, []).append(line)
    unit_m = _unit_m(file, lines, crs, routes.notes)
    routes.measured = unit_m is not None
    for route_id in sorted(by_route):
        of_route = by_route[route_id]
        worlds = [line.world for line in of_route]
        if unit_m is None:
            found = chain.without_measures(route_id, worlds, crs)
        else:
            found = chain.with_measures(route_id, worlds, [line.measure for line in of_route], unit_m, crs)
        routes.parts += found.parts
        routes.notes += chain.told(route_id, found)
    return routes


def _names(file: Path, drawn: Drawn, wanted: str | None, notes: list[str]) -> list[str]:
    """The route of each row, from the column `route_id` or the one that is named."""
    columns = [str(name) for name in drawn.table.columns if name != drawn.table.geometry.name]
    has = f"it has {', '.join(columns)}" if columns else "it has no columns"
    field_name = next((name for name in columns if name.lower() == (wanted or _ROUTE_FIELD).lower()), None)
    if field_name is None:
        if wanted is not None:
            raise UsageError(f"{file} has no column {wanted!r}: {has}. Name one of them with --route-field.")
        notes.append(
            f"{file.name} has no column {_ROUTE_FIELD}, so that each of its {len(drawn.geometry)} lines is a "
            f"route of its own, line-1, line-2, ...; --route-field names another column ({has})."
        )
        return [f"line-{number + 1}" for number in range(len(drawn.geometry))]
    import pandas as pd  # type: ignore[import-untyped]

    names, missing = [], 0
    for number, value in enumerate(drawn.table[field_name].tolist()):
        is_known = not pd.isna(value) and str(value).strip() != ""
        missing += not is_known
        names.append(_text(value) if is_known else f"line-{number + 1}")
    if missing:
        notes.append(
            f"{missing} lines of {file.name} have no {field_name}: each is a route of its own, line-N, where "
            "N is its row."
        )
    return names


def _text(value: object) -> str:
    """A route's name; a number that a GIS keeps as 7.0 is 7."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _lines(file: Path, drawn: Drawn, names: Sequence[str], crs: CRS, notes: list[str]) -> list[_Line]:
    """Single lines in `crs`, without repeated vertices."""
    geometry = np.asarray(drawn.table.geometry.to_numpy(), dtype=object)
    fits = are_lines(geometry)
    if not fits.any():
        raise UsageError(f"{file} holds no lines. Give the layer of road centrelines, as lines.")
    if not fits.all():
        notes.append(f"{np.count_nonzero(~fits)} rows of {file.name} are no lines and were left out.")
    single, of_row = shapely.get_parts(geometry[fits], return_index=True)
    rows = np.flatnonzero(fits)[of_row]
    coordinates, index = shapely.get_coordinates(single, include_m=True, return_index=True)
    world, measure = _moved(coordinates[:, :2], drawn.crs, crs), coordinates[:, 2]
    lines, lost = [], 0
    edges = np.searchsorted(index, np.arange(len(single) + 1))
    for number, row in enumerate(rows.tolist()):
        part = slice(edges[number], edges[number + 1])
        points, values = world[part], measure[part]
        if not np.isfinite(points).all():
            lost += 1
            continue
        moved = np.append(True, (np.diff(points, axis=0) != 0).any(axis=1))
        if np.count_nonzero(moved) > 1:
            lines.append(_Line(names[row], points[moved], values[moved]))
    if lost:
        notes.append(f"{lost} lines of {file.name} lie outside of {short_name(crs)} and were left out.")
    return lines


def _moved(world: Floats, source: CRS, crs: CRS) -> Floats:
    from pyproj import Transformer

    if source == crs:
        return world
    transformer = Transformer.from_crs(source, crs, always_xy=True)
    return np.column_stack(transformer.transform(world[:, 0], world[:, 1]))


def _near(file: Path, lines: list[_Line], crs: CRS, images: Geometries, notes: list[str]) -> list[_Line]:
    """All lines of the routes that come near an image."""
    unit_m = _metres_per_unit(crs)
    tree = shapely.STRtree(images)
    geometry = np.array([shapely.LineString(line.world) for line in lines], dtype=object)
    near = np.unique(tree.query(geometry, predicate="dwithin", distance=_NEAR_M / unit_m)[0])
    routes = {lines[index].route_id for index in near.tolist()}
    if not routes:
        raise UsageError(
            f"no line of {file} comes within {_NEAR_M:g} m of an image. Is it the right file, and is its CRS "
            "right?"
        )
    left = {line.route_id for line in lines} - routes
    if left:
        notes.append(
            f"{len(left)} of {len(left) + len(routes)} routes of {file.name} come nowhere within {_NEAR_M:g} "
            "m of an image and were left out."
        )
    return [line for line in lines if line.route_id in routes]


def _metres_per_unit(crs: CRS) -> float:
    """Roughly: a degree is taken as long as at the equator."""
    factor = crs.axis_info[0].unit_conversion_factor
    return factor * 6_378_137.0 if crs.is_geographic else factor


def _unit_m(file: Path, lines: Sequence[_Line], crs: CRS, notes: list[str]) -> float | None:
    """The unit of the file's measures in metres; None if it has no measures that can be used."""
    have = [np.count_nonzero(np.isfinite(line.measure)) >= 2 for line in lines]
    if not any(have):
        return None
    if not all(have):
        without = sorted({line.route_id for line, known in zip(lines, have, strict=True) if not known})
        notes.append(
            f"{len(without)} routes of {file.name} have lines without measures ({_listed(without)}), so that "
            "the measures of none were used: ground length from the start of each route counts."
        )
        return None
    unit = chain.measure_unit_m([line.world for line in lines], [line.measure for line in lines], crs)
    if unit is None:
        notes.append(
            f"the measures of {file.name} fit no unit (m, km, mi, ft) of their lines' length, so that they "
            "were not used: ground length from the start of each route counts."
        )
    return unit


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:_NAMED]) + (" ..." if len(names) > _NAMED else "")
