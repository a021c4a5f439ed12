"""How fast is the pipeline, compared with the network alone, on this machine?

Strategy: one set of worker processes does everything. After a round that does not count, these alternate: the
bare loop on all workers at once (`model/bare.py`), and a run of the whole survey from its files to its
published tables into a fresh folder. Start-up (processes, imports, loading the weights) is in neither. Rates
are medians of the rounds, and so is their quotient, taken of each run and the loops before and after it,
because a machine's speed drifts.

CPU seconds are reported beside wall clock: where other work disturbs the machine, `cpu_ratio` still says what
the pipeline adds to the network (but not whether anything waits).
"""

import json
import resource
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar

from crackpipe.model.predict.bare import Bare, bare_loop, flop_per_tile, matrix_rate, write_untrained
from crackpipe.pipeline import cluster_gpus, config, loaded, lock, plan, publish, run, stages, state
from crackpipe.pipeline.errors import NoReadableImageError
from crackpipe.pipeline.job import Job, UnitFigures
from crackpipe.pipeline.sample import write_survey
from crackpipe.pipeline.stages import Spent
from crackpipe.pipeline.taskgraph import build_graph

_T = TypeVar("_T")

_BARE_S = 4.0
"""About so long each worker loops over the bare network in a round."""


@dataclass(frozen=True)
class Report:
    """The figures of one benchmark; rates are of all workers together, medians of the rounds."""

    network: str
    device: str
    precision: str
    workers: int
    rounds: int
    masks_only: bool
    tiles: int
    """Tiles of the survey."""
    megapixels: float
    bare_tiles_per_s: float
    pipeline_tiles_per_s: float
    ratio: float
    """Median of pipeline / bare, each of one round."""
    ratio_low: float
    ratio_high: float
    cpu_ratio: float
    """CPU seconds per tile, bare / pipeline: 1 where the pipeline adds nothing."""
    peak_rss_mib: float
    """Of the largest worker."""
    bare_percent_of_peak: float
    """FLOP/s of the bare network, % of the matrix product's in the same process and precision."""
    matrix_tflop_per_s: float
    """Of all workers together."""
    stages: dict[str, dict[str, float]]
    """By stage: `wall_s` and `cpu_s` of all workers' threads in the run of the middle."""
    cpu_s: float
    """CPU seconds of that run, all processes."""
    wall_s: float


def command(sources: Sequence[Path], size_px: tuple[int, int], options: dict[str, Any]) -> Report:
    """What `crackpipe benchmark` does with its options; draws a strip of `size_px` (H, W) without sources."""
    network, weights = options.pop("network"), options.pop("weights")
    flags = {name: options.pop(name) for name in ("rounds", "masks_only")}
    serial = options.pop("serial")
    with tempfile.TemporaryDirectory(prefix="crackpipe-benchmark-") as temporary:
        folder = Path(temporary)
        if weights is None and network != "lite":
            weights = str(folder / f"{network}.safetensors")
            write_untrained(Path(weights), network)
        if not sources:
            sources = [write_survey(folder / "strip", kind="strip", size_px=size_px)]
        resolved = config.resolve({**options, "weights": weights or network})
        paths = tuple(source.absolute() for source in sources)
        return benchmark(plan.Request(paths, folder / "out", resolved, serial=serial), **flags)


def write_json(report: Report, file: Path) -> None:
    """Write the figures as JSON. Raises OutputNotWritableError or StorageError."""
    with state.guarding(file):
        file.write_text(json.dumps(asdict(report), indent=1) + "\n", encoding="utf-8")


