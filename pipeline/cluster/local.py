"""Worker processes on the cores of this machine."""

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from crackpipe.pipeline.cluster import limits
from crackpipe.pipeline.cluster.settings import dask_settings
from crackpipe.pipeline.console.log import log
from crackpipe.pipeline.console.signals import held_back, loop_without_interrupts, telling
from crackpipe.pipeline.errors import SchedulerLostError
from crackpipe.pipeline.every import repeated

# Units in flight per worker: one reads or writes while the other computes. More would only hold memory. And
# if the worker died, nobody could tell which of them killed it.
UNITS_IN_FLIGHT = 2

# Dask's scheduler serves HTTP even without a dashboard. Here only this machine can reach it. Port 0 means any
# free port, so that two runs can work at once.
HTTP_ADDRESS = "127.0.0.1:0"

_TERMINATED_FROM = 0.95
"""Dask ends a worker that has this share of its limit (`distributed.worker.memory.terminate`)."""

_REFILL_EVERY_S = 5.0
_START_TRIES = 3


def cpu_count() -> int:
    """Processes that keep the cores busy which this one may use (`limits.cores`)."""
    return limits.cores().processes


def least_limit(projected_bytes: int) -> int:
    """The least limit of a process that is projected to take so much: Dask ends it at 1.25 times that."""
    return int(1.25 * projected_bytes / _TERMINATED_FROM)


@contextmanager
def local_cpu(workers: int, threads: int, worker_bytes: int = 0) -> Iterator[Any]:
    """A Dask client over `workers` processes on this machine.

    Dask ends a worker that takes more than its share of the memory, but none below 1.25 times `worker_bytes`,
    which is what it is projected to take.
    """
    from distributed import LocalCluster

    share = int(limits.memory().limit * 0.9 / workers)
    start = partial(
        LocalCluster,
        n_workers=workers,
        threads_per_worker=UNITS_IN_FLIGHT,
        processes=True,
        host="127.0.0.1",  # nothing listens on other interfaces
        dashboard_address=None,
        memory_limit=max(share, least_limit(worker_bytes)),
        scheduler_kwargs={"dashboard_address": HTTP_ADDRESS},
        silence_logs=50,  # the run reports failures itself, in words
    )
    with dask_settings(threads), started(start, workers) as client:
        yield client


@contextmanager
def started(start: Callable[..., Any], workers: int) -> Iterator[Any]:
    """A Dask client of the cluster of `workers` processes that `start(loop=...)` makes.

    The processes do not see Ctrl-C. This one hears it once they are there, since half a cluster can neither
    be used nor closed. Raises SchedulerLostError where workers die while they start.
    """
    from distributed import Client

    _leave_a_closed_folder()
    with (
        loop_without_interrupts() as loop,
        held_back() as let_go,
        _tried(partial(start, loop=loop)) as cluster,
        Client(cluster) as client,
        refilled(cluster, workers),
        telling(" The workers are being ended; another Ctrl-C ends everything at once."),
    ):
        let_go()
        yield client


def _leave_a_closed_folder() -> None:
    """Work in `/` where this user may not enter the working folder: each new process begins by entering it.

    So it is with `runuser` where root is in a folder of its own. All paths are absolute by now.
    """
    try:
        if os.access(Path.cwd(), os.X_OK, effective_ids=True):
            return
    except FileNotFoundError:  # somebody removed it
        pass
    os.chdir("/")


def _tried(start: Callable[[], Any]) -> Any:
    failure: RuntimeError | None = None
    for _ in range(_START_TRIES):
        try:
            return start()
        except RuntimeError as error:  # what a nanny says; the cluster has closed itself
            failure = error
            log.warning("a worker process died while it started (%s)", error.__cause__ or error)
    raise SchedulerLostError(
        f"worker processes died while they started, {_START_TRIES} times over (the log says how). Mostly "
        f"memory is too short for them: free some or take fewer --workers, then run the same command again: "
        f"finished images are kept."
    ) from failure


def refilled(cluster: Any, workers: int) -> AbstractContextManager[None]:
    """Start workers again that are gone for good.

    A worker's nanny restarts it, but gives up where it dies while it starts, and Dask then forgets both after
    `distributed.deploy.lost-worker-timeout`: without this, a run would wait for workers that never come.
    """

    def refill() -> bool:
        cluster.scale(workers)  # does nothing while all are there
        return True

    return repeated(refill, _REFILL_EVERY_S, "refill")
