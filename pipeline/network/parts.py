"""The rows of one survey as the network's tables have them: by year of acquisition, in the network's CRS."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import shapely
from pyproj import CRS

from crackpipe.pipeline.errors import ConfigurationError, OutputDamagedError
from crackpipe.pipeline.geometry.crs import moved_to
from crackpipe.pipeline.sections.schemas import SECTIONS
from crackpipe.pipeline.state.output import Output
from crackpipe.pipeline.storage import durable, sealed
from crackpipe.pipeline.tables import crack_rows, crack_type, geoparquet

UNKNOWN = "unknown"
"""Year of what has no date."""

FORMAT = 1
"""Raise when the meaning or the order of columns changes."""

_SURVEY = pa.field(
    "survey", pa.string(), nullable=False, metadata={"description": "survey, unique within its source"}
)
CRACKS = pa.schema([_SURVEY if each.name == "survey" else each for each in crack_rows.SCHEMA])
SECTIONS_OF_ALL = pa.schema([_SURVEY, *SECTIONS])


@dataclass(frozen=True)
class Part:
    """A survey with a result."""

    survey: str
    """Its name, unique within its source."""
    out: Path
    """Folder of its result."""

    def made_from(self) -> list[Any]:
        """What its rows depend on; plain JSON. Raises OutputDamagedError."""
        with _reading(self):
            tables = sealed.read_sealed(Output(self.out).hidden / "tables.json") or {}
            known = tables.get("made_from") or durable.file_hash(self.out / "cracks.parquet")
            sections = self.out / "sections.parquet"
            return [self.survey, known, durable.file_hash(sections) if sections.exists() else None]


@contextmanager
def _reading(part: Part) -> Iterator[None]:
    """Tell that a result cannot be read, and what to do."""
    try:
        yield
    except (OSError, pa.ArrowException, KeyError) as error:
        raise OutputDamagedError(
            f"{part.out} cannot be read: {error}. The network's tables keep what they had of its source; "
            f"`crackpipe verify {part.out} --repair` and the next night make it right."
        ) from error


def crs_of(part: Part) -> CRS | None:
    """The CRS of a survey's tables; None where none of its images has one. Raises OutputDamagedError."""
    with _reading(part):
        return geoparquet.crs_of(part.out / "cracks.parquet")


def cracks_by_year(part: Part, crs: CRS) -> dict[str, pa.Table]:
    """The cracks of a survey, by the year of their image. Raises OutputDamagedError, ConfigurationError."""
    table = _read(part.out / "cracks.parquet", CRACKS, part, crs)
    years = pc.fill_null(pc.cast(pc.year(table["acquired"]), pa.string()), UNKNOWN)
    return {year: table.filter(pc.equal(years, year)) for year in sorted(pc.unique(years).to_pylist())}


def sections(part: Part, crs: CRS) -> tuple[str, pa.Table] | None:
    """The year and the sections of a survey; None where it has none.

    A section has images of several days. Its year is that of the newest image of the survey. Raises
    OutputDamagedError, ConfigurationError.
    """
    file = part.out / "sections.parquet"
    with _reading(part):
        if not file.exists():
            return None
    return year_of(part), _read(file, SECTIONS_OF_ALL, part, crs)


def year_of(part: Part) -> str:
    """The year of the newest image of a survey. Raises OutputDamagedError."""
    with _reading(part):
        kept = sealed.read_sealed(Output(part.out).memory) or {"images": {}}
    years = {image["acquired"][:4] for image in kept["images"].values() if image["acquired"]}
    if not years:
        with _reading(part):
            acquired = pq.read_table(part.out / "cracks.parquet", columns=["acquired"])["acquired"]
        newest = pc.max(acquired).as_py()
        years = set() if newest is None else {f"{newest.year:04d}"}
    return max(years, default=UNKNOWN)


def _read(file: Path, schema: pa.Schema, part: Part, crs: CRS) -> pa.Table:
    """A survey's table in the network's CRS, with the columns of `schema`."""
    with _reading(part):
        own_crs = geoparquet.crs_of(file)
        table = pq.read_table(file)
    if table.num_rows and own_crs is not None and own_crs != crs:
        table = _moved(table, own_crs, crs, part)
    columns = {each: table[each] for each in table.column_names}
    columns["survey"] = pa.array([part.survey] * table.num_rows, pa.string())
    # a result of an older version may lack a column
    fields = [each if each.name in columns else each.with_nullable(True) for each in schema]
    missing = pa.nulls(table.num_rows)
    values = [columns.get(each.name, missing) for each in fields]
    return pa.table(values, names=[each.name for each in fields]).cast(pa.schema(fields))


def _moved(table: pa.Table, source: CRS, crs: CRS, part: Part) -> pa.Table:
    """Rows in another CRS. Lengths and widths are true ground lengths and stay."""
    lines = moved_to(crs, shapely.from_wkb(table["geometry"].to_numpy(zero_copy_only=False)), source)
    if not np.isfinite(shapely.get_coordinates(lines)).all():
        raise ConfigurationError(
            f"rows of {part.out} lie outside the network's CRS, {crs.name!r}. Give network.toml a `crs` "
            "that covers all its surveys."
        )
    changed = {"geometry": geoparquet.wkb_of(lines), "bbox": geoparquet.bbox_of(lines)}
    if "orientation_deg" in table.column_names:
        chords = crack_type.directions(lines)
        radians = crs.axis_info[0].unit_conversion_factor if crs.is_geographic else None
        changed["orientation_deg"] = pa.array(
            crack_type.map_orientation_deg(lines, chords, radians_per_unit=radians)
        )
    for name, values in changed.items():
        table = table.set_column(table.column_names.index(name), name, values)
    return table
