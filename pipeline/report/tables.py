"""The tables of a finished run as columns: what the map, the figures and the pictures are made from."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import shapely
from pyproj import CRS

from crackpipe.pipeline.errors import OutputDamagedError, UsageError
from crackpipe.pipeline.geometry.arrays import Bools, Floats, Geometries, Ints, Texts

CLASSES = ("tiny", "small", "wide", "not measured", "other")
"""Width classes by code. "other" is what the network found that is no crack, such as a joint."""
NOT_MEASURED, OTHER = 3, 4
TYPES = ("longitudinal", "transverse", "diagonal", "pattern", "unknown")
"""Types of cracks by code. "unknown": the direction of travel is not known."""

_OF_CRACKS = (
    *("crack_id", "image_id", "length_m", "width_mm", "width_sigma_mm", "width_p95_mm", "width_class"),
    *("p_tiny", "p_small", "p_wide", "class_uncertain", "class", "width_flag", "orientation_deg"),
    *("crack_type", "confidence", "acquired", "survey", "geometry"),
)
_OF_IMAGES = (
    *("image_id", "status", "reason", "message", "remedy", "gsd_mm", "inspected_m2", "uninspected_m2"),
    *("crack_length_m", "crack_length_tiny_m", "crack_length_small_m", "crack_length_wide_m"),
    *("familiarity", "geometry"),
)


@dataclass(frozen=True, kw_only=True)
class Cracks:
    """N rows of cracks.parquet, in its order."""

    crack_id: Texts
    image: Ints
    """(N,) index of the row of its image in images.parquet."""
    length_m: Floats
    width_mm: Floats
    """NaN where no width could be measured; the same for the other columns of widths and probabilities."""
    width_sigma_mm: Floats
    width_p95_mm: Floats
    width_class: Ints
    """Index into CLASSES."""
    p_class: Floats
    """(N, 3) probability of tiny, small and wide."""
    class_uncertain: Bools
    width_flag: Bools
    crack_type: Ints
    """Index into TYPES."""
    class_name: Texts
    orientation_deg: Floats
    confidence: Floats
    acquired: Texts
    """ISO date, or None."""
    lines: Geometries
    """LineStrings, world (x, y) in the CRS of the table."""

    @property
    def is_crack(self) -> Bools:
        """Which rows count as cracks, (N,)."""
        return np.asarray(self.width_class != OTHER)

    @property
    def area_mm_m(self) -> Floats:
        """Length x width, mm x m = 10 cm2, (N,); 0 where no width could be measured."""
        return self.length_m * np.nan_to_num(self.width_mm)


@dataclass(frozen=True, kw_only=True)
class Tables:
    """Both tables of a run."""

    cracks: Cracks
    images: Sequence[Mapping[str, Any]]
    """Rows of images.parquet by column, in its order."""
    footprints: Geometries
    """Of each image: Polygon, world (x, y) in `crs`, or None."""
    crs: CRS | None
    surveys: tuple[str, ...]
    """Names of the surveys, sorted."""


def read_tables(root: Path, crack_classes: Sequence[str] | None) -> Tables:
    """Read the tables in the output folder `root`.

    `crack_classes` are the classes that count as cracks; None: all. Raises UsageError if a table is missing
    or lacks a column, OutputDamagedError if it cannot be read.
    """
    table, crs = read_table(root / "cracks.parquet", _OF_CRACKS)
    images, image_crs = read_table(root / "images.parquet", _OF_IMAGES)
    rows = images.drop_columns(["geometry"]).to_pylist()
    return Tables(
        cracks=_cracks(table, {str(row["image_id"]): index for index, row in enumerate(rows)}, crack_classes),
        images=rows,
        footprints=_geometries(images),
        crs=crs or image_crs,
        surveys=tuple(sorted(set(table.column("survey").to_pylist()))),
    )


def read_table(file: Path, columns: Sequence[str], made_by: str = "run") -> tuple[pa.Table, CRS | None]:
    """Some columns of a GeoParquet file that the command `made_by` writes, and its CRS.

    Raises UsageError, OutputDamagedError.
    """
    if not file.is_file():
        raise UsageError(f"{file} does not exist: OUT is the output folder of a finished `crackpipe run`.")
    try:
        schema = pq.read_schema(file)
        missing = [name for name in columns if name not in schema.names]
        if missing:
            raise UsageError(
                f"{file} has no column {missing[0]}, which an older crackpipe did not write: give the same "
                f"`crackpipe {made_by}` again, which makes the table again."
            )
        table = pq.read_table(file, columns=list(columns))
        geo = json.loads((schema.metadata or {}).get(b"geo", b"{}"))
    except (pa.ArrowInvalid, ValueError, OSError) as error:
        raise OutputDamagedError(
            f"{file} cannot be read: {error}. `crackpipe verify` tells what is damaged."
        ) from error
    crs = geo.get("columns", {}).get("geometry", {}).get("crs")
    return table, None if crs is None else CRS.from_json_dict(crs)


def _geometries(table: pa.Table) -> Geometries:
    return np.asarray(shapely.from_wkb(np.array(table.column("geometry").to_pylist(), object)), object)


def _cracks(table: pa.Table, image_of: Mapping[str, int], crack_classes: Sequence[str] | None) -> Cracks:
    names = np.array(table.column("class").to_pylist(), object)
    width_class = _codes(table.column("width_class").to_pylist(), CLASSES, NOT_MEASURED)
    if crack_classes is not None:
        width_class[~np.isin(names, list(crack_classes))] = OTHER

    def floats(name: str) -> Floats:
        return np.asarray(table.column(name).to_numpy(), np.float64)

    days = table.column("acquired").to_pylist()
    return Cracks(
        crack_id=np.array(table.column("crack_id").to_pylist(), object),
        image=np.array([image_of[each] for each in table.column("image_id").to_pylist()], np.int64),
        length_m=floats("length_m"),
        width_mm=floats("width_mm"),
        width_sigma_mm=floats("width_sigma_mm"),
        width_p95_mm=floats("width_p95_mm"),
        width_class=width_class,
        p_class=np.column_stack([floats(f"p_{name}") for name in CLASSES[:3]]),
        class_uncertain=np.array(table.column("class_uncertain").to_pylist(), np.bool_),
        width_flag=np.array(table.column("width_flag").to_pylist(), np.bool_),
        crack_type=_codes(table.column("crack_type").to_pylist(), TYPES, len(TYPES) - 1),
        class_name=names,
        orientation_deg=floats("orientation_deg"),
        confidence=floats("confidence"),
        acquired=np.array([None if day is None else day.isoformat() for day in days], object),
        lines=_geometries(table),
    )


def _codes(values: Sequence[str | None], words: Sequence[str], other: int) -> Ints:
    """The index of each value among `words`; `other` for null and for a word that is not among them."""
    index = {word: code for code, word in enumerate(words)}
    return np.array([index.get(value or "", other) for value in values], np.int64)
