"""Room 6: pieces of lines become rows of `cracks.parquet`. The schema of that table is defined here.

Rows of one image are staged in the image's own CRS. They lack the columns that depend on the image's
neighbours or on the other rows, so they stay the same when the survey grows. `collect` makes the table from
the staged rows of all images.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import shapely

from crackpipe.pipeline.geometry.arrays import Floats
from crackpipe.pipeline.geometry.ground import length_m, world_of_pixel
from crackpipe.pipeline.image import SurveyImage
from crackpipe.pipeline.tables import geoparquet
from crackpipe.pipeline.width.row_width import RowWidth

SCHEMA_VERSION = 7
"""Raise when the meaning or the order of columns changes, or what stands in them."""
ORIGIN = "crackpipe"
"""Rows of other systems, which were imported, name those."""

_NULLABLE, _REQUIRED = True, False

SCHEMA = geoparquet.described(
    [
        ("crack_id", pa.string(), _REQUIRED, "stable identifier of this row"),
        (
            "network_id",
            pa.string(),
            _REQUIRED,
            "the same for cracks that are connected, also from image to image",
        ),
        ("image_id", pa.string(), _REQUIRED, "image it was found in: path relative to the survey"),
        ("length_m", pa.float64(), _REQUIRED, "length on the ground, m; ground seen twice is counted once"),
        ("width_mm", pa.float64(), _NULLABLE, "mean optical equivalent width, mm"),
        ("width_sigma_mm", pa.float64(), _NULLABLE, "standard deviation of width_mm, mm"),
        ("width_p95_mm", pa.float64(), _NULLABLE, "width not exceeded over 95 % of the length, mm"),
        ("width_max_mm", pa.float64(), _NULLABLE, "largest width along the line, mm"),
        ("width_class", pa.string(), _NULLABLE, "tiny, small or wide, by width_mm"),
        ("p_tiny", pa.float64(), _NULLABLE, "probability of the class tiny"),
        ("p_small", pa.float64(), _NULLABLE, "probability of the class small"),
        ("p_wide", pa.float64(), _NULLABLE, "probability of the class wide"),
        ("class_uncertain", pa.bool_(), _REQUIRED, "no class is probable enough, or the image too coarse"),
        ("class", pa.string(), _REQUIRED, "what the network found"),
        ("width_flag", pa.bool_(), _REQUIRED, "the width failed its cross-check with the missing light"),
        ("orientation_deg", pa.float64(), _REQUIRED, "0 to 180, clockwise from grid north"),
        (
            "crack_type",
            pa.string(),
            _NULLABLE,
            "longitudinal, transverse, diagonal or pattern; null where the travel direction is unknown",
        ),
        ("confidence", pa.float64(), _REQUIRED, "mean probability along the line, 0 to 1"),
        ("bridged_m", pa.float64(), _REQUIRED, "length over gaps of the mask, m"),
        ("gsd_mm", pa.float64(), _REQUIRED, "ground sample distance of the image, mm per pixel"),
        ("acquired", pa.date32(), _NULLABLE, "date of the image; null where unknown"),
        ("survey", pa.string(), _REQUIRED, "survey the image belongs to"),
        ("weights", pa.string(), _REQUIRED, "weights of the network"),
        ("origin", pa.string(), _REQUIRED, "system that found it: crackpipe, or lcms where it was imported"),
        ("geometry", pa.binary(), _REQUIRED, "LineString, WKB"),
        ("bbox", geoparquet.BBOX, _REQUIRED, "bounds of the geometry"),
    ]
)


_AT_COLLECTION = ("orientation_deg", "crack_type", "origin", "bbox")
_CLOSES_CELL = geoparquet.described(
    [("closes_cell", pa.bool_(), _REQUIRED, "an edge of a cell of its network within the image")]
).field(0)


@dataclass(frozen=True, kw_only=True)
class Piece:
    """A piece of a line that becomes one row, in pixels of its image."""

    vertices: Floats
    """(V, 2) (row, col), centre of pixel (i, j) at (i, j)."""
    network: int
    """Number of its network within the image."""
    closes_cell: bool
    """Whether it borders a cell, an area that its network encloses."""
    width: RowWidth
    confidence: float
    """Mean probability along the line, 0..1."""
    bridged_px: float
    """Length over gaps of the mask."""
    class_name: str = "crack"


def crack_rows(pieces: Sequence[Piece], image: SurveyImage, *, weights: str) -> pa.Table:
    """The rows of one image, in its own CRS.

    They have the order of the pieces, which is that of the networks. Their columns are those of SCHEMA
    without orientation, type, origin and bbox, but with `closes_cell`. `survey`, `weights` and
    `acquired` are set again when the tables are made, since a folder or a file may be renamed, and a date may
    be told later.
    """
    ground = image.ground_matrix
    world = [world_of_pixel(image.transform, piece.vertices) for piece in pieces]
    length = [length_m(piece.vertices, ground) for piece in pieces]
    lines = np.array([shapely.LineString(line) for line in world], dtype=object)
    columns: dict[str, object] = {
        "crack_id": _crack_ids(image.image_id, pieces),
        "network_id": _network_ids(image.image_id, pieces),
        "length_m": length,
        "class": [piece.class_name for piece in pieces],
        "closes_cell": [piece.closes_cell for piece in pieces],
        "confidence": [piece.confidence for piece in pieces],
        "bridged_m": [
            piece.bridged_px * metres / _length_px(piece.vertices)
            for piece, metres in zip(pieces, length, strict=True)
        ],
        "geometry": geoparquet.wkb_of(lines),
    }
    columns |= {name: [getattr(piece.width, name) for piece in pieces] for name in RowWidth.__annotations__}
    same = {"image_id": image.image_id, "gsd_mm": image.gsd_mm, "acquired": image.acquired}
    same |= {"survey": image.survey, "weights": weights}
    columns |= {name: [value] * len(pieces) for name, value in same.items()}
    schema = _staged_schema(image.crs_wkt)
    return pa.table({name: columns[name] for name in schema.names}, schema=schema)


def _staged_schema(crs_wkt: str) -> pa.Schema:
    fields = [field for field in SCHEMA if field.name not in _AT_COLLECTION]
    return pa.schema([*fields, _CLOSES_CELL], {"crs": crs_wkt})


def _length_px(vertices: Floats) -> float:
    return length_m(vertices, np.eye(2))


def _crack_ids(image_id: str, pieces: Sequence[Piece]) -> list[str]:
    """Hashes of the image and a piece's first two vertices.

    The first alone would not do, since several lines may start in one node. They differ in the second vertex.
    """
    return _ids("crack", image_id, [_rounded(piece.vertices[:2]) for piece in pieces])


def _network_ids(image_id: str, pieces: Sequence[Piece]) -> list[str]:
    """Hashes of the image and the network's first end, by row, then column."""
    first: dict[int, tuple[int, ...]] = {}
    for piece in pieces:
        ends = min(_rounded(piece.vertices[:1]), _rounded(piece.vertices[-1:]))
        first[piece.network] = min(first.get(piece.network, ends), ends)
    numbers = sorted(first, key=lambda network: (first[network], network))
    ids = dict(zip(numbers, _ids("network", image_id, [first[n] for n in numbers]), strict=True))
    return [ids[piece.network] for piece in pieces]


