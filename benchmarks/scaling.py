"""What limits a run on one machine, and what 8 and 64 GPUs would give on a road network.

    python benchmarks/scaling.py machine                   CPU ms per tile with more processes or threads
    python benchmarks/scaling.py measure [--out FILE]      seconds that tasks take on this machine
    python benchmarks/scaling.py simulate [--measured FILE] [--gpus 1 8 64] [--tile-ms 1.0] ...

`measure` runs a rendered strip (all in this process, lite network, CPU seconds by stage) and sends empty
tasks through a real Dask scheduler. `simulate` is a plain event simulation of the workers' threads with
those times. In a unit one thread reads a block ahead of the network and one writes; tracing is a task of
its own, in a process that only traces (`--tracing`) or in a thread of the GPU's worker; storage,
scheduler, driver and the cores of each GPU's host are queues. `--tile-ms`, the network's time on a GPU,
and the rates of the storage are assumptions: nothing here measures them.
"""

import argparse
import heapq
import json
import multiprocessing
import os
import tempfile
import time
from collections.abc import Generator
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path

import numpy as np

TILES_PER_KM = 27_000
"""Of one lane at 1 mm/px."""
BLOCK_TILES, UNIT_TILES = 64, 256
CORE_PX = 384


@dataclass(frozen=True)
class Measured:
    """CPU seconds of this machine."""

    decode_s_per_tile: float
    copy_s_per_tile: float
    write_s_per_tile: float
    trace_s_per_tile: float
    plan_s_per_image: float
    tables_s_per_image: float
    scheduler_s_per_task: float
    read_bytes_per_tile: float
    write_bytes_per_tile: float


# ---- this machine


def measure() -> Measured:
    from crackpipe.pipeline import run as story
    from crackpipe.pipeline import sample, stages
    from crackpipe.pipeline.config import Config
    from crackpipe.pipeline.plan import Request

    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        survey = sample.write_survey(root, seed=7, kind="strip", size_px=(6000, 3072), gsd_mm=1.0, epsg=25832)
        request = Request((survey,), root / "out", Config(workers=1), serial=True)
        before = stages.spent()
        summary = story.run(request)
        spent = {name: each - before[name] for name, each in stages.spent().items()}
        tiles = summary.figures.tiles
        read = sum(file.stat().st_size for file in survey.rglob("*.tif"))
        written = sum(
            file.stat().st_size for file in (root / "out" / "masks.zarr").rglob("*") if file.is_file()
        )
        images = copies(survey, root / "copies", 40)
        plan_s, tables_s = per_image(images, root / "many")
    return Measured(
        decode_s_per_tile=spent["decoding"].cpu_s / tiles,
        copy_s_per_tile=spent["copying"].cpu_s / tiles,
        write_s_per_tile=spent["writing"].cpu_s / tiles,
        trace_s_per_tile=spent["tracing"].cpu_s / tiles,
        plan_s_per_image=plan_s,
        tables_s_per_image=tables_s,
        scheduler_s_per_task=scheduler_s_per_task(),
        read_bytes_per_tile=read / tiles,
        write_bytes_per_tile=written / tiles,
    )


def copies(survey: Path, folder: Path, count: int) -> Path:
    """Frames of 1,536 x 768 px out of the strip, one beside the other."""
    from crackpipe.pipeline.gdal_env import rasterio

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

    request = plan.Request((survey,), out, Config(workers=1), serial=True)
    images = story.run(request).images_done
    start = time.process_time()
    job = plan.make_job(request)
    found = plan.look_at(request)
    again = plan.make_plan(request, job, found)
    planned = time.process_time()
    (out / ".crackpipe" / "tables.json").unlink()
    publish.publish_tables(again, publish.Summary())
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

    from crackpipe.model.predict import Predictor

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


# ---- event simulation

Step = Generator["Job", None, None]


class Queue:
    """Servers that work off what comes in the order in which it comes."""

    def __init__(self, name: str, servers: int = 1) -> None:
        self.name, self.servers, self.busy_s = name, servers, 0.0
        self._free = [0.0] * servers

    def serve(self, now: float, seconds: float) -> float:
        """When a job that comes now is done."""
        start = max(now, heapq.heappop(self._free))
        heapq.heappush(self._free, start + seconds)
        self.busy_s += seconds
        return start + seconds


@dataclass
class Event:
    """Something that others wait for."""

    done: bool = False
    waiting: list[Step] = field(default_factory=list)


Job = tuple[Queue, float] | Event


class Clock:
    """Processes are generators: they yield a job for a queue, or an event to wait for."""

    def __init__(self) -> None:
        self.now, self._order = 0.0, 0
        self._due: list[tuple[float, int, Step]] = []

    def start(self, process: Step, at: float | None = None) -> None:
        self._order += 1
        heapq.heappush(self._due, (self.now if at is None else at, self._order, process))

    def fire(self, event: Event) -> None:
        event.done = True
        for process in event.waiting:
            self.start(process)

    def run(self) -> None:
        while self._due:
            self.now, _, process = heapq.heappop(self._due)
            for job in process:
                if isinstance(job, Event):
                    if job.done:
                        continue
                    job.waiting.append(process)
                else:
                    self.start(process, job[0].serve(self.now, job[1]))
                break


@dataclass(frozen=True)
class Cluster:
    """Assumptions: what nothing here measures."""

    gpus: int
    units_in_flight: int
    tile_ms: float
    cores_per_gpu: int
    tracing: int
    read_gb_per_s: float
    write_gb_per_s: float
    image_tiles: int
    survey_images: int
    wait_for_tables: bool


