"""The end of a run: markers and rows of all images become the two tables and `run.json`."""

import math
import platform
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from crackpipe import __version__
from crackpipe.pipeline import cluster, cracks, state
from crackpipe.pipeline.config import FOR_TABLES
from crackpipe.pipeline.job import UnitFigures
from crackpipe.pipeline.plan import Plan, Request
from crackpipe.pipeline.shown import shown

Markers = dict[str, state.Marker]
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
    with state.guarding(output.root):
        markers = markers_of(plan)
    done = [image for image in plan.images if markers[image.image_id]["status"] == "done"]
    summary.images_done = len(done)
    summary.quarantined = quarantined_rows(plan, markers)
    summary.too_wide_m2 = sum(markers[image.image_id]["too_wide_m2"] for image in done)
    made_from = _made_from(plan, markers, summary)
    tables = [output.root / "cracks.parquet", output.root / "images.parquet"]
    before = state.read_tables(output)
    if before is not None and before["made_from"] == made_from and all(map(Path.exists, tables)):
        summary.unchanged = not plan.to_run
        summary.cracks, summary.length_m = before["cracks"], before["length_m"]
        return
    with state.guarding(output.root):
        staged = [output.hidden / "staging" / table.name for table in tables]
        # geopandas and what it imports take longer than finding out that the tables are as they should be
        from crackpipe.pipeline.tables import write_tables

        figures = write_tables(plan, done, markers, staged)
        summary.cracks = sum(each.cracks for each in figures.values())
        summary.length_m = math.fsum(each.crack_length_m for each in figures.values())
        counts = {"cracks": summary.cracks, "length_m": summary.length_m}
        state.publish_tables(output, {"made_from": made_from, **counts}, staged)


def markers_of(plan: Plan) -> Markers:
    """Of all images that have one; read only where the plan does not have it. Raises OSError."""
    read = {
        image.image_id: plan.finished.get(image.image_id)
        or state.read_marker(plan.job.output, image.image_id)
        for image in plan.images
    }
    return {name: marker for name, marker in read.items() if marker is not None}


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
            "tiles_spared": figures.spared,
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
        "smaller_batches": figures.batch_reduced,
        "tiles_per_s": round(figures.tiles / summary.work_s, 3) if summary.work_s else None,
        "quarantined": summary.quarantined,
    }


def classes_of(plan: Plan) -> dict[str, dict[str, Any]]:
    """What the published tables and masks hold of each class, where the weights know several."""
    table = pq.read_table(plan.job.output.root / "cracks.parquet", columns=["class", "length_m"])
    names = table.column("class").to_numpy()
    length_m = table.column("length_m").to_numpy()
    areas = [marker["class_m2"] for marker in markers_of(plan).values() if "class_m2" in marker]
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
        tiles = summary.figures.skipped + summary.figures.spared + summary.figures.tiles
        yield f"{summary.figures.skipped} of {tiles} tiles left out: no data there, or outside the region"
    if summary.figures.spared:
        tiles = summary.figures.spared + summary.figures.tiles
        yield f"{summary.figures.spared} of {tiles} tiles found sound by the cheap look alone (--cascade)"
    if summary.quarantined:
        yield f"{len(summary.quarantined)} in quarantine:"
        for row in summary.quarantined:
            yield f"  {quarantine_line(row)}"
    yield f"Result: {request.out}"
