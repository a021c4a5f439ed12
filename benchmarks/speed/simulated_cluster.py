"""An event simulation of a road network on a cluster, for `scaling.py simulate`: queues served in turn."""

import heapq
from collections.abc import Generator
from dataclasses import dataclass, field

TILES_PER_KM = 27_000
"""Of one lane at 1 mm/px."""
BLOCK_TILES = 64


@dataclass(frozen=True)
class Measured:
    """CPU seconds of this machine."""

    decode_s_per_tile: float
    gdal_s_per_tile: float
    """Of it GDAL's part, which several threads may share."""
    copy_s_per_tile: float
    write_s_per_tile: float
    trace_s_per_tile: float
    plan_s_per_image: float
    tables_s_per_image: float
    scheduler_s_per_task: float
    read_bytes_per_tile: float
    write_bytes_per_tile: float


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
    decode_threads: int
    unit_tiles: int
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
            self.units_todo += round(count / self.cluster.unit_tiles)
            self.units_left += round(count / self.cluster.unit_tiles)
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
            yield from self._unit(gpu, host, self.cluster.unit_tiles // BLOCK_TILES)
            if tracing is None:
                yield from self._trace(host)
            else:
                self.clock.start(self._trace(tracing))
            self.in_tasks_s += self.clock.now - start

    def _trace(self, where: Queue) -> Step:
        yield self.scheduler, self.times.scheduler_s_per_task
        yield where, self.cluster.unit_tiles * self.times.trace_s_per_tile
        self.units_left -= 1
        if not self.units_left:
            self.clock.fire(self.all_done)

    def _side_by_side(self, host: Queue, seconds: float, threads: int) -> Step:
        def one(done: Event) -> Step:
            yield host, seconds / threads
            self.clock.fire(done)

        done = [Event() for _ in range(threads)]
        for each in done:
            self.clock.start(one(each))
        yield from done

    def _unit(self, gpu: Queue, host: Queue, blocks: int) -> Step:
        ready, wanted, written = ([Event() for _ in range(blocks)] for _ in range(3))

        def read() -> Step:
            for block in range(blocks):
                yield wanted[block]
                yield self.reading, self.read_s
                gdal_s = BLOCK_TILES * self.times.gdal_s_per_tile
                yield from self._side_by_side(host, gdal_s, self.cluster.decode_threads)
                yield host, BLOCK_TILES * self.times.decode_s_per_tile - gdal_s
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
