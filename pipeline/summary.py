"""What a run tells at its end: the figures of `run.json` and the closing lines."""

import math
import platform
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from importlib import metadata
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from crackpipe import __version__
from crackpipe.pipeline.cluster import local
from crackpipe.pipeline.familiarity import told as familiarity
from crackpipe.pipeline.plan import Plan
from crackpipe.pipeline.publish import Summary, markers_of, quarantine_line
from crackpipe.pipeline.request import Request
from crackpipe.pipeline.state.removed import named


def record_of(request: Request, plan: Plan, summary: Summary) -> dict[str, Any]:
    """What `run.json` says: survey, versions, configuration, weights, counts, timings, throughput.

    Plain JSON; docs/use/run.schema.json describes it.
    """
    job, figures = plan.job, summary.figures
    return {
        "survey": [str(source) for source in request.sources],
        "crackpipe": __version__,
        "python": platform.python_version(),
        "libraries": {
            name: metadata.version(name) for name in ("torch", "dask", "zarr", "rasterio", "geopandas")
        },
        "machine": {"host": platform.node(), "cores": local.cpu_count()},
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "configuration": dict(vars(job.config)),
        "weights": {"name": job.weights_name, "sha256": job.weights_sha256},
        "device": job.device,
        "precision": job.precision,
        "counts": {
            "images_done": summary.images_done,
            "images_run": summary.images_run,
            "images_quarantined": len(summary.quarantined),
            "images_removed": len(plan.removed.now),
            "cracks": summary.cracks,
            "length_m": round(summary.length_m, 3),
            "too_wide_m2": round(summary.too_wide_m2, 4),
            "tiles": figures.tiles,
            "tiles_skipped": figures.skipped,
            "tiles_spared": figures.spared,
            "megapixels": round(figures.megapixels, 3),
        },
        "familiarity": asdict(summary.familiarity),
        **({"classes": classes_of(plan)} if len(job.classes) > 1 else {}),
        "seconds": {
            "wall": round(summary.wall_s, 3),
            "start": round(summary.start_s, 3),
            "work": round(summary.work_s, 3),
            "tables": round(summary.tables_s, 3),
            "exports": round(summary.exports_s, 3),
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
    elif not summary.images_run:
        yield (
            f"Nothing to do for the images: all {summary.images_done} were finished before. The tables were "
            f"made again: {summary.cracks} cracks, {summary.length_m:.1f} m."
        )
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
    yield from familiarity.lines(asdict(summary.familiarity))
    if summary.removed:
        yield (
            f"{len(summary.removed)} finished images are no longer found, so the tables are without them: "
            f"{named(summary.removed)}. `crackpipe clean --removed-images` removes their masks too."
        )
    if summary.quarantined:
        yield f"{len(summary.quarantined)} in quarantine:"
        for row in summary.quarantined:
            yield f"  {quarantine_line(row)}"
    yield f"Result: {request.out}"
