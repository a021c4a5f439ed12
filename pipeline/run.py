"""The story of a run: look at the survey, plan, build the Dask graph, execute it, publish the tables.

    survey -> plan -> units (read, predict, write masks) -> images (trace, width, rows) -> tables

The same graph runs on local processes, on GPUs, on a cluster, or in this thread (`serial`). Rasters never
travel between tasks: a unit writes its own Zarr chunks.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, replace
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from crackpipe.pipeline import fingerprint
from crackpipe.pipeline.console.log import log, logging_to
from crackpipe.pipeline.console.printable import shown
from crackpipe.pipeline.console.progress import Tell
from crackpipe.pipeline.console.signals import telling
from crackpipe.pipeline.console.watch import Watch, watching
from crackpipe.pipeline.errors import ImageRejectedError, ImagesMissingError, UsageError
from crackpipe.pipeline.execute import Execute, executor, fitted
from crackpipe.pipeline.familiarity import told
from crackpipe.pipeline.image import SurveyImage
from crackpipe.pipeline.masks import group
from crackpipe.pipeline.plan import Plan, look_at, make_plan, said_of_gsd, said_of_screen, say_plan, units_of
from crackpipe.pipeline.publish import Summary, make_exports, quarantine_line, refresh_tables
from crackpipe.pipeline.request import Request, make_job
from crackpipe.pipeline.state import lock, publishing, staging
from crackpipe.pipeline.state.output import file_key
from crackpipe.pipeline.state.removed import note_missing
from crackpipe.pipeline.storage import faults, sealed
from crackpipe.pipeline.storage.cloud.stage import Stage, Wave
from crackpipe.pipeline.storage.cloud.survey import check_disk, staged
from crackpipe.pipeline.summary import record_of
from crackpipe.pipeline.survey.memory import keep, recall
from crackpipe.pipeline.tasks.job import Job, UnitFigures

# Modules that plan the work are imported here. Those that do it take long to import: they wait until there is
# work.
if TYPE_CHECKING:
    from crackpipe.pipeline.tasks.finish import ImageDone


def run(request: Request, tell: Tell | None = None) -> Summary:
    """Do everything the request asks for. Raises CrackpipeError with the exit code of its kind.

    `tell` is told how far the run is; without it, stderr is. An export that failed is in the summary, as
    `export_error`.
    """
    with watching(tell) as watch:
        return _run(request, watch)


def _run(request: Request, watch: Watch) -> Summary:
    clock = time.monotonic()
    watch.enter("survey")
    job = make_job(request)
    with staged(request.remote, request.mirrors, request.config.staging_gb) as stage:
        return _run_staged(request, job, stage, watch, clock)


def _run_staged(request: Request, job: Job, stage: Stage | None, watch: Watch, clock: float) -> Summary:
    output = job.output
    with faults.guarding(output.root):
        memory = recall(output.memory, job.config)
    found = look_at(request, memory, stage)
    output.create()
    with lock.locked(output, job.run), logging_to(output.logs, job.config.keep_logs), telling():
        with faults.guarding(output.root):
            publishing.finish_interrupted(output)
        plan = make_plan(request, job, found)
        say_plan(plan, accept_removed=request.accept_removed)
        refusal = plan.refusal(accept_removed=request.accept_removed)
        if plan.to_run:
            request = fitted(request, job, plan.to_run)
        watch.expect(quarantined=len(plan.rejected))
        prepare(plan, stage)
        with faults.guarding(output.root):
            if refusal is None:  # else what is known of missing images would be lost
                keep(output.memory, job.config, found.images, found.stamps, memory)
            # after it: `clean` must know the survey before it may remove what left
            note_missing(output, None if refusal is None else plan.removed)
        summary = Summary(start_s=time.monotonic() - clock)
        if plan.to_run:
            watch.enter("start")
            with executor(request, job) as execute:
                work(request, plan, execute, summary, watch, stage)
        summary.work_s = time.monotonic() - clock - summary.start_s
        if refusal is not None:
            raise ImagesMissingError(f"{refusal} {summary.images_run} images were inspected in this run.")
        watch.enter("tables")
        refresh_tables(plan, summary)
        strange = told.warning(asdict(summary.familiarity))
        if strange is not None:
            log.warning(strange)
        summary.tables_s = time.monotonic() - clock - summary.work_s - summary.start_s
        watch.enter("exports")
        make_exports(plan, summary)
        summary.wall_s = time.monotonic() - clock
        summary.exports_s = summary.wall_s - summary.tables_s - summary.work_s - summary.start_s
        with faults.guarding(output.root):
            sealed.write_sealed(output.root / "run.json", record_of(request, plan, summary))
            staging.clear_staging(output, keep=set())
    return summary


def prepare(plan: Plan, stage: Stage | None = None) -> None:
    """Open the staging folder of every image that will run, and remove all other staging folders.

    Raises UsageError and StorageError where images of object storage would have no room on the disk.
    """
    output = plan.job.output
    if stage is not None:
        stage.check_sizes(plan.to_run)
        with faults.guarding(output.root):
            stage.clear_but(plan.to_run)
            check_disk(stage, output.hidden, sum(image.size_bytes for image in plan.to_run))
    with faults.guarding(output.root):
        staging.clear_staging(output, keep={file_key(image.image_id) for image in plan.to_run})
        for image in plan.to_run:
            staging.open_staging(output, image.image_id, plan.fingerprints[image.image_id])
        image_ids = [image.image_id for image in plan.images]
        group.ensure_root(output.masks, image_ids, output.hidden / "group.partial")


# ---- execution


def work(  # noqa: PLR0917
    request: Request,
    plan: Plan,
    execute: Execute,
    summary: Summary,
    watch: Watch,
    stage: Stage | None = None,
) -> None:
    """Run all images together, those of object storage as they come (`Stage.waves`)."""
    images = plan.to_run
    units = units_of(request, plan, images)
    watch.expect(tiles=sum(block.tiles for unit in units for block in unit), images=len(images))
    watch.enter("inspecting")

    def on_result(result: Any) -> None:
        if isinstance(result, UnitFigures):
            summary.figures.add(result)
            watch.advance(tiles=result.tiles + result.skipped + result.spared)
        elif isinstance(result, list):
            for image in result:
                log_image(image)
                if stage is not None:
                    stage.done(by_id[image.image_id])
                aside = image.marker["status"] == "quarantined"
                watch.advance(images=1, km=image.road_km, quarantined=int(aside))

    by_id = {image.image_id: image for image in images}
    waves = [Wave(images)] if stage is None else stage.waves(images)
    for number, wave in enumerate(waves):
        for image, error in wave.failed:
            on_result([_give_up(plan, image, error, was_read=False)])
        if wave.images:
            work_on(request, plan, wave.images, execute, on_result, f"-wave-{number}" if number else "")
    summary.images_run = len(images)


def work_on(  # noqa: PLR0917
    request: Request,
    plan: Plan,
    images: Sequence[SurveyImage],
    execute: Execute,
    on_result: Callable[[Any], None],
    wave: str = "",
) -> None:
    """Run some images together, then each image that was left out by itself.

    An image that kills its worker harms no other image when it runs alone. `wave` tells the tasks of one
    call from those of another.
    """
    from crackpipe.pipeline.taskgraph import build_graph

    done: set[str] = set()

    def noted(result: Any) -> None:
        if isinstance(result, list):
            done.update(image.image_id for image in result)
        on_result(result)

    left_out = execute([*chain(*build_graph(plan, images, units_of(request, plan, images), wave))], noted)
    short = any(error.reason == "out-of-memory" for error in left_out)
    alone = _in_smaller_batches(plan) if short else plan
    for number, image in enumerate([image for image in images if image.image_id not in done]):
        again = build_graph(alone, [image], units_of(request, alone, [image]), f"{wave}-alone-{number}")
        left_out = execute([*chain(*again)], noted)
        if image.image_id not in done:
            on_result([_give_up(plan, image, left_out[-1])])


def _in_smaller_batches(plan: Plan) -> Plan:
    """The same plan with half as many tiles at a time."""
    batch = max(1, plan.job.config.batch // 2)
    config, is_smaller = replace(plan.job.config, batch=batch), batch < plan.job.config.batch
    return replace(plan, job=replace(plan.job, config=config, smaller_batches=is_smaller))


def _give_up(
    plan: Plan, image: SurveyImage, error: ImageRejectedError, *, was_read: bool = True
) -> "ImageDone":
    """Quarantine an image. One of which no bytes were read is tried again by the next run."""
    from crackpipe.pipeline.tasks.finish import quarantine

    made_from = plan.fingerprints[image.image_id]
    if not was_read:
        made_from = fingerprint.of_nothing_read(made_from)

    named = ImageRejectedError(error.reason, f"{image.image_id}: {error.message}", error.remedy)
    return quarantine(plan.job, image, made_from, named)


def log_image(image: "ImageDone") -> None:
    """One line in the log for a finished image; a warning for a quarantined one."""
    marker = image.marker
    if marker["status"] == "quarantined":
        log.warning(
            f"quarantined {quarantine_line(marker)}",
            extra={"fields": {"details": image.details}} if image.details else {},
        )


def dry_run(request: Request, graph_file: Path | None) -> Iterator[str]:
    """What would run and why, one line per image; draws the graph if a file is given."""
    job = make_job(request)
    with faults.guarding(job.output.root):
        memory = recall(job.output.memory, job.config)
    with TemporaryDirectory(prefix="crackpipe-") as folder:
        request = request.mirrored_in(Path(folder))
        with staged(request.remote, Path(folder), request.config.staging_gb) as stage:
            plan = make_plan(request, job, look_at(request, memory, stage))
            if stage is not None:
                stage.check_sizes(plan.to_run)
    for image in plan.images:
        reasons = plan.why.get(image.image_id)
        why = f"run: {', '.join(reasons)}" if reasons else _as_before(plan, image)
        yield f"{shown(image.image_id)}\t{why}"
    for rejected in plan.rejected:
        yield f"{shown(rejected.image_id)}\tquarantine: {rejected.reason}: {shown(rejected.message)}"
    for image_id in plan.removed.now:
        yield f"{shown(image_id)}\tnot found any more"
    refusal = plan.refusal(accept_removed=request.accept_removed)
    yield from filter(None, (refusal, said_of_gsd(plan), said_of_screen(plan)))
    units = units_of(request, plan, plan.to_run)
    tiles = sum(block.tiles for unit in units for block in unit)
    yield f"{len(plan.to_run)} images to run, {tiles} tiles in {len(units)} units"
    if graph_file is not None:
        from crackpipe.pipeline.taskgraph import build_graph

        draw_graph([*chain(*build_graph(plan, plan.to_run, units))], graph_file)
        yield f"Graph: {graph_file}"


def _as_before(plan: Plan, image: SurveyImage) -> str:
    marker = plan.finished[image.image_id]
    if marker["status"] == "done":
        return "done before"
    return f"in quarantine before: {marker['reason']}; `crackpipe retry-quarantined` gives it another try"


def draw_graph(tasks: Sequence[Any], file: Path) -> None:
    """Draw the Dask graph. Raises UsageError without graphviz."""
    import dask

    try:
        dask.visualize(*tasks, filename=str(file.with_suffix("")), format=file.suffix.lstrip(".") or "svg")
    except (RuntimeError, ImportError) as error:
        raise UsageError(
            f"{file} cannot be drawn: {error}. Install it: `apt install graphviz`, `pip install graphviz`."
        ) from error