def benchmark(request: plan.Request, *, rounds: int = 3, masks_only: bool = False) -> Report:
    """Measure as the module's text says; nothing is written to `request.out`. Raises CrackpipeError."""
    job = plan.make_job(request)
    with run.executor(request, job) as execute:
        workers = _Workers(execute, None if request.serial else _client())
        matrix = workers.each(_matrix_rate, job)
        flop = workers.each(_flop_per_tile, job)[0]
        _run_once(request, job, workers, masks_only)  # fills caches, loads the network; does not count
        probe = min(bare.tiles / bare.wall_s for bare in workers.each(_bare, job, 16))
        loop = partial(workers.each, _bare, job, max(16, int(_BARE_S * probe)))
        loops, runs = [loop()], []
        for _ in range(rounds):
            runs.append(_run_once(request, job, workers, masks_only))
            loops.append(loop())
        peak_mib = max(workers.each(_peak_rss_mib))
    # of each worker, the loop before and the loop after each run together
    bares = [
        [one + other for one, other in zip(before, after, strict=True)] for before, after in pairwise(loops)
    ]
    rates = [sum(bare.tiles / bare.wall_s for bare in of_round) for of_round in bares]
    bare_cpu_s = [sum(b.cpu_s for b in of_round) / sum(b.tiles for b in of_round) for of_round in bares]
    ratios = [one.tiles_per_s / rate for one, rate in zip(runs, rates, strict=True)]
    middle = sorted(runs, key=lambda one: one.wall_s)[rounds // 2]
    return Report(
        network=job.weights_name,
        device=job.device,
        precision=job.precision,
        workers=len(matrix),
        rounds=rounds,
        masks_only=masks_only,
        tiles=middle.figures.tiles,
        megapixels=middle.figures.megapixels,
        bare_tiles_per_s=statistics.median(rates),
        pipeline_tiles_per_s=statistics.median(one.tiles_per_s for one in runs),
        ratio=statistics.median(ratios),
        ratio_low=min(ratios),
        ratio_high=max(ratios),
        cpu_ratio=statistics.median(
            bare_s * one.figures.tiles / one.cpu_s for bare_s, one in zip(bare_cpu_s, runs, strict=True)
        ),
        peak_rss_mib=peak_mib,
        matrix_tflop_per_s=sum(matrix) / 1e12,
        bare_percent_of_peak=100 * statistics.median(rates) * flop / sum(matrix),
        stages={name: asdict(spent) for name, spent in middle.spent.items()},
        cpu_s=middle.cpu_s,
        wall_s=middle.wall_s,
    )


# ---- one run of the pipeline


@dataclass(frozen=True)
class _Run:
    figures: UnitFigures
    wall_s: float
    cpu_s: float
    spent: dict[str, Spent]

    @property
    def tiles_per_s(self) -> float:
        return self.figures.tiles / self.wall_s


def _run_once(request: plan.Request, job: Job, workers: "_Workers", masks_only: bool) -> _Run:
    """Files on disk to published tables (or to masks), into a folder that is removed again."""
    with tempfile.TemporaryDirectory(prefix="crackpipe-benchmark-") as folder:
        job = replace(job, output=state.Output(Path(folder) / "out"))
        before, cpu_s, wall_s = workers.spent(), workers.cpu_s(), time.perf_counter()
        figures = _publish(request, job, workers, masks_only)
        wall_s = time.perf_counter() - wall_s
        after, cpu_s = workers.spent(), workers.cpu_s() - cpu_s
    return _Run(figures, wall_s, cpu_s, {name: after[name] - before[name] for name in stages.STAGES})


def _publish(request: plan.Request, job: Job, workers: "_Workers", masks_only: bool) -> UnitFigures:
    """The steps of `run.run` without its log."""
    made = plan.make_plan(request, job, plan.look_at(request))
    if not made.to_run:
        raise NoReadableImageError("every image of the survey is rejected; `crackpipe run` says why")
    job.output.create()
    summary = publish.Summary()
    with lock.locked(job.output, job.run):
        run.prepare(made)
        if masks_only:
            units, _ = build_graph(made, made.to_run, plan.units_of(request, made, made.to_run))
            workers.execute(units, summary.figures.add)
        else:
            run.work(request, made, workers.execute, summary)
            publish.publish_tables(made, summary)
    return summary.figures


# ---- what each worker is asked


class _Workers:
    """The processes that a graph runs on; this one where there is no client."""

    def __init__(self, execute: run.Execute, client: Any | None) -> None:
        self.execute = execute
        self._client = client

    def each(self, function: Callable[..., _T], *args: Any) -> list[_T]:
        """Call a function in every worker that runs the network, at the same time."""
        if self._client is None:
            return [function(*args)]
        return self._call(cluster_gpus.running_the_network(self._client), function, *args)

    def _call(self, addresses: Sequence[str], function: Callable[..., _T], *args: Any) -> list[_T]:
        assert self._client is not None
        calls = [self._client.submit(function, *args, workers=[address], pure=False) for address in addresses]
        results: list[_T] = self._client.gather(calls)
        return results

    def _of_all(self, function: Callable[[], _T]) -> list[_T]:
        """Call a function in all workers, also those that only trace."""
        if self._client is None:
            return [function()]
        return self._call(sorted(self._client.nthreads()), function)

    def cpu_s(self) -> float:
        """CPU seconds of this process and of all workers so far."""
        others = 0.0 if self._client is None else sum(self._of_all(time.process_time))
        return time.process_time() + others

    def spent(self) -> dict[str, Spent]:
        """What all workers have spent on each stage so far."""
        all_spent = self._of_all(stages.spent)
        return {name: sum((one[name] for one in all_spent), Spent()) for name in stages.STAGES}


def _client() -> Any:
    from distributed import default_client

    return default_client()


def _bare(job: Job, tiles: int) -> Bare:
    return bare_loop(loaded.predictor_of(job), tiles)


def _matrix_rate(job: Job) -> float:
    loaded.predictor_of(job)  # sets the threads
    return matrix_rate(job.device, job.precision)


def _flop_per_tile(job: Job) -> int:
    return flop_per_tile(loaded.predictor_of(job).weights)


def _peak_rss_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024  # KiB on Linux


# ---- words


def lines(report: Report) -> Iterator[str]:
    """The report as a table."""
    what = "masks only" if report.masks_only else "files to published tables"
    yield (
        f"{report.network}, {report.device}, {report.precision}, {report.workers} worker(s), {what}: "
        f"{report.tiles} tiles, {report.megapixels:.1f} Mpx, median of {report.rounds} rounds"
    )
    yield f"  bare network   {report.bare_tiles_per_s:9.2f} tiles/s"
    yield f"  pipeline       {report.pipeline_tiles_per_s:9.2f} tiles/s"
    yield (
        f"  ratio          {report.ratio:9.3f}          {report.ratio_low:.3f} to {report.ratio_high:.3f}; "
        f"by CPU seconds {report.cpu_ratio:.3f}"
    )
    yield f"  peak memory    {report.peak_rss_mib:9.0f} MiB      the largest worker"
    yield (
        f"  of peak        {report.bare_percent_of_peak:9.1f} %        bare network, of a matrix product's "
        f"{report.matrix_tflop_per_s:.2f} TFLOP/s"
    )
    yield f"  {'stage':14} {'wall s':>9} {'CPU s':>9}   in {report.wall_s:.1f} s, all threads"
    for name, spent in report.stages.items():
        yield f"  {name:14} {spent['wall_s']:9.2f} {spent['cpu_s']:9.2f}"
    other = report.cpu_s - sum(spent["cpu_s"] for spent in report.stages.values())
    yield f"  {'other':14} {'':9} {other:9.2f}   scheduling, planning, tables, start of threads"
