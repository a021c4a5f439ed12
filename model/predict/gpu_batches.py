"""Batches on their way through a GPU: tiles up, the network, probabilities down, each on a stream of its own.

While the network works on one batch, the next one's tiles go up, the last one's probabilities come down, and
the host fills and empties pinned memory. The three steps of a batch wait for each other by events and for
nothing else (`Streams.put`).

The network is captured as a CUDA graph, for two reasons. One call launches all its kernels; those of a small
network may take longer to launch one by one than to run. And all its memory is taken before the first batch.
"""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from crackpipe.model.networks.context_cracknet import TILE_PX
from crackpipe.model.predict.device import DeviceError

UInt8 = npt.NDArray[np.uint8]
Forward = Callable[[Tensor], Tensor]
"""(N, 448, 448, 3) uint8 -> (N, classes, 448, 448) uint8, both on the device."""

log = logging.getLogger(__name__)

# `benchmark` would choose kernels by timing, which is chance. With TF32, `fp32` would not be fp32.
_CUDNN = {"enabled": True, "benchmark": False, "deterministic": True, "allow_tf32": False}


class Event(Protocol):
    """Something on a stream that can be waited for."""

    def synchronize(self) -> None:
        """Wait until it has happened."""


class Streams:
    """The streams `up`, `network` and `down` of one GPU: each in its own order, side by side."""

    def __init__(self, device: str) -> None:
        self._device = torch.device(device)
        with torch.cuda.device(self._device):
            self._streams = {name: torch.cuda.Stream() for name in ("up", "network", "down")}

    def put(self, stream: str, work: Callable[[], object], after: Event | None = None) -> Event:
        """Queue what `work` launches, to run after the event `after`. Returns the event of its end."""
        with torch.cuda.device(self._device), torch.cuda.stream(self._streams[stream]):
            if after is not None:
                torch.cuda.current_stream().wait_event(after)  # type: ignore[arg-type]
            work()
            # a thread that waits for it shall sleep, because the cores decode images meanwhile
            event = torch.cuda.Event(blocking=True)
            event.record()
        return event

    def capture(self, work: Callable[[], object]) -> Callable[[], object]:
        """Capture what `work` launches, and return a function that launches it again on the same memory.

        Raises RuntimeError if that cannot be captured.
        """
        graph = torch.cuda.CUDAGraph()
        network = self._streams["network"]
        with (
            torch.cuda.device(self._device),
            torch.cuda.graph(graph, stream=network, capture_error_mode="thread_local"),
        ):
            work()
        return graph.replay

    def pinned(self, shape: tuple[int, ...]) -> Tensor:
        """Memory of the host that the device itself can read and write, uint8 zeros of this shape."""
        return torch.zeros(shape, dtype=torch.uint8, pin_memory=True)

    def settle(self) -> None:
        """Wait for all streams, and give back the device's memory that nothing holds."""
        torch.cuda.synchronize(self._device)
        torch.cuda.empty_cache()


@dataclass
class _Slot:
    """Memory for one batch, here on the host (pinned) and there on the device.

    A short batch fills only its first tiles; what lies behind them is padding.
    """

    tiles: Tensor  # (batch, 448, 448, 3) uint8
    tiles_there: Tensor
    probability_there: Tensor  # (batch, classes, 448, 448) uint8
    probability: Tensor


@dataclass
class Flight:
    """A batch on its way."""

    slot: _Slot
    tiles: int
    landed: Event


