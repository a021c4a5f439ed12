"""Figures as the tables of `schemas`."""

from collections import Counter
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import shapely

from crackpipe.pipeline.geometry.arrays import Bools, Floats, Geometries, Ints
from crackpipe.pipeline.sections.cells import Layout
from crackpipe.pipeline.sections.count import Counted
from crackpipe.pipeline.sections.figures import Figures
from crackpipe.pipeline.sections.locate import CLASSES, TYPES
from crackpipe.pipeline.sections.options import ZONES
from crackpipe.pipeline.sections.schemas import AWAY, CRACKS, LENGTHS, OUTSIDE, SECTIONS
from crackpipe.pipeline.tables import geoparquet
from crackpipe.pipeline.tables.overlaps import plane

_SECTIONS_AT_ONCE = 2_000


def lane_numbers(layout: Layout) -> Ints:
    """1, 2, ... for the lanes."""
    return np.arange(1, len(layout.lanes.offsets_m) + 1)


def section_ids(layout: Layout) -> list[list[str]]:
    """[N][L] identifiers. Where two lines of a route have the same measures, the second gets `#2`."""
    sections, seen = layout.sections, Counter[str]()
    found = []
    for part, begin, end in zip(
        sections.part.tolist(), sections.begin_m.tolist(), sections.end_m.tolist(), strict=True
    ):
        name = f"{layout.axes.parts[part].route_id}:{_metres(begin)}-{_metres(end)}"
        seen[name] += 1
        again = f"#{seen[name]}" if seen[name] > 1 else ""
        found.append([f"{name}{again}:{lane}" for lane in lane_numbers(layout).tolist()])
    return found


def _metres(value: float) -> str:
    return f"{value:.3f}".rstrip("0").rstrip(".")


def sections_table(figures: Figures, layout: Layout) -> pa.Table:
    """sections.parquet: a row for each lane of each section, N * L rows, by route, measure and lane."""
    shape = layout.shape[:2]
    seen, crack_m = figures.seen_m2, figures.crack_m
    known = (seen > 0) | (crack_m > 0)
    area = figures.area_m2.sum(axis=2)
    by_class = figures.length_m.sum(axis=(2, 3))
    by_type = figures.length_m.sum(axis=(2, 4))
    sections = layout.sections
    per_section = {
        "m_begin": sections.begin_m,
        "m_end": sections.end_m,
        "length_m": sections.length_m,
        "cells": figures.cells,
    }
    geometry = lane_axes(layout)
    columns: dict[str, object] = {
        "section_id": [name for names in section_ids(layout) for name in names],
        "route_id": np.repeat([layout.axes.parts[part].route_id for part in sections.part], shape[1]),
        "lane": np.tile(lane_numbers(layout), shape[0]),
        **{name: np.repeat(values, shape[1]) for name, values in per_section.items()},
        "area_m2": area.ravel(),
        "inspected_m2": seen.ravel(),
        "coverage": np.minimum(seen / area, 1.0).ravel(),
        "crack_m": _where(crack_m, known),
        "transverse_count": _where(figures.transverse.count(layout), known),
        "density_m_per_m2": _where(_ratio(crack_m, seen), seen > 0),
        "crack_area_m2": _where(figures.crack_m2, known),
        "area_density": _where(_ratio(figures.crack_m2, seen), seen > 0),
        "cells_touched": _where(figures.cells_touched, known),
        "width_mean_mm": _where(figures.width_mean_mm, known),
        "width_mean_sigma_mm": _where(figures.width_sigma_mm, known),
        "width_p95_mm": _where(figures.width_p95_mm, known),
        "geometry": geoparquet.wkb_of(geometry),
        "bbox": geoparquet.bbox_of(geometry),
    }
    for index, name in enumerate(CLASSES):
        columns[f"{name}_m"] = _where(by_class[:, :, index], known)
    for index, name in enumerate(TYPES):
        columns[f"{name}_m"] = _where(by_type[:, :, index], known)
    for index, name in enumerate(CLASSES[:3]):
        columns[f"{name}_expected_m"] = _where(figures.expected_m[:, :, index], known)
        columns[f"{name}_sigma_m"] = _where(figures.expected_sigma_m[:, :, index], known)
    return pa.table({name: columns[name] for name in SECTIONS.names}, schema=SECTIONS)


def _where(values: np.ndarray, known: Bools) -> pa.Array:
    """Values (N, L) as a flat column, null where they are not known or NaN."""
    flat = np.ravel(values)
    return pa.array(flat, mask=~np.ravel(known) | np.isnan(flat))


def _ratio(part: Floats, whole: Floats) -> Floats:
    return np.asarray(np.divide(part, whole, out=np.full(part.shape, np.nan), where=whole > 0))


