"""The same pixels with the tile grid moved by half a core: do the lines stay where they are?

    python benchmarks/accuracy/grid_shift.py sample_data/survey WORK
    python benchmarks/accuracy/grid_shift.py NHA12D/images WORK

Every picture below the folder becomes a GeoTIFF, far from the others on the map, and another one with half a
core (192 px, or as much ground where the input is resampled) of its own mirror image before its first row and
column: what the product shows the network beyond an edge anyway. Both hold the same road, cut elsewhere.
`crackpipe run` maps them. Counted is the length of cracks, in points every 0.5 px, that lies within 2 px of
one of the other run; a picture's outermost 32 px are left out, where lines end differently at the mirror.

Of the length without a counterpart the bench tells what the other run has there (a mask, whose line took
another way, or how far below the threshold it stayed), how long its network is, and how much of it lies near
the edge of a core. Pictures without a georeference count as ones of `--gsd-mm`.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import click
import geopandas as gpd
import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.transform import from_origin
from sample_score import STEP_PX, in_pixels, near
from scipy.ndimage import maximum_filter

from crackpipe.pipeline.config import Config, resolve
from crackpipe.pipeline.geometry.grid import Window
from crackpipe.pipeline.image import SurveyImage
from crackpipe.pipeline.masks import group
from crackpipe.pipeline.request import Request, make_job
from crackpipe.pipeline.survey.load import load_survey
from crackpipe.pipeline.tasks.job import Job, grid_of

MARGIN_PX = 32
APART_M = 100
SUFFIXES = (".tif", ".tiff", ".jpg", ".jpeg", ".png")
BELOW = (0.0, 0.05, 0.1, 0.2, 1.0)
"""Edges, in probability, of how far the other run stayed below the threshold."""
LENGTHS_MM = (0.0, 50.0, 200.0, np.inf)
"""Edges of network lengths; the product drops those below 25 mm."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Points:
    """N points every 0.5 px along the cracks of one run of one picture, its margin left out."""

    place: Floats
    """(N, 2) (row, col) in the picture as it was given."""
    network_mm: Floats
    """(N,) length of the network that each belongs to."""
    near: NDArray[np.bool_]
    """(N,): the other run has a line within 2 px."""
    below: Floats
    """(N,) how far its probability stays below the threshold within 2 px; 0 and less: it has a mask there."""
    to_edge_px: Floats
    """(N,) distance to the nearest edge of a core, of either run, inside the picture."""


def write_surveys(pictures: Path, work: Path, gsd_mm: float, config: Config) -> Job:
    """WORK/still and WORK/moved, the same names in both; returns what a run would give its tasks."""
    stated = {image.path: image.gsd_mm for image in load_survey([pictures], Config()).images}
    files = sorted(path for path in pictures.resolve().rglob("*") if path.suffix.lower() in SUFFIXES)
    for index, path in enumerate(files):
        with rasterio.open(path) as source:
            pixels = source.read()[:3]
        name = "-".join(path.relative_to(pictures.resolve()).with_suffix(".tif").parts)
        write(work / "still" / name, pixels, index, stated.get(path, gsd_mm))
    still = load_survey([work / "still"], Config()).images
    job = make_job(Request((work / "still",), work / "still-cracks", config))
    for image in still:
        with rasterio.open(image.path) as source:
            pixels, place = source.read(), round((source.transform.c - 500_000) / APART_M)
        shift_px = grid_of(image, job).core_px // 2
        pixels = np.pad(pixels, ((0, 0), (shift_px, 0), (shift_px, 0)), mode="reflect")
        write(work / "moved" / image.image_id, pixels, place, image.gsd_mm)
    return job


