"""The memory that a run is projected to need, against what it takes.

    python benchmarks/faults/projected_memory.py [--networks full,lite] [--block-cores 0,4,8,16] [--all-tiles]

Each run inspects a strip of four blocks of 16 x 16 cores (`crackpipe sample --kind strip`, a piece of it
repeated), which are more blocks where they are smaller. So two units are in the making, each with blocks
read ahead, which is when a worker holds most. The full network takes seconds a tile: without `--all-tiles` a
region leaves one tile of each block to inspect; blocks are read as a whole all the same. With 0 block cores
the survey is one image of 400 x 400 px: what processes and network take without blocks.

Memory is looked at every 50 ms in /proc/PID/smaps_rollup: anonymous pages of the driver and of all its
children together, and pages of files (libraries) of the process that has most of them, because all map the
same. That is what PSS would say if no other process of the machine used the same libraries. Exits 1 if a
projection is more than 20 % off.
"""

import argparse
import json
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

import fault_kit as kit
import psutil
import rasterio
from rasterio.windows import Window

from crackpipe.model.predict.bare import write_untrained
from crackpipe.pipeline.config import Config, as_toml
from crackpipe.pipeline.plan import look_at
from crackpipe.pipeline.request import Request, make_job
from crackpipe.pipeline.sample.write import write_survey
from crackpipe.pipeline.tasks.need import MIB, Need, need_of

LARGEST_BLOCK_PX = 16 * 384
BLOCKS = 4
EVERY_S = 0.05


@dataclass
class Peak:
    """Largest values of one run, bytes."""

    together: int = 0
    """Anonymous pages of all processes and the pages of files, at one moment."""
    driver: int = 0
    worker: int = 0
    """Anonymous pages of the largest worker."""
    files: int = 0
    address: int = 0
    data: int = 0

    def look(self, pid: int) -> None:
        """Take in how much the driver and its children have now."""
        anonymous, files = 0, 0
        for process in tree(pid):
            try:
                pages = kibibytes(Path(f"/proc/{process}/smaps_rollup"))
                status = kibibytes(Path(f"/proc/{process}/status"))
            except (FileNotFoundError, ProcessLookupError, PermissionError):
                continue
            if "Anonymous" not in pages:
                continue
            own = pages["Anonymous"]
            anonymous += own
            files = max(files, pages["Rss"] - own)
            if process == pid:
                self.driver = max(self.driver, own)
            else:
                self.worker = max(self.worker, own)
                self.address = max(self.address, status.get("VmPeak", 0))
                self.data = max(self.data, status.get("VmData", 0))
        self.files = max(self.files, files)
        self.together = max(self.together, anonymous + files)


def tree(pid: int) -> list[int]:
    try:
        root = psutil.Process(pid)
        return [pid, *(child.pid for child in root.children(recursive=True))]
    except psutil.NoSuchProcess:
        return []


def kibibytes(file: Path) -> dict[str, int]:
    """The lines `Name:  123 kB` of a file of /proc, in bytes."""
    lines = (line.split() for line in file.read_text().splitlines() if line.endswith(" kB"))
    return {words[0].rstrip(":"): int(words[-2]) << 10 for words in lines}


def repeated(piece: Path, target: Path) -> None:
    """A strip of four large blocks: the piece again and again."""
    with rasterio.open(piece) as source:
        pixels = source.read()
        profile = {
            **source.profile, "height": BLOCKS * LARGEST_BLOCK_PX, "width": LARGEST_BLOCK_PX,
            "bigtiff": "IF_SAFER",
        }  # fmt: skip
    target.parent.mkdir(parents=True)
    _, rows, columns = pixels.shape
    with rasterio.open(target, "w", **profile) as file:
        for top in range(0, profile["height"], rows):
            for left in range(0, profile["width"], columns):
                height, width = min(rows, profile["height"] - top), min(columns, profile["width"] - left)
                file.write(pixels[:, :height, :width], window=Window(left, top, width, height))


