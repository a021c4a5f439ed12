"""The story of a run: look at the survey, plan, build the Dask graph, execute it, publish the tables.

    survey -> plan -> units (read, predict, write masks) -> images (trace, width, rows) -> tables

The graph is plain `dask.delayed`: the same graph runs on local processes, on GPUs, on a cluster, or in
this thread (`serial`). Rasters never travel between tasks: a unit writes its own Zarr chunks.
"""

import platform
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

import dask
import numpy as np

from crackpipe import __version__
from crackpipe.pipeline import cluster, cracks, masks, progress, state, survey
from crackpipe.pipeline.config import WITHOUT_EFFECT, Config
from crackpipe.pipeline.errors import (
    ConfigurationError,
    CrackpipeError,
    ImageRejectedError,
    NoReadableImageError,
    SchedulerLostError,
)
from crackpipe.pipeline.grid import Block, plan_units
from crackpipe.pipeline.inspect_unit import Job, UnitFigures, grid_of, inspect_unit
from crackpipe.pipeline.map_image import (
    ImageDone,
    finish_image,
    map_images,
    measure_part,
    quarantine,
    skeleton_part,
    trace_part,
)
from crackpipe.pipeline.image import Rejected, SurveyImage

# Raise when the same input would give other output; images are then done again.
ALGORITHM_VERSION = 1

_PARTS_FROM = 2  # images of more units than this are traced in parts

_UNITS_PER_WORKER = 4  # at least this many, so that no worker idles long at the end of a small survey


@dataclass(frozen=True)
class Request:
    """What the command line asked for."""

    sources: tuple[Path, ...]
    out: Path
    config: Config
    serial: bool = False
    """Everything in this thread, for debugging."""
    restart: bool = False
    """Forget what earlier runs finished."""


@dataclass(frozen=True)
class Plan:
    """What is to be done and why."""

    job: Job
    images: tuple[SurveyImage, ...]
    """All accepted images, by image_id."""
    rejected: tuple[Rejected, ...]
    why: dict[str, list[str]]
    """image_id -> reasons, for the images that must run."""
    fingerprints: dict[str, dict[str, Any]]

    @property
    def to_run(self) -> list[SurveyImage]:
        """The images that must run."""
        return [image for image in self.images if image.image_id in self.why]


@dataclass
class Summary:
    """What a run did."""

    images_done: int = 0
    images_run: int = 0
    quarantined: list[dict[str, str]] = field(default_factory=list)
    """image_id, reason, message, remedy of each, by image_id."""
    cracks: int = 0
    length_m: float = 0.0
    figures: UnitFigures = field(default_factory=UnitFigures)
    wall_s: float = 0.0
    unchanged: bool = False
    """Nothing had to be done: the tables stayed as they were."""

    @property
    def exit_code(self) -> int:
        """0, or 3 where images are in quarantine."""
        return 3 if self.quarantined else 0


def run(request: Request) -> Summary:
    """Do everything the request asks for. Raises CrackpipeError with the exit code of its kind."""
    started = time.monotonic()
    job = make_job(request)
    found = look_at(request)
    output = job.output
    output.create()
    with state.locked(output), progress.logging_to(output.logs):
        plan = make_plan(request, job, found)
        say_plan(plan)
        prepare(plan)
        summary = Summary()
        if plan.to_run:
            with executor(request, job) as execute:
                work(request, plan, execute, summary)
        publish_tables(plan, summary)
        summary.wall_s = time.monotonic() - started
        state.write_json(output.root / "run.json", record_of(plan, summary))
        state.clear_staging(output, keep=set())
    return summary


# ---- plan


