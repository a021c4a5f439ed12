"""What a network gives on its own: a loop over tiles already in memory, and the device's matrix rate."""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from crackpipe.model.networks.context_cracknet import TILE_PX, ContextCrackNet
from crackpipe.model.networks.one_convolution import OneConvolution
from crackpipe.model.predict.predictor import Predictor, arithmetic
from crackpipe.model.weights.read import Weights, save

_MATRIX_SIDE = 2048
_DISTINCT_TILES = 64  # 39 MB, more than the caches hold: the pipeline's tiles are in no cache either


@dataclass(frozen=True)
class Bare:
    """What one process did in one loop."""

    tiles: int
    wall_s: float
    cpu_s: float
    """Of the calling thread."""

    def __add__(self, other: "Bare") -> "Bare":
        return Bare(self.tiles + other.tiles, self.wall_s + other.wall_s, self.cpu_s + other.cpu_s)


def bare_loop(predictor: Predictor, tiles: int) -> Bare:
    """Predict at least `tiles` tiles, as many at a time as the pipeline gives, and drop the results.

    On a GPU three steps are under way at once, so that it never waits for the next.
    """
    on_cpu = predictor.device == "cpu"
    step, ahead = (8, 0) if on_cpu else (predictor.batch, 2)
    pool = np.random.default_rng(0).integers(
        0, 256, (max(step, _DISTINCT_TILES), TILE_PX, TILE_PX, 3), dtype=np.uint8
    )
    predictor.predict(pool[:step])  # first calls choose kernels and allocate
    wall_s, cpu_s, done = time.perf_counter(), time.thread_time(), 0
    started: deque[Callable[[], object]] = deque()
    while done < tiles:
        start = done % (len(pool) - step + 1)
        started.append(predictor.begin(pool[start : start + step]))
        if len(started) > ahead:
            started.popleft()()
        done += step
    while started:
        started.popleft()()
    return Bare(done, time.perf_counter() - wall_s, time.thread_time() - cpu_s)


def matrix_rate(device: str, precision: str, seconds: float = 0.5) -> float:
    """FLOP per second of products of two 2048 x 2048 matrices (8192 on a GPU), the best of several."""
    side = _MATRIX_SIDE if device == "cpu" else 4 * _MATRIX_SIDE
    a = torch.randn(side, side, device=device).to(arithmetic(precision))
    _timed_product(a)  # the first call makes threads and buffers
    stop = time.perf_counter() + seconds
    best_s = _timed_product(a)  # once at least, however busy the machine is
    while time.perf_counter() < stop:
        best_s = min(best_s, _timed_product(a))
    return 2 * side**3 / best_s


def _timed_product(a: torch.Tensor) -> float:
    if a.is_cuda:
        torch.cuda.synchronize()
    started = time.perf_counter()
    a @ a
    if a.is_cuda:
        torch.cuda.synchronize()
    return time.perf_counter() - started


def flop_per_tile(weights: Weights) -> int:
    """Floating-point operations of one forward pass of a tile, two per multiply-add."""
    net = weights.build()
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        net(torch.zeros(1, 3, TILE_PX, TILE_PX))
    return int(counter.get_total_flops())


def write_untrained(path: Path, network: str) -> None:
    """Write weights of the network `full` or `one-convolution` with which time is measured.

    The values of weights do not change the time. Those of the full network are random, but its last bias
    makes it find nothing, because tracing its noise would take for ever.
    """
    torch.manual_seed(0)
    net: ContextCrackNet | OneConvolution
    if network == "full":
        net = ContextCrackNet()
        torch.nn.init.constant_(net.head.bias, -20.0)  # type: ignore[arg-type]
    else:
        net = OneConvolution()
    about = {"data": "none: untrained, for measuring time", "licence": "CC0-1.0", "metrics": {}}
    constants = {"classes": ["crack"], "training_gsd_mm": 1.0, "threshold": 0.5, "contrast_c0": 60.0}
    save(path, net, {**about, **constants})
