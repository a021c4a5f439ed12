"""A profile's figures as a long table, as columns of the sections, and as rows for HPMS."""

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from crackpipe.pipeline.geometry.arrays import Floats
from crackpipe.pipeline.sections.cells import Layout
from crackpipe.pipeline.sections.figures import Figures
from crackpipe.pipeline.sections.locate import TYPES
from crackpipe.pipeline.sections.options import UNITS_M, ZONES
from crackpipe.pipeline.sections.rows import section_ids
from crackpipe.pipeline.sections.rules import grades
from crackpipe.pipeline.sections.rules.measures import measure
from crackpipe.pipeline.sections.rules.profile import Figure, Profile
from crackpipe.pipeline.tables import geoparquet

LEAST_COVERAGE = 0.5
"""A lane of which less was inspected gets no rating."""

_NULLABLE, _REQUIRED = True, False
RATINGS = geoparquet.described(
    [
        ("section_id", pa.string(), _REQUIRED, "as in sections.parquet"),
        ("profile", pa.string(), _REQUIRED, "profile that rates"),
        ("figure", pa.string(), _REQUIRED, "what is rated"),
        ("zone", pa.string(), _NULLABLE, "zone of the lane; null where the figure is of the whole lane"),
        ("crack_type", pa.string(), _NULLABLE, "type; null where the figure is of all types"),
        ("value", pa.float64(), _NULLABLE, "the figure; null where less than half of the lane was inspected"),
        ("text", pa.string(), _NULLABLE, "the figure where it is a word"),
        ("unit", pa.string(), _REQUIRED, "unit of the figure"),
        ("rule", pa.string(), _REQUIRED, "whose rule it is; crackpipe where the standard's is not sure"),
    ]
)
_OTHER = {"diagonal": "other"}


@dataclass(frozen=True)
class Rated:
    """One figure of a profile for all sections. Either values or words."""

    figure: Figure
    values: Floats
    """(N, L), (N, L, Z) or (N, L, Z, T); NaN where unknown."""
    words: list[str | None] | None = None
    """Flat, of (N, L)."""


def rate(profile: Profile, figures: Figures, layout: Layout) -> list[Rated]:
    """All figures of a profile."""
    coverage = figures.seen_m2 / figures.area_m2.sum(axis=2)
    known = coverage >= LEAST_COVERAGE
    found: dict[str, Rated] = {}
    for figure in profile.figures:
        words = None
        if figure.of is not None:
            values = found[figure.of].values
            if figure.measure == "ap9k_grade":
                values = grades.ap9k_grade(values, figure.limits)
            else:
                words = grades.named(values.ravel(), figure.limits, figure.names, figure.upper_in)
        else:
            values = measure(figure.measure, figures, layout, figure.limits)
            values = np.where(known.reshape(known.shape + (1,) * (values.ndim - 2)), values, np.nan)
        if figure.decimals is not None:
            # Half a unit goes up, as people round; a little less than half may be rounding of the computer.
            scale = 10.0**figure.decimals
            values = np.floor(values * scale + 0.5 + 1e-9) / scale
        found[figure.name] = Rated(figure, values, words)
    return list(found.values())


def with_ratings(table: pa.Table, rated: list[Rated]) -> pa.Table:
    """The table of sections with a column for each figure of a whole lane, and one for its rule."""
    for each in rated:
        if each.values.ndim > 2:
            continue
        flat = each.values.ravel()
        values = pa.array(each.words, pa.string()) if each.words else pa.array(flat, mask=np.isnan(flat))
        for name, column, text in (
            (
                each.figure.name,
                values,
                f"{each.figure.what}{', ' * bool(each.figure.unit)}{each.figure.unit}",
            ),
            (
                f"{each.figure.name}_rule",
                pa.array([each.figure.rule] * table.num_rows),
                f"whose rule {each.figure.name} is",
            ),
        ):
            field = pa.field(name, column.type, metadata={"description": text})
            table = table.add_column(table.schema.get_field_index("geometry"), field, column)
    return table


def ratings_tables(profile: Profile, rated: list[Rated], layout: Layout) -> Iterator[pa.Table]:
    """The long table, a figure at a time."""
    ids = np.array(section_ids(layout), dtype=object)
    types = np.array([_OTHER.get(name, name) for name in TYPES], object)
    for each in rated:
        values = each.values
        if values.ndim == 4:  # transverse cracks are of the whole section, never of a zone
            values = np.delete(values, TYPES.index("transverse"), axis=3)
        at = [axis.ravel() for axis in np.indices(values.shape)]
        flat = values.ravel()
        kept = np.delete(types, TYPES.index("transverse"))
        none = pa.nulls(len(flat), pa.string())
        yield pa.table(
            {
                "section_id": pa.array(ids[at[0], at[1]], pa.string()),
                "profile": [profile.name] * len(flat),
                "figure": [each.figure.name] * len(flat),
                "zone": none if values.ndim < 3 else np.array(ZONES, object)[at[2]],
                "crack_type": none if values.ndim < 4 else kept[at[3]],
                "value": pa.nulls(len(flat), pa.float64())
                if each.words
                else pa.array(flat, mask=np.isnan(flat)),
                "text": pa.array(each.words, pa.string()) if each.words else none,
                "unit": [each.figure.unit] * len(flat),
                "rule": [each.figure.rule] * len(flat),
            },
            schema=RATINGS,
        )


def hpms_rows(figure: Rated, layout: Layout) -> tuple[str, int]:
    """Rows for HPMS as CSV, points in miles, of lane 1; and how many sections are left out as unknown."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["Route_ID", "Begin_Point", "End_Point", "Section_Length", "Value_Numeric"])
    sections, left = layout.sections, 0
    miles = np.column_stack([sections.begin_m, sections.end_m, sections.length_m]) / UNITS_M["mi"]
    for part, points, value in zip(
        sections.part.tolist(), miles.tolist(), figure.values[:, 0].tolist(), strict=True
    ):
        if np.isnan(value):
            left += 1
            continue
        writer.writerow(
            [_cell(layout.axes.parts[part].route_id), *(f"{at:.3f}" for at in points), f"{value:.0f}"]
        )
    return text.getvalue(), left


def _cell(text: str) -> str:
    """Text that no spreadsheet takes for a formula."""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text
