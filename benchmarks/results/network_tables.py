"""How long the network's tables take, and how much memory: SURVEYS surveys of CRACKS cracks each.

python benchmarks/results/network_tables.py --surveys 10 --cracks 100000
"""

import argparse
import datetime
import resource
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import shapely
from pyproj import CRS

from crackpipe.pipeline.network.parts import Part
from crackpipe.pipeline.network.publish import publish
from crackpipe.pipeline.tables import crack_rows, geoparquet

_VALUES = {pa.string(): "0123456789abcdef", pa.float64(): 1.25, pa.bool_(): False}


def result(folder: Path, cracks: int, seed: int) -> Part:
    """A result without images: cracks of eleven vertices along 10 km of road."""
    rng = np.random.default_rng(seed)
    begin = np.column_stack([500_000 + rng.uniform(0, 10_000, cracks), 5.4e6 + rng.uniform(0, 3, cracks)])
    steps = np.cumsum(rng.normal(0, 0.05, (cracks, 11, 2)), axis=1)
    lines = shapely.linestrings(begin[:, None, :] + steps)
    columns = {"geometry": geoparquet.wkb_of(lines), "bbox": geoparquet.bbox_of(lines)}
    columns["crack_id"] = pa.array([f"{seed:04x}{number:012x}" for number in range(cracks)])
    columns["acquired"] = pa.array([datetime.date(2025, 5, 1)] * cracks, pa.date32())
    columns["length_m"] = pa.array(shapely.length(lines))
    for field in crack_rows.SCHEMA:
        if field.name not in columns:
            columns[field.name] = pa.array([_VALUES[field.type]] * cracks, field.type)
    table = pa.table([columns[name] for name in crack_rows.SCHEMA.names], schema=crack_rows.SCHEMA)
    folder.mkdir(parents=True)
    geoparquet.write(
        table,
        np.arange(cracks),
        folder / "cracks.parquet",
        crs=CRS.from_epsg(25832),
        geometry_type="LineString",
    )
    return Part(folder.name, folder)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--surveys", type=int, default=10)
    parser.add_argument("--cracks", type=int, default=100_000)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        parts = [result(Path(folder, f"s{seed}"), asked.cracks, seed) for seed in range(asked.surveys)]
        before_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        for name in ("first night", "nothing changed"):
            began, cpu = time.perf_counter(), time.process_time()
            done = publish(Path(folder, "network"), {"all": parts}, None)
            print(
                f"{name}: {done.rows['cracks']:,} cracks, {time.perf_counter() - began:.1f} s, "
                f"of them {time.process_time() - cpu:.1f} s of CPU"
            )
        peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"memory: {peak_mib:,.0f} MiB at most, {before_mib:,.0f} MiB while the results were drawn")


if __name__ == "__main__":
    main()
