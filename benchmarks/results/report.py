"""The report of 100,000 cracks: its size, how long the page takes to draw the map, and to filter it.

    python benchmarks/results/report.py WORK [--cracks 100000]

WORK gets a survey of 60 km. Its images are all noise, as no picture of a road is larger as a file. They are
inspected by a network that costs nothing. The tables have 20,000 images, 600 sections and the cracks, drawn
at random. The worst cracks lie on images that are there, so that each gets its picture. The page is opened in
Debian's Chromium without a GPU, all cracks in view, 1360 x 950 px (`make report-test` installs it). Filter:
from a change to the next frame that the browser shows, median of five. `cpu` counts the processor time of all
processes of the browser: what else runs on the machine does not change it much.
"""

import contextlib
import json
import resource
import shutil
import statistics
import time
from pathlib import Path
from typing import Any

import click
import geopandas as gpd
import numpy as np
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import rasterio
import shapely
from pyproj import CRS
from rasterio.transform import from_origin

from crackpipe.model.predict.bare import write_untrained
from crackpipe.pipeline.config import Config
from crackpipe.pipeline.report.report import report
from crackpipe.pipeline.request import Request
from crackpipe.pipeline.run import run
from crackpipe.pipeline.sections.write import Request as SectionsRequest
from crackpipe.pipeline.sections.write import write_sections
from crackpipe.pipeline.tables import geoparquet
from crackpipe.pipeline.tables.crack_rows import SCHEMA

REAL, IMAGES, ROAD_M, HEIGHT_PX, WIDTH_PX = 60, 20_000, 60_000.0, 900, 1200
X, Y, WKT = 500_000.0, 5_400_000.0, "EPSG:25832"


def aside_m(x: Any) -> Any:
    """How far the winding road lies north of its straight line, at metres along that."""
    return 4000.0 * np.sin(x / 1500.0)


def draw_survey(folder: Path) -> None:
    """`REAL` images of noise along the road, each 1.2 x 0.9 m."""
    folder.mkdir(parents=True)
    profile: dict[str, Any] = {"driver": "GTiff", "height": HEIGHT_PX, "width": WIDTH_PX, "count": 1}
    profile |= {"dtype": "uint8", "crs": WKT, "tiled": True, "blockxsize": 256, "blockysize": 256}
    for number in range(REAL):
        grey = np.random.default_rng(number).integers(40, 216, (HEIGHT_PX, WIDTH_PX), np.uint8)
        x = number * ROAD_M / REAL
        place = from_origin(X + x, Y + aside_m(x) + 0.45, 0.001, 0.001)
        with rasterio.open(folder / f"{number:05}.tif", "w", transform=place, **profile) as file:
            file.write(grey, 1)


def more_images(out: Path) -> list[str]:
    """Repeat the rows of images.parquet along the road; the image_ids of all."""
    table = pq.read_table(out / "images.parquet")
    rows = table.to_pylist()
    for number in range(IMAGES - len(rows)):
        name, x = f"frames/{number:06}.tif", (number + 0.5) * ROAD_M / IMAGES
        y = Y + aside_m(x)
        box = shapely.box(X + x, y - 0.45, X + x + 1.2, y + 0.45)
        bounds = dict(zip(("xmin", "ymin", "xmax", "ymax"), box.bounds, strict=True))
        place = {"image_id": name, "path": name, "geometry": shapely.to_wkb(box), "bbox": bounds}
        rows.append(rows[number % REAL] | place)
    pq.write_table(pa.Table.from_pylist(rows, table.schema), out / "images.parquet")
    return [row["image_id"] for row in rows]


def draw_lines(rng: np.random.Generator, left: Any) -> Any:
    """A line of 3 to 12 vertices within each image that begins at `left`, metres along the road."""
    low, high = (0.01, -0.44), (1.19, 0.44)
    lines = []
    for x, number in zip(left, rng.integers(3, 13, len(left)), strict=True):
        steps = rng.normal(0, 0.04, (number, 2)) + rng.normal(0, 0.03, 2)
        vertices = np.clip(np.cumsum(steps, axis=0) + rng.uniform((0.2, -0.3), (1.0, 0.3)), low, high)
        lines.append(shapely.LineString(vertices + np.array([X + x, Y + aside_m(x)])))
    return np.array(lines, object)