def lane_axes(layout: Layout) -> Geometries:
    """(N * L,) axis of each lane of each section, LineStrings in the CRS of the tables."""
    axes, sections = layout.axes, layout.sections
    lines = []
    for index, part in enumerate(axes.parts):
        segments = axes.segments(index)
        ends = np.append(
            axes.start[segments],
            [axes.start[segments[-1]] + axes.way[segments[-1]] * axes.length[segments[-1]]],
            axis=0,
        )
        way = axes.way[segments]
        mean = np.concatenate([way[:1], way[:-1] + way[1:], way[-1:]])
        mean /= np.maximum(np.hypot(*mean.T), 1e-9)[:, None]
        right = np.column_stack([mean[:, 1], -mean[:, 0]])
        units = 1 / np.append(axes.metres[segments], axes.metres[segments[-1]])
        s = axes.begin_s[index] + part.ground_m
        here = sections.of_part(index)
        for begin, end in zip(sections.begin_s[here], sections.end_s[here], strict=True):
            at = np.concatenate([[begin], s[(s > begin + 1e-6) & (s < end - 1e-6)], [end]])
            x, y, dx, dy, unit = (np.interp(at, s, values) for values in (*ends.T, *right.T, units))
            for offset in layout.lanes.offsets_m:
                lines.append(np.column_stack([x + dx * offset * unit, y + dy * offset * unit]))
    found = np.array([shapely.LineString(line) for line in lines], dtype=object)
    return plane.from_plane(found, axes.crs)


def lengths_tables(figures: Figures, layout: Layout) -> Iterator[pa.Table]:
    """section_lengths.parquet in portions: each zone, type and class of each lane of each section.

    What lies beside all lanes follows its section, one row where there is any.
    """
    ids = section_ids(layout)
    for low in range(0, layout.shape[0], _SECTIONS_AT_ONCE):
        some = np.arange(low, min(low + _SECTIONS_AT_ONCE, layout.shape[0]))
        yield _lengths_table(figures, layout, some, ids)


def _lengths_table(figures: Figures, layout: Layout, some: Ints, ids: list[list[str]]) -> pa.Table:
    _, lanes, zones = layout.shape
    kinds = len(TYPES) * len(CLASSES)
    shape = (len(some), lanes, zones, kinds)
    length = figures.length_m[some].reshape(shape)
    seen, area = figures.inspected_m2[some], figures.area_m2[some]
    known = (seen > 0) | (length.sum(axis=3) > 0)
    section, lane, zone, kind = (each.ravel() for each in np.indices(shape))
    at = (section, lane, zone)
    sections = layout.sections
    routes = np.array([layout.axes.parts[part].route_id for part in sections.part[some]], dtype=object)
    names = np.array([ids[index] for index in some.tolist()], dtype=object)
    inside = pa.table(
        {
            "section_id": names[section, lane],
            "route_id": routes[section],
            "lane": lane_numbers(layout)[lane],
            "m_begin": sections.begin_m[some][section],
            "m_end": sections.end_m[some][section],
            "zone": _named(ZONES, zone),
            "crack_type": _named(TYPES, kind // len(CLASSES)),
            "width_class": _named(CLASSES, kind % len(CLASSES)),
            "length_m": pa.array(length.ravel(), mask=~known[at]),
            "zone_width_mean_mm": _where(figures.zone_width_mm[some][at], known[at]),
            "area_m2": area[at],
            "inspected_m2": seen[at],
            "coverage": _where(np.minimum(_ratio(seen, area), 1.0)[at], area[at] > 0),
        },
        schema=LENGTHS,
    )
    outside = np.flatnonzero(figures.outside_m[some] > 0)
    none = pa.nulls(len(outside))
    beside = {
        "section_id": [ids[some[index]][0].rsplit(":", 1)[0] for index in outside.tolist()],
        "route_id": routes[outside],
        "m_begin": sections.begin_m[some][outside],
        "m_end": sections.end_m[some][outside],
        "zone": [OUTSIDE] * len(outside),
        "length_m": figures.outside_m[some][outside],
    }
    empty = {field.name: none.cast(field.type) for field in LENGTHS if field.name not in beside}
    columns = {**beside, **empty}
    return pa.concat_tables(
        [inside, pa.table({name: columns[name] for name in LENGTHS.names}, schema=LENGTHS)]
    )


def _named(names: tuple[str, ...], index: Ints) -> pa.Array:
    return pa.DictionaryArray.from_arrays(pa.array(index, pa.int32()), pa.array(names)).cast(pa.string())


def cracks_table(counted: Counted, layout: Layout) -> pa.Table:
    """section_cracks.parquet: a row for each crack, in the order of cracks.parquet."""
    cracks, columns = counted.cracks, layout.columns
    near, lane = cracks.part >= 0, np.where(cracks.column >= 0, columns.lane[cracks.column], -1)
    in_lane = near & (lane >= 0) & (cracks.section >= 0)
    zones = (*ZONES, OUTSIDE, AWAY)
    zone = np.where(in_lane, columns.zone[cracks.column], zones.index(OUTSIDE))
    zone = np.where(near & (cracks.section >= 0), zone, zones.index(AWAY))
    ids = np.array(section_ids(layout), dtype=object)
    routes = tuple(part.route_id for part in layout.axes.parts)
    return pa.table(
        {
            "crack_id": cracks.crack_id,
            "route_id": pa.array(np.array(routes, object)[cracks.part], pa.string(), mask=~near),
            "lane": pa.array(lane_numbers(layout)[np.maximum(lane, 0)], mask=~in_lane),
            "section_id": pa.array(
                ids[np.maximum(cracks.section, 0), np.maximum(lane, 0)], pa.string(), mask=~in_lane
            ),
            "m": _where(cracks.measure_m, near),
            "offset_m": _where(cracks.offset_m, near),
            "zone": _named(zones, zone),
            "type": pa.array(np.array(TYPES, object)[cracks.type], pa.string(), mask=cracks.type < 0),
            "length_m": cracks.length_m,
        },
        schema=CRACKS,
    )
