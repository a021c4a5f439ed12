"""Where the Dask graph runs: in this thread, on processes of this machine, or on a scheduler."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial, reduce
from itertools import combinations
from typing import TYPE_CHECKING, Any

import psutil

from crackpipe.pipeline.cluster import gpus, limits, local, scheduler
from crackpipe.pipeline.cluster.workers import Wanted
from crackpipe.pipeline.console.log import log
from crackpipe.pipeline.errors import ImageRejectedError, MemoryShortError
from crackpipe.pipeline.image import SurveyImage
from crackpipe.pipeline.request import Request
from crackpipe.pipeline.tasks import network
from crackpipe.pipeline.tasks.job import Job

# It imports what does the work, which takes long: it waits until there is work.
if TYPE_CHECKING:
    from crackpipe.pipeline.tasks.need import Need

Execute = Callable[[Sequence[Any], Callable[[Any], None]], list[ImageRejectedError]]
"""Computes delayed values and hands over each result as soon as it is there.

A task that killed its worker or got no memory gives no result. The errors of such tasks are returned.
"""

_FEWER_WORKERS = "Fewer --workers leave more memory to each"
_FEWER_CORES = (
    f"Fewer cores, as with `taskset`, make fewer processes that trace, with more memory for each; with "
    f"{gpus.CORES_PER_GPU} for each GPU all of it is for those with a GPU"
)
"""With GPUs --workers has no effect."""

_LITE = "context-cracknet-lite"


def fitted(request: Request, job: Job, images: Sequence[SurveyImage]) -> Request:
    """The request with as many workers on this machine's cores as its memory allows for these images.

    Fewer than were asked for are said in one line. Raises MemoryShortError where not even one fits. Workers
    of a Dask scheduler or with GPUs are not looked at.
    """
    from crackpipe.pipeline.tasks.need import need_of

    config = request.config
    if config.scheduler or config.gpus or job.device != "cpu":
        return request
    wanted = 1 if request.serial else config.workers or local.cpu_count()
    own = psutil.Process().memory_info()
    driver = own.rss - own.shared
    need, memory = need_of(job, images).beside(driver), limits.memory()
    if not request.serial:
        _check_each_process(need)
    room = memory.free + driver
    workers = min(wanted, need.workers_in(room))
    about = f"{_mib(room)} may be used ({memory.free_by})"
    if workers < 1:
        raise MemoryShortError(
            f"a run of one worker is projected to need {_mib(need.with_reserve(1))} of memory for these "
            f"images, but {about}. {_remedy(job, images, need, room)}"
        )
    if workers < wanted:
        log.warning(
            f"{workers} instead of {wanted} workers: so many are projected to need "
            f"{_mib(need.with_reserve(wanted))} of memory, but {about}"
        )
    return request if request.serial else replace(request, config=replace(config, workers=workers))


def _check_each_process(need: "Need") -> None:
    for kind, limit in limits.of_each_process():
        if need.of_process(kind) > limit:
            raise MemoryShortError(
                f"a worker is projected to reserve {_mib(need.of_process(kind))} of {kind}, but each process "
                f"may {limits.at_most(kind, limit)}"
            )


def _remedy(job: Job, images: Sequence[SurveyImage], need: "Need", room: int) -> str:
    """The fewest changes with which one worker fits, by the same projection."""
    from crackpipe.pipeline.tasks.need import need_of

    more = f"let it have {_mib(need.with_reserve(1))}"
    changes: list[tuple[str, Callable[[Job], Job]]] = []
    if job.precision.startswith("openvino"):
        precision = job.precision.removeprefix("openvino-")
        changes.append((f"`--precision {precision}`", partial(replace, precision=precision)))
    changes += [
        (
            f"`block_cores = {cores}` in crackpipe.toml (images finished so far are done again)",
            partial(_in_blocks, block_cores=cores),
        )
        for cores in (8, 4, 2)
        if cores < job.config.block_cores
    ]
    if job.architecture != _LITE:
        lite = partial(replace, architecture=_LITE, weights=_LITE, weights_name=_LITE)
        changes.append(("`--weights lite`", lite))
    for size in (1, 2, 3):
        for chosen in combinations(changes, size):
            changed = reduce(lambda changing, each: each[1](changing), chosen, job)
            if replace(need_of(changed, images), driver=need.driver).workers_in(room):
                words = " and ".join(words for words, _ in chosen)
                return f"Either take {words}, or {more}, and run again."
    return f"Free some memory, or {more}, and run again."


def _in_blocks(job: Job, block_cores: int) -> Job:
    return replace(job, config=replace(job.config, block_cores=block_cores))


def _mib(size: float) -> str:
    return f"{size / (1 << 20):,.0f} MiB"


@contextmanager
def executor(request: Request, job: Job) -> Iterator[Execute]:
    """Where the graph runs: this thread, an existing scheduler, this machine's GPUs, or its cores."""
    if request.serial:
        with network.threads_of(job):
            yield _execute_here
        return
    from crackpipe.pipeline.tasks.need import need_of, of_tracing

    more = _FEWER_WORKERS
    if request.config.scheduler:
        context = scheduler.existing(request.config.scheduler, _wanted(request, job))
    elif job.config.gpus:
        context, more = gpus.local_gpus(job.config, of_tracing(job)), _FEWER_CORES
    else:
        workers = request.config.workers or local.cpu_count()
        context = local.local_cpu(workers, job.config.threads_per_worker, need_of(job).of_worker)
    with context as client:
        yield lambda tasks, on_result: execute_on(client, tasks, on_result, more)


