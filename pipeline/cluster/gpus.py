"""The GPUs of this machine: one process each, and beside them processes that trace.

A fast GPU needs a millisecond for a tile. Where a road has many cracks, a core needs eight to trace it. If
the two threads that feed the GPU traced too, the GPU would wait most of the time. So tracing has processes of
its own, as many as the cores allow. A task says by Dask's resources which kind of process it needs.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

from crackpipe.pipeline.cluster import limits, local, settings
from crackpipe.pipeline.config import Config
from crackpipe.pipeline.console.log import log
from crackpipe.pipeline.errors import UsageError

CORES_PER_GPU = 4
"""Cores that reading, cutting and writing need for each GPU."""

DEVICE, TRACING = "device", "tracing"
"""The resources of the two kinds of processes."""


def gpu_count() -> int:
    """Number of CUDA devices torch can use."""
    import torch

    return torch.cuda.device_count() if torch.cuda.is_available() else 0


def check_gpus(wanted: int) -> None:
    """Raise UsageError if fewer than `wanted` GPUs are there."""
    found = gpu_count()
    if wanted > found:
        raise UsageError(
            f"--gpus {wanted} was asked for, but this machine has {found} usable GPU(s). "
            f"Ask for at most {found}, or run on the CPU with --device cpu; "
            f"`crackpipe doctor` shows what is seen."
        )


def check_training(processes: int, device: str) -> None:
    """Raise UsageError if a training on GPUs has more processes on this machine than there are GPUs."""
    if device == "cpu":
        return
    found = gpu_count()
    if processes > found:
        raise UsageError(
            f"{processes} training processes need a GPU each, but this machine has {found} usable GPU(s). "
            f"Give at most {found} (--processes, under torchrun --nproc-per-node), or --device cpu; "
            f"`crackpipe doctor` shows what is seen."
        )


def tracing_processes(config: Config) -> int:
    """How many processes only trace; 0 where the processes of a run are all of one kind."""
    if not config.gpus or config.scheduler:
        return 0
    return max(0, local.cpu_count() - CORES_PER_GPU * config.gpus)


def resources(config: Config, kind: str) -> dict[str, Any]:
    """Annotations of a task that needs a process of this kind."""
    return {"resources": {kind: 1}} if tracing_processes(config) else {}


def running_the_network(client: Any) -> list[str]:
    """Addresses of the processes of a cluster that do not merely trace."""
    kinds = client.scheduler_info(n_workers=-1)["workers"]
    return sorted(address for address, about in kinds.items() if TRACING not in about["resources"])


@contextmanager
def local_gpus(config: Config, tracing_bytes: int = 0) -> Iterator[Any]:
    """A Dask client over one process per GPU, each of which sees only its own, and processes that trace.

    There are fewer that trace where memory is too short for `tracing_bytes` each, which is what one of them
    is projected to take.
    """
    check_gpus(config.gpus)
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    devices = visible.split(",") if visible else [str(index) for index in range(gpu_count())]
    environments = [{"CUDA_VISIBLE_DEVICES": device} for device in devices[: config.gpus]]
    tracing = tracing_processes(config)
    with processes(environments, tracing, config.threads_per_worker, tracing_bytes) as client:
        yield client


def with_room(tracing: int, memory: int, tracing_bytes: int) -> tuple[int, int]:
    """How many of `tracing` processes have room in `memory` bytes, and the limit of each, bytes.

    One always has: tasks that are to be traced would wait for it for ever.
    """
    least = max(1, local.least_limit(tracing_bytes))
    fitting = min(tracing, max(1, memory // least))
    return fitting, max(least, memory // max(1, fitting))


@contextmanager
def processes(
    environments: Sequence[Mapping[str, str]], tracing: int, threads: int, tracing_bytes: int = 0
) -> Iterator[Any]:
    """A Dask client over a process for units in each of the environments, and some that trace."""
    from distributed import Scheduler, SpecCluster

    memory = limits.memory().limit * 0.9
    # All that trace together get half. A process with torch, CUDA and blocks needs several times as much as
    # one that traces.
    for_gpu = int(memory / (2 if tracing else 1) / len(environments))
    wanted = tracing
    tracing, for_tracing = with_room(wanted, int(memory / 2), tracing_bytes)
    if tracing < wanted:
        log.info(f"{tracing} instead of {wanted} processes that trace, for which memory suffices")
    # GDAL decodes a block sooner with several threads. On a CPU it has one: the network needs the cores.
    decoding = {"GDAL_NUM_THREADS": str(CORES_PER_GPU)}
    workers = {
        f"gpu-{index}": _process({**decoding, **environment}, DEVICE, local.UNITS_IN_FLIGHT, for_gpu)
        for index, environment in enumerate(environments)
    }
    workers |= {
        f"tracing-{index}": _process({"CUDA_VISIBLE_DEVICES": ""}, TRACING, 1, for_tracing)
        for index in range(tracing)
    }
    scheduler = {
        "cls": Scheduler,
        "options": {"host": "127.0.0.1", "dashboard": False, "dashboard_address": local.HTTP_ADDRESS},
    }
    start = partial(SpecCluster, workers=workers, scheduler=scheduler, silence_logs=50)
    with (
        settings.dask_settings(threads),
        local.started(start, len(workers)) as client,
    ):
        yield client


def _process(environment: Mapping[str, str], kind: str, nthreads: int, memory_limit: int) -> dict[str, Any]:
    from distributed import Nanny

    options = {
        "nthreads": nthreads,
        "resources": {kind: nthreads},
        "host": "127.0.0.1",  # nothing listens on other interfaces
        "memory_limit": memory_limit,
        "env": dict(environment),
        "silence_logs": 50,
    }
    return {"cls": Nanny, "options": options}
