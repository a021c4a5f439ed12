"""The end of a run: markers and rows of all images become the two tables and `run.json`."""

import math
import platform
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from pyproj import CRS

from crackpipe import __version__
from crackpipe.pipeline import cluster, cracks, images_table, state, travel
from crackpipe.pipeline.collect import Figures, Staged, collect, outside
from crackpipe.pipeline.config import FOR_TABLES
from crackpipe.pipeline.crack_type import TypeLimits
from crackpipe.pipeline.image import Rejected, SurveyImage
from crackpipe.pipeline.images_table import ImageRow
from crackpipe.pipeline.job import UnitFigures
from crackpipe.pipeline.plan import Plan, Request
from crackpipe.pipeline.plane import Frame
from crackpipe.pipeline.shown import shown

Markers = dict[str, state.Marker]
"""By image_id."""

_MARKER_COLUMNS = ("status", "reason", "message", "remedy", "inspected_m2", "uninspected_m2")


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
    start_s: float = 0.0
    """Wall clock from the start to the first task."""
    work_s: float = 0.0
    """Wall clock of the graph."""
    tables_s: float = 0.0
    wall_s: float = 0.0
    unchanged: bool = False
    """Nothing had to be done: the tables stayed as they were."""

    @property
    def exit_code(self) -> int:
        """0, or 3 where images are in quarantine."""
        return 3 if self.quarantined else 0


def publish_tables(plan: Plan, summary: Summary) -> None:
    """Gather rows and markers of all images of the survey into the two tables, if anything changed."""
    output = plan.job.output
    read = {image.image_id: state.read_marker(output, image.image_id) for image in plan.images}
    markers = {name: marker for name, marker in read.items() if marker is not None}
    done = [image for image in plan.images if markers[image.image_id]["status"] == "done"]
    summary.images_done = len(done)
    summary.quarantined = quarantined_rows(plan, markers)
    summary.too_wide_m2 = sum(markers[image.image_id]["too_wide_m2"] for image in done)
    made_from = _made_from(plan, markers, summary)
    tables = [output.root / "cracks.parquet", output.root / "images.parquet"]
    before = state.read_json(output.hidden / "tables.json")
    if isinstance(before, dict) and before["made_from"] == made_from and all(map(Path.exists, tables)):
        summary.unchanged = not plan.to_run
        summary.cracks, summary.length_m = before["cracks"], before["length_m"]
        return
    with state.guarding(output.root):
        staged = [output.hidden / "staging" / table.name for table in tables]
        figures = write_tables(plan, done, markers, staged)
        summary.cracks = sum(each.cracks for each in figures.values())
        summary.length_m = math.fsum(each.crack_length_m for each in figures.values())
        for source, table in zip(staged, tables, strict=True):
            state.publish_file(source, table)
        counts = {"cracks": summary.cracks, "length_m": summary.length_m}
        state.write_json(output.hidden / "tables.json", {"made_from": made_from, **counts})


def _made_from(plan: Plan, markers: Markers, summary: Summary) -> str:
    """Digest of everything that the tables depend on."""
    config = plan.job.config
    return state.digest(
        [
            sorted(markers.items()),
            summary.quarantined,
            [config.crs, *(getattr(config, name) for name in FOR_TABLES)],
            [(image.image_id, image.travel_deg) for image in plan.images if image.travel_deg is not None],
            cracks.SCHEMA_VERSION,
            plan.job.weights_name,
        ]
    )


def write_tables(
    plan: Plan, done: Sequence[SurveyImage], markers: Markers, targets: Sequence[Path]
) -> dict[str, Figures]:
    """Write cracks.parquet and images.parquet to `targets`; what they say of each image with cracks."""
    config = plan.job.config
    crs = cracks.survey_crs([image.crs_wkt for image in plan.images], plan.job.config.crs)
    everything: list[SurveyImage | Rejected] = [*plan.images, *plan.rejected]
    footprints = [images_table.footprint_in(image.footprint, image.crs_wkt, crs) for image in everything]
    figures = collect(
        _staged(plan, done, markers, crs),
        [footprint for footprint in footprints if footprint is not None],
        crs,
        targets[0],
        seam_mm=config.seam_mm,
        min_length_mm=config.min_length_mm,
        limits=TypeLimits(config.longitudinal_within_deg, config.transverse_within_deg),
        crack_classes=plan.job.crack_classes,
    )
    rows = [
        _image_row(image, markers[image.image_id], figures.get(image.image_id, Figures()))
        for image in plan.images
    ]
    rows += [_rejected_row(image) for image in plan.rejected]
    images_table.write_images(rows, crs, targets[1])
    return figures


def _staged(plan: Plan, done: Sequence[SurveyImage], markers: Markers, crs: CRS | None) -> list[Staged]:
    """The finished images, with what their neighbours must know of them.

    Raises ConfigurationError where one with cracks lies outside `crs`.
    """
    placed, frames = [], []
    for image in done:
        marker = markers[image.image_id]
        corners = images_table.footprint_in(image.footprint, image.crs_wkt, crs)
        if corners is not None:
            placed.append(image)
            size = image.height_px, image.width_px
            frames.append(Frame(corners, *size, image.ground_matrix, marker["inspected_area"]))
        elif marker["rows"] and crs is not None:
            raise outside(image.image_id, image.crs_wkt, crs)
    ids = [image.image_id for image in placed]
    travels = travel.travel_deg(ids, frames, [image.travel_deg for image in placed])
    return [
        Staged(image.image_id, plan.job.output.rows(image.image_id), frame, travel_deg)
        for image, frame, travel_deg in zip(placed, frames, travels, strict=True)
    ]