def make_job(request: Request) -> Job:
    """Resolve weights, device and precision once, for all workers. Raises ConfigurationError."""
    from crackpipe.model import predict, weights

    config = request.config
    try:
        loaded = weights.load(config.weights)
        device = predict.resolve_device("cuda" if request.config.gpus else config.device)
        precision = predict.resolve_precision(device, config.precision)
    except weights.WeightsError as error:
        raise ConfigurationError(str(error)) from error
    threshold = config.threshold if config.threshold is not None else loaded.threshold
    job = Job(
        config=config,
        output=state.Output(request.out.absolute()),
        weights=config.weights if loaded.is_embedded else str(Path(config.weights).absolute()),
        weights_sha256=loaded.sha256,
        weights_name=loaded.name,
        device=device,
        precision=precision,
        threshold=int(np.ceil(254 * threshold)),
        classes=tuple(loaded.classes),
        contrast=loaded.contrast_c0,
    )
    progress.log.info(
        f"crackpipe {__version__}: {loaded.architecture}, weights {loaded.name} ({loaded.sha256[:12]}), "
        f"{device}, {precision}, threshold {threshold:.3f}"
    )
    return job


def look_at(request: Request) -> survey.Survey:
    """Find and inspect the survey's images. Raises NoReadableImageError if there is not one file."""
    found = survey.load_survey(request.sources, request.config, request.out)
    if not found.images and not found.rejected:
        names = ", ".join(str(source) for source in request.sources)
        raise NoReadableImageError(
            f"no image found in {names}. Expected are .tif, .tiff, .jpg, .jpeg or .png files, in any subfolder."
        )
    return found


def make_plan(request: Request, job: Job, found: survey.Survey) -> Plan:
    """Compare every image with its marker."""
    fingerprints = {image.image_id: fingerprint(job, image) for image in found.images}
    why: dict[str, list[str]] = {}
    for image in found.images:
        marker = None if request.restart else state.read_json(job.output.marker(image.image_id))
        reasons = state.reasons_to_run(marker, fingerprints[image.image_id])
        if reasons:
            why[image.image_id] = ["--restart"] if request.restart else reasons
    return Plan(job, found.images, found.rejected, why, fingerprints)


def fingerprint(job: Job, image: SurveyImage) -> dict[str, Any]:
    """Everything an image's masks and rows depend on; plain JSON, readable as reasons."""
    config = {name: value for name, value in vars(job.config).items() if name not in WITHOUT_EFFECT}
    return {
        "file size": image.size_bytes,
        "file time": image.mtime_ns,
        "georeference": state.digest([list(image.transform)[:6], image.crs_wkt, image.gsd_mm]),
        "acquired": str(image.acquired),
        "weights": job.weights_sha256,
        "threshold": job.threshold,
        "configuration": state.digest(config),
        "algorithm": [ALGORITHM_VERSION, cracks.SCHEMA_VERSION],
        "device": job.device,
        "precision": job.precision,
    }


def say_plan(plan: Plan) -> None:
    """Tell what will run, and why images that were done before run again."""
    again: dict[str, int] = {}
    for reasons in plan.why.values():
        for reason in reasons:
            again[reason] = again.get(reason, 0) + 1
    done = len(plan.images) - len(plan.why)
    text = f"{len(plan.images)} images to inspect, {done} of them done before, {len(plan.rejected)} rejected"
    reasons_text = "; ".join(f"{count} x {reason}" for reason, count in sorted(again.items()))
    progress.log.info(f"{text}{' (' + reasons_text + ')' if reasons_text else ''}")


def prepare(plan: Plan) -> None:
    """Open the staging folder of every image that will run; drop what belongs to others."""
    output = plan.job.output
    try:
        state.clear_staging(output, keep={state.file_key(image.image_id) for image in plan.to_run})
        for image in plan.to_run:
            state.open_staging(output, image.image_id, plan.fingerprints[image.image_id])
        masks.ensure_root(output.masks, [image.image_id for image in plan.images])
    except OSError as error:
        raise state.storage_error(error, output.root) from error


# ---- the graph


