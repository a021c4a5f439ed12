"""A survey of many small frames: planning, the graph, the run against the bare network, a restart.

    python benchmarks/speed/many_frames.py [--frames 2000] [--network lite|one-convolution] [--survey DIR]
                                     [--plan-only | --run | --finished]

Frames of 480 x 320 px lie in a row, 32 px over each other, as GeoTIFFs with JPEG inside. Each is one of 16
pieces of one rendered road. Wall clock and CPU seconds are printed; the scheduler lives in the driver's
process, whose memory is the one printed. `--finished` inspects one frame and gives its (empty) result to all:
tables and restart of a large survey without the hours of inspecting it.
"""

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from affine import Affine

from crackpipe.model.predict.bare import write_untrained
from crackpipe.model.render.picture import render_window
from crackpipe.model.render.scenes import random_scene
from crackpipe.pipeline import config, plan, run
from crackpipe.pipeline.benchmark import benchmark, report
from crackpipe.pipeline.raster.gdal import create_raster
from crackpipe.pipeline.request import Request, make_job
from crackpipe.pipeline.state import markers
from crackpipe.pipeline.state.output import Output
from crackpipe.pipeline.storage import sealed
from crackpipe.pipeline.survey import memory
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
        with create_raster(
            path, driver="GTiff", height=HEIGHT_PX, width=WIDTH_PX, count=3, dtype="uint8",
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


def planning(request: Request) -> None:
    """Everything before the first task, step by step, in this process."""
    started = time.perf_counter()
    job = timed("weights, device", lambda: make_job(request))
    found = timed("look at all files", lambda: plan.look_at(request))
    made = timed("compare with markers", lambda: plan.make_plan(request, job, found))
    units = timed("cut into units", lambda: plan.units_of(request, made, made.to_run))
    tasks = timed("build the graph", lambda: [*chain(*build_graph(made, made.to_run, units))])
    print(f"planning together {time.perf_counter() - started:.2f} s, {len(units)} units, {len(tasks)} tasks")
    output = Output(request.out.with_name("remembering"))
    output.create()
    memory.keep(output.memory, job.config, found.images, found.stamps, memory.Memory())
    timed(
        "look again, nothing changed", lambda: plan.look_at(request, memory.recall(output.memory, job.config))
    )
    peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"peak memory so far {peak_mib:.0f} MiB", flush=True)


def finish_without_work(request: Request) -> None:
    """Give all images the marker and the rows of the first, which is inspected here."""
    first = sorted(request.sources[0].rglob("*.tif"))[0]
    alone = replace(request, sources=(first,), out=request.out.with_name("first"), serial=True)
    run.run(alone)
    source = Output(alone.out)
    marker, rows = markers.read_marker(source, first.name), source.rows(first.name).read_bytes()
    assert marker is not None and marker["rows"] == 0  # others' lines would lie outside their images
    job = make_job(request)
    job.output.create()
    made = plan.make_plan(request, job, plan.look_at(request))
    for image in made.images:
        job.output.rows(image.image_id).write_bytes(rows)
        told = {"image_id": image.image_id, "fingerprint": made.fingerprints[image.image_id]}
        sealed.write_sealed(job.output.marker(image.image_id), marker | told)


def command_line(name: str, request: Request) -> None:
    """`crackpipe run` as a user starts it; its largest process's memory is that of a child."""
    arguments = ["run", str(request.sources[0]), "--out", str(request.out)]
    arguments += ["--weights", request.config.weights]
    if request.config.threshold is not None:
        arguments += ["--threshold", str(request.config.threshold)]
    # not ru_maxrss, which begins with this process's own: it is handed down when a process is made
    start = (
        "import crackpipe.cli as c, atexit, pathlib, re; "
        "status = lambda: pathlib.Path('/proc/self/status').read_text(); "
        "peak_mib = lambda: int(re.search(r'VmHWM:\\s+(\\d+)', status())[1]) >> 10; "
        "atexit.register(lambda: print(f'driver and scheduler {peak_mib()} MiB', flush=True)); c.main()"
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
    parser.add_argument("--finished", action="store_true", help="tables and restart, without inspecting")
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
        threshold = 0.99 if arguments.finished else None  # nothing is a crack
        settings = config.Config(weights=weights, threshold=threshold)
        request = Request((survey,), Path(folder) / "out", settings)
        if arguments.finished:
            timed("finish without work", lambda: finish_without_work(request))
            command_line("tables of the finished survey", request)
            command_line("restart of the finished survey", request)
            return
        planning(request)
        if arguments.run:
            command_line("run", request)
            command_line("restart of the finished survey", request)
        elif not arguments.plan_only:
            for line in report.lines(benchmark.benchmark(request, rounds=arguments.rounds)):
                print(line, flush=True)


if __name__ == "__main__":
    main()