def write_region(strip: Path, block_px: int, target: Path) -> None:
    """A square of 100 px in the middle of the first core of every block."""
    with rasterio.open(strip) as source:
        transform, crs, shape = source.transform, source.crs, source.shape
    corners = [(150, 150), (250, 150), (250, 250), (150, 250), (150, 150)]
    rings = [
        [transform @ (left + x, top + y) for x, y in corners]
        for top in range(0, shape[0], block_px)
        for left in range(0, shape[1], block_px)
    ]
    geometry = {"type": "MultiPolygon", "coordinates": [[ring] for ring in rings]}
    name = {"type": "name", "properties": {"name": f"urn:ogc:def:crs:EPSG::{crs.to_epsg()}"}}
    feature = {"type": "Feature", "properties": {}, "geometry": geometry}
    target.write_text(json.dumps({"type": "FeatureCollection", "crs": name, "features": [feature]}))


def peak_of(survey: Path, config: Config, log: Path) -> Peak:
    """Run `crackpipe run` with a configuration, and watch it. Raises SystemExit if it fails."""
    file = log.with_suffix(".toml")
    file.write_text(as_toml(config))
    command = [
        sys.executable,
        "-m",
        "crackpipe",
        "run",
        survey,
        "--config",
        file,
        "--out",
        log.with_suffix(""),
    ]
    peak = Peak()
    with log.open("w") as talk:
        run = subprocess.Popen([*map(str, command)], stdout=talk, stderr=talk)
        while run.poll() is None:
            peak.look(run.pid)
            time.sleep(EVERY_S)
    if run.returncode:
        raise SystemExit(log.read_text())
    return peak


def need_for(survey: Path, config: Config, folder: Path) -> Need:
    """What the run is projected to need."""
    request = Request((survey,), folder / "out", config)
    return need_of(make_job(request), look_at(request).images)


def row(name: str, need: Need, peak: Peak, workers: int) -> float:
    """Print projection and measured peak in MiB; returns their quotient."""
    pairs = [
        ("run", need.of_run(workers), peak.together), ("driver", need.driver, peak.driver),
        ("worker", need.worker, peak.worker), ("libraries", need.libraries, peak.files),
        ("address space", need.of_process("address space"), peak.address),
        ("data", need.of_process("data"), peak.data),
    ]  # fmt: skip
    quotient = need.of_run(workers) / peak.together
    figures = ", ".join(f"{what} {a / MIB:.0f} / {b / MIB:.0f}" for what, a, b in pairs)
    print(f"{name}: {quotient:.2f}  ({figures})", flush=True)
    return quotient


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--networks", default="one-convolution,lite,full")
    parser.add_argument("--block-cores", default="0,4,8,16")
    parser.add_argument("--precisions", default="auto")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--all-tiles", action="store_true")
    options = parser.parse_args()
    quotients = []
    with kit.workplace("projected-memory") as folder:
        tiny = kit.write_survey(folder / "tiny", [(400, 400)])
        write_survey(folder / "piece", kind="strip", size_px=(1536, 3072))
        repeated(next((folder / "piece" / "survey").rglob("*.tif")), folder / "survey" / "strip.tif")
        print("projected / measured, MiB")
        cases = product(
            options.networks.split(","), options.precisions.split(","), options.block_cores.split(",")
        )
        for network, precision, cores in cases:
            weights = "lite" if network == "lite" else str(folder / f"{network}.safetensors")
            if network != "lite":
                write_untrained(Path(weights), network)
            config = Config(weights=weights, precision=precision, workers=options.workers)
            survey = tiny
            if cores != "0":
                survey, config = folder / "survey", replace(config, block_cores=int(cores))
                if not options.all_tiles:
                    write_region(survey / "strip.tif", int(cores) * 384, folder / "region.geojson")
                    config = replace(config, region=str(folder / "region.geojson"))
            name = f"{network}, {precision}, block_cores {cores}"
            peak = peak_of(survey, config, folder / f"{network}-{precision}-{cores}.log")
            quotients.append(row(name, need_for(survey, config, folder), peak, options.workers))
    return int(not all(1 / 1.2 <= each <= 1.2 for each in quotients))


if __name__ == "__main__":
    sys.exit(main())
