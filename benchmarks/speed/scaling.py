"""What limits a run on one machine, and what 8 and 64 GPUs would give on a road network.

    python benchmarks/speed/scaling.py machine                  CPU ms per tile with more processes or threads
    python benchmarks/speed/scaling.py measure [--out FILE]      seconds that tasks take on this machine
    python benchmarks/speed/scaling.py simulate [--measured FILE] [--gpus 1 8 64] [--tile-ms 1.0] ...

`measure` runs a rendered strip (all in this process, lite network, CPU seconds by stage) and sends empty
tasks through a real Dask scheduler. `simulate` is a plain event simulation of the workers' threads with
those times. In a unit one thread reads a block ahead of the network and one writes; tracing is a task of
its own, in a process that only traces (`--tracing`) or in a thread of the GPU's worker; storage,
scheduler, driver and the cores of each GPU's host are queues. `--tile-ms`, the network's time on a GPU,
and the rates of the storage are assumptions: nothing here measures them.
"""

import argparse
import json
import multiprocessing
import os
import tempfile
import time
from dataclasses import asdict, fields
from pathlib import Path

import numpy as np
from simulated_cluster import Cluster, Measured, report

CORE_PX = 384


# ---- this machine


def measure() -> Measured:
    from crackpipe.pipeline import run as story
    from crackpipe.pipeline.config import Config
    from crackpipe.pipeline.request import Request
    from crackpipe.pipeline.sample import write
    from crackpipe.pipeline.tasks import stages

    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        survey = write.write_survey(root, seed=7, kind="strip", size_px=(6000, 3072), gsd_mm=1.0, epsg=25832)
        for out in ("warm", "out"):  # the first run imports and loads
            request = Request((survey,), root / out, Config(workers=1), serial=True)
            before = stages.spent()
            summary = story.run(request)
        spent = {name: each - before[name] for name, each in stages.spent().items()}
        tiles = summary.figures.tiles
        gdal_s = gdal_seconds(next(survey.rglob("*.tif")))
        read = sum(file.stat().st_size for file in survey.rglob("*.tif"))
        written = sum(
            file.stat().st_size for file in (root / "out" / "masks.zarr").rglob("*") if file.is_file()
        )
        images = copies(survey, root / "copies", 40)
        plan_s, tables_s = per_image(images, root / "many")
    return Measured(
        decode_s_per_tile=spent["decoding"].cpu_s / tiles,
        gdal_s_per_tile=gdal_s / tiles,
        copy_s_per_tile=spent["copying"].cpu_s / tiles,
        write_s_per_tile=spent["writing"].cpu_s / tiles,
        trace_s_per_tile=spent["tracing"].cpu_s / tiles,
        plan_s_per_image=plan_s,
        tables_s_per_image=tables_s,
        scheduler_s_per_task=scheduler_s_per_task(),
        read_bytes_per_tile=read / tiles,
        write_bytes_per_tile=written / tiles,
    )


def gdal_seconds(strip: Path) -> float:
    """CPU seconds of GDAL alone for the windows that the blocks of a strip need; the less of two turns."""
    from rasterio.windows import Window

    from crackpipe.pipeline.raster.gdal import open_raster

    side = 8 * CORE_PX
    taken = []
    for _ in range(2):
        started = time.thread_time()
        with open_raster(strip, "GTiff") as file:
            for row in range(0, file.height, side):
                for col in range(0, file.width, side):
                    file.read(window=Window(max(0, col - 32), max(0, row - 32), side + 64, side + 64))
        taken.append(time.thread_time() - started)
    return min(taken)


def copies(survey: Path, folder: Path, count: int) -> Path:
    """Frames of 1,536 x 768 px out of the strip, one beside the other."""
    import rasterio

    folder.mkdir()
    [strip] = sorted(survey.rglob("*.tif"))
    with rasterio.open(strip) as source:
        pixels, profile = source.read(window=((0, 768), (0, 1536))), source.profile
    for number in range(count):
        place = source.transform @ source.transform.translation(1500 * number, 0)
        with rasterio.open(
            folder / f"{number:04}.tif", "w", **profile | {"height": 768, "width": 1536, "transform": place}
        ) as target:
            target.write(pixels)
    return folder


