"""The network of a process. It is loaded once and serves all units and output folders."""

import gc
import platform
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from crackpipe.pipeline.cluster import workers
from crackpipe.pipeline.errors import ConfigurationError
from crackpipe.pipeline.tasks.job import Job

if TYPE_CHECKING:  # the module imports torch
    from crackpipe.model.predict.encoder import Encoder
    from crackpipe.model.predict.predictor import Predictor


class Network(Protocol):
    """What tasks ask of a `Predictor`: uint8 tiles (N, 448, 448, 3) RGB become probabilities.

    Those are uint8 round(254 p), (N, classes, 448, 448).
    """

    @property
    def device(self) -> str:
        """`cpu`, or the name of a GPU."""

    @property
    def batch_reduced(self) -> bool:
        """Whether the device's memory was too short for whole batches."""

    def predict(self, tiles: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The probabilities of some tiles."""

    def suspect(self, tiles: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The probabilities, and behind them a plane of levels of `predict.suspicion`."""

    def begin(self, tiles: NDArray[np.uint8]) -> Callable[[], NDArray[np.uint8]]:
        """Start one batch. Calling what is returned waits for the batch and gives its probabilities."""


_loading = threading.Lock()
_loaded: dict[tuple[Any, ...], "Predictor"] = {}
_encoders: dict[tuple[str, str], "Encoder"] = {}


@contextmanager
def threads_of(job: Job) -> Iterator[None]:
    """Inside, torch uses as many threads as the configuration says; afterwards as many as before.

    This is for work in the caller's own process. A worker process keeps the threads that its first network
    sets.
    """
    import torch

    before = torch.get_num_threads()
    if job.device == "cpu":
        torch.set_num_threads(job.config.threads_per_worker)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def predictor_of(job: Job) -> "Predictor":
    """The `Predictor` of a job. That of another job is dropped before. Raises ConfigurationError."""
    needs = job.config.batch, job.config.threads_per_worker
    key = (job.weights, job.weights_sha256, job.device, job.precision, *needs)
    with _loading:
        if key not in _loaded:
            _loaded.clear()
            _encoders.clear()
            gc.collect()  # a predictor refers to itself, so only this frees it, and a GPU has no room for two
            _loaded[key] = _load(job)
        return _loaded[key]


def encoder_of(job: Job) -> "Encoder | None":
    """The `Encoder` that tells how familiar images are; None where the weights have no statistics for it."""
    if job.statistics is None:
        return None
    weights = predictor_of(job).weights
    key = (weights.sha256, job.device)
    with _loading:
        if key not in _encoders:
            from crackpipe.model.predict.encoder import Encoder
            from crackpipe.model.weights.metadata import WeightsError

            try:
                _encoders[key] = Encoder(weights, job.device)
            except WeightsError as error:
                raise ConfigurationError(str(error)) from error
        return _encoders[key]


def _load(job: Job) -> "Predictor":
    import torch

    from crackpipe.model.predict.device import DeviceError
    from crackpipe.model.predict.predictor import Predictor
    from crackpipe.model.weights.metadata import WeightsError
    from crackpipe.model.weights.read import load

    if job.device == "cpu":
        torch.set_num_threads(job.config.threads_per_worker)
    here = f"a worker on {platform.node()}"
    try:
        weights = load(job.weights)
    except WeightsError as error:
        raise ConfigurationError(f"{here} {workers.without_weights(job.weights, error)}") from error
    if weights.sha256 != job.weights_sha256:
        raise ConfigurationError(
            f"{here} {workers.with_others(job.weights, weights.sha256, job.weights_sha256)}"
        )
    try:
        return Predictor(weights, device=job.device, precision=job.precision, batch=job.config.batch)
    except DeviceError as error:
        raise ConfigurationError(f"{here} cannot run the network as planned: {error}") from error
