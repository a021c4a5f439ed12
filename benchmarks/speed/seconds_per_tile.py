"""Seconds per 448x448 tile of both networks on this machine's CPU, fp32 and bf16, 1 and 2 threads.

    python benchmarks/speed/seconds_per_tile.py [--tiles 8] [--rounds 3] [--network lite|full|both]

Weights are random: the time does not depend on them. Each figure is the best of the rounds, so that other
work on the machine disturbs it least; the rate of a 2048 x 2048 matrix product, measured next to it, says how
fast the machine was at that moment.
"""

import argparse
import platform
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch

from crackpipe.model.networks.context_cracknet import TILE_PX, ContextCrackNet, ContextCrackNetLite
from crackpipe.model.predict.predictor import PRECISIONS, Predictor, resolve_precision
from crackpipe.model.weights.read import Weights, load, save

NETWORKS = {"lite": (ContextCrackNetLite, 8.45e9), "full": (ContextCrackNet, 208.64e9)}
"""Class and FLOP per tile, as torch counts them."""

METADATA = {
    "classes": ["crack"],
    "training_gsd_mm": 1.0,
    "threshold": 0.5,
    "contrast_c0": 60.0,
    "data": "none",
    "licence": "CC0-1.0",
    "metrics": {},
}


def best_of(rounds: int, work: Callable[[], object]) -> float:
    """Shortest of `rounds` runs of `work` after one that does not count, in seconds."""
    work()
    seconds = []
    for _ in range(rounds):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def matrix_rate(precision: str) -> float:
    """FLOP per second of a 2048 x 2048 matrix product."""
    a = torch.randn(2048, 2048).to(PRECISIONS[precision])
    return 2 * 2048**3 / best_of(3, lambda: a @ a)


def random_weights(name: str) -> Weights:
    with TemporaryDirectory() as folder:
        path = Path(folder) / f"{name}.safetensors"
        save(path, NETWORKS[name][0](), METADATA)
        return load(path)


def measure(name: str, tiles: int, rounds: int) -> None:
    weights = random_weights(name)
    some = np.random.default_rng(0).integers(0, 256, (tiles, TILE_PX, TILE_PX, 3), dtype=np.uint8)
    for precision in PRECISIONS:
        predictor = Predictor(weights, device="cpu", precision=precision)
        for threads in (1, 2):
            torch.set_num_threads(threads)
            rate = matrix_rate(precision)
            seconds = best_of(rounds, lambda: predictor.predict(some)) / tiles  # noqa: B023  runs at once
            done = NETWORKS[name][1] / seconds
            print(
                f"{name:5} {precision:5} {threads:7d} {seconds:8.3f} {1 / seconds:8.2f} "
                f"{done / 1e9:9.0f} {rate / 1e9:9.0f} {done / rate:6.2f}",
                flush=True,
            )


def main() -> None:
    parser = argparse.ArgumentParser(description="Seconds per tile of both networks on the CPU.")
    parser.add_argument("--tiles", type=int, default=8, help="tiles per round (default 8)")
    parser.add_argument("--rounds", type=int, default=3, help="rounds, the best counts (default 3)")
    parser.add_argument("--network", choices=[*NETWORKS, "both"], default="both")
    arguments = parser.parse_args()
    print(f"{platform.processor() or platform.machine()}, torch {torch.__version__}, ", end="")
    print(f"bf16 native: {resolve_precision('cpu', 'auto') == 'bf16'}")
    print("net   prec. threads   s/tile  tiles/s   GFLOP/s matrix GF/s  share")
    for name in NETWORKS if arguments.network == "both" else [arguments.network]:
        measure(name, max(1, arguments.tiles // (4 if name == "full" else 1)), arguments.rounds)


if __name__ == "__main__":
    main()
