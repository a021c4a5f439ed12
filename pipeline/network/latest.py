"""The latest state of each road section, of all surveys that saw it.

Of a section the row of the newest year counts whose ground was inspected by half at least. Where no survey
saw so much, the row with the largest coverage counts. Rows that are still alike are told apart by coverage,
then by the names of source and survey, so that the order of work cannot matter.
"""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from crackpipe.pipeline.network.parts import SECTIONS_OF_ALL, UNKNOWN

ENOUGH = 0.5
"""Share of a section that must be inspected for its year to count."""


def _described(name: str, kind: pa.DataType, nullable: bool, text: str) -> pa.Field:
    return pa.field(name, kind, nullable=nullable, metadata={"description": text})


SCHEMA = pa.schema(
    [
        _described("source", pa.string(), False, "source of the network"),
        _described("year", pa.int64(), True, "year of acquisition; null where unknown"),
        *SECTIONS_OF_ALL,
    ]
)


def latest(parts: Sequence[tuple[str, str, pa.Table]]) -> pa.Table:
    """One row for each section_id, by section_id, from (source, year, sections) of all partitions."""
    if not parts:
        return SCHEMA.empty_table()
    table = pa.concat_tables([_named(*part) for part in parts], promote_options="permissive")
    sections, years = table["section_id"].to_numpy(), table["year"].fill_null(-1).to_numpy()
    coverage = table["coverage"].to_numpy()
    is_enough = coverage >= ENOUGH
    names = np.array(
        [f"{a}/{b}" for a, b in zip(*(table[n].to_pylist() for n in ("source", "survey")), strict=True)]
    )
    # the last key sorts first; of each section the last row is the one that counts
    order = np.lexsort((names, coverage, np.where(is_enough, years, 0), is_enough, sections))
    is_last = np.append(sections[order][1:] != sections[order][:-1], True)
    return table.take(order[is_last])


def _named(source: str, year: str, table: pa.Table) -> pa.Table:
    number = pa.scalar(None if year == UNKNOWN else int(year), pa.int64())
    table = table.append_column(SCHEMA.field("source"), pa.array([source] * table.num_rows, pa.string()))
    table = table.append_column(SCHEMA.field("year"), pa.array([number] * table.num_rows, pa.int64()))
    return table.select(SCHEMA.names)
