"""Sections of a road network: seconds and peak memory of `crackpipe sections`.

    python benchmarks/results/sections.py --cracks 100000 --km 1000

Draws the tables of a run over winding roads of so many kilometres, routes of 50 km: frames of 4 x 5.5 m
every 5 m, and cracks of about 1 m with a vertex every 3 cm. Then it runs the command in a process of its own
and prints wall clock and peak memory. No network runs, and what it costs to make the tables is not counted.
"""

import argparse
import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import geopandas as gpd
import numpy as np
import pyarrow as pa
import shapely
from pyproj import CRS

from crackpipe.pipeline.geometry.ground import gsd_mm_of
from crackpipe.pipeline.state.output import Output
from crackpipe.pipeline.storage.sealed import write_json
from crackpipe.pipeline.tables import geoparquet, image_rows
from crackpipe.pipeline.tables.crack_rows import SCHEMA

UTM32 = CRS("EPSG:25832")
ROUTE_M, FRAME_M, STEP_M, WIDTH_M = 50_000.0, 5.5, 5.0, 4.0


def axis(route: int, s: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """World (x, y) and unit ways of a road that winds; routes are 2 km apart."""
    wave, high = 400.0, 15.0
    x = 500_000.0 + s
    y = 5_400_000.0 + 2_000.0 * route + high * np.sin(s / wave * 2 * np.pi)
    way = np.column_stack([np.ones(len(s)), high * 2 * np.pi / wave * np.cos(s / wave * 2 * np.pi)])
    return np.column_stack([x, y]), way / np.hypot(*way.T)[:, None]


def placed(route: np.ndarray, s: np.ndarray, o: np.ndarray) -> np.ndarray:
    """World (N, 2) of places along and beside the routes."""
    xy, way = axis(0, s)
    return (
        xy
        + np.column_stack([way[:, 1], -way[:, 0]]) * o[:, None]
        + np.column_stack([np.zeros(len(s)), 2_000.0 * route])
    )


def write_images(out: Path, routes: int) -> int:
    """images.parquet of all frames; their number."""
    middles = np.arange(STEP_M / 2, ROUTE_M, STEP_M)
    rows = []
    ground = np.array([[0.0, 0.001], [-0.001, 0.0]])
    for route in range(routes):
        xy, way = axis(route, middles)
        right = np.column_stack([way[:, 1], -way[:, 0]])
        corners = [
            xy + way * along * FRAME_M / 2 + right * across * WIDTH_M / 2
            for along, across in ((1, -1), (1, 1), (-1, 1), (-1, -1))
        ]
        for index, four in enumerate(np.stack(corners, axis=1)):
            row = image_rows.ImageRow(
                image_id=f"route{route:03d}/{index:06d}.tif",
                status="done",
                path=f"{index}.tif",
                width_px=4000,
                height_px=5500,
                gsd_mm=gsd_mm_of(ground),
                crs_wkt=UTM32.to_wkt(),
                footprint=four,
                inspected_m2=22.0,
                uninspected_m2=0.0,
            )
            rows.append(row)
    image_rows.write_images(rows, UTM32, out / "images.parquet")
    return len(rows)


def lines(rng: np.random.Generator, route: np.ndarray, s: np.ndarray) -> np.ndarray:
    """Cracks that begin at places along the routes, one each, as LineStrings in world coordinates."""
    count = len(s)
    o, length = rng.uniform(-1.8, 1.8, count), rng.exponential(0.8, count) + 0.2
    turn = rng.choice([0.0, np.pi / 2, 0.7], count)
    vertices = np.maximum((length / 0.03).astype(int), 2)
    index = np.repeat(np.arange(count), vertices)
    number = np.arange(len(index)) - np.repeat(np.cumsum(vertices) - vertices, vertices)
    along = length[index] * number / (vertices[index] - 1)
    aside = rng.normal(0, 0.003, len(index))
    points = placed(
        route[index],
        s[index] + along * np.cos(turn[index]) - aside * np.sin(turn[index]),
        np.clip(o[index] + along * np.sin(turn[index]) + aside * np.cos(turn[index]), -1.9, 1.9),
    )
    return shapely.linestrings(points, indices=index)


def width_columns(rng: np.random.Generator, count: int) -> dict[str, object]:
    """What a row of cracks.parquet says of its width."""
    width = rng.lognormal(0.5, 0.6, count)
    p = np.column_stack([width < 1, (width >= 1) & (width < 3), width >= 3]) * 0.7 + 0.1
    return {
        "width_mm": width,
        "width_sigma_mm": 0.1 * width,
        "width_p95_mm": width,
        "width_max_mm": width,
        "width_class": np.array(["tiny", "small", "wide"])[p.argmax(axis=1)],
        "p_tiny": p[:, 0],
        "p_small": p[:, 1],
        "p_wide": p[:, 2],
        "class_uncertain": np.zeros(count, bool),
        "width_flag": np.zeros(count, bool),
    }


def write_cracks(out: Path, count: int, routes: int) -> float:
    """cracks.parquet; metres of cracks."""
    rng = np.random.default_rng(7)
    route, s = rng.integers(routes, size=count), rng.uniform(5, ROUTE_M - 10, count)
    drawn = lines(rng, route, s)
    true_m = shapely.length(drawn) / 0.9996
    columns = width_columns(rng, count) | {
        "crack_id": [f"{number:024x}" for number in range(count)],
        "network_id": [f"{number // 3:024x}" for number in range(count)],
        "image_id": [f"route{a:03d}/{int(b // STEP_M):06d}.tif" for a, b in zip(route, s, strict=True)],
        "length_m": true_m,
        "class": ["crack"] * count,
        "orientation_deg": np.zeros(count),
        "crack_type": ["diagonal"] * count,
        "confidence": np.full(count, 0.9),
        "bridged_m": np.zeros(count),
        "gsd_mm": np.ones(count),
        "acquired": pa.nulls(count, pa.date32()),
        "survey": ["drawn"] * count,
        "weights": ["drawn"] * count,
        "origin": ["crackpipe"] * count,
        "geometry": geoparquet.wkb_of(drawn),
        "bbox": geoparquet.bbox_of(drawn),
    }
    table = pa.table({name: columns[name] for name in SCHEMA.names}, schema=SCHEMA)
    order = np.argsort(gpd.GeoSeries(drawn).hilbert_distance().to_numpy(), kind="stable")
    geoparquet.write(table, order, out / "cracks.parquet", crs=UTM32, geometry_type="LineString")
    return float(true_m.sum())


def draw(out: Path, cracks: int, routes: int) -> None:
    """Write the tables, the markers and the roads of an output with so many cracks."""
    output = Output(out)
    output.create()
    write_json(out / "run.json", {"configuration": {}})
    images = write_images(out, routes)
    metres = write_cracks(out, cracks, routes)
    at = np.arange(0, ROUTE_M + 1, 10.0)
    axes = [shapely.LineString(axis(route, at)[0]) for route in range(routes)]
    names = {"route_id": [f"R{route:03d}" for route in range(routes)]}
    gpd.GeoDataFrame(names, geometry=axes, crs=UTM32).to_file(out / "roads.gpkg", layer="roads")
    print(f"drawn: {images} frames, {cracks} cracks, {metres / 1000:.1f} km of them", flush=True)


def main() -> None:
    """Draw, run, print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--cracks", type=int, default=100_000)
    parser.add_argument("--km", type=int, default=1000)
    parser.add_argument("--length", default="100m")
    parser.add_argument("--profile", default=None)
    parser.add_argument("--track", action="store_true", help="without a centreline")
    parser.add_argument("--keep", type=Path, help="folder for the drawn tables, used again if it is there")
    given = parser.parse_args()
    routes = max(1, round(given.km * 1000 / ROUTE_M))
    with tempfile.TemporaryDirectory() as folder:
        out = given.keep or Path(folder) / "out"
        if not (out / "roads.gpkg").exists():
            # in a process of its own: what this one holds would count as the peak of those that it starts
            drawing = multiprocessing.get_context("spawn").Process(
                target=draw, args=(out, given.cracks, routes)
            )
            drawing.start()
            drawing.join()
        command = [sys.executable, "-m", "crackpipe", "sections", str(out), "--length", given.length]
        command += [] if given.track else ["--centreline", str(out / "roads.gpkg")]
        command += ["--profile", given.profile] if given.profile else []
        started = time.perf_counter()
        _, status, used = os.wait4(subprocess.Popen(command).pid, 0)
        wall_s = time.perf_counter() - started
        if status != 0:
            sys.exit("crackpipe sections failed")
        print(
            json.dumps(
                {
                    "wall_s": round(wall_s, 1),
                    "cpu_s": round(used.ru_utime + used.ru_stime, 1),
                    "peak_mib": round(used.ru_maxrss / 1024),
                    "load_1min": round(os.getloadavg()[0], 1),
                }
            )
        )


if __name__ == "__main__":
    main()
