"""The network of a process: loaded once, whatever the units and the output folder."""

import gc
import platform
import threading
from typing import Any

from crackpipe.pipeline.errors import ConfigurationError
from crackpipe.pipeline.tasks.job import Job

_loading = threading.Lock()
_loaded: dict[tuple[Any, ...], Any] = {}


def predictor_of(job: Job) -> Any:
    """The `Predictor` of a job; one of another job is dropped first. Raises ConfigurationError."""
    needs = job.config.batch, job.config.threads_per_worker
    key = (job.weights, job.weights_sha256, job.device, job.precision, *needs)
    with _loading:
        if key not in _loaded:
            _loaded.clear()
            gc.collect()  # it refers to itself, and a GPU has no room for two
            _loaded[key] = _load(job)
        return _loaded[key]


def _load(job: Job) -> Any:
    import torch

    from crackpipe.model.predict.device import DeviceError
    from crackpipe.model.predict.predictor import Predictor
    from crackpipe.model.weights.read import load

    if job.device == "cpu":
        torch.set_num_threads(job.config.threads_per_worker)
    weights = load(job.weights)
    if weights.sha256 != job.weights_sha256:
        raise ConfigurationError(
            f"a worker on {platform.node()} found weights {job.weights} with SHA-256 {weights.sha256}, but "
            f"the run was planned with {job.weights_sha256}. "
            f"Install the same crackpipe and weights everywhere."
        )
    try:
        return Predictor(weights, device=job.device, precision=job.precision, batch=job.config.batch)
    except DeviceError as error:
        raise ConfigurationError(
            f"a worker on {platform.node()} cannot run the network as planned: {error}"
        ) from error
