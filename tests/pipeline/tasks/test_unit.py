"""Units that share a process: on a GPU their batches are under way together, on a CPU they take turns."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from helpers import tree_hash
from numpy.typing import NDArray
from streams import Shuffled

from crackpipe.model.predict.gpu_batches import GpuBatches
from crackpipe.model.predict.predictor import Predictor
from crackpipe.pipeline.config import Config
from crackpipe.pipeline.plan import look_at, make_plan, units_of
from crackpipe.pipeline.request import Request, make_job
from crackpipe.pipeline.run import prepare, run
from crackpipe.pipeline.state import lock
from crackpipe.pipeline.tasks import unit as inspect_unit


@pytest.mark.parametrize("screen", [None, 0.95])
def test_batches_under_way_change_nothing(
    survey: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, screen: float | None
) -> None:
    """The run of a CPU, and one whose batches of three go through shuffled streams, a tile at a time."""
    config = Config(batch=3, screen=screen, precision="fp32")
    run(Request((survey,), tmp_path / "cpu", config, serial=True))
    predictor = Predictor("lite", device="cpu", precision="fp32")
    gpu = GpuBatches(predictor._forward, "cpu", classes=1, batch=1, streams=Shuffled(5))
    predictor._gpu, predictor.device = gpu, "cuda"
    predictor._gpu_suspicion = GpuBatches(
        predictor._suspicion, "cpu", classes=2, batch=1, streams=Shuffled(5)
    )
    monkeypatch.setattr(inspect_unit, "predictor_of", lambda _: predictor)
    summary = run(Request((survey,), tmp_path / "gpu", config, serial=True))
    assert summary.figures.tiles > 5
    assert len(gpu._slots) > 3  # more than one batch was under way
    assert tree_hash(tmp_path / "gpu") == tree_hash(tmp_path / "cpu")


class Watched:
    """The CPU's network, and which thread asked for its results; the first result asked for may fail."""

    def __init__(self, *, fails: bool) -> None:
        self.device, self.batch_reduced = "cpu", False
        self.threads: list[int] = []
        self._fails = fails

    def begin(self, tiles: NDArray[np.uint8]) -> Callable[[], NDArray[np.uint8]]:
        return lambda: self._result(len(tiles))

    def _result(self, count: int) -> NDArray[np.uint8]:
        self.threads.append(threading.get_ident())
        if self._fails and len(self.threads) == 1:
            raise OSError("the first one")
        time.sleep(0.02)  # time for the other to come between, if it could
        return np.zeros((count, 1, 448, 448), np.uint8)


@pytest.mark.parametrize("fails", [False, True])
def test_on_a_cpu_one_unit_computes_after_the_other(
    survey: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails: bool
) -> None:
    """Also after one that failed, and though both want to at the same time."""
    request = Request(
        (survey,), tmp_path / "out", Config(batch=1, block_cores=1, workers=1, coarse_look=False)
    )
    job = make_job(request)
    made = make_plan(request, job, look_at(request))
    job.output.create()
    network = Watched(fails=fails)
    monkeypatch.setattr(inspect_unit, "predictor_of", lambda _: network)
    images = {image.image_id: image for image in made.images}
    units = [unit for unit in units_of(request, made, made.images) if len(unit) > 1][:2]
    with lock.locked(job.output, job.run), ThreadPoolExecutor(2) as threads:
        prepare(made)
        begun = [threads.submit(inspect_unit.inspect_unit, job, images, unit) for unit in units]
        failures = [each.exception() for each in begun]
    assert [bool(each) for each in failures].count(True) == fails
    switches = sum(one != other for one, other in pairwise(network.threads))
    assert switches == 1
    assert len(network.threads) >= 3
