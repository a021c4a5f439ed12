"""The door: sections of a finished run. The run's own tables are only read.

sections.parquet          a row per lane and section, with its axis
section_lengths.parquet   length by type, zone and width class
section_cracks.parquet    each crack with its route, measure and offset
"""

import json
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from crackpipe.pipeline.config import Config
from crackpipe.pipeline.export import write as export
from crackpipe.pipeline.geometry.crs import short_name
from crackpipe.pipeline.sections import coverage, rows, schemas
from crackpipe.pipeline.sections.cells import Layout
from crackpipe.pipeline.sections.count import Counted, count_cracks
from crackpipe.pipeline.sections.figures import Figures, figures_of
from crackpipe.pipeline.sections.images import Images, read_images
from crackpipe.pipeline.sections.options import Lanes, lanes_of, length_m
from crackpipe.pipeline.sections.routes import track
from crackpipe.pipeline.sections.routes.axis import Finder, axes_of, shared_notes
from crackpipe.pipeline.sections.routes.centreline import read_centreline
from crackpipe.pipeline.sections.routes.chain import Routes
from crackpipe.pipeline.sections.rules.profile import OURS, Profile
from crackpipe.pipeline.sections.rules.ratings import (
    LEAST_COVERAGE,
    RATINGS,
    hpms_rows,
    rate,
    ratings_tables,
    with_ratings,
)
from crackpipe.pipeline.sections.transverse import without_short
from crackpipe.pipeline.state import lock
from crackpipe.pipeline.state.output import Output, output_at
from crackpipe.pipeline.storage import durable, faults, sealed
from crackpipe.pipeline.tables import geoparquet
from crackpipe.pipeline.tables.crack_type import TypeLimits

FILES = ("sections.parquet", "section_lengths.parquet", "section_cracks.parquet")
RATINGS_FILE = "section_ratings.parquet"
HPMS_FILE = "section_hpms.csv"


@dataclass(frozen=True, kw_only=True)
class Request:
    """What is asked for."""

    out: Path
    """Output folder of a finished run."""
    centreline: Path | None = None
    """None: along the vehicle's track."""
    layer: str | None = None
    route_field: str | None = None
    length_m: float = 100.0
    lanes: Lanes = field(default_factory=Lanes)
    profile: Profile | None = None


def request_of(
    out: Path,
    profile: Profile | None,
    *,
    length: str | None,
    lane_width_m: float | None,
    offsets_m: Sequence[float],
    **routes: Any,
) -> Request:
    """The request of the command's options; what is not given is the profile's. Raises UsageError."""
    width_m = lane_width_m if lane_width_m is not None else profile.lane_width_m if profile else 3.5
    return Request(
        out=out,
        length_m=length_m(length or (profile.length if profile else "100m")),
        lanes=lanes_of(offsets_m, width_m, profile.wheelpaths if profile else None),
        profile=profile,
        **routes,
    )


@dataclass(frozen=True)
class Written:
    """What was written."""

    files: tuple[Path, ...]
    lines: tuple[str, ...]
    """What the command prints."""
    notes: tuple[str, ...]
    """What was assumed, turned or left out."""


def write_sections(request: Request) -> Written:
    """Write the sections of a run into its folder; files that were there are replaced, each as a whole.

    Raises UsageError, ConfigurationError, OutputLockedError, OutputDamagedError, OutputNotWritableError,
    StorageError.
    """
    output = output_at(request.out)
    with lock.locked(output, uuid.uuid4().hex):
        images = read_images(output)
        routes = _routes(request, images)
        layout = Layout.of(Finder.of(axes_of(routes.parts, images.crs)), request.lanes, request.length_m)
        counted = _counted(request.profile, output, layout)
        figures = figures_of(counted, layout, coverage.inspected_m2(layout, images.areas()))
        made_from = {
            "cracks.parquet": durable.file_hash(output.root / "cracks.parquet"),
            "profile": request.profile and request.profile.name,
            "centreline": request.centreline and request.centreline.name,
            "centreline_hash": request.centreline and durable.file_hash(request.centreline),
            "length_m": request.length_m,
            "lane_width_m": request.lanes.width_m,
            "offsets_m": request.lanes.offsets_m,
        }
        files, left = _write(output, figures, counted, layout, request.profile, made_from)
        if (output.root / "cracks.gpkg").exists():
            files = (*files, *export.make(output, "gpkg", is_asked_for=False))
        export.place_styles(output)
    notes = [*images.notes, *routes.notes, *shared_notes(layout.axes), *_left_notes(counted, layout)]
    notes += _profile_notes(request.profile, left)
    return Written(files, tuple(_lines(figures, counted, layout, images)), tuple(notes))


def _counted(profile: Profile | None, output: Output, layout: Layout) -> Counted:
    classes, limits = _of_run(output)
    file = output.root / "cracks.parquet"
    if profile is None:
        return count_cracks(file, layout, classes=classes, limits=limits)
    counted = count_cracks(
        file, layout, classes=classes, limits=profile.limits(limits), touching=profile.counts_classes
    )
    return without_short(counted, layout, profile.longitudinal_least_m)


def _routes(request: Request, images: Images) -> Routes:
    if request.centreline is None:
        return track.routes_of(images.image_id, images.frames(), images.crs)
    return read_centreline(
        request.centreline,
        images.crs,
        images.footprints(),
        layer=request.layer,
        route_field=request.route_field,
    )


