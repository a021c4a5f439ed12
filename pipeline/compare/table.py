"""`changes.parquet`: a row per stretch of crack and verdict. The schema is defined here.

Legend: R rows.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import geopandas as gpd
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import shapely

from crackpipe.pipeline.compare.flat.lines import Lines, cut, geometries_of
from crackpipe.pipeline.compare.laid import Laid
from crackpipe.pipeline.compare.stretches.verdicts import VERDICTS
from crackpipe.pipeline.compare.years import Plane, Year
from crackpipe.pipeline.geometry.arrays import Bools, Floats, Ints, Texts
from crackpipe.pipeline.tables import geoparquet

_NULLABLE, _REQUIRED = True, False
_TEXT, _NUMBER = pa.string(), pa.float64()

SCHEMA = geoparquet.described(
    [
        ("change_id", _TEXT, _REQUIRED, "stable identifier of this row"),
        (
            "verdict",
            _TEXT,
            _REQUIRED,
            ", ".join(VERDICTS),
        ),
        ("reason", _TEXT, _NULLABLE, "why nothing surer can be said"),
        ("comparable", _TEXT, _REQUIRED, "comparable, or not comparable where --force overruled a refusal"),
        ("length_m", _NUMBER, _REQUIRED, "length of this stretch on the ground, m"),
        ("crack_id", _TEXT, _NULLABLE, "row of the newer cracks.parquet; null where the crack is gone"),
        ("network_id", _TEXT, _NULLABLE, "its network"),
        ("crack_id_before", _TEXT, _NULLABLE, "row of the older cracks.parquet beside most of the stretch"),
        ("width_mm", _NUMBER, _NULLABLE, "mean width of the newer row, mm"),
        ("width_before_mm", _NUMBER, _NULLABLE, "mean width of the older rows beside the stretch, mm"),
        ("width_change_mm", _NUMBER, _NULLABLE, "width_mm less width_before_mm, mm"),
        ("width_change_sigma_mm", _NUMBER, _NULLABLE, "standard deviation of width_change_mm, mm"),
        (
            "width_change_sure",
            _NUMBER,
            _NULLABLE,
            "change beyond what all cracks have in common, in standard deviations",
        ),
        ("distance_mm", _NUMBER, _NULLABLE, "mean distance of the two years' lines, after registration, mm"),
        ("familiarity", _NUMBER, _NULLABLE, "how well the other year's network knew the place, 0 to 1"),
        ("class", _TEXT, _REQUIRED, "what was found"),
        ("confidence", _NUMBER, _NULLABLE, "mean probability along the newer row, 0 to 1"),
        ("confidence_before", _NUMBER, _NULLABLE, "mean probability along the older row, 0 to 1"),
        ("image_id", _TEXT, _NULLABLE, "image of the newer row"),
        ("image_id_before", _TEXT, _NULLABLE, "image of the older row"),
        ("acquired", pa.date32(), _NULLABLE, "date of the newer image; null where unknown"),
        ("acquired_before", pa.date32(), _NULLABLE, "date of the older image; null where unknown"),
        ("origin", _TEXT, _NULLABLE, "system that found the newer row"),
        ("origin_before", _TEXT, _NULLABLE, "system that found the older row"),
        ("road", pa.int64(), _REQUIRED, "number of the road: ground without a gap"),
        ("section_id", _TEXT, _NULLABLE, "road section; null without sections, or outside all of them"),
        ("geometry", pa.binary(), _REQUIRED, "LineString where the newer year sees it, WKB"),
        ("bbox", geoparquet.BBOX, _REQUIRED, "bounds of the geometry"),
    ]
)

_AT_ONCE = 100_000


@dataclass(frozen=True)
class Rows:
    """R stretches with all that is known of them."""

    gone: Bools
    """(R,) a stretch of the older year; else of the newer."""
    line: Ints
    """(R,) index of the crack in its own year."""
    start_m: Floats
    stop_m: Floats
    before: Ints
    """(R,) index of the older crack; -1 where there is none."""
    verdict: Texts
    reason: Texts
    road: Ints
    section: Texts
    numbers: dict[str, Floats]
    """The columns of numbers by name, (R,) each; NaN becomes null."""

    def __len__(self) -> int:
        return len(self.line)

    @property
    def now(self) -> Ints:
        """(R,) index of the newer crack; -1 where there is none."""
        return np.where(self.gone, -1, self.line)


def length_of(rows: Rows, older: Year, newer: Year) -> Floats:
    """True length (R,) on the ground, m: the row's, by the stretch's share of its line."""
    plane = np.where(
        rows.gone, _taken(older.lines.length_m, rows.line), _taken(newer.lines.length_m, rows.line)
    )
    ground = np.where(
        rows.gone, _taken(older.numbers("length_m"), rows.line), _taken(newer.numbers("length_m"), rows.line)
    )
    return np.asarray((rows.stop_m - rows.start_m) * ground / np.where(plane > 0, plane, 1.0))


def network_of(rows: Rows, older: Year, newer: Year) -> Ints:
    """(R,) number of the network of each row; networks of the two years have different numbers."""
    count = 0
    found = np.zeros(len(rows), np.int64)
    for gone, year in ((False, newer), (True, older)):
        # imported cracks have no networks: each is one by itself
        names = pc.coalesce(year.table.column("network_id"), year.table.column("crack_id"))
        names = pc.dictionary_encode(names.combine_chunks())
        some = rows.gone == gone
        found[some] = count + np.asarray(names.indices.to_numpy(), np.int64)[rows.line[some]]
        count += len(names.dictionary)
    return found


def _taken(values: Floats, index: Ints) -> Floats:
    """Values at indices that may belong to another table: those that lie outside are taken from the last."""
    return values[np.minimum(index, len(values) - 1)] if len(values) else np.zeros(len(index))


def write(
    rows: Rows, laid: Laid, plane: Plane, path: Path, *, comparable: bool, facts: Mapping[str, str]
) -> None:
    """Write `changes.parquet`, in the order of a Hilbert curve over all rows.

    `facts` go into the metadata of the file. Raises OSError.
    """
    older, newer = laid.older, laid.newer
    columns = _columns(rows, older, newer)
    columns["comparable"] = pa.array(["comparable" if comparable else "not comparable"] * len(rows))
    wkb, boxes, place = _geometries(rows, newer.lines, laid.moved, plane)
    columns |= {"geometry": wkb, "bbox": boxes}
    table = pa.table({name: columns[name] for name in SCHEMA.names}).cast(SCHEMA)
    order = np.lexsort((table.column("change_id").to_numpy(), place))
    geoparquet.write(table, order, path, crs=plane.crs, geometry_type="LineString", facts=facts)


def _columns(rows: Rows, older: Year, newer: Year) -> dict[str, pa.Array]:
    ids = np.where(
        rows.gone,
        _texts(older, "crack_id", np.where(rows.gone, rows.line, -1)),
        _texts(newer, "crack_id", rows.now),
    )
    columns: dict[str, pa.Array] = {
        "change_id": pa.array(_change_ids(ids, rows)),
        "verdict": pa.array(rows.verdict, pa.string()),
        "reason": pa.array(rows.reason, pa.string()),
        "road": pa.array(rows.road),
        "section_id": pa.array(rows.section, pa.string()),
        "length_m": pa.array(length_of(rows, older, newer)),
    }
    columns |= {name: pa.array(values, from_pandas=True) for name, values in rows.numbers.items()}
    for name in ("crack_id", "network_id", "confidence", "image_id", "acquired", "origin"):
        columns[name] = _at(newer, name, rows.now)
    for name in ("crack_id", "confidence", "image_id", "acquired", "origin"):
        columns[f"{name}_before"] = _at(older, name, rows.before)
    kinds = np.where(rows.gone, _texts(older, "class", rows.before), _texts(newer, "class", rows.now))
    columns["class"] = pa.array(kinds, pa.string())
    return columns


def _at(year: Year, name: str, index: Ints) -> pa.Array:
    """A column at rows (R,); null at -1."""
    places = pa.array(np.maximum(index, 0), mask=index < 0)
    taken = year.table.column(name).take(places)
    return taken.combine_chunks() if isinstance(taken, pa.ChunkedArray) else taken


def _texts(year: Year, name: str, index: Ints) -> Texts:
    return np.asarray(_at(year, name, index).to_numpy(zero_copy_only=False), dtype=object)


def _change_ids(ids: Texts, rows: Rows) -> list[str]:
    """Hashes of the crack, the year, and where on it the stretch begins, in mm."""
    start = np.round(rows.start_m * 1000).astype(np.int64).tolist()
    return [
        hashlib.blake2b(f"{crack}\0{gone:d}\0{where}".encode(), digest_size=8).hexdigest()
        for crack, gone, where in zip(ids.tolist(), rows.gone.tolist(), start, strict=True)
    ]


def _geometries(rows: Rows, newer: Lines, moved: Lines, plane: Plane) -> tuple[pa.Array, pa.Array, Ints]:
    """WKB, boxes and places on a Hilbert curve of all rows, some rows at a time."""
    everything = np.concatenate([newer.xy, moved.xy, np.zeros((1, 2))])
    bounds = (*everything.min(axis=0), *everything.max(axis=0))
    wkb, boxes, places = [], [], [np.zeros(0, np.int64)]
    for low in range(0, max(len(rows), 1), _AT_ONCE):
        some = slice(low, low + _AT_ONCE)
        geometries = np.empty(len(rows.line[some]), dtype=object)
        for gone, lines in ((True, moved), (False, newer)):
            which = rows.gone[some] == gone
            line, start, stop = (each[some][which] for each in (rows.line, rows.start_m, rows.stop_m))
            geometries[which] = geometries_of(cut(lines, line, start, stop))
        box = shapely.bounds(geometries).reshape(-1, 4)
        middle = gpd.GeoSeries(shapely.points((box[:, :2] + box[:, 2:]) / 2))
        places.append(middle.hilbert_distance(bounds).to_numpy().astype(np.int64))
        world = plane.world(geometries)
        wkb.append(geoparquet.wkb_of(world))
        boxes.append(geoparquet.bbox_of(world))
    return (
        pa.chunked_array(wkb, pa.binary()),
        pa.chunked_array(boxes, geoparquet.BBOX),
        np.concatenate(places),
    )