def _wanted(request: Request, job: Job) -> Wanted:
    return Wanted(
        shared=(job.output.hidden, *request.sources),
        weights=job.weights,
        weights_sha256=job.weights_sha256,
        device=job.device,
        precision=job.precision,
    )


def _execute_here(tasks: Sequence[Any], on_result: Callable[[Any], None]) -> list[ImageRejectedError]:
    import dask

    wanted = {task.key for task in tasks}

    def posttask(key: Any, result: Any, *_: Any) -> None:
        if key in wanted:
            on_result(result)

    with dask.callbacks.Callback(posttask=posttask):
        try:
            # Not optimised: Dask would join units with what follows, and their results would not be seen.
            dask.compute(*tasks, scheduler="synchronous", optimize_graph=False)
        except MemoryShortError as error:
            return [_left_out(error)]
    return []


def execute_on(
    client: Any, tasks: Sequence[Any], on_result: Callable[[Any], None], more: str = _FEWER_WORKERS
) -> list[ImageRejectedError]:
    """Compute tasks on a Dask client as `Execute` says; results come in the order in which tasks end.

    `more` says what gives a process more memory.
    """
    from distributed import as_completed
    from distributed.scheduler import KilledWorker

    left_out: dict[str, ImageRejectedError] = {}
    with scheduler.losing_it():
        futures = client.compute(tasks, optimize_graph=False)
        try:
            for future in as_completed(futures):
                if future.status == "error":
                    error = future.exception()
                    if not isinstance(error, (KilledWorker, MemoryShortError)):
                        raise error
                    left_out[str(error)] = _left_out(error, more)
                else:
                    on_result(future.result())
                future.release()
        finally:
            # What nobody wants any more, the scheduler drops. `client.cancel` would fail on tasks in between.
            for future in futures:
                future.release()
    return list(left_out.values())


def _left_out(error: Exception, more: str = _FEWER_WORKERS) -> ImageRejectedError:
    """The reason why an image is given up, if it fails in the same way when it runs alone."""
    if isinstance(error, MemoryShortError):
        reason = "out-of-memory"
        message = f"memory was too short even for this image alone, in the smallest batches: {error}"
    else:
        reason, message = "worker-died", "the worker process died each time it worked on this image"
    log.warning(f"{reason}: {error}; what it left unfinished is tried again image by image")
    remedy = (
        f"{more}; look for an out-of-memory kill in the system log. Then "
        "`crackpipe retry-quarantined OUT` and the same command again."
    )
    return ImageRejectedError(reason, message, remedy)