class Network:
    """A road network on a cluster: the processes of the simulation."""

    def __init__(self, times: Measured, cluster: Cluster) -> None:
        self.times, self.cluster, self.clock = times, cluster, Clock()
        self.scheduler, self.driver = Queue("scheduler"), Queue("driver (planning, tables)")
        self.reading, self.writing = Queue("reading from storage"), Queue("writing to storage")
        self.gpus = [Queue("GPU") for _ in range(cluster.gpus)]
        # each process that trace has a core; the others serve the GPU
        self.cores = [Queue("cores", cluster.cores_per_gpu - cluster.tracing) for _ in self.gpus]
        self.tracing = [Queue("processes that trace", cluster.tracing) for _ in self.gpus if cluster.tracing]
        self.read_s = BLOCK_TILES * times.read_bytes_per_tile / cluster.read_gb_per_s / 1e9
        self.write_s = BLOCK_TILES * times.write_bytes_per_tile / cluster.write_gb_per_s / 1e9
        self.in_tasks_s = 0.0
        self.units_todo = self.units_left = 0
        self.more, self.all_done = Event(), Event()

    @property
    def queues(self) -> list[Queue]:
        tasks = Queue("task threads", self.cluster.gpus * self.cluster.units_in_flight)
        tasks.busy_s = self.in_tasks_s
        return [
            *self.gpus,
            *self.cores,
            *self.tracing,
            self.scheduler,
            self.driver,
            self.reading,
            self.writing,
            tasks,
        ]

    def surveys(self, tiles: int) -> Step:
        """One after the other; the next is planned while the last is inspected, unless it must wait."""
        survey_tiles = self.cluster.image_tiles * self.cluster.survey_images
        for index, (gpu, host) in enumerate(zip(self.gpus, self.cores, strict=True)):
            tracing = self.tracing[index] if self.tracing else None
            for _ in range(self.cluster.units_in_flight):
                self.clock.start(self._worker(gpu, host, tracing))
        for start in range(0, tiles, survey_tiles):
            count = min(tiles - start, survey_tiles)
            images = count / self.cluster.image_tiles
            yield self.driver, images * self.times.plan_s_per_image
            self.units_todo += round(count / UNIT_TILES)
            self.units_left += round(count / UNIT_TILES)
            more, self.more, self.all_done = self.more, Event(), Event()
            self.clock.fire(more)
            if self.cluster.wait_for_tables:
                yield self.all_done
                yield self.driver, images * self.times.tables_s_per_image
            else:
                self.clock.start(self._tables(images))

    def _tables(self, images: float) -> Step:
        yield self.driver, images * self.times.tables_s_per_image

    def _worker(self, gpu: Queue, host: Queue, tracing: Queue | None) -> Step:
        """One task thread of a GPU's worker: a unit, then its tracing if nobody else does that."""
        while True:
            if not self.units_todo:
                yield self.more
                continue
            self.units_todo -= 1
            yield self.scheduler, self.times.scheduler_s_per_task
            start = self.clock.now
            yield from self._unit(gpu, host, UNIT_TILES // BLOCK_TILES)
            if tracing is None:
                yield from self._trace(host)
            else:
                self.clock.start(self._trace(tracing))
            self.in_tasks_s += self.clock.now - start

    def _trace(self, where: Queue) -> Step:
        yield self.scheduler, self.times.scheduler_s_per_task
        yield where, UNIT_TILES * self.times.trace_s_per_tile
        self.units_left -= 1
        if not self.units_left:
            self.clock.fire(self.all_done)

    def _unit(self, gpu: Queue, host: Queue, blocks: int) -> Step:
        ready, wanted, written = ([Event() for _ in range(blocks)] for _ in range(3))

        def read() -> Step:
            for block in range(blocks):
                yield wanted[block]
                yield self.reading, self.read_s
                yield host, BLOCK_TILES * self.times.decode_s_per_tile
                self.clock.fire(ready[block])

        def write(block: int) -> Step:
            yield host, BLOCK_TILES * self.times.write_s_per_tile
            yield self.writing, self.write_s
            self.clock.fire(written[block])

        self.clock.fire(wanted[0])
        self.clock.start(read())
        for block in range(blocks):
            if block + 1 < blocks:
                self.clock.fire(wanted[block + 1])
            yield ready[block]
            yield host, BLOCK_TILES * self.times.copy_s_per_tile
            yield gpu, BLOCK_TILES * self.cluster.tile_ms / 1e3
            self.clock.start(write(block))
        yield from written


def report(times: Measured, cluster: Cluster, km: float, network_km: float) -> str:
    network = Network(times, cluster)
    network.clock.start(network.surveys(int(km * TILES_PER_KM)))
    network.clock.run()
    wall_s = network.clock.now
    load: dict[str, float] = {}
    for queue in network.queues:
        load[queue.name] = max(load.get(queue.name, 0.0), queue.busy_s / queue.servers / wall_s)
    rate = km * TILES_PER_KM / wall_s
    gpu, tasks = load.pop("GPU"), load.pop("task threads")
    others = sorted(((share, name) for name, share in load.items()), reverse=True)
    shares = [(gpu, 0.95, "GPUs"), (others[0][0], 0.9, others[0][1]), (tasks, 0.9, "task threads")]
    first = next((name for share, full, name in shares if share >= full), "the driver between surveys")
    busy = ", ".join(f"{name} {100 * share:.0f} %" for share, name in others)
    return (
        f"{cluster.gpus:3} GPUs: {rate:6.0f} tiles/s, {network_km * TILES_PER_KM / rate / 3600:6.1f} h; "
        f"first bottleneck: {first}. Busy: GPUs {100 * gpu:.0f} %, task threads {100 * tasks:.0f} %, {busy}"
    )


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
        default=13,
        help="of these cores, for processes that trace; 0: task threads trace",
    )
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