def _image_row(image: SurveyImage, marker: state.Marker, found: Figures) -> ImageRow:
    figures = {name: marker[name] for name in _MARKER_COLUMNS if name in marker}
    if marker["status"] == "done":
        figures |= {name: value for name, value in asdict(found).items() if name != "cracks"}
    return ImageRow(
        image_id=image.image_id,
        path=_path_in_survey(image),
        width_px=image.width_px,
        height_px=image.height_px,
        gsd_mm=image.gsd_mm,
        crs_wkt=image.crs_wkt,
        footprint=image.footprint,
        **figures,
    )


def _rejected_row(image: Rejected) -> ImageRow:
    return ImageRow(
        image_id=image.image_id,
        status="quarantined",
        path=_path_in_survey(image),
        reason=image.reason,
        message=image.message,
        remedy=image.remedy,
        width_px=image.width_px,
        height_px=image.height_px,
        gsd_mm=image.gsd_mm,
        crs_wkt=image.crs_wkt,
        footprint=image.footprint,
    )


def _path_in_survey(image: SurveyImage | Rejected) -> str:
    """The image_id, without the survey's name that several SURVEY arguments put in front."""
    prefix = f"{image.survey}/"
    within = image.image_id.removeprefix(prefix)
    return within if image.path.as_posix().endswith(f"/{prefix}{within}") else image.image_id


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


def record_of(request: Request, plan: Plan, summary: Summary) -> dict[str, Any]:
    """What `run.json` says: survey, versions, configuration, weights, counts, timings, throughput."""
    job, figures = plan.job, summary.figures
    return {
        "survey": [str(source) for source in request.sources],
        "crackpipe": __version__,
        "python": platform.python_version(),
        "libraries": {
            name: metadata.version(name) for name in ("torch", "dask", "zarr", "rasterio", "geopandas")
        },
        "machine": {"host": platform.node(), "cores": cluster.cpu_count()},
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "configuration": {name: str(value) for name, value in vars(job.config).items()},
        "weights": {"name": job.weights_name, "sha256": job.weights_sha256},
        "device": job.device,
        "precision": job.precision,
        "counts": {
            "images_done": summary.images_done,
            "images_run": summary.images_run,
            "images_quarantined": len(summary.quarantined),
            "cracks": summary.cracks,
            "length_m": round(summary.length_m, 3),
            "too_wide_m2": round(summary.too_wide_m2, 4),
            "tiles": figures.tiles,
            "tiles_skipped": figures.skipped,
            "megapixels": round(figures.megapixels, 3),
        },
        **({"classes": classes_of(plan)} if len(job.classes) > 1 else {}),
        "seconds": {
            "wall": round(summary.wall_s, 3),
            "start": round(summary.start_s, 3),
            "work": round(summary.work_s, 3),
            "tables": round(summary.tables_s, 3),
            "of all workers": {
                stage: round(seconds, 3) for stage, seconds in sorted(figures.seconds.items())
            },
        },
        "tiles_per_s": round(figures.tiles / summary.work_s, 3) if summary.work_s else None,
        "quarantined": summary.quarantined,
    }


def classes_of(plan: Plan) -> dict[str, dict[str, Any]]:
    """What the published tables and masks hold of each class, where the weights know several."""
    output = plan.job.output
    table = pq.read_table(output.root / "cracks.parquet", columns=["class", "length_m"])
    names = table.column("class").to_numpy()
    length_m = table.column("length_m").to_numpy()
    markers = [state.read_marker(output, image.image_id) for image in plan.images]
    areas = [marker["class_m2"] for marker in markers if marker is not None and "class_m2" in marker]
    return {
        name: {
            "kind": kind,
            "rows": int(np.count_nonzero(names == name)),
            "length_m": round(math.fsum(length_m[names == name]), 3),
            "mask_m2": round(math.fsum(each[name] for each in areas), 4),
        }
        for name, kind in zip(plan.job.classes, plan.job.kinds, strict=True)
    }


def summary_lines(request: Request, summary: Summary) -> Iterator[str]:
    """What the command prints at the end."""
    if summary.unchanged:
        yield f"Nothing to do: all {summary.images_done} images were finished before."
    else:
        yield (
            f"{summary.images_done} images done ({summary.images_run} in this run), {summary.cracks} cracks, "
            f"{summary.length_m:.1f} m, in {summary.wall_s:.0f} s"
        )
    if summary.figures.skipped:
        tiles = summary.figures.skipped + summary.figures.tiles
        yield f"{summary.figures.skipped} of {tiles} tiles left out: no data there, or outside the region"
    if summary.quarantined:
        yield f"{len(summary.quarantined)} in quarantine:"
        for row in summary.quarantined:
            yield f"  {quarantine_line(row)}"
    yield f"Result: {request.out}"
