"""How long does `crackpipe compare` take, and how much memory, with so many cracks on both sides?

    python benchmarks/compare/size.py WORK [--cracks 100000]

Writes two outputs with so many cracks, five on each metre of lane, on roads of 10 km that lie side by side,
50 m apart. The newer year has 85 % of the older cracks, moved by a field that wanders by 0.4 m, and 15 % new
ones. Runs `crackpipe compare` as a process of its own, and prints its time, its peak memory and what it
found. What is there already is not written again.
"""

import json
import os
import subprocess
import sys
import time
from datetime import date
from pathlib import Path

import click
import numpy as np
import pyarrow as pa
import shapely
from numpy.typing import NDArray
from pyproj import CRS

from crackpipe.pipeline.state.output import Output
from crackpipe.pipeline.storage.sealed import write_json, write_sealed
from crackpipe.pipeline.tables import geoparquet
from crackpipe.pipeline.tables.crack_rows import SCHEMA
from crackpipe.pipeline.tables.image_rows import ImageRow, write_images

Floats = NDArray[np.float64]

PER_METRE = 5.0
ROAD_M, APART_M, LANE_M = 10_000.0, 50.0, 3.5
VERTICES = 12
STEP_M = 0.055
UTM = CRS.from_epsg(25832)
ORIGIN = np.array([500_000.0, 5_900_000.0])
KEPT = 0.85
AT_ONCE = 100_000
COMPARE = """
import sys, time
from crackpipe.cli import main
try:
    main()
finally:
    peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
    print(time.process_time(), int(peak.split()[1]) / 1024, file=sys.stderr)
"""


def drawn(rng: np.random.Generator, count: int, roads: int) -> Floats:
    """Cracks (count, 12, 2) of some 0.6 m, in metres."""
    angle = rng.uniform(0, np.pi, (count, 1)) + np.cumsum(rng.normal(0, 0.2, (count, VERTICES)), axis=1)
    path = np.cumsum(STEP_M * np.stack([np.cos(angle), np.sin(angle)], axis=-1), axis=1)
    road = rng.integers(0, roads, count)
    start = np.column_stack([rng.uniform(0, ROAD_M, count), road * APART_M + rng.uniform(0, LANE_M, count)])
    return np.asarray(start[:, None] + path)


def wandered(lines: Floats) -> Floats:
    """Where the newer year sees lines: off by up to 0.4 m, other at each place."""
    x, y = lines[..., 0], lines[..., 1]
    off = np.stack([0.4 * np.sin(x / 700 + y / 90), 0.4 * np.cos(x / 900 - y / 70)], axis=-1)
    return np.asarray(lines + off)


