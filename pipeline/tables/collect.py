"""Room 6, second half: the staged rows of all images become `cracks.parquet`.

Everything that depends on an image's neighbours or on the CRS of the tables is decided here. It is decided
anew, from all finished images, every time the tables are made. So it does not matter in which order images
were finished or added.

    rows in the CRS of the tables -> cut and connected at seams -> networks long enough -> orientation, type

Images that touch each other, directly or through others, are taken together. Such groups are worked on
portion by portion. So memory holds one portion and the finished rows, unless very many images touch.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import geopandas as gpd
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import shapely
from numpy.typing import NDArray
from pyproj import CRS
from scipy import sparse
from scipy.sparse import csgraph

from crackpipe.pipeline.errors import ConfigurationError
from crackpipe.pipeline.geometry.arrays import Floats, Geometries, Ints
from crackpipe.pipeline.geometry.crs import transformer_between
from crackpipe.pipeline.tables import crack_type, geoparquet
from crackpipe.pipeline.tables.crack_rows import ORIGIN, SCHEMA, part_id
from crackpipe.pipeline.tables.crack_type import TypeLimits
from crackpipe.pipeline.tables.overlaps import join, plane
from crackpipe.pipeline.tables.overlaps.parts import cut
from crackpipe.pipeline.tables.overlaps.plane import Areas, Frame

_IMAGES_PER_PORTION = 256


@dataclass(frozen=True)
class Staged:
    """A finished image."""

    image_id: str
    rows: Path
    """File of its rows as `crack_rows.crack_rows` made them."""
    frame: Frame
    survey: str
    """Name of the survey that the image belongs to today."""
    weights: str
    """Name that the weights of its network have today."""
    travel_deg: float | None = None
    """Direction of travel, clockwise from north on the ground; None where unknown."""
    has_rows: bool = True
    """Whether it has any row; if not, the file is not opened."""
    acquired: date | None = None
    """Date of the image as the survey says it today; None where unknown."""


@dataclass(frozen=True)
class Figures:
    """Sums over the rows of one image, or of all images."""

    cracks: int = 0
    """Rows."""
    crack_length_m: float = 0.0
    crack_length_tiny_m: float = 0.0
    crack_length_small_m: float = 0.0
    crack_length_wide_m: float = 0.0


@dataclass(frozen=True)
class _Rows:
    """Rows of some images while the table is made. R rows."""

    table: pa.Table
    lines: Geometries
    """(R,) in the CRS of the tables."""
    image: Ints
    """(R,) index of the image."""


def collect(
    staged: Sequence[Staged],
    footprints: Sequence[Floats],
    crs: CRS | None,
    path: Path,
    *,
    seam_mm: float = 30.0,
    min_length_mm: float = 25.0,
    limits: TypeLimits | None = None,
    crack_classes: Sequence[str] = ("crack",),
    compression: str = "zstd",
) -> dict[str, Figures]:
    """Write `cracks.parquet` from all finished images, in any order; return the figures of each image.

    `footprints` are the corners of all images, each float64 (4, 2) (x, y) in `crs`. The Hilbert curve that
    orders the rows runs over their bounds. Networks of less than `min_length_mm` in total are left out. Each
    class is treated alone: a line is never a double of a line of another class, nor part of its network. The
    figures count the rows of `crack_classes`. `compression` is zstd or snappy. Raises OSError. Raises
    ConfigurationError if an image lies outside `crs`.
    """
    staged = sorted(staged, key=lambda image: image.image_id)
    corners = np.concatenate([np.zeros((0, 2)), *footprints])
    bounds = (*corners.min(axis=0), *corners.max(axis=0)) if len(corners) else (0.0, 0.0, 1.0, 1.0)
    tables, places = [SCHEMA.empty_table()], [np.zeros(0, np.int64)]
    if crs is not None and staged:
        areas = plane.areas_of([image.frame for image in staged], crs, seam_mm)
        for portion in _portions(areas):
            cracked = [index for index in portion if staged[index].has_rows]
            for of_class in _by_class(_read(staged, cracked, crs)) if cracked else ():
                joined = _joined(of_class, areas, crs, min_length_mm / 1000.0)
                rows = _typed(joined, staged, crs, limits or TypeLimits())
                box = geoparquet.bbox_of(rows.lines)
                boxed = rows.table.append_column(SCHEMA.field("bbox"), box)
                tables.append(boxed.select(SCHEMA.names).cast(SCHEMA))
                places.append(gpd.GeoSeries(rows.lines).hilbert_distance(bounds).to_numpy().astype(np.int64))
    table, place = pa.concat_tables(tables), np.concatenate(places)
    order = np.lexsort((table.column("crack_id").to_numpy(), place))
    geoparquet.write(table, order, path, crs=crs, geometry_type="LineString", compression=compression)
    return _figures(table.filter(pc.is_in(table.column("class"), pa.array(crack_classes, pa.string()))))


def _portions(areas: Areas) -> Iterator[list[int]]:
    """Indices of images in portions, in order; images that touch each other are in one portion."""
    count = len(areas.polygons)
    tree = shapely.STRtree(areas.polygons)
    pairs = tree.query(areas.polygons, predicate="dwithin", distance=2 * areas.tolerance)
    graph = sparse.csr_array((np.ones(pairs.shape[1]), tuple(pairs)), shape=(count, count))
    _, label = csgraph.connected_components(graph, directed=False)
    order = np.argsort(label, kind="stable")
    portion: list[int] = []
    for group in np.split(order, np.flatnonzero(np.diff(label[order])) + 1):
        portion += group.tolist()
        if len(portion) >= _IMAGES_PER_PORTION:
            yield sorted(portion)
            portion = []
    if portion:
        yield sorted(portion)


# ---- rows in the CRS of the tables


def _read(staged: Sequence[Staged], portion: Sequence[int], crs: CRS) -> _Rows:
    tables, lines, counts = [], [], []
    crs_wkt = crs.to_wkt()
    for image in (staged[index] for index in portion):
        # `read_table` is not used, because setting up its data set takes longer than reading the file.
        with pq.ParquetFile(image.rows) as file:
            rows = file.read(use_threads=False)  # the file is so small that threads would cost more time
        geometries = shapely.from_wkb(rows.column("geometry").to_numpy())
        # The rows hold names and date of the day they were made; survey, file and date may be others now.
        today = {name: [getattr(image, name)] * rows.num_rows for name in ("survey", "weights", "acquired")}
        tables.append(_with_columns(rows, today).replace_schema_metadata(None))
        lines.append(_in_crs(geometries, rows.schema.metadata[b"crs"].decode(), crs_wkt, image.image_id))
        counts.append(rows.num_rows)
    image_of_row = np.repeat(np.array(portion, np.int64), counts)
    return _Rows(pa.concat_tables(tables), np.concatenate(lines).astype(object), image_of_row)


def _by_class(rows: _Rows) -> Iterator[_Rows]:
    """The rows of each class, in the order of the classes' names. Without rows nothing is given out."""
    names = rows.table.column("class").to_numpy()
    classes = sorted(set(names.tolist()))
    if len(classes) == 1:
        yield rows
        return
    for name in classes:
        some = np.flatnonzero(names == name)
        yield _Rows(rows.table.take(some), rows.lines[some], rows.image[some])


