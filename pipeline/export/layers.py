"""The tables of an output as layers: rows in batches, and what a person reads for a column's name.

Rows are read a batch at a time, so that memory does not grow with the number of cracks. What other formats
cannot hold is left out or put into words: the column `bbox` is gone (each format has an index of its own),
and a list becomes JSON text.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pyproj import CRS

ROWS_PER_BATCH = 16_384

TITLES = {
    "cracks": "Cracks: lines on the ground with length and width",
    "images": "Images: footprints, done or in quarantine",
    "sections": "Road sections: figures along the routes",
    "changes": "Changes: what became of the cracks since an older year",
    "changes_sections": "Road sections: what changed since an older year",
}
"""Name of a table, without `.parquet` -> what its layer is. Layers have this order in a file."""

_WORDS = {"gsd": "GSD", "crs": "CRS", "id": "ID", "m": "(m)", "mm": "(mm)", "m2": "(m²)", "px": "(px)"}
_WORDS |= {"deg": "(°)", "p95": "95 %"}
_ALIASES = {
    "p_tiny": "Probability of tiny",
    "p_small": "Probability of small",
    "p_wide": "Probability of wide",
    "width_flag": "Width doubtful",
    "width_sigma_mm": "Width, standard deviation (mm)",
    "width_max_mm": "Width, largest (mm)",
    "width_p95_mm": "Width, 95 % (mm)",
    "bridged_m": "Bridged gaps (m)",
    "width_mm": "Width, mean (mm)",
    "m_begin": "Begin (m)",
    "m_end": "End (m)",
    "density_m_per_m2": "Density (m/m²)",
}


@dataclass(frozen=True)
class Layer:
    """One table of an output. Its rows are read when they are asked for."""

    name: str
    file: Path
    schema: pa.Schema
    """Of the batches. Each field has a `description`; `geometry` is WKB."""
    crs: CRS | None
    geometry_type: str
    rows: int

    cracks_hash: str | None = None
    """Of the `cracks.parquet` that the layer was worked out from; None where the table names none."""

    @property
    def description(self) -> str:
        """What the layer is, in a sentence for people."""
        return TITLES[self.name]

    @property
    def columns(self) -> list[str]:
        """The names of all columns but the geometry."""
        return [name for name in self.schema.names if name != "geometry"]

    def batches(self) -> Iterator[pa.RecordBatch]:
        """All rows in their order, with the columns of `schema`. Raises OSError, pyarrow.ArrowInvalid."""
        with pq.ParquetFile(self.file) as table:
            for batch in table.iter_batches(ROWS_PER_BATCH, columns=self.schema.names, use_threads=False):
                columns = [_as_exported(batch.column(field.name), field) for field in self.schema]
                yield pa.RecordBatch.from_arrays(columns, schema=self.schema)


def layers_of(root: Path) -> list[Layer]:
    """The layers of an output, in the order of TITLES; a table that is not there gives none.

    Raises OSError, pyarrow.ArrowInvalid for a table that cannot be read.
    """
    files = [root / f"{name}.parquet" for name in TITLES]
    return [_layer(file) for file in files if file.exists()]


def alias_of(column: str) -> str:
    """The name of a column as a person reads it: `crack_length_m` is `Crack length (m)`."""
    if column in _ALIASES:
        return _ALIASES[column]
    words = " ".join(_WORDS.get(word, word) for word in column.split("_"))
    return words[:1].upper() + words[1:]


def description_of(field: pa.Field) -> str:
    """What the column holds, with its unit; empty where the table does not say it."""
    return ((field.metadata or {}).get(b"description") or b"").decode()


def _layer(file: Path) -> Layer:
    with pq.ParquetFile(file) as table:
        schema, rows = table.schema_arrow, table.metadata.num_rows
    column = _geometry_facts(schema)
    kept = [_exported_field(field) for field in schema if field.name != "bbox"]
    crs = column.get("crs")
    return Layer(
        name=file.stem,
        file=file,
        schema=pa.schema(kept),
        crs=None if crs is None else _crs_of(json.dumps(crs)),
        geometry_type=(column.get("geometry_types") or ["Unknown"])[0],
        rows=rows,
        cracks_hash=_made_from(schema).get("cracks.parquet"),
    )


@lru_cache(maxsize=16)
def _crs_of(projjson: str) -> CRS:
    """PROJ takes 45 ms for it, and the tables of an output, which are read several times, have one CRS."""
    return CRS.from_json(projjson)


def _made_from(schema: pa.Schema) -> dict[str, Any]:
    metadata = schema.metadata or {}
    return dict(json.loads(metadata.get(b"crackpipe_sections", metadata.get(b"crackpipe_changes", b"{}"))))


def _geometry_facts(schema: pa.Schema) -> dict[str, Any]:
    geo = json.loads((schema.metadata or {})[b"geo"])
    return dict(geo["columns"][geo["primary_column"]])


def _exported_field(field: pa.Field) -> pa.Field:
    """The field with the type that it has outside Parquet, and what is said of it in the form of GDAL."""
    metadata = {"description": description_of(field)}
    if field.name == "geometry":
        return pa.field(field.name, pa.binary(), metadata=metadata | {"ARROW:extension:name": "geoarrow.wkb"})
    metadata["GDAL:OGR:alternative_name"] = alias_of(field.name)
    if metadata["description"]:
        metadata["GDAL:OGR:comment"] = metadata["description"]
    kind = pa.string() if pa.types.is_list(field.type) else field.type
    return pa.field(field.name, kind, metadata=metadata)


def _as_exported(column: pa.Array, field: pa.Field) -> pa.Array:
    if not pa.types.is_list(column.type):
        return column
    texts = [None if value is None else json.dumps(value, ensure_ascii=False) for value in column.to_pylist()]
    return pa.array(texts, field.type)