def _rounded(vertices: Floats) -> tuple[int, ...]:
    """Coordinates in hundredths of a pixel."""
    return tuple(np.round(vertices.ravel() * 100.0).astype(int).tolist())


def _ids(kind: str, image_id: str, keys: Sequence[tuple[int, ...]]) -> list[str]:
    """16 hexadecimal digits for each key. Equal keys get different digits by their order.

    These are 64 bits. Among ten million cracks two have the same by chance in 1 of 370,000 surveys.
    """
    seen: dict[tuple[int, ...], int] = {}
    ids = []
    for key in keys:
        seen[key] = seen.get(key, 0) + 1
        text = "\0".join([kind, image_id, *map(str, key), *([] if seen[key] == 1 else [f"#{seen[key]}"])])
        ids.append(hashlib.blake2b(text.encode("utf-8", "surrogateescape"), digest_size=8).hexdigest())
    return ids


def part_id(crack_id: str, number: int) -> str:
    """Identifier of a part of a row that was cut at a seam. Part number 0 keeps the identifier of the row."""
    return crack_id if number == 0 else _ids("part", crack_id, [(number,)])[0]


def write_rows(rows: pa.Table, path: Path) -> None:
    """Stage the rows of one image. Raises OSError."""
    # The rows are few, so that dictionaries and statistics would take longer to read than the values.
    pq.write_table(rows, path, compression="zstd", use_dictionary=False, write_statistics=False)