def draw_cracks(out: Path, image_ids: list[str], count: int) -> None:
    """Write cracks.parquet. Every tenth crack lies on an image that is there and is ten times as wide."""
    rng = np.random.default_rng(7)
    real = rng.random(count) < 0.1
    image = np.where(real, rng.integers(0, REAL, count), rng.integers(REAL, len(image_ids), count))
    left = np.where(real, image * ROAD_M / REAL, (image - REAL + 0.5) * ROAD_M / IMAGES)
    lines = draw_lines(rng, left)
    width = rng.gamma(2.0, 0.8, count) * np.where(real, 10.0, 1.0) + 0.2
    words = np.array(["tiny", "small", "wide"], object)
    kinds = np.array(["longitudinal", "transverse", "diagonal", "pattern"], object)
    p = rng.dirichlet((8.0, 1.0, 1.0), count)
    columns: dict[str, Any] = {
        "crack_id": [f"{number:016x}" for number in rng.permutation(count)],
        "image_id": [image_ids[each] for each in image],
        "length_m": shapely.length(lines),
        "width_mm": width,
        "width_sigma_mm": 0.1 * width,
        "width_p95_mm": 1.4 * width,
        "width_max_mm": 2.0 * width,
        "width_class": words[np.digitize(width, (1.0, 3.0))],
        "class_uncertain": rng.random(count) < 0.2,
        "width_flag": rng.random(count) < 0.05,
        "orientation_deg": rng.uniform(0, 180, count),
        "crack_type": kinds[rng.integers(0, 4, count)],
        "confidence": rng.uniform(0.3, 1.0, count),
        "geometry": geoparquet.wkb_of(lines),
        "bbox": geoparquet.bbox_of(lines),
    }
    columns |= {f"p_{word}": p[:, k] for k, word in enumerate(words)}
    same = {
        "network_id": "0" * 16,
        "class": "crack",
        "survey": "60 km",
        "weights": "none",
        "origin": "crackpipe",
        "acquired": None,
    }
    columns |= {name: [value] * count for name, value in (same | {"bridged_m": 0.0, "gsd_mm": 1.0}).items()}
    table = pa.table({name: columns[name] for name in SCHEMA.names}, schema=SCHEMA)
    order = gpd.GeoSeries(lines).hilbert_distance().to_numpy().argsort(kind="stable")
    crs = CRS.from_user_input(WKT)
    geoparquet.write(table, order, out / "cracks.parquet", crs=crs, geometry_type="LineString")


def make(work: Path, count: int) -> Path:
    out, roads = work / "out", work / "roads.gpkg"
    weights = work / "weights.safetensors"
    draw_survey(work / "survey")
    write_untrained(weights, "one-convolution")
    run(Request((work / "survey",), out, Config(weights=str(weights), exports=()), serial=True))
    draw_cracks(out, more_images(out), count)
    along = np.arange(0.0, ROAD_M + 1.0, 50.0)
    line = shapely.LineString(np.column_stack([X + along, Y + aside_m(along)]))
    gpd.GeoDataFrame({"route_id": ["B 27"]}, geometry=[line], crs=WKT).to_file(roads)
    write_sections(SectionsRequest(out=out, centreline=roads))
    return out


FILTER = """async () => {
  const frame = () => new Promise((done) => requestAnimationFrame(() => setTimeout(done, 0)));
  const boxes = [...document.querySelectorAll('#by-class input, #by-type input')], seconds = [];
  for (const box of boxes.slice(0, 5)) {
    await new Promise((done) => setTimeout(done, 600));
    const begun = performance.now();
    box.click();
    await frame();
    seconds.push((performance.now() - begun) / 1000);
    box.click();
  }
  return seconds;
}"""


def cpu_s(browser: psutil.Process) -> float:
    """Processor time of a browser and its processes so far."""
    seconds = 0.0
    for process in (browser, *browser.children(recursive=True)):
        with contextlib.suppress(psutil.NoSuchProcess):
            times = process.cpu_times()
            seconds += times.user + times.system
    return seconds


def measure(file: Path) -> dict[str, Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        arguments = ["--disable-gpu", "--no-sandbox"]
        browser = driver.chromium.launch(executable_path=shutil.which("chromium"), args=arguments)
        processes = psutil.Process().children(recursive=True)
        process = next(each for each in processes if "chrom" in each.name())
        page = browser.new_page(viewport={"width": 1360, "height": 950}, offline=True)
        page.wait_for_timeout(1000)
        begun_s = cpu_s(process)
        page.goto(file.as_uri(), wait_until="commit")
        page.wait_for_selector("html[data-map=drawn]", state="attached", timeout=120_000)
        first_cpu_s = cpu_s(process) - begun_s
        first_s = page.evaluate("performance.getEntriesByName('map drawn')[0].startTime") / 1000
        page.wait_for_selector("html[data-page=ready]", state="attached", timeout=120_000)
        page.evaluate("document.getElementById('map-part').scrollIntoView()")
        page.wait_for_timeout(2000)
        filters_s = page.evaluate(FILTER)
        page.screenshot(path=str(file.with_name("map.png")))
        browser.close()
    return {
        "first_map_s": round(first_s, 2),
        "first_map_cpu_s": round(first_cpu_s, 2),
        "filter_s": round(statistics.median(filters_s), 3),
        "filters_s": [round(each, 3) for each in filters_s],
    }


@click.command()
@click.argument("work", type=click.Path(path_type=Path))
@click.option("--cracks", "count", default=100_000, show_default=True)
def main(work: Path, count: int) -> None:
    out = work / "out"
    if not (out / "sections.parquet").exists():
        out = make(work, count)
    begun = time.monotonic()
    written = report(out)
    figures = {
        "cracks": written.cracks,
        "pictures": len(written.cut_outs.pictures),
        "pictures_mb": round(written.cut_outs.bytes / 1e6, 2),
        "file_mb": round(written.bytes / 1e6, 2),
        "report_s": round(time.monotonic() - begun, 1),
        "memory_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }
    print(json.dumps({**figures, **measure(written.path)}, indent=1))


if __name__ == "__main__":
    main()