def per_image(survey: Path, out: Path) -> tuple[float, float]:
    """CPU seconds of planning and of making the tables, per image: the part that only the driver does."""
    from crackpipe.pipeline import plan, publish
    from crackpipe.pipeline import run as story
    from crackpipe.pipeline.config import Config
    from crackpipe.pipeline.request import Request, make_job

    request = Request((survey,), out, Config(workers=1), serial=True)
    images = story.run(request).images_done
    start = time.process_time()
    job = make_job(request)
    found = plan.look_at(request)
    again = plan.make_plan(request, job, found)
    planned = time.process_time()
    (out / ".crackpipe" / "tables.json").unlink()
    publish.refresh_tables(again, publish.Summary())
    return (planned - start) / images, (time.process_time() - planned) / images


def scheduler_s_per_task(tasks: int = 3000) -> float:
    """CPU seconds of scheduler and client per task of a real Dask cluster whose worker is another process."""
    import dask
    from distributed import Client, LocalCluster

    with (
        LocalCluster(n_workers=1, threads_per_worker=2, processes=True, silence_logs=50) as cluster,
        Client(cluster) as client,
    ):
        client.gather(client.compute([dask.delayed(abs)(-1)]))
        start = time.process_time()
        client.gather(client.compute([dask.delayed(abs)(-number) for number in range(tasks)]))
        return (time.process_time() - start) / tasks


def machine(rounds: int = 5) -> None:
    """CPU ms per tile of the lite network: alone, and while others do the same."""
    cores = len(os.sched_getaffinity(0))
    print("processes x threads   CPU ms per tile   (median of all processes)")
    for processes, threads in [(1, 1), (cores, 1), (1, cores)]:
        with multiprocessing.get_context("spawn").Pool(processes) as pool:
            took = pool.map(tile_ms, [(threads, rounds)] * processes, chunksize=1)
        print(f"{processes:9} x {threads:<7}   {np.median(np.concatenate(took)):15.1f}")


def tile_ms(given: tuple[int, int]) -> list[float]:
    import torch

    from crackpipe.model.predict.predictor import Predictor

    threads, rounds = given
    torch.set_num_threads(threads)
    predictor = Predictor("lite", device="cpu")
    tiles = np.random.default_rng(0).integers(0, 256, (4, 448, 448, 3), dtype=np.uint8)
    took = []
    for _ in range(rounds + 1):
        start = time.process_time()
        predictor.predict(tiles)
        took.append(1e3 * (time.process_time() - start) / len(tiles))
    return took[1:]


def main() -> None:
    parser = argparse.ArgumentParser(description="What limits a run, here and on many GPUs.")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("machine")
    commands.add_parser("measure").add_argument("--out", type=Path)
    options = commands.add_parser("simulate")
    options.add_argument("--measured", type=Path, help="output of `measure`; without it, measure now")
    options.add_argument("--gpus", type=int, nargs="+", default=[1, 8, 64])
    options.add_argument("--units-in-flight", type=int, default=2, help="task threads of a GPU's worker")
    options.add_argument("--tile-ms", type=float, default=1.0, help="network on one GPU, ms per tile")
    options.add_argument("--cores-per-gpu", type=int, default=16)
    options.add_argument(
        "--tracing",
        type=int,
        default=12,
        help="of these cores, for processes that trace; 0: task threads trace",
    )
    options.add_argument("--decode-threads", type=int, default=4, help="of GDAL, per unit")
    options.add_argument("--unit-tiles", type=int, default=256)
    options.add_argument("--read-gb-per-s", type=float, default=5.0, help="all hosts together")
    options.add_argument("--write-gb-per-s", type=float, default=2.0, help="all hosts together")
    options.add_argument("--image-tiles", type=int, default=270, help="tiles of an image of 10 m of lane")
    options.add_argument("--survey-images", type=int, default=10_000)
    options.add_argument("--wait-for-tables", action="store_true", help="one survey must end before the next")
    options.add_argument("--km", type=float, default=10_000, help="of one lane")
    options.add_argument("--sample-km", type=float, default=200, help="simulated, then scaled up")
    given = parser.parse_args()
    if given.command == "machine":
        machine()
        return
    measured = getattr(given, "measured", None)
    times = Measured(**json.loads(measured.read_text())) if measured else measure()
    for each in fields(times):
        print(f"{each.name:22} {getattr(times, each.name):.3g}")
    if given.command == "measure":
        if given.out:
            given.out.write_text(json.dumps(asdict(times), indent=1))
        return
    for gpus in given.gpus:
        names = [each.name for each in fields(Cluster) if each.name != "gpus"]
        cluster = Cluster(gpus=gpus, **{name: getattr(given, name) for name in names})
        print(report(times, cluster, given.sample_km, given.km))


if __name__ == "__main__":
    main()