def _of_run(output: Output) -> tuple[list[str] | None, TypeLimits]:
    """Names of the classes that count as cracks, None if all do, and the limits of types of the run."""
    record: Mapping[str, Any] = sealed.read_json(output.root / "run.json") or {}
    classes = record.get("classes")
    names = [name for name, each in classes.items() if each["kind"] == "crack"] if classes else None
    said = record.get("configuration", {})
    degrees = [
        float(said.get(name) or getattr(Config(), name))
        for name in ("longitudinal_within_deg", "transverse_within_deg")
    ]
    return names, TypeLimits(*degrees)


def _write(  # noqa: PLR0917
    output: Output,
    figures: Figures,
    counted: Counted,
    layout: Layout,
    profile: Profile | None,
    made_from: Mapping[str, Any],
) -> tuple[tuple[Path, ...], int]:
    """Write all files, first aside, then in their places; the files, and sections left out for HPMS."""
    facts = {"crackpipe_sections": json.dumps(made_from, sort_keys=True)}
    rated = rate(profile, figures, layout) if profile else []
    table = with_ratings(rows.sections_table(figures, layout), rated)
    staged = [output.root / f"{name}.staged" for name in (*FILES, RATINGS_FILE, HPMS_FILE)]
    left = 0
    with faults.guarding(output.root):
        try:
            order = np.arange(table.num_rows)
            geoparquet.write(
                table, order, staged[0], crs=layout.axes.crs, geometry_type="LineString", facts=facts
            )
            _write_plain(rows.lengths_tables(figures, layout), schemas.LENGTHS, staged[1], facts)
            _write_plain(iter([rows.cracks_table(counted, layout)]), schemas.CRACKS, staged[2], facts)
            if profile:
                _write_plain(ratings_tables(profile, rated, layout), RATINGS, staged[3], facts)
            for each in rated:
                if profile and each.figure.name == profile.hpms:
                    text, left = hpms_rows(each, layout)
                    staged[4].write_text(text, encoding="utf-8")
            written = tuple(_placed(one) for one in staged if one.exists())
            for one in staged[len(FILES) :]:  # of an earlier profile
                if one.with_suffix("") not in written:
                    one.with_suffix("").unlink(missing_ok=True)
        finally:
            for one in staged:
                one.unlink(missing_ok=True)
    return written, left


def _placed(staged: Path) -> Path:
    final = staged.with_suffix("")
    durable.replace_file(staged, final)
    return final


def _profile_notes(profile: Profile | None, left: int) -> list[str]:
    if profile is None:
        return []
    notes = [f"{profile.name}: {note}." for note in profile.notes]
    notes += [
        f"{profile.name}: not applied, since no public source shows that the standard says so: {what}."
        for what in profile.off
    ]
    ours = [figure.name for figure in profile.figures if figure.rule == OURS]
    if ours:
        notes.append(f"{profile.name}: by a rule of crackpipe, not of the standard: {', '.join(ours)}.")
    if left:
        notes.append(
            f"{HPMS_FILE} leaves out {_many(left, 'section')} of which less than {LEAST_COVERAGE:.0%} was "
            "inspected."
        )
    return notes


def _write_plain(tables: Iterator[pa.Table], schema: pa.Schema, path: Path, facts: Mapping[str, str]) -> None:
    """A table without geometries, portion by portion."""
    described = {each.name: each.metadata[b"description"].decode() for each in schema}
    schema = schema.with_metadata({**facts, "column_descriptions": json.dumps(described)})
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for table in tables:
            writer.write_table(table.replace_schema_metadata(schema.metadata))


def _left_notes(counted: Counted, layout: Layout) -> list[str]:
    """Cracks that are in no section, and rows that are no cracks."""
    notes, cracks, shares = [], counted.cracks, counted.shares
    away = shares.length_m[shares.cell < 0].sum()
    rows_away = np.unique(shares.crack[shares.cell < 0])
    if len(rows_away):
        rows, images = _many(len(rows_away), "crack"), _many(len(np.unique(cracks.image[rows_away])), "image")
        notes.append(
            f"{rows} of {images}, {away:.1f} m, lie away from every route, or beyond "
            "its ends. They are in no section; section_cracks.parquet lists them with the zone `away`."
        )
    outside = (shares.cell >= 0) & (shares.cell % layout.cells == layout.cells - 1)
    if outside.any():
        notes.append(
            f"{shares.length_m[outside].sum():.1f} m of cracks lie beside the lanes: zone `outside` of "
            "section_lengths.parquet."
        )
    if counted.others:
        notes.append(f"{counted.others} rows of cracks.parquet are of classes that are no cracks.")
    return notes


def _many(count: int, word: str) -> str:
    return f"{count} {word}{'' if count == 1 else 's'}"


def _lines(figures: Figures, counted: Counted, layout: Layout, images: Images) -> Iterator[str]:
    sections, lanes, _ = layout.shape
    unseen = np.count_nonzero(figures.seen_m2 == 0)
    routes = len({part.route_id for part in layout.axes.parts})
    length_km, width_m = layout.sections.length_m.sum() / 1000, layout.lanes.width_m
    yield (
        f"{_many(sections, 'section')} of {_many(routes, 'route')}, {length_km:.3f} km in "
        f"{short_name(images.crs)}, {_many(lanes, 'lane')} of {width_m:g} m"
    )
    null = (
        f"; nothing was in {unseen} of {figures.seen_m2.size} rows, whose lengths are null" if unseen else ""
    )
    yield f"{figures.seen_m2.sum() / figures.area_m2.sum():.1%} of the lanes' area was inspected{null}"
    yield (
        f"{figures.crack_m.sum():.1f} m of cracks in lanes, of {counted.cracks.length_m.sum():.1f} m in "
        "cracks.parquet"
    )