class GpuBatches:
    """Runs a network on one GPU in batches of one size. Several threads may use it.

    `batch` is the number of tiles at a time. If memory is too short for the first batch, it is halved until
    there is enough; `reduced` says whether it was. All that share a device in one process share one `lock`:
    CUDA forbids to wait for the whole device (`Streams.settle`) while another thread captures a graph on it.
    """

    def __init__(  # noqa: PLR0917
        self,
        forward: Forward,
        device: str,
        classes: int,
        batch: int,
        streams: Streams | None = None,
        lock: "threading.Lock | None" = None,  # a function before Python 3.13
    ) -> None:
        self.batch, self.reduced = batch, False
        self._forward, self._device, self._classes = forward, device, classes
        self._streams = streams or Streams(device)
        self._run: Callable[[_Slot], None] | None = None
        # Kept for ever: a batch that nobody collects may still be copying to or from its slot.
        self._slots: list[_Slot] = []
        self._free: list[_Slot] = []
        self._lock = lock or threading.Lock()

    @torch.inference_mode()
    def begin(self, tiles: UInt8) -> list[Flight]:
        """Send tiles (N, 448, 448, 3) on their way and return before they are there.

        Raises DeviceError if the device has no memory for them.
        """
        with self._lock:
            if self._run is None:
                self._prepare()
        return [self._launch(tiles[start : start + self.batch]) for start in range(0, len(tiles), self.batch)]

    def collect(self, flights: list[Flight]) -> UInt8:
        """Wait for the probabilities of what `begin` sent, uint8 (N, classes, 448, 448), round(254 p)."""
        tiles = sum(flight.tiles for flight in flights)
        probability = np.empty((tiles, self._classes, TILE_PX, TILE_PX), np.uint8)
        start = 0
        for flight in flights:
            flight.landed.synchronize()
            probability[start : start + flight.tiles] = flight.slot.probability.numpy()[: flight.tiles]
            self._free.append(flight.slot)
            start += flight.tiles
        return probability

    def _launch(self, tiles: UInt8) -> Flight:
        slot = self._free_slot()
        slot.tiles.numpy()[: len(tiles)] = tiles
        run = self._run
        assert run is not None
        with self._lock:
            up = self._streams.put("up", lambda: slot.tiles_there.copy_(slot.tiles, non_blocking=True))
            through = self._streams.put("network", lambda: run(slot), after=up)
            landed = self._streams.put(
                "down",
                lambda: slot.probability.copy_(slot.probability_there, non_blocking=True),
                after=through,
            )
        return Flight(slot, len(tiles), landed)

    def _free_slot(self) -> _Slot:
        try:
            return self._free.pop()
        except IndexError:
            pass
        with self._lock:
            try:
                slot = self._new_slot()
            except torch.OutOfMemoryError as error:
                raise self._short("another batch beside those under way") from error
            self._slots.append(slot)
        return slot

    def _new_slot(self) -> _Slot:
        tiles, probability = self._shapes()
        slot = _Slot(
            tiles=self._streams.pinned(tiles),
            tiles_there=torch.zeros(tiles, dtype=torch.uint8, device=self._device),
            probability_there=torch.zeros(probability, dtype=torch.uint8, device=self._device),
            probability=self._streams.pinned(probability),
        )
        self._streams.settle()  # the zeros were queued on the stream of the calling thread
        return slot

    def _shapes(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        return (self.batch, TILE_PX, TILE_PX, 3), (self.batch, self._classes, TILE_PX, TILE_PX)

    # ---- the network

    def _prepare(self) -> None:
        """Get the network ready for batches of `batch` tiles, or of as many as there is memory for."""
        while self._run is None:
            try:
                self._run = self._prepared()
            except torch.OutOfMemoryError as error:
                if self.batch == 1:
                    raise self._short("one tile") from error
                self.batch, self.reduced = self.batch // 2, True
            self._streams.settle()  # not in the handler, where the traceback keeps tensors alive

    def _prepared(self) -> Callable[[_Slot], None]:
        """A function that puts a batch through the network, as a CUDA graph if it can be captured.

        A graph always works on the memory that it was captured with, so each batch is copied there from its
        slot and back, within the device. Batches follow each other on one stream, so one such place is
        enough.
        """
        tiles, probability = (
            torch.zeros(shape, dtype=torch.uint8, device=self._device) for shape in self._shapes()
        )

        def network() -> None:
            with torch.backends.cudnn.flags(**_CUDNN):
                probability.copy_(self._forward(tiles))

        self._streams.settle()
        # the first run chooses kernels and takes work space, which is forbidden while a graph is captured
        self._streams.put("network", network).synchronize()
        try:
            launch = self._streams.capture(network)
        except torch.OutOfMemoryError:
            raise
        except RuntimeError as error:
            log.warning(
                "%s: no CUDA graph of the network, its kernels run one by one: %s", self._device, error
            )
            launch = network

        def run(slot: _Slot) -> None:
            tiles.copy_(slot.tiles_there)
            launch()
            slot.probability_there.copy_(probability)

        return run

    def _short(self, what: str) -> DeviceError:
        return DeviceError(f"{self._device}: no memory for {what}; free some, or use --device cpu")
