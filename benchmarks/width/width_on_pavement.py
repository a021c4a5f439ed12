"""Rendered cracks on photographs of real pavement, through the whole product: are classes and widths right?

    python benchmarks/width/width_on_pavement.py PHOTOGRAPHS WORK [--seed 1]

PHOTOGRAPHS is a folder of crack-free pictures of pavement (`images/*.jpg`). Into each, wandering, branching
and tapering cracks of 0.3 to 12 px are drawn (log-uniform), darker than the local pavement by a share of its
grey value that differs by 20 % from crack to crack, as a camera of 0.7 px blur sees them; the pictures
become GeoTIFFs of 0.5, 1 and 2 mm/px, and `crackpipe run` maps them. Reported rows are then compared with
what was drawn along them: width, stated deviation, class, class probabilities.

A row counts where at least 80 % of it lies within 2 px of drawn cracks. Its true width is what is reported,
the optical equivalent width: the area that was darkened beside the row over the row's length there. The mean
drawn width is given beside it (`mean drawn`): it is smaller, as a crack that winds and is uneven, being all
points nearer to its centreline than half the local width, covers more than width x length (`--shapes` prints
how much), and since a line that does not follow every turn around a stone is shorter than the crack. Texture,
noise and JPEG are the photographs'; network, masks, lines and contrast prior are the product's.

With `--calibrated`, `crackpipe calibrate` first measures the contrast on pictures with other cracks,
as one would for one's own camera; only its `contrast` is taken, since the blur of photographs is not known.
"""

import json
import os
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import click
import geopandas as gpd
import numpy as np
import rasterio
from numpy.typing import NDArray
from PIL import Image
from rasterio.transform import from_origin
from sample_score import STEP_PX, TOLERANCE_PX, resampled
from scipy.ndimage import gaussian_filter
from scipy.spatial import cKDTree
from shapely import LineString

from crackpipe.model.render.cracks import Crack, Window, darkness
from crackpipe.model.render.paths import branching, log_uniform, wander, width_profile
from crackpipe.pipeline.config import Config
from crackpipe.pipeline.image import SurveyImage
from crackpipe.pipeline.survey.load import load_survey

GSDS_MM = (0.5, 1.0, 2.0)
BLUR_PX = 0.7
SHARE, SHARE_SD = 0.55, 0.2
"""Darkening of a crack as a share of the pavement's grey value: median and relative spread."""
LEAST_MATCHED = 0.8
EDGES_PX = (0.3, 0.5, 0.8, 1.2, 2.0, 3.0, 5.0, 12.0, 30.0)
CLASSES = ("tiny", "small", "wide")

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Drawn:
    """What was drawn in one image: N points every 0.5 px along the cracks, and M pixels that they cover."""

    points: Floats
    """(N, 2) (row, col)."""
    width_px: Floats
    """(N,)."""
    pixels: Floats
    """(M, 2) (row, col)."""
    covered: Floats
    """(M,) share of the pixel, over 0 to 1."""


def cracks_for(rng: np.random.Generator, height: int, width: int) -> list[Crack]:
    """Two or three cracks with their branches; `contrast_grey` is the share of the local grey value."""
    cracks: list[Crack] = []
    for _ in range(int(rng.integers(2, 4))):
        start = np.array([rng.uniform(0.1, 0.9) * height, rng.uniform(0.1, 0.9) * width])
        share = min(SHARE * float(np.exp(SHARE_SD * rng.standard_normal())), 0.95)
        cracks += branching(
            rng,
            start,
            rng.uniform(0.0, 2 * np.pi),
            rng.uniform(120.0, 380.0),
            width_px=log_uniform(rng, 0.3, 12.0),
            contrast_grey=share,
            rough=rng.uniform(0.4, 1.4),
        )
    return cracks


def draw(photograph: NDArray[np.uint8], cracks: list[Crack]) -> NDArray[np.uint8]:
    """The photograph (H, W, 3) with the cracks in it."""
    _, dark = darkness(cracks, Window(0, 0, *photograph.shape[:2]))
    left = 1.0 - gaussian_filter(dark.astype(np.float64), BLUR_PX)
    return np.clip(np.rint(photograph * left[..., None]), 0, 255).astype(np.uint8)


def write_survey(photographs: Path, survey: Path, seed: int) -> dict[str, Drawn]:
    """One GeoTIFF per photograph and GSD; what was drawn in each, by image_id."""
    truth: dict[str, Drawn] = {}
    for index, path in enumerate(sorted((photographs / "images").glob("*.jpg"))):
        photograph = np.asarray(Image.open(path).convert("RGB"))
        for gsd_mm in GSDS_MM:
            rng = np.random.default_rng((seed, index, round(gsd_mm * 10)))
            cracks = cracks_for(rng, *photograph.shape[:2])
            name = f"gsd{gsd_mm:g}/{path.stem}.tif"
            _write(survey / name, draw(photograph, cracks), index, gsd_mm / 1000.0)
            parts = [resampled(crack.centreline, crack.width_px) for crack in cracks]
            points, width_px = (np.concatenate([part[k] for part in parts]) for k in (0, 1))
            coverage, _ = darkness(cracks, Window(0, 0, *photograph.shape[:2]))
            covered = coverage > 0
            truth[name] = Drawn(points, width_px, np.argwhere(covered).astype(float), coverage[covered])
    return truth


