"""The end of a run: markers and rows of all images become the two tables and `run.json`."""

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq

from crackpipe.pipeline.config import FOR_TABLES
from crackpipe.pipeline.console.printable import shown
from crackpipe.pipeline.errors import CrackpipeError
from crackpipe.pipeline.familiarity.told import SurveyFamiliarity, of_survey
from crackpipe.pipeline.fingerprint import ACQUIRED
from crackpipe.pipeline.plan import Plan
from crackpipe.pipeline.state import publishing
from crackpipe.pipeline.state.markers import Marker, read_marker
from crackpipe.pipeline.state.output import Output
from crackpipe.pipeline.storage import durable, faults, sealed
from crackpipe.pipeline.tables import crack_rows
from crackpipe.pipeline.tasks.job import UnitFigures

if TYPE_CHECKING:
    from crackpipe.pipeline.tables.write import Written

PREVIOUS = "previous.parquet"
"""In .crackpipe/: image_id, status and lengths by class of the result before this one."""
_OF_PREVIOUS = (
    *("image_id", "status", "crack_length_m"),
    *("crack_length_tiny_m", "crack_length_small_m", "crack_length_wide_m"),
)

Markers = dict[str, Marker]
"""By image_id."""


@dataclass
class Summary:
    """What a run did."""

    images_done: int = 0
    images_run: int = 0
    quarantined: list[dict[str, str]] = field(default_factory=list)
    """image_id, reason, message, remedy of each, by image_id."""
    cracks: int = 0
    length_m: float = 0.0
    too_wide_m2: float = 0.0
    """Crack regions too wide to be lines."""
    figures: UnitFigures = field(default_factory=UnitFigures)
    smaller_batches: bool = False
    """Whether memory forced smaller batches for a finished image, in this run or the one that did it. Markers
    that were written before they said it count as no."""
    start_s: float = 0.0
    """Wall clock from the start to the first task."""
    work_s: float = 0.0
    """Wall clock of the graph."""
    tables_s: float = 0.0
    exports_s: float = 0.0
    wall_s: float = 0.0
    coverage: float | None = None
    """Inspected share of what the finished images show, 0..1; None where there is no finished image."""
    map_figures: dict[str, float] = field(default_factory=dict)
    """What the tables hold: `lane_km` and `ground_m2` inspected, and the length of cracks in m by class:
    `tiny`, `small`, `wide`, `unmeasured`, and `uncertain`, which is that of all whose class is uncertain.
    Empty where an older version made the tables."""
    familiarity: SurveyFamiliarity = field(default_factory=SurveyFamiliarity)
    removed: tuple[str, ...] = ()
    """Finished images, by image_id, that the tables had before and that were not found any more."""
    unchanged: bool = False
    """Nothing had to be done: the tables stayed as they were."""
    export_error: CrackpipeError | None = None
    """Why an export could not be made; the tables are complete all the same."""

    @property
    def exit_code(self) -> int:
        """0, or 3 where images are in quarantine."""
        return 3 if self.quarantined else 0


def refresh_tables(plan: Plan, summary: Summary) -> None:
    """Make the two tables from rows and markers of all images of the survey, if anything changed."""
    output, config = plan.job.output, plan.job.config
    with faults.guarding(output.root):
        markers = _with_todays_dates(plan, markers_of(plan))
    done = [image for image in plan.images if markers[image.image_id]["status"] == "done"]
    summary.images_done = len(done)
    summary.quarantined = quarantined_rows(plan, markers)
    summary.removed, left = plan.removed.now, plan.removed.all
    summary.too_wide_m2 = sum(markers[image.image_id]["too_wide_m2"] for image in done)
    summary.smaller_batches = any(markers[image.image_id].get("smaller_batches", False) for image in done)
    summary.coverage = _coverage([markers[image.image_id] for image in done])
    summary.familiarity = of_survey(
        [markers[image.image_id] for image in done],
        [image.gsd_mm for image in done],
        plan.job.statistics,
        plan.job.gsd_range_mm,
    )
    made_from = _made_from(plan, markers, summary)
    tables = [output.root / "cracks.parquet", output.root / "images.parquet"]
    before = publishing.read_tables(output)
    if before is not None and before["made_from"] == made_from and all(map(Path.exists, tables)):
        with faults.guarding(output.root):
            publishing.note_left(output, before, left)
        summary.unchanged = not plan.to_run
        summary.cracks, summary.length_m = before["cracks"], before["length_m"]
        summary.map_figures = before.get("map_figures", {})
        return
    with faults.guarding(output.root):
        staged = [output.hidden / "staging" / table.name for table in tables]
        # imported late: geopandas takes longer to import than it takes to see that the tables are up to date
        from crackpipe.pipeline.tables.write import write_tables

        written = write_tables(
            plan.images,
            plan.rejected,
            markers,
            {image.image_id: output.rows(image.image_id) for image in done},
            staged,
            crs=plan.crs,
            config=config,
            crack_classes=plan.job.crack_classes,
            weights=plan.job.weights_name,
            familiarity_by=plan.job.statistics,
        )
        _keep_previous(output, before)
        _note_figures(summary, written, staged[0], plan.job.crack_classes)
        facts = {"cracks": summary.cracks, "length_m": summary.length_m, "map_figures": summary.map_figures}
        facts |= {"left": left, "width_limits_mm": [config.tiny_below_mm, config.small_below_mm]}
        publishing.publish_tables(output, {"made_from": made_from, **facts}, staged)


