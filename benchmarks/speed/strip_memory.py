"""Peak memory of a worker on a short and on a long strip.

    python benchmarks/speed/strip_memory.py PIECE.tif

PIECE.tif is a strip of `crackpipe sample DIR --kind strip --size 4000x5000`; the strips are it, repeated to
the lengths asked for. Runs `crackpipe run --workers 1` on each with the network of one convolution, whose
threshold is set so that it finds little (noise would be traced for ever), and looks at the processes' memory
every 0.2 s.
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import click
import psutil
import rasterio
from rasterio.windows import Window

from crackpipe.model.predict.bare import write_untrained


def process_tree(pid: int) -> list[psutil.Process]:
    try:
        root = psutil.Process(pid)
        return [root, *root.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def repeated(piece: Path, length_px: int, target: Path) -> None:
    """A strip of the piece again and again, in the piece's own compression."""
    with rasterio.open(piece) as source:
        profile = {**source.profile, "height": length_px, "bigtiff": "IF_SAFER"}
        target.parent.mkdir(parents=True)
        with rasterio.open(target, "w", **profile) as file:
            for top in range(0, length_px, source.height):
                height = min(source.height, length_px - top)
                part = source.read(window=Window(0, 0, source.width, height))
                file.write(part, window=Window(0, top, source.width, height))


def peak_mib(survey: Path, out: Path, weights: Path) -> tuple[float, float]:
    """Peak memory of the driver and of the largest other process."""
    options = ["--weights", str(weights), "--threshold", "0.999", "--out", str(out), "--workers", "1"]
    run = subprocess.Popen([sys.executable, "-m", "crackpipe", "run", str(survey), *options])
    peak: dict[int, int] = {}
    while run.poll() is None:
        for process in process_tree(run.pid):
            try:
                rss = process.memory_info().rss
            except (psutil.NoSuchProcess, psutil.AccessDenied):
                continue
            peak[process.pid] = max(peak.get(process.pid, 0), rss)
        time.sleep(0.2)
    assert run.returncode == 0, f"crackpipe ended with {run.returncode}"
    driver = peak.pop(run.pid, 0)
    return driver / 2**20, max(peak.values(), default=0) / 2**20


@click.command()
@click.argument("piece", type=click.Path(path_type=Path, exists=True))
@click.option("--lengths", default="5000,100000", show_default=True, help="Rows of the strips.")
def main(piece: Path, lengths: str) -> None:
    workers = []
    with tempfile.TemporaryDirectory(prefix="strip-memory-") as temporary:
        folder = Path(temporary)
        write_untrained(folder / "one-convolution.safetensors", "one-convolution")
        for length_px in map(int, lengths.split(",")):
            strip = folder / str(length_px) / "strip.tif"
            repeated(piece, length_px, strip)
            started = time.monotonic()
            driver, worker = peak_mib(
                strip, folder / f"out-{length_px}", folder / "one-convolution.safetensors"
            )
            wall_s = time.monotonic() - started
            click.echo(f"{length_px} rows: driver {driver:.0f} MiB, worker {worker:.0f} MiB, {wall_s:.0f} s")
            workers.append(worker)
    click.echo(f"last / first: {workers[-1] / workers[0]:.3f}")


if __name__ == "__main__":
    main()
