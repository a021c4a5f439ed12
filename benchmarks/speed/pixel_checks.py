"""What the looks at pixels before the network cost: collars, islands without data, alpha, zero tails.

    python benchmarks/speed/pixel_checks.py [--frames 40]

A strip of 4,000 x 4,000 px, then small frames, all of them good, are run one after the other in this process.
Printed is the CPU time of each look and its share of the run's.
"""

import argparse
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests" / "support"))
from helpers import write_scene

from crackpipe.model.render.scenes import random_scene
from crackpipe.pipeline import run as story
from crackpipe.pipeline.config import Config
from crackpipe.pipeline.raster import reader
from crackpipe.pipeline.raster.declared import Declared
from crackpipe.pipeline.raster.zero_tail import ZeroTail
from crackpipe.pipeline.request import Request

LOOKS = (
    ("collars", reader._Pavement, "_all_collars"),
    ("islands without data", reader._Pavement, "_settle"),
    ("nodata, alpha, masks", Declared, "judge"),
    ("zeros to the end", ZeroTail, "mark"),
)
spent_s: dict[str, float] = defaultdict(float)


def timed(name: str, work: Callable[..., Any]) -> Callable[..., Any]:
    """`work`, whose CPU time is added up under `name`."""

    def with_clock(*arguments: Any, **named: Any) -> Any:
        started = time.thread_time()
        try:
            return work(*arguments, **named)
        finally:
            spent_s[name] += time.thread_time() - started

    return with_clock


def survey(folder: Path, count: int, height_px: int, width_px: int) -> Path:
    for number in range(count):
        scene = random_scene(number, height_px, width_px, gsd_mm=1.0, look="old asphalt", with_cracks=True)
        write_scene(folder / f"{number:04d}.tif", scene, x=500_000.0 + 10 * number)
    return folder


def measure(title: str, source: Path) -> None:
    spent_s.clear()
    started = time.process_time()
    story.run(Request((source,), source.with_name(f"{source.name}-out"), Config(device="cpu"), serial=True))
    run_s = time.process_time() - started
    print(f"{title}: {run_s:.1f} s of CPU")
    for name, _, _ in LOOKS:
        print(f"    {name:22} {spent_s[name]:7.3f} s  {spent_s[name] / run_s:.2%}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--frames", type=int, default=40)
    arguments = parser.parse_args()
    for name, owner, method in LOOKS:
        setattr(owner, method, timed(name, getattr(owner, method)))
    with tempfile.TemporaryDirectory() as folder:
        measure("one strip of 4,000 x 4,000 px", survey(Path(folder) / "strip", 1, 4000, 4000))
        frames = survey(Path(folder) / "frames", arguments.frames, 320, 480)
        measure(f"{arguments.frames} frames of 480 x 320 px", frames)


if __name__ == "__main__":
    main()