def _keep_previous(output: Output, before: Mapping[str, Any] | None) -> None:
    """Keep what images.parquet says of each image, before the table is replaced: a report tells the changes.

    Nothing is kept of a table that is not the one that was written, as one that somebody changed. While
    tables are being replaced (`made_from` is null) what was kept before stays. Raises OSError.
    """
    if before is None or before["made_from"] is None:
        return
    table, kept = output.root / "images.parquet", output.hidden / PREVIOUS
    if not table.exists() or durable.file_hash(table) != before["files"][table.name]:
        kept.unlink(missing_ok=True)
        return
    known = pq.read_schema(table).names
    rows = pq.read_table(table, columns=[name for name in _OF_PREVIOUS if name in known])
    staged = output.hidden / "staging" / PREVIOUS
    pq.write_table(rows.replace_schema_metadata(None), staged, compression="zstd")
    durable.replace_file(staged, kept)


def _coverage(done: Sequence[Marker]) -> float | None:
    """See `Summary.coverage`."""
    seen_m2 = math.fsum(marker["inspected_m2"] for marker in done)
    all_m2 = seen_m2 + math.fsum(marker["uninspected_m2"] for marker in done)
    return seen_m2 / all_m2 if all_m2 else None


def _note_figures(summary: Summary, written: "Written", table: Path, crack_classes: Sequence[str]) -> None:
    """Put what the tables hold into the summary; `table` is cracks.parquet."""
    import pyarrow as pa
    import pyarrow.compute as pc

    figures = written.figures.values()
    summary.cracks = sum(each.cracks for each in figures)
    summary.length_m = math.fsum(each.crack_length_m for each in figures)
    by_class = {
        name: math.fsum(getattr(each, f"crack_length_{name}_m") for each in figures)
        for name in ("tiny", "small", "wide")
    }
    by_class["unmeasured"] = max(0.0, summary.length_m - math.fsum(by_class.values()))
    rows = pq.read_table(table, columns=["length_m", "class", "class_uncertain"])
    doubtful = pc.and_(rows["class_uncertain"], pc.is_in(rows["class"], pa.array(crack_classes, pa.string())))
    by_class["uncertain"] = pc.sum(rows["length_m"].filter(doubtful)).as_py() or 0.0
    rounded = {name: round(value, 3) for name, value in by_class.items()}
    summary.map_figures = {**asdict(written.extent), **rounded}


def markers_of(plan: Plan) -> Markers:
    """The markers of all images that have one. Those that the plan has are not read again. Raises OSError."""
    read = {
        image.image_id: plan.finished.get(image.image_id) or read_marker(plan.job.output, image.image_id)
        for image in plan.images
    }
    return {name: marker for name, marker in read.items() if marker is not None}


def _with_todays_dates(plan: Plan, markers: Markers) -> Markers:
    """The markers, written anew where the survey says another date now: that alone does no image again.

    Raises OSError.
    """
    today: Markers = {}
    for image_id, marker in markers.items():
        made_from = marker["fingerprint"] | {ACQUIRED: plan.fingerprints[image_id][ACQUIRED]}
        today[image_id] = {**marker, "fingerprint": made_from}
        if today[image_id] != marker:
            file = plan.job.output.marker(image_id)
            status = file.stat()
            sealed.write_sealed(file, today[image_id])
            # a night counts finished images by it, and none was finished now
            os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
    return today


def _made_from(plan: Plan, markers: Markers, summary: Summary) -> str:
    """Digest of everything that the tables depend on."""
    config = plan.job.config
    return sealed.digest(
        [
            sorted(markers.items()),
            summary.quarantined,
            [config.crs, *(getattr(config, name) for name in FOR_TABLES)],
            [(image.image_id, image.travel_deg) for image in plan.images if image.travel_deg is not None],
            [(image.image_id, image.all_warnings) for image in plan.images if image.all_warnings],
            sorted({image.survey for image in plan.images}),  # a column; a survey may be renamed
            crack_rows.SCHEMA_VERSION,
            plan.job.weights_name,  # a column too; the file may be renamed
            plan.job.statistics,
            # tables of before this key stay as they are
            *([] if config.parquet_compression == "zstd" else [config.parquet_compression]),
        ]
    )


def make_exports(plan: Plan, summary: Summary) -> None:
    """Leave the result in the formats that the configuration asks for, if the tables changed.

    The tables are published by then, and a run that was killed in between leaves this to the next. An error
    is noted in the summary: the command says it when everything else is said.
    """
    from crackpipe.pipeline.export import write

    try:
        for format_ in plan.job.config.exports:
            write.make(plan.job.output, format_, is_asked_for=False)
        write.place_styles(plan.job.output)
    except CrackpipeError as error:
        summary.export_error = error


def quarantined_rows(plan: Plan, markers: Markers) -> list[dict[str, str]]:
    """Everything in quarantine: rejected when looked at, or given up while working on it."""
    names = ("image_id", "reason", "message", "remedy")
    rows = [{name: str(getattr(image, name)) for name in names} for image in plan.rejected]
    rows += [
        {name: str(marker[name]) for name in names}
        for marker in markers.values()
        if marker["status"] == "quarantined"
    ]
    return sorted(rows, key=lambda row: row["image_id"])


def quarantine_line(row: Mapping[str, Any]) -> str:
    """Image, reason code, what is wrong and what to do, on one line, whatever the name of the file."""
    message, remedy = str(row["message"]).rstrip("."), str(row["remedy"]).rstrip(".")
    return shown(f"{row['image_id']}: {row['reason']}: {message}. {remedy}.")
