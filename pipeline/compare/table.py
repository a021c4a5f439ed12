"""`changes.parquet`: a row per stretch of crack and verdict. The schema is defined here.

Legend: R rows.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path

import geopandas as gpd
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import shapely

from crackpipe.pipeline.compare.flat.lines import Lines, cut, geometries_of, joined
from crackpipe.pipeline.compare.flat.threads import give_back
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
_OBJECTS_AT_ONCE = 16_384


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

    def take(self, some: Ints) -> "Rows":
        """Some of the rows."""
        parts = {each.name: getattr(self, each.name)[some] for each in fields(self) if each.name != "numbers"}
        return Rows(**parts, numbers={name: values[some] for name, values in self.numbers.items()})

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
    order, bounds = _order(rows, _boxes(rows, laid))
    give_back()
    corners = shapely.get_coordinates(plane.world(shapely.points(np.array(bounds).reshape(2, 2))))
    geoparquet.write_parts(
        (_group(rows, order[some], laid, plane, comparable) for some in geoparquet.row_groups(len(rows))),
        SCHEMA,
        path,
        crs=plane.crs,
        geometry_type="LineString",
        bounds=corners.ravel().tolist() if len(rows) else None,
        facts=facts,
    )


def _order(rows: Rows, boxes: Floats) -> tuple[Ints, tuple[float, ...]]:
    """The rows (R,) in the order of a Hilbert curve, and the bounds of all."""
    bounds = (*boxes[:, :2].min(axis=0), *boxes[:, 2:].max(axis=0)) if len(rows) else (0.0, 0.0, 1.0, 1.0)
    middles = gpd.GeoSeries(shapely.points((boxes[:, :2] + boxes[:, 2:]) / 2))
    place = middles.hilbert_distance(bounds).to_numpy()
    return np.lexsort((rows.start_m, rows.line, rows.gone, place)), bounds


def pieces_of(rows: Rows, laid: Laid) -> Lines:
    """The stretches (R,) of rows where the newer year sees them. For some 100,000 rows at a time."""
    parts, places = [], []
    for gone, year in ((False, laid.newer), (True, laid.older)):
        which = np.flatnonzero(rows.gone == gone)
        kept, line = np.unique(rows.line[which], return_inverse=True)
        parts.append(cut(year.lines.take(kept), line, rows.start_m[which], rows.stop_m[which]))
        places.append(which)
    return joined(parts).take(np.argsort(np.concatenate(places)))


def _boxes(rows: Rows, laid: Laid) -> Floats:
    """Boxes (R, 4) of all rows in the plane."""
    portions = np.array_split(np.arange(len(rows)), max(1, len(rows) // _AT_ONCE))
    return np.concatenate([pieces_of(rows.take(some), laid).bounds for some in portions])


def _group(rows: Rows, some: Ints, laid: Laid, plane: Plane, comparable: bool) -> pa.Table:
    """A row group, made of portions, since geometries are large as objects."""
    portions = np.array_split(some, max(1, -(-len(some) // _OBJECTS_AT_ONCE)))
    return pa.concat_tables([_part(rows.take(each), laid, plane, comparable) for each in portions])


def _part(rows: Rows, laid: Laid, plane: Plane, comparable: bool) -> pa.Table:
    """Some rows as they stand in the file."""
    columns = _columns(rows, laid.older, laid.newer)
    columns["comparable"] = pa.array(["comparable" if comparable else "not comparable"] * len(rows))
    world = plane.world(geometries_of(pieces_of(rows, laid)))
    columns |= {"geometry": geoparquet.wkb_of(world), "bbox": geoparquet.bbox_of(world)}
    return pa.table({name: columns[name] for name in SCHEMA.names})


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
    whole = taken.combine_chunks() if isinstance(taken, pa.ChunkedArray) else taken
    return whole.dictionary_decode() if isinstance(whole, pa.DictionaryArray) else whole


def _texts(year: Year, name: str, index: Ints) -> Texts:
    return np.asarray(_at(year, name, index).to_numpy(zero_copy_only=False), dtype=object)


def _change_ids(ids: Texts, rows: Rows) -> list[str]:
    """Hashes of the crack, the year, and where on it the stretch begins, in mm."""
    start = np.round(rows.start_m * 1000).astype(np.int64).tolist()
    return [
        hashlib.blake2b(f"{crack}\0{gone:d}\0{where}".encode(), digest_size=8).hexdigest()
        for crack, gone, where in zip(ids.tolist(), rows.gone.tolist(), start, strict=True)
    ]
