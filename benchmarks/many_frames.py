"""A survey of many small frames: planning, the graph, the run against the bare network, a restart.

    python benchmarks/many_frames.py [--frames 2000] [--network lite|one-convolution] [--survey DIR]
                                     [--plan-only | --run]

Frames of 480 x 320 px lie in a row, 32 px over each other, as GeoTIFFs with JPEG inside. Each is one of 16
pieces of one rendered road. Wall clock and CPU seconds are printed; the scheduler lives in the driver's
process, whose memory is the one printed.
"""

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from affine import Affine

from crackpipe.model.bare import write_untrained
from crackpipe.model.render import render_window
from crackpipe.model.render_scenes import random_scene
from crackpipe.pipeline import benchmark, config, plan, remembered, state
from crackpipe.pipeline.gdal_env import rasterio
from crackpipe.pipeline.taskgraph import build_graph

HEIGHT_PX, WIDTH_PX, OVERLAP_PX = 320, 480, 32
PIECES = 16


def write_frames(folder: Path, count: int) -> None:
    """Frames in subfolders of 1,000, one after the other along a road to the north."""
    scene = random_scene(3, HEIGHT_PX * PIECES, WIDTH_PX, gsd_mm=1.0, look="old asphalt", with_cracks=True)
    pieces = []
    for piece in range(PIECES):
        rgb, _ = render_window(scene, piece * HEIGHT_PX, 0, HEIGHT_PX, WIDTH_PX)
        pieces.append(np.ascontiguousarray(np.moveaxis(rgb, -1, 0)))
    for number in range(count):
        path = folder / f"{number // 1000:03}" / f"{number:05}.tif"
        path.parent.mkdir(parents=True, exist_ok=True)
        y = 5_400_000.0 + number * (HEIGHT_PX - OVERLAP_PX) * 0.001
        with rasterio.open(
            path, "w", driver="GTiff", height=HEIGHT_PX, width=WIDTH_PX, count=3, dtype="uint8",
            crs="EPSG:25832", transform=Affine(0.001, 0, 500_000.0, 0, -0.001, y),
            compress="jpeg", photometric="ycbcr", interleave="pixel",
        ) as file:  # fmt: skip
            file.write(pieces[number % PIECES])


def timed(name: str, work: Callable[[], Any]) -> Any:
    """Run `work` and print its time."""
    wall_s, cpu_s = time.perf_counter(), time.process_time()
    result = work()
    wall_s, cpu_s = time.perf_counter() - wall_s, time.process_time() - cpu_s
    print(f"{name:32} {wall_s:8.2f} s wall {cpu_s:8.2f} s CPU", flush=True)
    return result


def planning(request: plan.Request) -> None:
    """Everything before the first task, step by step, in this process."""
    started = time.perf_counter()
    job = timed("weights, device", lambda: plan.make_job(request))
    found = timed("look at all files", lambda: plan.look_at(request))
    made = timed("compare with markers", lambda: plan.make_plan(request, job, found))
    units = timed("cut into units", lambda: plan.units_of(request, made, made.to_run))
    tasks = timed("build the graph", lambda: [*chain(*build_graph(made, made.to_run, units))])
    print(f"planning together {time.perf_counter() - started:.2f} s, {len(units)} units, {len(tasks)} tasks")
    output = state.Output(request.out.with_name("remembering"))
    output.create()
    remembered.keep(output, job.config, found.images, found.stamps, remembered.Memory())
    timed("look again, nothing changed", lambda: plan.look_at(request, remembered.recall(output, job.config)))
    peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"peak memory so far {peak_mib:.0f} MiB", flush=True)


def command_line(name: str, survey: Path, out: Path, weights: str) -> None:
    """`crackpipe run` as a user starts it; its largest process's memory is that of a child."""
    arguments = ["run", str(survey), "--out", str(out), "--weights", weights]
    start = "import crackpipe.cli as c, resource, atexit; " + (
        "atexit.register(lambda: print(f'driver and scheduler "
        "{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB', flush=True)); c.main()"
    )
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    wall_s = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", start, *arguments], stdout=subprocess.PIPE, text=True, check=False
    )
    wall_s = time.perf_counter() - wall_s
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(done.stdout, end="")
    print(f"{name:32} {wall_s:8.2f} s wall {cpu_s:8.2f} s CPU, exit code {done.returncode}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--frames", type=int, default=2000)
    parser.add_argument("--network", choices=["lite", "one-convolution"], default="lite")
    parser.add_argument("--survey", type=Path, help="keep the frames there, or take those that are there")
    parser.add_argument("--plan-only", action="store_true")
    parser.add_argument("--run", action="store_true", help="a run from the command line, and its restart")
    parser.add_argument("--rounds", type=int, default=1)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="many-frames-") as folder:
        survey = arguments.survey or Path(folder) / "survey"
        if not survey.exists():
            timed(f"draw {arguments.frames} frames", lambda: write_frames(survey, arguments.frames))
        weights = arguments.network
        if weights != "lite":
            weights = str(Path(folder) / "one-convolution.safetensors")
            write_untrained(Path(weights), "one-convolution")
        request = plan.Request((survey,), Path(folder) / "out", config.Config(weights=weights))
        planning(request)
        if arguments.run:
            out = Path(folder) / "out"
            command_line("run", survey, out, weights)
            command_line("restart of the finished survey", survey, out, weights)
        elif not arguments.plan_only:
            for line in benchmark.lines(benchmark.benchmark(request, rounds=arguments.rounds)):
                print(line, flush=True)


if __name__ == "__main__":
    main()
