"""Seconds and memory of an export of many cracks, and what the default export costs a run.

    python benchmarks/speed/exports.py OUT [--cracks 1000000] [--format gpkg] [--work DIR]

OUT is the output of a run with cracks, such as that of `make demo`. Its `run.json` says what the default
export took of that run. Then its cracks are repeated until there are `--cracks` of them, each time moved by
some metres to the north, as an output of their own in DIR, and `crackpipe export` is run on that in a process
of its own. Memory is the most that this process held (VmHWM).
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import shapely
from pyproj import CRS

from crackpipe.pipeline.tables import crack_rows, geoparquet

MOVED_M = 30.0
BLOCK = 100_000
"""Rows that are made at once."""


def cost_of_the_default(out: Path) -> str:
    record = json.loads((out / "run.json").read_text())
    wall, exports = record["seconds"]["wall"], record["seconds"]["exports"]
    if not record["counts"]["images_run"]:
        return "the last run did no image, so it says nothing of the cost: make the output anew"
    return f"default exports: {exports:.2f} s of a run of {wall:.1f} s, {exports / wall:.1%}"


def many_cracks(out: Path, count: int, target: Path) -> None:
    """Write `count` cracks, those of `out` again and again, to `target`."""
    source = pq.read_table(out / "cracks.parquet")
    lines = np.asarray(
        shapely.from_wkb(source.column("geometry").to_numpy(zero_copy_only=False)), dtype=object
    )
    geo = json.loads(source.schema.metadata[b"geo"])["columns"]["geometry"]
    parts = [
        rows_from(source, lines, np.arange(start, min(start + BLOCK, count)))
        for start in range(0, count, BLOCK)
    ]
    table = pa.concat_tables(parts)
    crs = CRS.from_json_dict(geo["crs"])
    geoparquet.write(table, np.arange(count), target, crs=crs, geometry_type="LineString")


def rows_from(source: pa.Table, lines: np.ndarray, number: np.ndarray) -> pa.Table:
    """The rows with these running numbers."""
    index, times = number % len(lines), number // len(lines)
    moved = lines[index].copy()
    coordinates = shapely.get_coordinates(moved)
    coordinates[:, 1] += MOVED_M * np.repeat(times, shapely.get_num_coordinates(moved))
    moved = shapely.set_coordinates(moved, coordinates)
    columns = {
        "crack_id": pa.array([f"{each:016x}" for each in number]),
        "image_id": pa.array([f"lane{each // 5000}/{each // 50:07d}.tif" for each in number]),
        "geometry": geoparquet.wkb_of(moved),
        "bbox": geoparquet.bbox_of(moved),
    }
    table = source.take(pa.array(index))
    for name, column in columns.items():
        table = table.set_column(table.schema.get_field_index(name), table.schema.field(name), column)
    return table.cast(crack_rows.SCHEMA)


CHILD = """
import sys, time
from pathlib import Path
from crackpipe.pipeline.export.write import export
begin = time.perf_counter()
made = export(Path(sys.argv[1]), sys.argv[2])
wall = time.perf_counter() - begin
memory = next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1]
size = sum(path.stat().st_size for path in made if path.is_file())
print(f"{sys.argv[2]}: {wall:.1f} s by the clock, {time.process_time():.1f} s of a core,",
      f"{int(memory) / 1024:.0f} MiB, {size / 1e6:.0f} MB written")
"""
"""It asks for the memory of its own: what the system says of an ended process may be its parent's."""


def measured(out: Path, form: str) -> str:
    """Run the export in a process of its own; seconds, memory, bytes."""
    command = [sys.executable, "-c", CHILD, str(out), form]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--cracks", type=int, default=1_000_000)
    parser.add_argument("--format", nargs="+", default=["gpkg"])
    parser.add_argument("--work", type=Path)
    options = parser.parse_args()
    print(cost_of_the_default(options.out))
    work = Path(tempfile.mkdtemp(dir=options.work))
    try:
        (work / ".crackpipe").mkdir()
        shutil.copy(options.out / "images.parquet", work / "images.parquet")
        many_cracks(options.out, options.cracks, work / "cracks.parquet")
        print(f"{options.cracks} cracks, {(work / 'cracks.parquet').stat().st_size / 1e6:.0f} MB of Parquet")
        for form in options.format:
            print(measured(work, form), flush=True)
    finally:
        shutil.rmtree(work)


if __name__ == "__main__":
    main()
