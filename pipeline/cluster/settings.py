"""Settings of Dask and the environment of worker processes, each with its reason."""

from collections.abc import Iterator
from contextlib import contextmanager

NO_WORKERS_S = 300


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
def dask_settings(threads: int) -> Iterator[None]:
    """Dask as a run needs it, for a cluster that is made within; `threads` of the network per worker."""
    import dask
    import distributed  # noqa: F401  its defaults must be loaded before they can be overridden

    with dask.config.set(
        {
            # What kills its worker is tried twice here and twice alone: done again three times at most.
            "distributed.scheduler.allowed-failures": 1,
            # without workers the run must end and say so, not wait for ever
            "distributed.scheduler.no-workers-timeout": f"{NO_WORKERS_S}s",
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
