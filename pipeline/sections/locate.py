"""Each crack against the routes: which is nearest, where it lies along and beside it, and its type there.

Strategy: a crack is taken as its straight steps, each with the route's segment nearest to its middle. Rows
are read in portions, so that memory holds one portion of geometries and a few numbers per crack. C cracks.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import shapely

from crackpipe.pipeline.errors import OutputDamagedError
from crackpipe.pipeline.geometry.arrays import Bools, Floats, Geometries, Ints
from crackpipe.pipeline.sections.cells import Layout
from crackpipe.pipeline.sections.routes.axis import Finder
from crackpipe.pipeline.tables import crack_type
from crackpipe.pipeline.tables.crack_type import TypeLimits
from crackpipe.pipeline.tables.overlaps import plane

TYPES = ("longitudinal", "transverse", "diagonal", "pattern")
CLASSES = ("tiny", "small", "wide", "unmeasured")

FAR_M = 15.0
"""A crack farther than this beside the outermost lane lies away from the route."""

_ROWS_AT_ONCE = 20_000
_LONGEST_STEP_M = 0.5
# Cracks shorter than this lie at one part of a route if their first, middle and last step do.
_SHORT_M = 10.0

_COLUMNS = (
    *("crack_id", "network_id", "image_id", "length_m", "width_mm", "width_sigma_mm", "width_class"),
    *("p_tiny", "p_small", "p_wide", "class", "crack_type", "geometry"),
)


@dataclass(frozen=True)
class Cracks:
    """What is known of each crack, (C,) each. NaN where unknown, -1 for no index."""

    crack_id: pa.ChunkedArray
    network: Ints
    """Index of its network."""
    image: Ints
    """Index of its image."""
    length_m: Floats
    width_mm: Floats
    width_sigma_mm: Floats
    p: Floats
    """(C, 3) probability of tiny, small, wide."""
    width_class: Ints
    """Index into CLASSES."""
    type: Ints
    """Index into TYPES, against the route; -1 away from every route."""
    part: Ints
    """Part of a route at the crack's middle, -1 away from every route. Of a crack whose middle lies away,
    while some of it does not, the middle is here the end of what does not."""
    measure_m: Floats
    """Of the route, at the crack's middle."""
    offset_m: Floats
    """Of the crack's middle, to the right of the route."""
    section: Ints
    """Section at the middle."""
    column: Ints
    """Column at the middle."""
    ends: Floats
    """(C, 4) first and last vertex, (x, y, x, y) in the plane."""


@dataclass(frozen=True)
class Located:
    """A portion of cracks and their N steps."""

    cracks: Cracks
    crack: Ints
    """Of each step (N,)."""
    start: Floats
    """(N, 2) (x, y) in the plane."""
    stop: Floats
    segment: Ints
    """(N,) or -1 away from every route."""
    length_m: Floats
    """(N,)"""


class Codes:
    """Numbers for names of a column, the same in all portions."""

    def __init__(self) -> None:
        self.known: dict[str, dict[str, int]] = {}

    def of(self, column: str, table: pa.Table) -> Ints:
        """The number of each row's name, in the order in which names first appear."""
        known = self.known.setdefault(column, {})
        coded = table[column].combine_chunks().dictionary_encode()
        index = [known.setdefault(name, len(known)) for name in coded.dictionary.to_pylist()]
        return np.asarray(np.array(index, np.int64)[coded.indices.to_numpy()])


def portions(file: Path, columns: Sequence[str] = _COLUMNS) -> Iterator[pa.Table]:
    """The rows of cracks.parquet in portions, with the columns that are needed."""
    try:
        yield from _portions(file, columns)
    except (pa.ArrowException, OSError, KeyError) as error:
        raise OutputDamagedError(
            f"{file} cannot be read: {error}. `crackpipe verify {file.parent}` tells more; run the survey "
            "again."
        ) from error


def _portions(file: Path, columns: Sequence[str]) -> Iterator[pa.Table]:
    with pq.ParquetFile(file) as source:
        missing = set(columns) - set(source.schema_arrow.names)
        if missing:
            raise KeyError(f"it has no column {', '.join(sorted(missing))}")
        for batch in source.iter_batches(_ROWS_AT_ONCE, columns=list(columns), use_threads=False):
            yield pa.table(batch)


def closing_unknown(file: Path) -> Bools:
    """Whether a crack borders a cell of its network; asked only where `crack_type` does not say so."""
    unknown, ends = [], []
    for table in portions(file, ("crack_type", "geometry")):
        types = table["crack_type"]
        unknown.append(pc.is_null(types).to_numpy())
        some = shapely.from_wkb(table["geometry"].to_numpy()[unknown[-1]])
        ends.append(np.column_stack([shapely.get_coordinates(shapely.get_point(some, at)) for at in (0, -1)]))
    if not unknown:
        return np.zeros(0, np.bool_)
    rows, points = np.concatenate(unknown), np.concatenate(ends)
    closing = np.zeros(len(rows), np.bool_)
    _, node = np.unique(points.reshape(-1, 2), axis=0, return_inverse=True)
    closing[rows] = crack_type.closing_cells([(int(a), int(b)) for a, b in node.reshape(-1, 2)])
    return closing