def units_of(request: Request, plan: Plan, images: Sequence[SurveyImage]) -> list[tuple[Block, ...]]:
    """Cut the images into units: large, but several for each worker."""
    config = plan.job.config
    grids = [(image.image_id, grid_of(image, config)) for image in images]
    tiles = sum(grid.tile_count(block) for _, grid in grids for block in grid.blocks())
    workers = max(1, request.config.gpus or request.config.workers or cluster.cpu_count())
    return plan_units(grids, min(config.unit_tiles, max(1, tiles // (_UNITS_PER_WORKER * workers))))


def build_graph(
    plan: Plan, images: Sequence[SurveyImage], units: Sequence[tuple[Block, ...]]
) -> tuple[list[Any], list[Any]]:
    """The delayed units, and the delayed ends that publish the images, each giving a list of ImageDone.

    An end waits only for the units that touch its images, so images are published while others are still
    inspected. Small images that end in the same unit share one task; an image of several units is traced and
    measured in as many parts.
    """
    by_id = {image.image_id: image for image in images}
    job = dask.delayed(plan.job, pure=True)  # one copy in the graph, not one per task
    inspected = [
        dask.delayed(inspect_unit)(
            job,
            {name: by_id[name] for name in sorted({block.image_id for block in unit})},
            unit,
            dask_key_name=f"inspect-{index}",
        )
        for index, unit in enumerate(units)
    ]
    touched = _units_of_images(units)
    small: dict[int, list[str]] = {}
    ends = []
    for name, indices in touched.items():
        if len(indices) <= _PARTS_FROM:
            small.setdefault(indices[-1], []).append(name)
        else:
            ends.append(_large_end(plan, job, by_id[name], [units[i] for i in indices], [inspected[i] for i in indices]))
    for index, names in small.items():
        needed = sorted({i for name in names for i in touched[name]})
        ends.append(
            dask.delayed(map_images)(
                job,
                [by_id[name] for name in names],
                {name: plan.fingerprints[name] for name in names},
                [inspected[i] for i in needed],
                dask_key_name=f"map-{index}",
            )
        )
    return inspected, ends


def _large_end(
    plan: Plan, job: Any, image: SurveyImage, units: Sequence[tuple[Block, ...]], inspected: Sequence[Any]
) -> Any:
    """Trace, measure and publish an image of many blocks, as many parts at a time as it had units."""
    key = state.file_key(image.image_id)
    parts = [[block.window for block in unit if block.image_id == image.image_id] for unit in units]
    skeletons = [
        dask.delayed(skeleton_part)(job, image, part, inspected, dask_key_name=f"skeleton-{key}-{index}")
        for index, part in enumerate(parts)
    ]
    traced = dask.delayed(trace_part)(job, image, skeletons, dask_key_name=f"trace-{key}")
    measured = [
        dask.delayed(measure_part)(job, image, part, traced, dask_key_name=f"measure-{key}-{index}")
        for index, part in enumerate(parts)
    ]
    return dask.delayed(finish_image)(
        job, image, plan.fingerprints[image.image_id], inspected, traced, measured, dask_key_name=f"finish-{key}"
    )


def _units_of_images(units: Sequence[tuple[Block, ...]]) -> dict[str, list[int]]:
    """image_id -> indices of the units that touch it, ascending."""
    touched: dict[str, list[int]] = {}
    for index, unit in enumerate(units):
        for name in dict.fromkeys(block.image_id for block in unit):
            touched.setdefault(name, []).append(index)
    return touched


# ---- execution

Execute = Callable[[Sequence[Any], Callable[[Any], None]], None]
"""Computes delayed values and hands each result over as it comes; tasks whose worker died are left out."""


@contextmanager
def executor(request: Request, job: Job) -> Iterator[Execute]:
    """Where the graph runs: this thread, an existing scheduler, one process per GPU, or per core."""
    threads = job.config.threads_per_worker
    if request.serial:
        yield _execute_here
        return
    if request.config.scheduler:
        context = cluster.existing(request.config.scheduler, (job.output.hidden, *request.sources))
    elif request.config.gpus:
        context = cluster.local_gpus(request.config.gpus, threads)
    else:
        context = cluster.local_cpu(request.config.workers or cluster.cpu_count(), threads)
    with context as client:
        yield lambda tasks, on_result: _execute_on(client, tasks, on_result)


def _execute_here(tasks: Sequence[Any], on_result: Callable[[Any], None]) -> None:
    def posttask(_key: Any, result: Any, *_: Any) -> None:
        on_result(result)

    with dask.callbacks.Callback(posttask=posttask):
        dask.compute(*tasks, scheduler="synchronous", optimize_graph=False)


def _execute_on(client: Any, tasks: Sequence[Any], on_result: Callable[[Any], None]) -> None:
    from distributed import as_completed
    from distributed.scheduler import KilledWorker

    futures = client.compute(tasks, optimize_graph=False)
    try:
        for future in as_completed(futures):
            if future.status == "finished":
                on_result(future.result())
            elif future.status == "error":
                error = future.exception()
                if not isinstance(error, KilledWorker):
                    raise error
                progress.log.warning(f"a worker died at task {future.key}; it is tried again image by image")
            else:
                raise SchedulerLostError(
                    "the Dask scheduler went away. Finished images are kept: run the same command again."
                )
            future.release()
    finally:
        client.cancel(futures)


def work(request: Request, plan: Plan, execute: Execute, summary: Summary) -> None:
    """Run all images; those whose worker died once more, each alone, so that no neighbour is dragged along."""
    images = plan.to_run
    units = units_of(request, plan, images)
    tiles = sum(block.tiles for unit in units for block in unit)
    done: set[str] = set()
    with progress.showing(tiles, len(images)) as shown:

        def on_result(result: Any) -> None:
            if isinstance(result, UnitFigures):
                summary.figures.add(result)
                shown.advance(tiles=result.tiles)
            elif isinstance(result, list):
                for image in result:
                    done.add(image.image_id)
                    log_image(image)
                    shown.advance(images=1, km=image.road_km)

        execute([*chain(*build_graph(plan, images, units))], on_result)
        for image in [image for image in images if image.image_id not in done]:
            execute([*chain(*build_graph(plan, [image], units_of(request, plan, [image])))], on_result)
            if image.image_id not in done:
                error = ImageRejectedError(
                    "worker-died",
                    f"{image.image_id}: the worker process died each time it worked on this image",
                    "Look for an out-of-memory kill in the system log; a smaller --batch or fewer --workers need "
                    "less memory.",
                )
                quarantine(plan.job, image, plan.fingerprints[image.image_id], error)
    summary.images_run = len(images)


def log_image(image: ImageDone) -> None:
    """One line in the log for a finished image; a warning for a quarantined one."""
    marker = image.marker
    if marker["status"] == "quarantined":
        progress.log.warning(
            f"quarantined {image.image_id}: {marker['reason']}: {marker['message']} {marker['remedy']}",
            extra={"fields": {"details": image.details}} if image.details else {},
        )


# ---- tables


def publish_tables(plan: Plan, summary: Summary) -> None:
    """Gather rows and markers of all images of the survey into the two tables, if anything changed."""
    output = plan.job.output
    markers = {image.image_id: state.read_json(output.marker(image.image_id)) for image in plan.images}
    done = [image for image in plan.images if markers[image.image_id]["status"] == "done"]
    summary.images_done = len(done)
    summary.quarantined = quarantined_rows(plan, markers)
    for image in done:
        summary.cracks += markers[image.image_id]["cracks"]
        summary.length_m += markers[image.image_id]["crack_length_m"]
    made_from = state.digest(
        [sorted(markers.items()), summary.quarantined, plan.job.config.crs, cracks.SCHEMA_VERSION, plan.job.weights_name]
    )
    tables = [output.root / "cracks.parquet", output.root / "images.parquet"]
    if state.read_json(output.hidden / "tables.json") == made_from and all(table.exists() for table in tables):
        summary.unchanged = not plan.to_run
        return
    with state.guarding(output.root):
        staged = [output.hidden / "staging" / table.name for table in tables]
        write_tables(plan, done, markers, staged)
        for source, table in zip(staged, tables, strict=True):
            state.publish_file(source, table)
        state.write_json(output.hidden / "tables.json", made_from)


def quarantined_rows(plan: Plan, markers: dict[str, state.Marker]) -> list[dict[str, str]]:
    """Everything in quarantine: rejected when looked at, or given up while working on it."""
    names = ("image_id", "reason", "message", "remedy")
    rows = [{name: str(getattr(image, name)) for name in names} for image in plan.rejected]
    rows += [
        {name: str(marker[name]) for name in names} for marker in markers.values() if marker["status"] == "quarantined"
    ]
    return sorted(rows, key=lambda row: row["image_id"])


def record_of(plan: Plan, summary: Summary) -> dict[str, Any]:
    """What `run.json` says: versions, configuration, weights, counts, timings, throughput."""
    job, figures = plan.job, summary.figures
    return {
        "crackpipe": __version__,
        "python": platform.python_version(),
        "libraries": {name: metadata.version(name) for name in ("torch", "dask", "zarr", "rasterio", "geopandas")},
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
            "tiles": figures.tiles,
            "megapixels": round(figures.megapixels, 3),
        },
        "seconds": {
            "wall": round(summary.wall_s, 3),
            "start": round(summary.start_s, 3),
            "work": round(summary.work_s, 3),
            "tables": round(summary.tables_s, 3),
            "of all workers": {stage: round(seconds, 3) for stage, seconds in sorted(figures.seconds.items())},
        },
        "tiles_per_s": round(figures.tiles / summary.work_s, 3) if summary.work_s else None,
        "quarantined": summary.quarantined,
    }


def summary_lines(request: Request, summary: Summary) -> Iterator[str]:
    """What the command prints at the end."""
    if summary.unchanged:
        yield f"Nothing to do: all {summary.images_done} images were finished before. {request.out} is up to date."
    else:
        yield (
            f"{summary.images_done} images done ({summary.images_run} in this run), {summary.cracks} cracks, "
            f"{summary.length_m:.1f} m, in {summary.wall_s:.0f} s"
        )
    if summary.quarantined:
        yield f"{len(summary.quarantined)} in quarantine:"
        for row in summary.quarantined:
            yield f"  {row['image_id']}: {row['reason']}: {row['message']} {row['remedy']}"
    yield f"Result: {request.out}"


def dry_run(request: Request, graph_file: Path | None) -> Iterator[str]:
    """What would run and why, one line per image; draws the graph if a file is given."""
    job = make_job(request)
    plan = make_plan(request, job, look_at(request))
    for image in plan.images:
        reasons = plan.why.get(image.image_id)
        yield f"{image.image_id}\t{'run: ' + ', '.join(reasons) if reasons else 'done before'}"
    for rejected in plan.rejected:
        yield f"{rejected.image_id}\tquarantine: {rejected.reason}: {rejected.message}"
    units = units_of(request, plan, plan.to_run)
    tiles = sum(block.tiles for unit in units for block in unit)
    yield f"{len(plan.to_run)} images to run, {tiles} tiles in {len(units)} units"
    if graph_file is not None:
        draw_graph([*chain(*build_graph(plan, plan.to_run, units))], graph_file)
        yield f"Graph: {graph_file}"


def draw_graph(tasks: Sequence[Any], file: Path) -> None:
    """Draw the Dask graph. Raises UsageError without graphviz."""
    try:
        dask.visualize(*tasks, filename=str(file.with_suffix("")), format=file.suffix.lstrip(".") or "svg")
    except (RuntimeError, ImportError) as error:
        raise UsageError(
            f"{file} cannot be drawn: {error}. Install graphviz (`apt install graphviz`, `pip install graphviz`)."
        ) from error
