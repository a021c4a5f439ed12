"""How fast masks become lines on one core, and how much memory a long strip takes.

    python benchmarks/results/trace.py [--width-px 20000] [--height-px 4000] [--cracks 250] [--json FILE]

Draws meandering cracks of 1 to 8 px, about 1 % of the pixels with the defaults, into a mask on disk, makes
the skeletons block by block and traces the lines, each step in a process of its own so that its peak
memory shows (anonymous pages only: those of the mask on disk are mapped, not held). Seconds are of CPU
time, so that other work on the machine does not count.
"""

import argparse
import json
import multiprocessing
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, gaussian_filter1d

from crackpipe.pipeline.config import Config
from crackpipe.pipeline.geometry.grid import Grid, Window
from crackpipe.pipeline.tasks.picture import trace_options
from crackpipe.pipeline.trace.lines import trace_lines
from crackpipe.pipeline.trace.skeleton import Skeleton, join, skeleton_halo_px, skeleton_of_block

_CAP_PX = 150.0
_CHUNK_PX = 4096


def draw(folder: Path, shape: tuple[int, int], cracks: int, seed: int = 0) -> dict[str, Any]:
    """Write `probability.npy`, uint8 (H, W), and return the share of crack pixels."""
    rng = np.random.default_rng(seed)
    drawn = np.lib.format.open_memmap(folder / "drawn.npy", "w+", np.uint8, shape)
    for _ in range(cracks):
        _draw_crack(drawn, rng)
    probability = np.lib.format.open_memmap(folder / "probability.npy", "w+", np.uint8, shape)
    crack_px = 0
    for start in range(0, shape[1], _CHUNK_PX):
        before = min(start, 8)
        part = drawn[:, start - before : start + _CHUNK_PX + 8].astype(np.float32)
        part += gaussian_filter(rng.normal(0, 0.8, part.shape).astype(np.float32), 1.5) * (part > 0)
        blurred = gaussian_filter(part, 0.8)[:, before : before + _CHUNK_PX]
        probability[:, start : start + _CHUNK_PX] = np.rint(254 * np.clip(blurred, 0, 1))
        crack_px += int(np.count_nonzero(blurred >= 0.5))
    probability.flush()
    return {"crack_share": crack_px / (shape[0] * shape[1])}


def _draw_crack(drawn: NDArray[np.uint8], rng: np.random.Generator) -> None:
    """A random walk with a slowly changing heading, some 400 to 1,600 px long, of one width."""
    steps = int(rng.integers(800, 3200))
    heading = rng.uniform(0, 2 * np.pi) + np.cumsum(rng.normal(0, 0.02, steps))
    heading += gaussian_filter1d(rng.normal(0, 1.0, steps), 8)
    path = np.cumsum(0.5 * np.column_stack([np.sin(heading), np.cos(heading)]), axis=0)
    path += rng.uniform((0, 0), drawn.shape)
    radius = rng.choice([0.5, 1.0, 1.5, 2.0, 4.0], p=[0.25, 0.3, 0.25, 0.15, 0.05])
    rows, cols = np.mgrid[-5:6, -5:6]
    disk = np.column_stack([rows[rows**2 + cols**2 <= radius**2], cols[rows**2 + cols**2 <= radius**2]])
    pixels = (np.rint(path).astype(int)[:, None, :] + disk).reshape(-1, 2)
    inside = ((pixels >= 0) & (pixels < drawn.shape)).all(axis=1)
    drawn[tuple(pixels[inside].T)] = 1


def skeletonise(folder: Path) -> dict[str, Any]:
    """Write `skeleton.npz` of all blocks; the time is that of the blocks alone."""
    probability = np.load(folder / "probability.npy", mmap_mode="r")
    halo_px = skeleton_halo_px(_CAP_PX)
    parts, seconds = [], 0.0
    for core in Grid(*probability.shape).blocks():
        outer = core.padded(halo_px).clipped(*probability.shape)
        window = np.array(probability[outer.row : outer.row_stop, outer.col : outer.col_stop])
        mask = (window >= 127).astype(np.uint8)
        started = time.process_time()
        parts.append(skeleton_of_block(mask, window, outer, core, cap_px=_CAP_PX))
        seconds += time.process_time() - started
    skeleton = join(parts)
    np.savez(folder / "skeleton.npz", **vars(skeleton))
    return {"seconds": seconds, "skeleton_px": len(skeleton.pixels)}


def trace(folder: Path) -> dict[str, Any]:
    """Trace the lines of `skeleton.npz`."""
    probability = np.load(folder / "probability.npy", mmap_mode="r")
    with np.load(folder / "skeleton.npz") as arrays:
        skeleton = Skeleton(**{name: arrays[name] for name in arrays.files})

    def read(window: Window) -> NDArray[np.uint8]:
        return np.array(probability[window.row : window.row_stop, window.col : window.col_stop])

    started = time.process_time()
    shape = probability.shape[0], probability.shape[1]
    lines = trace_lines(skeleton, read, shape, trace_options(Config(), min_length_px=25.0))
    return {
        "seconds": time.process_time() - started,
        "lines": len(lines),
        "vertices": sum(len(line.vertices) for line in lines),
        "bridged": sum(line.bridged_px > 0 for line in lines),
    }


def _with_memory(step: Callable[[Path], dict[str, Any]], folder: Path, answer: Any) -> None:
    imported = _anonymous_mib()
    watch = _Watch()
    watch.start()
    figures = step(folder)
    watch.stop.set()
    watch.join()
    answer.put({**figures, "peak_mib": watch.peak_mib, "of_which_imports_mib": imported})


def _anonymous_mib() -> int:
    """Resident memory without mapped files."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.split("RssAnon:")[1].split()[0]) // 1024


class _Watch(threading.Thread):
    """Looks at the memory every 20 ms."""

    def __init__(self) -> None:
        super().__init__()
        self.stop = threading.Event()
        self.peak_mib = 0

    def run(self) -> None:
        while not self.stop.wait(0.02):
            self.peak_mib = max(self.peak_mib, _anonymous_mib())


def measured(step: Callable[[Path], dict[str, Any]], folder: Path) -> dict[str, Any]:
    """Run one step in a fresh process; its figures and its peak memory."""
    context = multiprocessing.get_context("spawn")
    answer = context.Queue()
    process = context.Process(target=_with_memory, args=(step, folder, answer))
    process.start()
    figures: dict[str, Any] = answer.get()
    process.join()
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--height-px", type=int, default=4000)
    parser.add_argument("--width-px", type=int, default=20000)
    parser.add_argument("--cracks", type=int, default=250)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        figures = draw(folder, (options.height_px, options.width_px), options.cracks)
        figures["skeletonise"] = measured(skeletonise, folder)
        figures["trace"] = measured(trace, folder)
    mpx = options.height_px * options.width_px / 1e6
    for step in ("skeletonise", "trace"):
        figures[step]["mpx_per_s"] = round(mpx / figures[step]["seconds"], 1)
    both = figures["skeletonise"]["seconds"] + figures["trace"]["seconds"]
    figures["mpx_per_s"] = round(mpx / both, 1)
    text = json.dumps(figures, indent=2)
    print(text)
    if options.json:
        options.json.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
