"""GpuBatches on streams that run their work as late and in as strange an order as a GPU could."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers import WEIGHTS_METADATA
from streams import Shuffled, Step
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from crackpipe.model.networks.context_cracknet import ContextCrackNet, ContextCrackNetLite
from crackpipe.model.predict import predictor
from crackpipe.model.predict.device import DeviceError
from crackpipe.model.predict.gpu_batches import GpuBatches, UInt8
from crackpipe.model.predict.predictor import Predictor
from crackpipe.model.weights.read import save


def forward(tiles: Tensor) -> Tensor:
    """Two classes: the first channel, and 255 minus the last."""
    return torch.stack((tiles[..., 0], 255 - tiles[..., 2]), dim=1)


def expected(tiles: UInt8) -> UInt8:
    return np.stack((tiles[..., 0], 255 - tiles[..., 2]), axis=1)


def numbered() -> Iterator[UInt8]:
    """Sets of 0 to 5 tiles, every tile of a value of its own."""
    value = 0
    for count in (3, 1, 5, 0, 2, 4, 1, 3):
        tiles = np.empty((count, 448, 448, 3), np.uint8)
        for tile in tiles:
            value += 1
            tile[...] = value
        yield tiles


@pytest.mark.parametrize("seed", range(12))
def test_every_order_of_the_streams_gives_the_same(seed: int) -> None:
    batches = GpuBatches(forward, "cpu", classes=2, batch=2, streams=Shuffled(seed))
    waiting: list[tuple[UInt8, Any]] = []
    for tiles in numbered():
        waiting.append((tiles, batches.begin(tiles)))
        if len(waiting) == 3:
            sent, flights = waiting.pop(seed % 3)  # not always the oldest
            assert np.array_equal(batches.collect(flights), expected(sent))
    for sent, flights in waiting:
        assert np.array_equal(batches.collect(flights), expected(sent))


def test_the_steps_of_a_batch_must_wait_for_each_other() -> None:
    """The test above notices where they do not."""

    class Loose(Shuffled):
        def put(self, stream: str, work: Callable[[], object], after: Any = None) -> Step:
            return super().put(stream, work)

    wrong = 0
    for seed in range(12):
        batches = GpuBatches(forward, "cpu", classes=2, batch=2, streams=Loose(seed))
        begun = [(tiles, batches.begin(tiles)) for tiles in numbered()]
        wrong += any(not np.array_equal(batches.collect(flights), expected(sent)) for sent, flights in begun)
    assert wrong > 6


def test_what_was_collected_stays_when_its_memory_is_used_again() -> None:
    batches = GpuBatches(forward, "cpu", classes=2, batch=2, streams=Shuffled(0))
    first, second = (tiles for tiles in numbered() if len(tiles) == 3)
    kept = batches.collect(batches.begin(first))
    batches.collect(batches.begin(second))
    assert np.array_equal(kept, expected(first))


def test_no_graph_is_no_failure(caplog: pytest.LogCaptureFixture) -> None:
    batches = GpuBatches(forward, "cpu", classes=2, batch=2, streams=Shuffled(0, graphs=False))
    tiles = next(numbered())
    assert np.array_equal(batches.collect(batches.begin(tiles)), expected(tiles))
    assert "no CUDA graph of the network" in caplog.text


def test_memory_too_short_halves_the_batch_and_goes_on() -> None:
    def crowded(tiles: Tensor) -> Tensor:
        if len(tiles) > 2:
            raise torch.OutOfMemoryError("crowded")
        return forward(tiles)

    batches = GpuBatches(crowded, "cpu", classes=2, batch=8, streams=Shuffled(0))
    tiles = next(numbered())
    assert np.array_equal(batches.collect(batches.begin(tiles)), expected(tiles))
    assert (batches.batch, batches.reduced) == (2, True)


def test_no_memory_for_one_tile_is_an_error() -> None:
    def full(_: Tensor) -> Tensor:
        raise torch.OutOfMemoryError("full")

    batches = GpuBatches(full, "cpu", classes=2, batch=2, streams=Shuffled(0))
    with pytest.raises(DeviceError, match="no memory for one tile"):
        batches.begin(next(numbered()))


def test_threads_share_it() -> None:
    batches = GpuBatches(forward, "cpu", classes=2, batch=2, streams=Immediate(0))
    some = list(numbered())
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(lambda tiles: batches.collect(batches.begin(tiles)), some * 3))
    assert all(np.array_equal(one, expected(tiles)) for one, tiles in zip(found, some * 3, strict=True))


class Immediate(Shuffled):
    """Runs everything at once, in the thread that queues it: `Shuffled` is not made for threads."""

    def put(self, stream: str, work: Callable[[], object], after: Any = None) -> Step:
        work()
        step = Step(self, work, [])
        step.done = True
        return step

    def settle(self) -> None:
        pass


class Strict(Immediate):
    """One device that is captured by one thread while another wants to settle."""

    def __init__(self) -> None:
        super().__init__(0)
        self.capturing, self.settled = threading.Event(), threading.Event()
        self.forbidden = False

    def capture(self, work: Callable[[], object]) -> Callable[[], object]:
        self.settled.clear()
        self.capturing.set()
        self.forbidden |= self.settled.wait(0.3)
        self.capturing.clear()
        return work

    def settle(self) -> None:
        self.settled.set()


def test_nobody_waits_for_the_device_while_a_graph_is_captured() -> None:
    device, lock = Strict(), threading.Lock()
    first, second = (GpuBatches(forward, "cpu", 2, 2, streams=device, lock=lock) for _ in range(2))
    tiles = next(numbered())
    with ThreadPoolExecutor(2) as threads:
        begun = threads.submit(first.begin, tiles)
        assert device.capturing.wait(60)
        flights = threads.submit(second.begin, tiles)
        for batches, sent in ((first, begun), (second, flights)):
            assert np.array_equal(batches.collect(sent.result()), expected(tiles))
    assert not device.forbidden


def test_a_predictor_gives_one_lock_to_all_its_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    locks: list[Any] = []
    monkeypatch.setattr(predictor, "resolve_device", lambda _: "meta")
    monkeypatch.setattr(predictor, "GpuBatches", lambda *_, lock=None: locks.append(lock))
    Predictor("lite", precision="fp32")
    assert len(locks) == 2
    assert locks[0] is locks[1] is not None


class Launches(TorchDispatchMode):
    """What a graph could not hold: looks at values, and tensors of another device than the network's."""

    def __init__(self) -> None:
        super().__init__()
        self.seen = 0
        self.wrong: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.seen += 1
        elsewhere = [
            each
            for each in tree_leaves((args, kwargs))
            if isinstance(each, Tensor) and each.device.type != "meta"
        ]
        if elsewhere or func in (torch.ops.aten._local_scalar_dense.default, torch.ops.aten.nonzero.default):
            self.wrong.append(str(func))
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize(
    ("network", "classes"), [(ContextCrackNet, 1), (ContextCrackNetLite, 1), (ContextCrackNetLite, 3)]
)
def test_the_networks_can_be_captured(tmp_path: Path, network: Any, classes: int) -> None:
    """On the device without memory, `meta`: everything that a batch launches works on the device alone."""
    names = [f"class {number}" for number in range(max(1, classes - 1))]
    save(tmp_path / "w.safetensors", network(classes=classes), WEIGHTS_METADATA | {"classes": names})
    made = Predictor(tmp_path / "w.safetensors", device="cpu", precision="bf16")
    made._net = made.weights.build().to("meta", torch.bfloat16)
    made._mean, made._std = made._mean.to("meta"), made._std.to("meta")
    tiles = torch.empty((2, 448, 448, 3), dtype=torch.uint8, device="meta")
    with torch.inference_mode(), Launches() as launches:
        probability = made._forward(tiles)
    assert probability.shape == (2, len(names), 448, 448)
    assert launches.seen > 100
    assert launches.wrong == []
