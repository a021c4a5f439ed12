"""The bare network and the figures that are asked of each worker process."""

import resource
import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from crackpipe.model.predict.bare import Bare, bare_loop, flop_per_tile, matrix_rate
from crackpipe.pipeline.cluster import gpus
from crackpipe.pipeline.execute import Execute
from crackpipe.pipeline.tasks import network, stages
from crackpipe.pipeline.tasks.job import Job
from crackpipe.pipeline.tasks.stages import Spent

_T = TypeVar("_T")


class Workers:
    """The processes that a graph runs on. If there is no client, it is this process alone."""

    def __init__(self, execute: Execute, client: Any | None) -> None:
        self.execute = execute
        self._client = client

    def each(self, function: Callable[..., _T], *args: Any) -> list[_T]:
        """Call a function in every worker that runs the network, at the same time."""
        if self._client is None:
            return [function(*args)]
        return self._call(gpus.running_the_network(self._client), function, *args)

    def _call(self, addresses: Sequence[str], function: Callable[..., _T], *args: Any) -> list[_T]:
        assert self._client is not None
        calls = [self._client.submit(function, *args, workers=[address], pure=False) for address in addresses]
        results: list[_T] = self._client.gather(calls)
        return results

    def _of_all(self, function: Callable[[], _T]) -> list[_T]:
        """Call a function in all workers, also those that only trace."""
        if self._client is None:
            return [function()]
        return self._call(sorted(self._client.nthreads()), function)

    def cpu_s(self) -> float:
        """CPU seconds of this process and of all workers so far."""
        others = 0.0 if self._client is None else sum(self._of_all(time.process_time))
        return time.process_time() + others

    def spent(self) -> dict[str, Spent]:
        """What all workers have spent on each stage so far."""
        all_spent = self._of_all(stages.spent)
        return {name: sum((one[name] for one in all_spent), Spent()) for name in stages.STAGES}


def client_of() -> Any:
    """The Dask client that the executor has opened."""
    from distributed import default_client

    return default_client()


def bare_rate(job: Job, tiles: int) -> Bare:
    """Time the network alone over `tiles` tiles in this process."""
    return bare_loop(network.predictor_of(job), tiles)


def device_matrix_rate(job: Job) -> float:
    """Operations per second that this process's device reaches in a large matrix product."""
    network.predictor_of(job)  # sets the threads
    return matrix_rate(job.device, job.precision)


def flop_of_tile(job: Job) -> int:
    """Floating-point operations of one forward pass of one tile."""
    return flop_per_tile(network.predictor_of(job).weights)


def peak_memory_mib() -> float:
    """Largest resident memory of this process so far, MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024  # KiB on Linux
