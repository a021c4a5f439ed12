"""Where the Dask graph runs: in this thread, on processes of this machine, or on a scheduler."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from crackpipe.pipeline.cluster import gpus, local, scheduler
from crackpipe.pipeline.console.log import log
from crackpipe.pipeline.errors import ImageRejectedError, MemoryShortError
from crackpipe.pipeline.request import Request
from crackpipe.pipeline.tasks import network
from crackpipe.pipeline.tasks.job import Job

Execute = Callable[[Sequence[Any], Callable[[Any], None]], list[ImageRejectedError]]
"""Computes delayed values and hands over each result as soon as it is there.

A task that killed its worker or got no memory gives no result. The errors of such tasks are returned.
"""


@contextmanager
def executor(request: Request, job: Job) -> Iterator[Execute]:
    """Where the graph runs: this thread, an existing scheduler, this machine's GPUs, or its cores."""
    if request.serial:
        with network.threads_of(job):
            yield _execute_here
        return
    if request.config.scheduler:
        context = scheduler.existing(request.config.scheduler, (job.output.hidden, *request.sources))
    elif request.config.gpus:
        context = gpus.local_gpus(request.config)
    else:
        context = local.local_cpu(request.config.workers or local.cpu_count(), job.config.threads_per_worker)
    with context as client:
        yield lambda tasks, on_result: execute_on(client, tasks, on_result)


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
    client: Any, tasks: Sequence[Any], on_result: Callable[[Any], None]
) -> list[ImageRejectedError]:
    """Compute tasks on a Dask client as `Execute` says; results come in the order in which tasks end."""
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
                    left_out[str(error)] = _left_out(error)
                else:
                    on_result(future.result())
                future.release()
        finally:
            # What nobody wants any more, the scheduler drops. `client.cancel` would fail on tasks in between.
            for future in futures:
                future.release()
    return list(left_out.values())


def _left_out(error: Exception) -> ImageRejectedError:
    """The reason why an image is given up, if it fails in the same way when it runs alone."""
    if isinstance(error, MemoryShortError):
        reason = "out-of-memory"
        message = f"memory was too short even for this image alone, in the smallest batches: {error}"
    else:
        reason, message = "worker-died", "the worker process died each time it worked on this image"
    log.warning(f"{reason}: {error}; what it left unfinished is tried again image by image")
    remedy = (
        "Fewer --workers leave more memory to each; look for an out-of-memory kill in the system log. Then "
        "`crackpipe retry-quarantined OUT` and the same command again."
    )
    return ImageRejectedError(reason, message, remedy)