def _in_crs(lines: Geometries, wkt: str, crs_wkt: str, image_id: str) -> Geometries:
    transformer = transformer_between(wkt, crs_wkt)
    if transformer is None or len(lines) == 0:
        return lines
    lines = np.asarray(shapely.transform(lines, transformer.transform, interleaved=False))
    if not np.isfinite(shapely.get_coordinates(lines)).all():
        raise outside(image_id, wkt, CRS.from_wkt(crs_wkt))
    return lines


def outside(image_id: str, wkt: str, crs: CRS) -> ConfigurationError:
    """The error for an image with CRS `wkt` that lies outside the CRS of the tables."""
    return ConfigurationError(
        f"{image_id} ({CRS.from_wkt(wkt).name}) lies outside the CRS of the tables, {crs.name}. "
        "Give another --crs."
    )


# ---- seams


def _joined(rows: _Rows, areas: Areas, crs: CRS, min_length_m: float) -> _Rows:
    """The rows, cut where another image counts the crack, with the networks that result.

    Strategy: `join` works on the lines alone and says which parts of them remain. Each part then becomes a
    row. It copies the columns of the line that it was cut from, except those that the cut changes.
    """
    ids, network = _networks(rows.table)
    flat = plane.to_plane(rows.lines, crs)
    joined = join.join(flat, rows.image, network, areas)
    parts, length = joined.parts, shapely.length(flat)
    share = (parts.stop - parts.start) / length[parts.line]
    length_m = rows.table.column("length_m").to_numpy()
    keep = _long_enough(network, joined.network, length_m, parts.line, share, min_length_m=min_length_m)
    parts, share = parts.take(keep), share[keep]
    closing = rows.table.column("closes_cell").to_numpy(zero_copy_only=False).astype(np.bool_)[parts.line]
    # In networks connected across images, look also for cells that only lines of several images close.
    across = np.flatnonzero((np.bincount(joined.network) > 1)[joined.network[network[parts.line]]])
    closing[across] |= crack_type.closing_cells([(int(a), int(b)) for a, b in joined.nodes[keep][across]])

    table = rows.table.take(parts.line)
    was_cut = np.flatnonzero(parts.at_cut(length).any(axis=1))
    lines = rows.lines[parts.line]
    lines[was_cut] = plane.from_plane(cut(flat, parts.take(was_cut), length), crs)
    number = np.arange(len(parts.line)) - np.searchsorted(parts.line, parts.line)
    columns = {
        "crack_id": [
            part_id(*each) for each in zip(table["crack_id"].to_pylist(), number.tolist(), strict=True)
        ],
        "network_id": ids[joined.network[network[parts.line]]],
        "length_m": length_m[parts.line] * share,
        "bridged_m": table["bridged_m"].to_numpy() * share,
        "geometry": geoparquet.wkb_of(lines),
        "closes_cell": closing,
    }
    return _Rows(_with_columns(table, columns), lines, rows.image[parts.line])


