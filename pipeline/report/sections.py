"""Road sections, where `crackpipe sections` wrote them: their figures, the worst first, and their cracks."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import shapely

from crackpipe.pipeline.errors import OutputDamagedError
from crackpipe.pipeline.geometry.arrays import Geometries, Ints
from crackpipe.pipeline.geometry.crs import moved_to
from crackpipe.pipeline.report.tables import Tables, read_table
from crackpipe.pipeline.storage.durable import file_hash

SECTIONS = "sections.parquet"

WORST = 25
"""Sections that count as the worst."""

_FIGURES = (
    *("section_id", "route_id", "lane", "m_begin", "m_end", "length_m", "coverage", "inspected_m2"),
    *("crack_m", "tiny_m", "small_m", "wide_m", "unmeasured_m", "density_m_per_m2"),
    *("width_mean_mm", "width_mean_sigma_mm", "width_p95_mm", "transverse_count"),
    *(f"{name}_{what}_m" for name in ("tiny", "small", "wide") for what in ("expected", "sigma")),
)


@dataclass(frozen=True, kw_only=True)
class Sections:
    """S sections, the worst first; those that nobody inspected last."""

    rows: Sequence[Mapping[str, Any]]
    """Figures by column, and `area_cm2_per_m2`: length x mean width over the inspected area, or None."""
    axes: Geometries
    """(S,) their lines, world (x, y) in the CRS of cracks.parquet."""
    section: Ints
    """Of each row of cracks.parquet the index of its section; -1: of none."""

    def worst(self) -> list[Ints]:
        """The rows of cracks.parquet in each of the worst sections."""
        ranked = [index for index in range(min(WORST, len(self.rows))) if self.rows[index]["crack_m"]]
        return [np.flatnonzero(self.section == index) for index in ranked]


def read_sections(root: Path, tables: Tables) -> Sections | None:
    """The sections in the output folder `root`; None if there are none, or if they are of other cracks.

    Raises UsageError if a table lacks a column, OutputDamagedError if it cannot be read.
    """
    if not (root / SECTIONS).is_file() or are_of_other_cracks(root):
        return None
    table, crs = read_table(root / SECTIONS, (*_FIGURES, "geometry"), "sections")
    rows = table.drop_columns(["geometry"]).to_pylist()
    axes = np.asarray(shapely.from_wkb(np.array(table.column("geometry").to_pylist(), object)), object)
    if crs is not None and tables.crs is not None:
        axes = moved_to(tables.crs, axes, crs)
    for row in rows:
        row["area_cm2_per_m2"] = _area_cm2_per_m2(row)
    order = sorted(range(len(rows)), key=lambda index: _badness(rows[index]))
    rows = [rows[index] for index in order]
    found = _section_of_cracks(root, rows, tables.cracks.crack_id.tolist())
    return Sections(rows=rows, axes=axes[order], section=found)


def are_of_other_cracks(root: Path) -> bool:
    """Whether the sections were made from another cracks.parquet than the one that is there now."""
    file = root / SECTIONS
    if not file.is_file():
        return False
    try:
        said = (pq.read_schema(file).metadata or {}).get(b"crackpipe_sections", b"{}")
        made_from = json.loads(said).get("cracks.parquet")
    except (pa.ArrowInvalid, ValueError, OSError) as error:
        raise OutputDamagedError(
            f"{file} cannot be read: {error}. Run `crackpipe sections` again, or remove it."
        ) from error
    return made_from is not None and made_from != file_hash(root / "cracks.parquet")


def _area_cm2_per_m2(row: Mapping[str, Any]) -> float | None:
    """Length of the measured cracks x their mean width, cm2 on each inspected m2."""
    if row["crack_m"] is None or not row["inspected_m2"]:
        return None
    measured_m = row["crack_m"] - (row["unmeasured_m"] or 0.0)
    return float(10.0 * measured_m * (row["width_mean_mm"] or 0.0) / row["inspected_m2"])


def _badness(row: Mapping[str, Any]) -> tuple[float, float, str]:
    area = row["area_cm2_per_m2"]
    if area is None:
        return (np.inf, np.inf, str(row["section_id"]))
    return (-area, -(row["density_m_per_m2"] or 0.0), str(row["section_id"]))


def _section_of_cracks(root: Path, rows: Sequence[Mapping[str, Any]], crack_ids: Sequence[str]) -> Ints:
    """Of each crack the index of its section among `rows`; -1 where it lies in none."""
    if not (root / "section_cracks.parquet").is_file():
        return np.full(len(crack_ids), -1, np.int64)
    placed = read_table(root / "section_cracks.parquet", ("crack_id", "section_id"), "sections")[0]
    index = {row["section_id"]: place for place, row in enumerate(rows)}
    columns = (placed.column(name).to_pylist() for name in ("crack_id", "section_id"))
    section_of = {crack: index.get(section, -1) for crack, section in zip(*columns, strict=True)}
    return np.array([section_of.get(each, -1) for each in crack_ids], np.int64)
