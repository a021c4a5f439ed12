"""The figures of a benchmark as a table for a person and as JSON."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from crackpipe.pipeline.storage import faults


@dataclass(frozen=True, kw_only=True)
class Report:
    """The figures of one benchmark. Rates are sums over all workers and medians of the rounds."""

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
    """Median over the rounds of pipeline / bare."""
    ratio_low: float
    ratio_high: float
    cpu_ratio: float
    """CPU seconds per tile, bare / pipeline: 1 where the pipeline adds nothing."""
    peak_rss_mib: float
    """Peak memory of the largest worker."""
    bare_percent_of_peak: float
    """FLOP/s of the bare network, in % of a large matrix product's in the same process and precision."""
    matrix_tflop_per_s: float
    """Speed of the matrix product on all workers together."""
    stages: dict[str, dict[str, float]]
    """For each stage, `wall_s` and `cpu_s` of all workers' threads in the median run."""
    cpu_s: float
    """CPU seconds of the median run in all processes."""
    wall_s: float


def write_json(report: Report, file: Path) -> None:
    """Write the figures as JSON. Raises OutputNotWritableError or StorageError."""
    with faults.guarding(file):
        file.write_text(json.dumps(asdict(report), indent=1) + "\n", encoding="utf-8")


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