def write(path: Path, pixels: NDArray[np.uint8], place: int, gsd_mm: float) -> None:
    """`pixels` uint8 (bands, H, W)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    bands, height, width = pixels.shape
    profile = {
        "driver": "GTiff", "height": height, "width": width, "count": bands, "dtype": "uint8",
        "crs": "EPSG:25832", "tiled": True, "compress": "deflate",
        "transform": from_origin(500_000 + APART_M * place, 5_400_000, gsd_mm / 1000, gsd_mm / 1000),
    }  # fmt: skip
    with rasterio.open(path, "w", **profile) as target:
        target.write(pixels)


def points_of(image: SurveyImage, cracks: gpd.GeoDataFrame, shift_px: int) -> tuple[Floats, Floats]:
    """Places (N, 2) in the picture as it was given, and lengths (N,) in mm of their networks."""
    total_mm = 1000 * cracks.groupby("network_id").length_m.transform("sum")
    parts = [in_pixels(image, cracks.iloc[[row]])[0] - shift_px for row in range(len(cracks))]
    network_mm = np.repeat(total_mm.to_numpy(float), [len(part) for part in parts])
    return np.concatenate([np.zeros((0, 2)), *parts]), network_mm


def compared(work: Path, job: Job) -> Iterator[tuple[str, Points, Points]]:
    """Of every picture the cracks of the run as it was given, and of the other one."""
    tables = {name: gpd.read_parquet(work / f"{name}-cracks/cracks.parquet") for name in ("still", "moved")}
    moved = {image.image_id: image for image in load_survey([work / "moved"], Config()).images}
    for still in load_survey([work / "still"], Config()).images:
        core_px, shape = grid_of(still, job).core_px, np.array([still.height_px, still.width_px])
        found, levels = [], []
        for name, image, shift_px in (
            ("still", still, 0),
            ("moved", moved[still.image_id], core_px // 2),
        ):
            cracks = tables[name][tables[name].image_id == still.image_id]
            found.append(points_of(image, cracks[cracks["class"] == "crack"], shift_px))
            window = Window(shift_px, shift_px, still.height_px, still.width_px)
            _, probability = group.read_window(work / f"{name}-cracks/masks.zarr" / still.image_id, window)
            levels.append(maximum_filter(probability, 5))
        sides = []
        for own, other in ((0, 1), (1, 0)):
            place, network_mm = found[own]
            kept = ((place >= MARGIN_PX) & (place < shape - MARGIN_PX)).all(axis=1)
            place = place[kept]
            rows, cols = np.rint(place).astype(int).T
            below = (job.threshold - levels[other][rows, cols].astype(float)) / 254
            to_edge = np.abs((place + core_px / 4) % (core_px / 2) - core_px / 4).min(axis=1)
            is_near, _ = near(place, found[other][0])
            sides.append(Points(place, network_mm[kept], is_near, below, to_edge))
        yield still.image_id, sides[0], sides[1]


def report(sides: list[Points]) -> None:
    """Where the length lies that has no counterpart."""
    network_mm, is_near, below, to_edge = (
        np.concatenate([getattr(side, name) for side in sides])
        for name in ("network_mm", "near", "below", "to_edge_px")
    )
    lost = ~is_near
    click.echo(
        f"\npx of {lost.sum() * STEP_PX:.0f} px without a counterpart, of {len(lost) * STEP_PX:.0f} px"
    )
    heads = ["mask, other line", *(f"below by {low:g}-{high:g}" for low, high in pairwise(BELOW))]
    click.echo(f"| network mm | {' | '.join(heads)} |\n{'|---' * (len(heads) + 1)}|")
    column = np.digitize(below, BELOW[:-1], right=True)
    for low, high in pairwise(LENGTHS_MM):
        part = lost & (network_mm >= low) & (network_mm < high)
        cells = [f"{(part & (column == index)).sum() * STEP_PX:.0f}" for index in range(len(heads))]
        click.echo(f"| {low:g} to {high:g} | {' | '.join(cells)} |")
    for limit_px in (8, 32):
        edge = to_edge <= limit_px
        click.echo(
            f"within {limit_px} px of a core's edge, of either run: {100 * edge[lost].mean():.1f} % of that "
            f"length, {100 * edge.mean():.1f} % of all"
        )


@click.command()
@click.argument("pictures", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.argument("work", type=click.Path(path_type=Path))
@click.option("--gsd-mm", default=1.0, show_default=True)
@click.option("--weights", default="lite", show_default=True)
def main(pictures: Path, work: Path, gsd_mm: float, weights: str) -> None:
    job = write_surveys(pictures, work, gsd_mm, resolve({"weights": weights}))
    for name in ("still", "moved"):
        command = [sys.executable, "-m", "crackpipe", "run", str(work / name), "--weights", weights]
        subprocess.run([*command, "--out", str(work / f"{name}-cracks")], check=True, env=os.environ)
    sides: list[Points] = []
    for name, still, moved in compared(work, job):
        sides += still, moved
        shares = ", ".join(
            f"{100 * side.near.mean():.2f} % of {len(side.near) * STEP_PX:.0f} px"
            if len(side.near)
            else "none"
            for side in (still, moved)
        )
        click.echo(f"{name}: {shares}")
    for index, name in enumerate(("as given, near the moved", "moved, near the one as given")):
        together = np.concatenate([side.near for side in sides[index::2]])
        click.echo(f"{name}: {100 * together.mean():.2f} % of {len(together) * STEP_PX:.0f} px")
    both = np.concatenate([side.near for side in sides])
    click.echo(f"both: {100 * both.mean():.2f} % of {len(both) * STEP_PX:.0f} px (goal 99 %)")
    report(sides)


if __name__ == "__main__":
    main()
