"""How fast is the pipeline, compared with the network alone, on this machine?

Strategy: one set of worker processes does everything. The first round does not count. After it two things
alternate. One is the bare loop on all workers at once (`model/predict/bare.py`). The other is a run of the
whole survey, from its files to its published tables, into a fresh folder. Neither contains the start-up,
which is processes, imports and loading the weights. Rates are medians of the rounds. Because a machine's
speed drifts, each run is divided by the loops just before and after it, and the ratio is the median of these.

CPU seconds are reported beside wall clock. If other work disturbs the machine, `cpu_ratio` still says what
the pipeline adds to the network. It does not say whether anything waits.
"""

import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

from crackpipe.model.predict.bare import write_untrained
from crackpipe.pipeline import config, plan, publish, run
from crackpipe.pipeline.benchmark.report import Report
from crackpipe.pipeline.benchmark.workers import (
    Workers,
    bare_rate,
    client_of,
    device_matrix_rate,
    flop_of_tile,
    peak_memory_mib,
)
from crackpipe.pipeline.console.watch import watching
from crackpipe.pipeline.errors import NoReadableImageError
from crackpipe.pipeline.execute import executor
from crackpipe.pipeline.request import Request, configured, make_job
from crackpipe.pipeline.sample.write import write_survey
from crackpipe.pipeline.state import lock, output
from crackpipe.pipeline.taskgraph import build_graph
from crackpipe.pipeline.tasks import stages
from crackpipe.pipeline.tasks.job import Job, UnitFigures
from crackpipe.pipeline.tasks.stages import Spent

_BARE_S = 4.0
"""Each worker loops over the bare network for about so long in a round."""


def command(
    sources: Sequence[Path],
    size_px: tuple[int, int],
    options: dict[str, Any],
    config_file: Path | None = None,
) -> Report:
    """What `crackpipe benchmark` does with its options.

    Without sources it draws a strip of `size_px` (H, W). The file in the working folder is made for a survey:
    its region and its GSD say nothing of the strip, so there it is not taken.
    """
    network, weights = options.pop("network"), options.pop("weights")
    flags = {name: options.pop(name) for name in ("rounds", "masks_only")}
    serial = options.pop("serial")
    with tempfile.TemporaryDirectory(prefix="crackpipe-benchmark-") as temporary:
        folder = Path(temporary)
        if weights is None and network not in (None, "lite"):
            weights = str(folder / f"{network}.safetensors")
            write_untrained(Path(weights), network)
        options["weights"] = weights or network
        if sources:
            resolved = configured(options, config_file)
        else:
            sources = [write_survey(folder / "strip", kind="strip", size_px=size_px)]
            resolved = config.resolve(options, config_file)
        resolved = replace(resolved, scheduler=None)  # this machine is measured
        paths = tuple(source.absolute() for source in sources)
        return benchmark(Request(paths, folder / "out", resolved, serial=serial), **flags)


def benchmark(request: Request, *, rounds: int = 3, masks_only: bool = False) -> Report:
    """Measure as the module's text says. Nothing is written to `request.out`. Raises CrackpipeError."""
    job = make_job(request)
    with executor(request, job) as execute:
        workers = Workers(execute, None if request.serial else client_of())
        matrix = workers.each(device_matrix_rate, job)
        flop = workers.each(flop_of_tile, job)[0]
        _run_once(request, job, workers, masks_only)  # fills caches, loads the network; does not count
        probe = min(bare.tiles / bare.wall_s for bare in workers.each(bare_rate, job, 16))
        loop = partial(workers.each, bare_rate, job, max(16, int(_BARE_S * probe)))
        loops, runs = [loop()], []
        for _ in range(rounds):
            runs.append(_run_once(request, job, workers, masks_only))
            loops.append(loop())
        peak_mib = max(workers.each(peak_memory_mib))
    # For each run, add each worker's loops before and after it.
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
        tiles=middle.tiles,
        megapixels=middle.figures.megapixels,
        bare_tiles_per_s=statistics.median(rates),
        pipeline_tiles_per_s=statistics.median(one.tiles_per_s for one in runs),
        ratio=statistics.median(ratios),
        ratio_low=min(ratios),
        ratio_high=max(ratios),
        cpu_ratio=statistics.median(
            bare_s * one.tiles / one.cpu_s for bare_s, one in zip(bare_cpu_s, runs, strict=True)
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
    def tiles(self) -> int:
        """All that the network was given: a coarse look is as much work as a tile."""
        return self.figures.tiles + self.figures.coarse

    @property
    def tiles_per_s(self) -> float:
        return self.tiles / self.wall_s


def _run_once(request: Request, job: Job, workers: "Workers", masks_only: bool) -> _Run:
    """Files on disk to published tables (or to masks), into a folder that is removed again."""
    with tempfile.TemporaryDirectory(prefix="crackpipe-benchmark-") as folder:
        job = replace(job, output=output.Output(Path(folder) / "out"))
        before, cpu_s, wall_s = workers.spent(), workers.cpu_s(), time.perf_counter()
        figures = _publish(request, job, workers, masks_only)
        wall_s = time.perf_counter() - wall_s
        after, cpu_s = workers.spent(), workers.cpu_s() - cpu_s
    return _Run(figures, wall_s, cpu_s, {name: after[name] - before[name] for name in stages.STAGES})


def _publish(request: Request, job: Job, workers: "Workers", masks_only: bool) -> UnitFigures:
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
            with watching() as watch:
                run.work(request, made, workers.execute, summary, watch)
            publish.refresh_tables(made, summary)
    return summary.figures


# ---- what each worker is asked


# ---- words