def _networks(table: pa.Table) -> tuple[NDArray[np.object_], Ints]:
    """The identifiers of all networks in the order of their first rows, and each row's index into them."""
    codes = table.column("network_id").combine_chunks().dictionary_encode()
    return codes.dictionary.to_numpy(zero_copy_only=False), codes.indices.to_numpy().astype(np.int64)


def _long_enough(
    network: Ints, first: Ints, length_m: Floats, row: Ints, share: Floats, *, min_length_m: float
) -> NDArray[np.intp]:
    """Indices of the parts, given by `row` and `share`, that belong to networks long enough to count.

    A network counts if it was long enough within one image. It also counts if the parts that remain of all
    networks connected with it are long enough together.
    """
    label = first[network]
    alone = np.bincount(network, length_m, minlength=len(first)) >= min_length_m
    together = np.bincount(label[row], length_m[row] * share, minlength=len(first)) >= min_length_m
    counts = np.bincount(first, alone, minlength=len(first)) + together > 0
    return np.flatnonzero(counts[label[row]])


def _with_columns(table: pa.Table, columns: Mapping[str, object]) -> pa.Table:
    for name, values in columns.items():
        index, field = table.schema.get_field_index(name), table.schema.field(name)
        table = table.set_column(index, field, pa.array(values, field.type))
    return table


# ---- orientation and type


def _typed(rows: _Rows, staged: Sequence[Staged], crs: CRS, limits: TypeLimits) -> _Rows:
    """Rows with `orientation_deg` on the map, `crack_type` against the direction of travel, and `origin`."""
    chords = crack_type.directions(rows.lines)
    radians = crs.axis_info[0].unit_conversion_factor if crs.is_geographic else None
    images, which = np.unique(rows.image, return_inverse=True)
    to_ground = np.array([plane.east_north(staged[index].frame) for index in images]).reshape(-1, 2, 2)
    travel = [staged[index].travel_deg for index in images]
    travel_deg = np.array([np.nan if each is None else each for each in travel], np.float64)
    azimuth = crack_type.azimuth_deg(np.einsum("nij,nj->ni", to_ground[which], chords))
    closing = rows.table.column("closes_cell").to_numpy(zero_copy_only=False).astype(np.bool_)
    types = crack_type.crack_types(azimuth, travel_deg[which], closing, limits)
    orientation = crack_type.map_orientation_deg(rows.lines, chords, radians_per_unit=radians)
    table = rows.table
    origin = [ORIGIN] * len(types)
    for name, values in (("orientation_deg", orientation), ("crack_type", types), ("origin", origin)):
        table = table.append_column(SCHEMA.field(name), pa.array(values, SCHEMA.field(name).type))
    return _Rows(table, rows.lines, rows.image)


def _figures(table: pa.Table) -> dict[str, Figures]:
    """What the finished table says of each image that has rows."""
    classes = table.column("width_class")
    length = table.column("length_m")
    columns = {"image_id": table.column("image_id"), "crack_length_m": length}
    for name in ("tiny", "small", "wide"):
        is_class = pc.fill_null(pc.equal(classes, name), False)
        columns[f"crack_length_{name}_m"] = pc.if_else(is_class, length, 0.0)
    sums = [name for name in columns if name != "image_id"]
    # One thread adds in one order, so that sums are the same to the last bit every time.
    grouped = pa.table(columns).group_by("image_id", use_threads=False)
    result = grouped.aggregate([("image_id", "count"), *((name, "sum") for name in sums)])
    return {
        row["image_id"]: Figures(row["image_id_count"], *(row[f"{name}_sum"] for name in sums))
        for row in result.to_pylist()
    }
