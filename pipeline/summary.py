"""What a run tells at its end: the figures of `run.json`, the closing table and the closing lines."""

import math
import platform
import shlex
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from importlib import metadata
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from crackpipe import __version__
from crackpipe.pipeline.cluster import local
from crackpipe.pipeline.console.closing import Closing
from crackpipe.pipeline.console.printable import shown
from crackpipe.pipeline.console.progress import distance
from crackpipe.pipeline.familiarity import told as familiarity
from crackpipe.pipeline.plan import Plan
from crackpipe.pipeline.publish import Summary, markers_of, quarantine_line
from crackpipe.pipeline.request import Request
from crackpipe.pipeline.state.removed import named
from crackpipe.pipeline.tasks.job import UnitFigures

_CLASSES = ("tiny", "small", "wide", "unmeasured")
"""Width classes, as in `Summary.map_figures`."""


def record_of(request: Request, plan: Plan, summary: Summary) -> dict[str, Any]:
    """What `run.json` says: survey, versions, configuration, weights, counts, timings, throughput.

    Plain JSON; docs/use/run.schema.json describes it.
    """
    job, figures = plan.job, summary.figures
    return {
        "survey": request.places,
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
            **{name: summary.map_figures[name] for name in ("lane_km", "ground_m2") if summary.map_figures},
            **_of_the_network(figures),
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
        "smaller_batches": summary.smaller_batches,
        "tiles_per_s": round((figures.tiles + figures.coarse) / summary.work_s, 3)
        if summary.work_s
        else None,
        "quarantined": summary.quarantined,
    }


def _of_the_network(figures: UnitFigures) -> dict[str, int | float]:
    """What the network was given in this run."""
    return {
        "tiles": figures.tiles,
        "tiles_skipped": figures.skipped,
        "tiles_spared": figures.spared,
        "coarse_looks": figures.coarse,
        "megapixels": round(figures.megapixels, 3),
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


def closing_of(request: Request, summary: Summary) -> Closing:
    """What a person at a terminal sees at the end."""
    doubtful = summary.map_figures.get("uncertain", 0.0)
    aside = f" · {doubtful:,.1f} m of it of uncertain class" if doubtful else ""
    density, median = _density(summary), summary.familiarity.median
    rows = {
        "inspected": " · ".join(_inspected(summary)),
        "cracks": f"{summary.cracks:,} · {summary.length_m:,.1f} m{aside}",
        "density": "" if density is None else f"{density:.3g} m of cracks on each square metre",
        "familiarity": "" if median is None else f"{median:.2f} of 1, the median of the images",
    }
    return Closing(
        title=_what_was_done(summary),
        rows=[(word, said) for word, said in rows.items() if said],
        length_m={name: summary.map_figures[name] for name in _CLASSES if name in summary.map_figures},
        notes=[note for note in _notes(summary) if not note.startswith("familiarity ")],
        quarantined=[quarantine_line(row) for row in summary.quarantined],
        look=f"crackpipe status {shown(shlex.quote(str(request.out)))}",
        next=list(_next(request)),
    )


def summary_lines(request: Request, summary: Summary) -> Iterator[str]:
    """The same in plain lines, for files and programs that look for words."""
    yield _what_was_done(summary)
    if "lane_km" in summary.map_figures:
        yield f"inspected: {summary.map_figures['lane_km']:.3f} km of lane"
        yield f"inspected area: {summary.map_figures['ground_m2']:.1f} m2"
    if summary.coverage is not None:
        yield f"coverage: {_percent(summary.coverage)} of what the images show"
    for name in (*_CLASSES, "uncertain"):
        if name in summary.map_figures:
            yield f"length {name}: {summary.map_figures[name]:.1f} m"
    density = _density(summary)
    if density is not None:
        yield f"density: {density:.4g} m/m2"
    yield from _notes(summary)
    if summary.quarantined:
        yield f"{len(summary.quarantined)} in quarantine:"
        for row in summary.quarantined:
            yield f"  {quarantine_line(row)}"
    yield f"Result: {request.out}"
    for what, why in _next(request):
        yield f"open next: {what} ({why})"


def _what_was_done(summary: Summary) -> str:
    if not summary.images_done and summary.quarantined:
        count = len(summary.quarantined)
        which = f"all {count} are" if count > 1 else "the only one is"
        return f"No image is done: {which} in quarantine, and images.parquet says why and what to do."
    if not summary.images_done:
        return "No image is done: none is left in the survey."
    if summary.unchanged:
        return f"Nothing to do: all {summary.images_done} images were finished before."
    if not summary.images_run:
        return (
            f"Nothing to do for the images: all {summary.images_done} were finished before. The tables were "
            f"made again: {summary.cracks} cracks, {summary.length_m:.1f} m."
        )
    return (
        f"{summary.images_done} images done ({summary.images_run} in this run), {summary.cracks} cracks, "
        f"{summary.length_m:.1f} m, in {summary.wall_s:.0f} s"
    )


def _inspected(summary: Summary) -> Iterator[str]:
    if "lane_km" in summary.map_figures:
        yield f"{distance(summary.map_figures['lane_km'])} of lane"
        yield f"{summary.map_figures['ground_m2']:,.1f} m2"
    if summary.coverage is not None:
        yield f"{_percent(summary.coverage)} of what the images show"


def _percent(share: float) -> str:
    """Rounded down, so that what was left out never reads as 100 %."""
    return f"{math.floor(1000 * share + 1e-9) / 10:g} %"


def _density(summary: Summary) -> float | None:
    """Metres of crack on a square metre that was inspected; None where nothing was, or nobody knows."""
    ground_m2 = summary.map_figures.get("ground_m2")
    return summary.length_m / ground_m2 if ground_m2 else None


def _notes(summary: Summary) -> Iterator[str]:
    figures = summary.figures
    if figures.skipped:
        tiles = figures.skipped + figures.spared + figures.tiles
        yield f"{figures.skipped} of {tiles} tiles left out: no data there, or outside the region"
    if figures.spared:
        tiles = figures.spared + figures.tiles
        yield f"{figures.spared} of {tiles} tiles found sound by the coarse look alone (--screen)"
    yield from familiarity.lines(asdict(summary.familiarity))
    if summary.removed:
        yield (
            f"{len(summary.removed)} finished images are no longer found, so the tables are without them: "
            f"{named(summary.removed)}. `crackpipe clean --removed-images` removes their masks too."
        )


def _next(request: Request) -> Iterator[tuple[str, str]]:
    """What to open, or to run, and what for."""
    out = shown(shlex.quote(str(request.out)))
    if (request.out / "cracks.gpkg").is_file():
        yield shown(str(request.out / "cracks.gpkg")), "the map, for QGIS and others"
    yield f"crackpipe report {out}", "a page to send around"
    if not (request.out / "sections.parquet").is_file():
        yield f"crackpipe sections {out} --centreline roads.gpkg", "cracks per road section"
