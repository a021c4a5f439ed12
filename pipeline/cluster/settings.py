"""Settings of Dask and the environment of worker processes, each with its reason."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

NO_WORKERS_S = 300
_FROM_DASK = ("PYTHONHASHSEED", "__DASK_PARENT_PID")
"""Variables that Dask sets for workers by itself, in the process that starts them too."""


def worker_environment(threads: int) -> dict[str, str]:
    """Variables a worker process needs before it imports anything numeric."""
    return {
        # Only processes work in parallel, but for the threads of Config.threads_per_worker.
        "OMP_NUM_THREADS": str(threads),
        "MKL_NUM_THREADS": str(threads),
        "OPENBLAS_NUM_THREADS": "1",
        # By default glibc gives the memory of large arrays back to the system, with Dask's own setting even
        # sooner. To get it again doubles the time of a tile. Arrays are few and of fixed sizes: it is kept.
        "MALLOC_TRIM_THRESHOLD_": str(1 << 30),
        "MALLOC_MMAP_THRESHOLD_": str(1 << 30),
        # One heap for all threads. Each would keep its own, 200 MiB together.
        "MALLOC_ARENA_MAX": "1",
    }


@contextmanager
def dask_settings(threads: int) -> Iterator[None]:
    """Dask as a run needs it, for a cluster that is made within; `threads` of the network per worker."""
    import dask
    import distributed  # noqa: F401  its defaults must be loaded before they can be overridden

    before = {name: os.environ.get(name) for name in (*worker_environment(threads), *_FROM_DASK)}
    with dask.config.set(
        {
            # A task that kills its worker is tried twice here. Its images are then tried twice alone, so that
            # nothing is done again more than three times.
            "distributed.scheduler.allowed-failures": 1,
            # A run without workers ends and says so; it does not wait for ever.
            "distributed.scheduler.no-workers-timeout": f"{NO_WORKERS_S}s",
            # Set before a worker process starts: malloc and OpenMP read their variables only then.
            "distributed.nanny.pre-spawn-environ": worker_environment(threads),
            # Tasks return small figures, never arrays, so there is nothing worth writing to disk.
            "distributed.worker.memory.spill": False,
            "distributed.worker.memory.target": False,
            # Nor would a pause help: the heap is kept (see above), so a worker would pause for ever. One that
            # takes more than its share ends, and its task is done again.
            "distributed.worker.memory.pause": False,
            # Units wait at the scheduler. In the queue of a worker they might wait while another has none.
            "distributed.scheduler.worker-saturation": 1.0,
            "distributed.scheduler.work-stealing-interval": "200ms",
            # Nobody asks the HTTP servers of a run, so they have no pages.
            "distributed.scheduler.http.routes": [],
            "distributed.worker.http.routes": [],
            # Five event loops watch their own delay 50 times a second, which takes a twentieth of a core.
            "distributed.admin.tick.interval": "1s",
            # Twice a second is enough, not ten times: units take seconds.
            "distributed.worker.memory.monitor-interval": "500ms",
            # It would look at every thread's stack a hundred times a second. Only a dashboard shows that.
            "distributed.worker.profile.enabled": False,
        }
    ):
        try:
            yield
        finally:
            _give_back(before)  # Dask sets the variables of its workers in this process too


def _give_back(before: Mapping[str, str | None]) -> None:
    for name, value in before.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
