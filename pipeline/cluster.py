"""The machines a graph runs on: this machine's cores, its GPUs, or a Dask scheduler started elsewhere."""

import logging
import os
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import psutil

from crackpipe.pipeline.errors import SchedulerLostError, UsageError
from crackpipe.pipeline.every import repeated
from crackpipe.pipeline.progress import log

# Two units in flight per worker: one reads or writes while the other computes. More would only hold
# memory, and would all fall under suspicion together if the worker died.
UNITS_IN_FLIGHT = 2

# Dask's scheduler serves HTTP even without a dashboard: where nobody else listens, and two runs at once may.
HTTP_ADDRESS = "127.0.0.1:0"

_CONNECT_TIMEOUT_S = 20
_NO_WORKERS_S = 300
_REFILL_EVERY_S = 5.0
_START_TRIES = 3


def cpu_count() -> int:
    """Cores this process may use (containers and `taskset` limit them)."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)


def worker_environment(threads: int) -> dict[str, str]:
    """Variables a worker process needs before it imports anything numeric."""
    return {
        # one source of parallelism: processes; see Config.threads_per_worker
        "OMP_NUM_THREADS": str(threads),
        "MKL_NUM_THREADS": str(threads),
        "OPENBLAS_NUM_THREADS": "1",
        # By default glibc, and more so with Dask's own setting, gives large freed arrays back and faults them
        # in again, which doubles the time of a tile. Arrays are few and of fixed sizes: keeping them is safe.
        "MALLOC_TRIM_THRESHOLD_": str(1 << 30),
        "MALLOC_MMAP_THRESHOLD_": str(1 << 30),
        # and one heap: every thread would keep its own, 200 MiB together
        "MALLOC_ARENA_MAX": "1",
    }


@contextmanager
def local_cpu(workers: int, threads: int) -> Iterator[Any]:
    """A Dask client over `workers` processes on this machine."""
    from distributed import Client, LocalCluster

    start = partial(
        LocalCluster,
        n_workers=workers,
        threads_per_worker=UNITS_IN_FLIGHT,
        processes=True,
        host="127.0.0.1",  # nothing listens on other interfaces
        dashboard_address=None,
        memory_limit=int(psutil.virtual_memory().total * 0.9 / workers),
        scheduler_kwargs={"dashboard_address": HTTP_ADDRESS},
        silence_logs=50,  # the run reports failures itself, in words
    )
    with (
        dask_settings(threads),
        started(start) as cluster,
        Client(cluster) as client,
        refilled(cluster, workers),
    ):
        yield client


def started(start: Callable[[], Any]) -> Any:
    """A cluster, begun anew where a worker dies while it starts. Raises SchedulerLostError in the end."""
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


@contextmanager
def existing(address: str, shared: Sequence[Path]) -> Iterator[Any]:
    """A Dask client of a scheduler started elsewhere.

    `shared` are the folders every worker must see; the first is writable and gets a probe file.
    Raises SchedulerLostError if nobody answers, UsageError if a worker sees other files.
    """
    from distributed import Client

    with dask_settings(threads=1), _quiet("distributed", "distributed.client"):
        try:
            client = Client(address, timeout=_CONNECT_TIMEOUT_S, set_as_default=True)
        except (OSError, TimeoutError, ValueError) as error:
            raise SchedulerLostError(
                f"no Dask scheduler answers at {address} within {_CONNECT_TIMEOUT_S} s ({error}). "
                f"Start one with `dask scheduler`, or check host, port and firewall."
            ) from error
        with client:
            _check_workers(client, address, shared)
            yield client


@contextmanager
def _quiet(*loggers: str) -> Iterator[None]:
    """The run reports a lost scheduler itself, in words; the libraries would add their tracebacks."""
    levels = {name: logging.getLogger(name).level for name in loggers}
    for name in loggers:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)


def _check_workers(client: Any, address: str, shared: Sequence[Path]) -> None:
    try:
        client.wait_for_workers(1, timeout=_CONNECT_TIMEOUT_S)
    except TimeoutError as error:
        raise SchedulerLostError(
            f"the scheduler at {address} has no workers after {_CONNECT_TIMEOUT_S} s. "
            f"Start some with `dask worker {address}`."
        ) from error
    probe = shared[0] / f"probe-{uuid.uuid4().hex}"
    probe.touch()
    try:
        seen = client.run(_sees, [str(path) for path in (probe, *shared)])
    finally:
        probe.unlink()
    for worker, missing in sorted(seen.items()):
        if missing:
            raise UsageError(
                f"worker {worker} does not see {missing[0]}. With --scheduler, survey and output must be on "
                f"storage that every worker mounts at the same path."
            )


def _sees(paths: Sequence[str]) -> list[str]:
    return [path for path in paths if not Path(path).exists()]


@contextmanager
def losing_it() -> Iterator[None]:
    """Turn what Dask raises when its scheduler or all workers are gone into SchedulerLostError."""
    from concurrent.futures import CancelledError

    from distributed.client import FutureCancelledError
    from distributed.comm.core import CommClosedError
    from distributed.scheduler import NoValidWorkerError, NoWorkerError

    try:
        yield
    except NoWorkerError as error:
        raise SchedulerLostError(
            f"the Dask scheduler has had no workers for {_NO_WORKERS_S} s. Start some with `dask worker`, "
            f"then run the same command again: finished images are kept."
        ) from error
    except NoValidWorkerError as error:
        kinds = " and ".join(error.resource_restrictions)
        raise SchedulerLostError(
            f"for {_NO_WORKERS_S} s there was no process for tasks that need `{kinds}`. Mostly a GPU is gone "
            f"or memory is short: `crackpipe doctor` shows what is seen. Then run the same command again: "
            f"finished images are kept."
        ) from error
    except (CommClosedError, FutureCancelledError, CancelledError) as error:
        raise SchedulerLostError(
            "the Dask scheduler went away. Start it again, then run the same command again: "
            "finished images are kept."
        ) from error


@contextmanager
def dask_settings(threads: int) -> Iterator[None]:
    """Dask as a run needs it, for a cluster that is made within; `threads` of the network per worker."""
    import dask
    import distributed  # noqa: F401  its defaults must be loaded before they can be overridden

    with dask.config.set(
        {
            # What kills its worker is tried twice here and twice alone: done again three times at most.
            "distributed.scheduler.allowed-failures": 1,
            # without workers the run must end and say so, not wait for ever
            "distributed.scheduler.no-workers-timeout": f"{_NO_WORKERS_S}s",
            # set before the worker process starts: malloc and OpenMP read their variables only then
            "distributed.nanny.pre-spawn-environ": worker_environment(threads),
            # units are independent of where they ran; arrays never travel
            "distributed.worker.memory.spill": False,
            "distributed.worker.memory.target": False,
            # units wait at the scheduler: in the queue of one worker they may wait while another has none
            "distributed.scheduler.worker-saturation": 1.0,
            "distributed.scheduler.work-stealing-interval": "200ms",
            # nobody asks the HTTP servers of a run anything
            "distributed.scheduler.http.routes": [],
            "distributed.worker.http.routes": [],
            # five event loops that look at themselves 50 times a second take a twentieth of a core
            "distributed.admin.tick.interval": "1s",
            # twice a second instead of ten times: units take seconds
            "distributed.worker.memory.monitor-interval": "500ms",
            # looks at every thread's stack a hundred times a second, for a dashboard that is not there
            "distributed.worker.profile.enabled": False,
        }
    ):
        yield