def locate(table: pa.Table, closes: Bools, layout: Layout, limits: TypeLimits, codes: Codes) -> Located:
    """Some rows of cracks.parquet against the routes; `closes` says which border a cell of their network."""
    axes, sections, columns = layout.axes, layout.sections, layout.columns
    lines = plane.to_plane(shapely.from_wkb(table["geometry"].to_numpy()), axes.crs)
    crack, start, stop, share, half = _steps(lines, float(np.median(axes.metres)))
    segment = _nearest(layout.finder, crack, start, stop, half, lines)
    middle = (start + stop) / 2
    reach_m = float(np.abs(columns.edge_o).max()) + FAR_M
    segment = np.where(axes.distance_m(segment, middle) <= reach_m, segment, -1)
    half = _on_route(crack, segment, half)
    at = segment[half]
    near = at >= 0
    s, o = axes.project(np.maximum(at, 0), middle[half], within=True)
    part = np.where(near, axes.part[at], -1)
    row = np.where(near, sections.row_at(s), -1)
    chords = crack_type.directions(lines)
    types = crack_type.crack_types(
        crack_type.azimuth_deg(chords),
        crack_type.azimuth_deg(axes.way[at]),
        closes | (table["crack_type"].fill_null("").to_numpy() == "pattern"),
        limits,
    )
    length_m = table["length_m"].to_numpy()
    cracks = Cracks(
        crack_id=table["crack_id"],
        network=codes.of("network_id", table),
        image=codes.of("image_id", table),
        length_m=length_m,
        width_mm=_floats(table, "width_mm"),
        width_sigma_mm=_floats(table, "width_sigma_mm"),
        p=np.column_stack([_floats(table, f"p_{name}") for name in CLASSES[:3]]),
        width_class=_index(table["width_class"].fill_null("unmeasured").to_pylist(), CLASSES),
        type=np.where(near, _index(types, TYPES), -1),
        part=part,
        measure_m=np.where(near, axes.measure_m(np.maximum(part, 0), s), np.nan),
        offset_m=np.where(near, o, np.nan),
        section=np.where(row >= 0, sections.row_section[row], -1),
        column=np.where(near, columns.at(o), -1),
        ends=np.column_stack([shapely.get_coordinates(shapely.get_point(lines, at)) for at in (0, -1)]),
    )
    return Located(cracks, crack, start, stop, segment, share * length_m[crack])


def _floats(table: pa.Table, name: str) -> Floats:
    return np.asarray(table[name].fill_null(float("nan")).to_numpy(), np.float64)


def _index(names: Sequence[str | None], known: Sequence[str]) -> Ints:
    number: dict[str | None, int] = {name: index for index, name in enumerate(known)}
    return np.array([number.get(name, -1) for name in names], np.int64)


def _steps(lines: Geometries, metres: float) -> tuple[Ints, Floats, Floats, Floats, Ints]:
    """(crack, start, stop, share of its crack's length) of each step, and the middle step of each crack."""
    points, line = shapely.get_coordinates(
        shapely.segmentize(lines, _LONGEST_STEP_M / metres), return_index=True
    )
    same = line[1:] == line[:-1]
    start, stop, crack = points[:-1][same], points[1:][same], line[:-1][same]
    length = np.hypot(*(stop - start).T)
    share = length / np.bincount(crack, length, minlength=len(lines))[crack]
    # Shares add up to 1 in each crack, so the middle of crack c is where their running sum passes c + 1/2.
    half = np.searchsorted(np.cumsum(share), np.arange(len(lines)) + 0.5)
    first = np.searchsorted(crack, np.arange(len(lines)))
    last = np.append(first[1:], len(crack)) - 1
    return crack, start, stop, share, np.clip(half, first, last)


def _on_route(crack: Ints, segment: Ints, half: Ints) -> Ints:
    """The step (C,) that stands for each crack: the middle one, or one on a route where that lies away.

    A long crack may begin on a route and go on far beyond its end. What lies on the route has a type too.
    """
    near = np.flatnonzero(segment >= 0)
    low, high = (np.searchsorted(crack[near], np.arange(len(half)), side) for side in ("left", "right"))
    found = half.copy()
    some = np.flatnonzero((segment[half] < 0) & (low < high))
    found[some] = near[np.clip(np.searchsorted(near, half[some]), low[some], high[some] - 1)]
    return found


def _nearest(  # noqa: PLR0917
    finder: Finder, crack: Ints, start: Floats, stop: Floats, half: Ints, lines: Geometries
) -> Ints:
    """The segment nearest to the middle of each step."""
    middle = (start + stop) / 2
    first = np.searchsorted(crack, np.arange(len(lines)))
    last = np.append(first[1:], len(crack)) - 1
    three = np.array([finder.nearest(middle[at]) for at in (first, half, last)])
    bounds = shapely.bounds(lines)
    size = np.hypot(bounds[:, 2] - bounds[:, 0], bounds[:, 3] - bounds[:, 1])
    short = size * finder.axes.metres[three[0]] < _SHORT_M
    part = finder.axes.part[three]
    same = ((part == part[0]).all(axis=0) & short)[crack]
    segment: Ints = three[1][crack]
    segment[same] = finder.axes.slid(segment[same], middle[same])
    segment[~same] = finder.nearest(middle[~same])
    return segment


def together(some: Sequence[Cracks]) -> Cracks:
    """All portions one after another."""
    if not some:
        none, nothing = np.zeros(0, np.int64), np.zeros(0)
        ids = pa.chunked_array([], pa.string())
        return Cracks(
            ids, none, none, nothing, nothing, nothing, np.zeros((0, 3)), none, none, none, nothing, nothing,
            none, none, np.zeros((0, 4)),
        )  # fmt: skip
    ids = pa.chunked_array([chunk for each in some for chunk in each.crack_id.chunks], pa.string())
    rest = [field.name for field in fields(Cracks) if field.name != "crack_id"]
    return Cracks(ids, *(np.concatenate([getattr(each, name) for each in some]) for name in rest))