def write(root: Path, lines: Floats, names: NDArray[np.int64], width_mm: Floats, year: int) -> None:
    """An output with these cracks, and images of 100 m that show all roads."""
    output = Output(root)
    output.create()
    roads = round(float(lines[..., 1].max()) // APART_M) + 1
    rows = []
    made = {"weights": "a" * 64, "threshold": 32, "algorithm": 4, "configuration": {}}
    for road in range(roads):
        for low in np.arange(-5.0, ROAD_M + 5, 100.0).tolist():
            y = road * APART_M
            corners = ORIGIN + np.array([[low, y + 5], [low + 100, y + 5], [low + 100, y - 2], [low, y - 2]])
            name = f"{road}/{low:.0f}.tif"
            figures = {"height_px": 7000, "width_px": 100_000, "gsd_mm": 1.0, "familiarity": 0.9}
            rows.append(
                ImageRow(
                    image_id=name,
                    status="done",
                    path=name,
                    crs_wkt=UTM.to_wkt(),
                    footprint=corners,
                    **figures,
                )
            )
            marker = {"image_id": name, "status": "done", "fingerprint": made, "inspected_area": None}
            write_sealed(output.marker(name), marker)
    write_images(rows, UTM, root / "images.parquet")
    tables = [
        _table(lines[part], names[part], width_mm[part], year)
        for part in (slice(low, low + AT_ONCE) for low in range(0, len(lines), AT_ONCE))
    ]
    table = pa.concat_tables(tables)
    place = np.lexsort((lines[:, 0, 0] // 50, lines[:, 0, 1] // APART_M))
    geoparquet.write(table, place, root / "cracks.parquet", crs=UTM, geometry_type="LineString")
    write_json(root / "run.json", {"survey": ["survey"], "configuration": {"weights": "lite"}})


def _table(lines: Floats, names: NDArray[np.int64], width_mm: Floats, year: int) -> pa.Table:
    count = len(lines)
    geometries = shapely.linestrings(ORIGIN + lines)
    same = {
        "image_id": "0.tif", "width_class": "small", "class_uncertain": False, "class": "crack",
        "width_flag": False, "orientation_deg": 0.0, "confidence": 0.9, "bridged_m": 0.0, "gsd_mm": 1.0,
        "acquired": date(year, 5, 20), "survey": "survey", "weights": "lite", "origin": "crackpipe",
    }  # fmt: skip
    ids = [f"{name:016x}" for name in names.tolist()]
    columns = {name: pa.array([value] * count) for name, value in same.items()}
    columns |= {
        "crack_id": pa.array(ids),
        "network_id": pa.array(ids),
        "length_m": pa.array(shapely.length(geometries)),
        "width_mm": pa.array(width_mm),
        "width_sigma_mm": pa.array(0.15 * width_mm),
        "width_p95_mm": pa.array(1.2 * width_mm),
        "geometry": geoparquet.wkb_of(geometries),
        "bbox": geoparquet.bbox_of(geometries),
    }
    arrays = [
        columns[field.name].cast(field.type) if field.name in columns else pa.nulls(count, field.type)
        for field in SCHEMA
    ]
    return pa.Table.from_arrays(arrays, schema=SCHEMA)


def write_years(work: Path, count: int) -> None:
    """Both outputs."""
    rng = np.random.default_rng(count)
    roads = max(1, round(count / PER_METRE / ROAD_M))
    older = drawn(rng, count, roads)
    kept = np.sort(rng.permutation(count)[: round(KEPT * count)])
    new = drawn(rng, count - len(kept), roads)
    newer = np.concatenate([wandered(older[kept]) + rng.normal(0, 0.002, (len(kept), 1, 1)), new])
    width = np.exp(rng.normal(0.7, 0.5, count))
    names = np.arange(count)
    write(work / "older", older, names, width, 2024)
    again = np.concatenate([width[kept] * np.exp(rng.normal(0, 0.05, len(kept))), width[: len(new)]])
    ids = np.concatenate([names[kept], count + np.arange(len(new))])
    write(work / "newer", newer, ids, again, 2025)


@click.command()
@click.argument("work", type=click.Path(path_type=Path))
@click.option("--cracks", default=100_000)
def main(work: Path, cracks: int) -> None:
    """Write, compare, tell."""
    if not (work / "newer" / "run.json").exists():
        write_years(work, cracks)
    started = time.perf_counter()
    # its own peak: that of a child counts what this process held when it began it
    arguments = [sys.executable, "-c", COMPARE, "compare", str(work / "older"), str(work / "newer")]
    ended = subprocess.run(
        arguments, check=True, env=os.environ | {"OMP_NUM_THREADS": "1"}, stderr=subprocess.PIPE, text=True
    )
    seconds = time.perf_counter() - started
    core_s, peak = map(float, ended.stderr.splitlines()[-1].split())
    said = json.loads((work / "newer" / "changes.json").read_text())["verdicts"]
    print(f"{cracks} against {cracks} cracks: {seconds:.0f} s ({core_s:.0f} of a core), peak {peak:.0f} MiB")
    print(said)


if __name__ == "__main__":
    main()
