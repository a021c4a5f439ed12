"""Peak memory of a worker on a long strip: `python benchmarks/strip_memory.py STRIP_SURVEY OUT`.

Runs `crackpipe run STRIP_SURVEY --workers 1` and looks at its processes' memory every 0.2 s.
Make the strip with `crackpipe sample DIR --kind strip --size 4000x20000`.
"""

import subprocess
import sys
import time
from pathlib import Path

import click
import psutil


def process_tree(pid: int) -> list[psutil.Process]:
    try:
        root = psutil.Process(pid)
        return [root, *root.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


@click.command()
@click.argument("survey", type=click.Path(path_type=Path, exists=True))
@click.argument("out", type=click.Path(path_type=Path))
def main(survey: Path, out: Path) -> None:
    command = [sys.executable, "-m", "crackpipe", "run", str(survey), "--out", str(out), "--workers", "1"]
    run = subprocess.Popen(command)
    peak: dict[int, tuple[int, str]] = {}
    while run.poll() is None:
        for process in process_tree(run.pid):
            try:
                rss, name = process.memory_info().rss, " ".join(process.cmdline())[-60:]
            except (psutil.NoSuchProcess, psutil.AccessDenied):
                continue
            peak[process.pid] = max(peak.get(process.pid, (0, name)), (rss, name))
        time.sleep(0.2)
    driver = peak.pop(run.pid)[0] if run.pid in peak else 0
    click.echo(f"exit code {run.returncode}")
    click.echo(f"driver: {driver / 2**20:.0f} MiB")
    largest = max((rss for rss, _ in peak.values()), default=0)
    click.echo(f"largest other process (the worker): {largest / 2**20:.0f} MiB")


if __name__ == "__main__":
    main()