def _write(path: Path, rgb: NDArray[np.uint8], index: int, gsd_m: float) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    height, width, _ = rgb.shape
    origin = 500_000 + 5 * (index % 100), 5_400_000 + 5 * (index // 100) + 1_000_000 * gsd_m
    profile = {
        "driver": "GTiff", "height": height, "width": width, "count": 3, "dtype": "uint8",
        "crs": "EPSG:25832", "transform": from_origin(*origin, gsd_m, gsd_m),
        "tiled": True, "blockxsize": 256, "blockysize": 256, "compress": "deflate", "photometric": "RGB",
    }  # fmt: skip
    with rasterio.open(path, "w", **profile) as target:
        target.write(np.moveaxis(rgb, -1, 0))


def matched_rows(image: SurveyImage, rows: gpd.GeoDataFrame, drawn: Drawn) -> list[dict[str, float]]:
    """Rows that lie on drawn cracks, with the true widths beside them."""
    lines = [in_pixels(image, line) for line in rows.to_crs(image.crs_wkt).geometry]
    if not lines:
        return []
    owner = np.repeat(np.arange(len(lines)), [len(line) for line in lines])
    tree = cKDTree(drawn.points)
    # a covered pixel belongs to the line nearest to it, if that is not beyond the crack's edge and 2 px more
    half_px = drawn.width_px[tree.query(drawn.pixels)[1]] / 2
    distance, nearest = cKDTree(np.concatenate(lines)).query(drawn.pixels)
    near = distance <= half_px + TOLERANCE_PX
    area = np.bincount(owner[nearest[near]], drawn.covered[near], len(lines))
    found = []
    for points, area_px2, row in zip(lines, area, rows.itertuples(), strict=True):
        distance, nearest = tree.query(points)
        near = distance <= TOLERANCE_PX
        if row.width_class not in CLASSES or near.mean() < LEAST_MATCHED:  # null: not measured
            continue
        found.append(
            {
                "gsd_mm": row.gsd_mm,
                "length_px": len(points) * STEP_PX,
                "true_px": float(area_px2) / (near.sum() * STEP_PX),
                "drawn_px": float(drawn.width_px[nearest[near]].mean()),
                "width_px": row.width_mm / row.gsd_mm,
                "sigma_px": row.width_sigma_mm / row.gsd_mm,
                "class": CLASSES.index(row.width_class),
                "certain": not row.class_uncertain,
                "flag": row.width_flag,
                "offset_px": float(np.sqrt((distance[near] ** 2).mean())),
                **{f"p_{name}": getattr(row, f"p_{name}") for name in CLASSES},
            }
        )
    return found


def in_pixels(image: SurveyImage, line: LineString) -> Floats:
    """Points (N, 2) (row, col) every 0.5 px along a line in the image's CRS."""
    col, row = ~image.transform * np.asarray(line.coords).T
    vertices = np.column_stack([row - 0.5, col - 0.5])
    return resampled(vertices, np.zeros(len(vertices)))[0]


def report(rows: gpd.pd.DataFrame) -> dict[str, float]:
    """Print the tables; returns the figures with a goal."""
    print_errors(rows)
    true_class = np.digitize(rows.true_px * rows.gsd_mm, [1.0, 3.0])
    drawn_class = np.digitize(rows.drawn_px * rows.gsd_mm, [1.0, 3.0])
    right = rows["class"].to_numpy() == true_class
    print_classes(rows, true_class, right)
    stated = np.concatenate([rows[f"p_{name}"] for name in CLASSES])
    came = np.concatenate([true_class == index for index in range(3)])
    place = np.minimum((stated * 10).astype(int), 9)
    gap = [abs(stated[place == k].mean() - came[place == k].mean()) * (place == k).mean() for k in set(place)]
    sure = rows.certain.to_numpy(bool)
    return {
        "rows": len(rows),
        "right where certain (goal 0.95)": float(right[sure].mean()),
        "certain": float(sure.mean()),
        "reliability error (goal 0.05)": float(sum(gap)),
        "truths within 2 sd": float((np.abs(rows.width_px - rows.true_px) <= 2 * rows.sigma_px).mean()),
        "right where certain, by mean drawn width": float((rows["class"] == drawn_class)[sure].mean()),
        "median width over true": float((rows.width_px / rows.true_px).median()),
        "rms from centreline px": float(np.sqrt((rows.offset_px**2).mean())),
    }


def print_errors(rows: gpd.pd.DataFrame) -> None:
    """Errors of the width by true width."""
    columns = "rows | bias px | median | 16 % | 84 % | stated sd | in 2 sd | over mean drawn | flagged"
    print(f"\n| true px | {columns} |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    error = rows.width_px - rows.true_px
    inside = np.abs(error) <= 2 * rows.sigma_px
    for low, high in pairwise(EDGES_PX):
        part = (rows.true_px >= low) & (rows.true_px < high)
        if part.sum() == 0:
            continue
        spread = " | ".join(f"{value:+.2f}" for value in np.percentile(error[part], [50, 16, 84]))
        print(
            f"| {low:g}-{high:g} | {part.sum()} | {error[part].mean():+.2f} | {spread} | "
            f"{rows.sigma_px[part].median():.2f} | {inside[part].mean():.2f} | "
            f"{(rows.width_px - rows.drawn_px)[part].median():+.2f} | {rows.flag[part].mean():.2f} |"
        )


def print_classes(rows: gpd.pd.DataFrame, true_class: NDArray[np.int64], right: NDArray[np.bool_]) -> None:
    """How often the class is right, by GSD and true class, and by true width."""

    def cells(part: NDArray[np.bool_]) -> str:
        sure = part & rows.certain.to_numpy(bool)
        share = right[sure].mean() if sure.sum() else float("nan")
        return f"{part.sum()} | {rows.certain[part].mean():.2f} | {share:.3f} | {right[part].mean():.3f} |"

    print("\n| GSD mm | true class | rows | certain | right where certain | right of all |")
    print("|---|---|---|---|---|---|")
    for gsd in GSDS_MM:
        for index, name in enumerate(CLASSES):
            part = ((np.abs(rows.gsd_mm / gsd - 1) < 0.01) & (true_class == index)).to_numpy()
            if part.sum():
                print(f"| {gsd:g} | {name} | {cells(part)}")
    print("\n| true mm | rows | certain | right where certain | right of all |\n|---|---|---|---|---|")
    true_mm = (rows.true_px * rows.gsd_mm).to_numpy()
    for low, high in pairwise((0.0, 0.5, 0.8, 1.25, 2.0, 2.5, 3.5, 5.0, 60.0)):
        part = (true_mm >= low) & (true_mm < high)
        if part.sum():
            print(f"| {low:g}-{high:g} | {cells(part)}")


def contrast_of_others(photographs: Path, work: Path, seed: int) -> float:
    """What `crackpipe calibrate` finds on the same photographs with other cracks, grey values."""
    write_survey(photographs, work / "others", seed + 1000)
    file = work / "crackpipe.toml"
    command = [sys.executable, "-m", "crackpipe", "calibrate", str(work / "others"), "--out", str(file)]
    subprocess.run([*command, "--places", "150"], check=True)
    return float(tomllib.loads(file.read_text(encoding="utf-8"))["contrast"])


def print_shapes(seed: int, each: int = 40) -> None:
    """How much more than the sum of width x length single cracks of this bench cover, per px of length."""
    print("| width px | mean drawn px | covered over it, px |\n|---|---|---|")
    for width_px in (0.5, 1.0, 2.0, 3.0, 5.0, 8.0, 12.0):
        drawn, more = [], []
        for number in range(each):
            rng = np.random.default_rng((seed, number, round(10 * width_px)))
            path = wander(rng, np.array([400.0, 100.0]), np.pi / 2, 300.0, rng.uniform(0.4, 1.4))
            crack = Crack(path, width_profile(rng, len(path), width_px, True, True), 1.0)
            _, at_px = resampled(path, crack.width_px)
            coverage, _ = darkness([crack], Window(0, 0, 800, 500))
            drawn.append(at_px.mean())
            more.append(float(coverage.sum()) / (len(at_px) * STEP_PX) - at_px.mean())
        print(f"| {width_px:g} | {np.mean(drawn):.2f} | {np.mean(more):+.2f} |")


@click.command()
@click.argument("photographs", type=click.Path(path_type=Path, exists=True))
@click.argument("work", type=click.Path(path_type=Path))
@click.option("--seed", default=1, show_default=True)
@click.option("--rows", "rows_file", type=click.Path(path_type=Path), help="Write the compared rows as CSV.")
@click.option("--calibrated", is_flag=True, help="Measure the contrast first, on pictures with other cracks.")
@click.option("--shapes", is_flag=True, help="Only print how much more than width x length cracks cover.")
def main(  # noqa: PLR0917  click passes by name
    photographs: Path, work: Path, seed: int, rows_file: Path | None, calibrated: bool, shapes: bool
) -> None:
    if shapes:
        print_shapes(seed)
        return
    survey, out = work / "survey", work / "result"
    truth = write_survey(photographs, survey, seed)
    told = {"CRACKPIPE_CONTRAST": str(contrast_of_others(photographs, work, seed))} if calibrated else {}
    command = [sys.executable, "-m", "crackpipe", "run", str(survey), "--out", str(out)]
    subprocess.run(command, check=True, env={**os.environ, **told})
    cracks = gpd.read_parquet(out / "cracks.parquet")
    compared: list[dict[str, float]] = []
    for image in load_survey([survey], Config(), out).images:
        own = cracks[cracks.image_id == image.image_id]
        compared += matched_rows(image, own, truth[image.image_id])
    rows = gpd.pd.DataFrame(compared)
    if rows_file:
        rows.to_csv(rows_file, index=False)
    figures = report(rows)
    print(json.dumps({"seed": seed, "reported rows": len(cracks), **figures}, indent=2))


if __name__ == "__main__":
    main()
