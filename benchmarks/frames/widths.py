"""Widths of a drawn drive, end to end, against what was drawn: what each step from road to table adds.

    python benchmarks/frames/widths.py WORK [--oblique] [--seed 7] [--frames 3]

`crackpipe sample --kind drive`, `frames` and `run` are called in WORK as a user calls them. Rows of
cracks.parquet of which at least 80 % lies within 2 px of drawn cracks are compared with what lies there. Each
line of the table replaces one thing more:

    every place     width of the row over the drawn width at each place along it
    mean drawn      width of the row over the mean drawn width along it
    covered         width of the row over the covered area beside it per length of the row (docs/use/width.md)
    again           the rows' lines are measured once more here, to be sure that this is the run's way
    without JPEG    in frames that were never compressed
    contrast told   and told how much light the cracks of each row take away in truth

Then the true lines in place of found ones, in the frames as they are. `median` and `mean` are of found over
true less 1: over rows (or places, or windows of 50 px), and by length. `in 2 sd`: truths within two stated
deviations of the run.
"""

import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import click
import geopandas as gpd
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from shapely import LineString

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "accuracy"))
from drawn_road import Floats, Pixels, Road, Seen, Truth, truth_of
from sample_score import STEP_PX, TOLERANCE_PX, resampled

from crackpipe.model.predict.resolve import facts_of
from crackpipe.pipeline.config import Config
from crackpipe.pipeline.geometry.grid import Window
from crackpipe.pipeline.image import SurveyImage
from crackpipe.pipeline.raster.reader import ImageReader
from crackpipe.pipeline.sample.drive import Drive, oblique_drive, road_of
from crackpipe.pipeline.survey.load import load_survey
from crackpipe.pipeline.width.background import usable_windows
from crackpipe.pipeline.width.contrast import contrast_of_image, fitted
from crackpipe.pipeline.width.profiles import measure
from crackpipe.pipeline.width.stretches import CLASSES
from crackpipe.pipeline.width.widths import widths_of
from crackpipe.pipeline.width.windows import Windows, paths_of, windows_of

LEAST_MATCHED = 0.8
LEAST_LINE_PX = 20.0
HALF_PX = 3.0
"""Half the width of a mask, for lines without one: it only says from where pavement is looked for."""
DEFAULT_CONTRAST = facts_of(Config.weights).contrast_c0
"""Of the default weights, grey values."""


@dataclass(frozen=True)
class Measured:
    """Widths of L lines and their N windows, px of the image; NaN where they could not be measured."""

    windows: Windows
    of_windows: Floats
    sigma: Floats
    of_lines: Floats
    prior: float
    """Contrast that was expected, grey values."""


def measured(
    seen: Seen, rgb: Pixels, valid: NDArray[np.bool_], lines: Sequence[Floats], told: Floats | None = None
) -> Measured:
    """Measure lines (px of the image) as a run does; `told` (L,) is the contrast of each, exactly."""
    psf = Config.sigma_psf_px
    paths = paths_of(lines, [HALF_PX] * len(lines), view=seen.image.view)
    windows, whole = windows_of(paths, Config.window_px), Window(0, 0, *valid.shape)
    profiles = measure(paths, windows, rgb, valid, whole, sigma_psf_px=psf, tone=Config.tone)
    spread, default = Config.contrast_sd, DEFAULT_CONTRAST
    contrast = contrast_of_image(
        profiles, windows.line, sigma_psf_px=psf, contrast_sd=spread, default=default
    )
    found = widths_of(profiles, contrast, sigma_psf_px=psf)
    width_px = found.width_px
    if told is not None:
        usable, width_px = usable_windows(profiles), np.full(len(windows.line), np.nan)
        exact = told[windows.line][usable]
        width_px[usable] = fitted(profiles, usable, exact, np.full(len(exact), 1e-3), psf).width_px
    length = np.where(np.isnan(width_px), 0.0, windows.arc_stop_px - windows.arc_start_px)
    totals = [
        np.bincount(windows.line, each, len(lines)) for each in (length * np.nan_to_num(width_px), length)
    ]
    with np.errstate(invalid="ignore"):
        return Measured(windows, width_px, found.width_sigma_px, totals[0] / totals[1], contrast.grey)


def in_pixels(image: SurveyImage, line: LineString) -> Floats:
    """Points (N, 2) (row, col) every 0.5 px along a line in the image's CRS."""
    col, row = ~image.transform * np.asarray(line.coords).T
    vertices = np.column_stack([row - 0.5, col - 0.5])
    return resampled(vertices, np.zeros(len(vertices)))[0]


def is_right(name: str, width_mm: float) -> bool:
    return name == CLASSES[int(np.digitize(width_mm, [Config.tiny_below_mm, Config.small_below_mm]))]


def rows_of(
    seen: Seen, rows: gpd.GeoDataFrame, truth: Truth
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Of one image: rows that lie on cracks, places along them, and windows of true lines."""
    image, gsd_mm = seen.image, seen.image.gsd_mm
    lines = [in_pixels(image, line) for line in rows.to_crs(image.crs_wkt).geometry]
    tree, on_road = cKDTree(truth.points), [seen.to_road(line) for line in lines]
    owner = np.repeat(np.arange(len(lines)), [len(line) for line in lines])
    distance, nearest = cKDTree(np.concatenate(on_road)).query(truth.pixels)
    near = distance <= truth.width_px[tree.query(truth.pixels)[1]] / 2 + 2 * TOLERANCE_PX
    area, missing = (
        np.bincount(owner[nearest[near]], each[near], len(lines)) for each in (truth.covered, truth.missing)
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        told = np.clip(np.nan_to_num(missing / area, nan=DEFAULT_CONTRAST), 5.0, 255.0)
    whole = Window(0, 0, image.height_px, image.width_px)
    with ImageReader(image) as reader:
        rgb, valid = reader.read(whole)
    raw = seen.without_jpeg()
    again, plain = (measured(seen, pixels, valid, lines) for pixels in (rgb, raw))
    exact = measured(seen, raw, valid, lines, told)
    found, places = [], []
    for index, (points, row) in enumerate(zip(on_road, rows.itertuples(), strict=True)):
        distance, nearest = tree.query(points)
        near = distance <= TOLERANCE_PX
        if near.mean() < LEAST_MATCHED or pd.isna(row.width_mm):
            continue
        drawn, length_px = truth.width_px[nearest[near]], near.sum() * STEP_PX
        width_px = row.width_mm / gsd_mm
        places.append(pd.DataFrame({"drawn": drawn, "width": width_px, "sd": row.width_sigma_mm / gsd_mm}))
        found.append(
            {
                "length": length_px, "width": width_px, "sd": row.width_sigma_mm / gsd_mm,
                "drawn": drawn.mean(), "covered": area[index] / length_px,
                "again": again.of_lines[index], "plain": plain.of_lines[index],
                "told": exact.of_lines[index], "contrast": told[index], "prior": again.prior,
                "certain": not row.class_uncertain,
                "right": is_right(row.width_class, area[index] / length_px * gsd_mm),
            }
        )  # fmt: skip
    return (
        pd.DataFrame(found),
        pd.concat([pd.DataFrame(), *places]),
        true_lines(seen, truth, rgb, valid, lines),
    )


def true_lines(
    seen: Seen, truth: Truth, rgb: Pixels, valid: NDArray[np.bool_], found: Sequence[Floats]
) -> pd.DataFrame:
    """Windows of the true lines: drawn and measured width, and whether the run found them."""
    lines, drawn = [], []
    for vertices, width_px in truth.lines:
        at = seen.to_image(vertices)
        pixel = np.rint(at).astype(int)
        inside = ((pixel >= 0) & (pixel < valid.shape)).all(axis=1)
        inside &= (vertices[:, 0] >= seen.span[0]) & (vertices[:, 0] < sum(seen.span))
        inside[inside] = valid[tuple(pixel[inside].T)]
        for run in np.split(np.arange(len(at)), np.flatnonzero(np.diff(inside.astype(int))) + 1):
            if inside[run].all() and len(run) * 2 > LEAST_LINE_PX:
                lines.append(at[run])
                drawn.append(resampled(at[run], width_px[run]))
    if not lines:
        return pd.DataFrame()
    result, tree = measured(seen, rgb, valid, lines), cKDTree(np.concatenate(found))
    windows, rows = result.windows, []
    for index, line in enumerate(windows.line):
        part = slice(*(round(arc[index] / STEP_PX) for arc in (windows.arc_start_px, windows.arc_stop_px)))
        points, width_px = (each[part] for each in drawn[line])
        is_found = np.mean(tree.query(points)[0] <= TOLERANCE_PX) >= LEAST_MATCHED
        rows.append(
            (len(points) * STEP_PX, width_px.mean(), result.of_windows[index], result.sigma[index], is_found)
        )
    return pd.DataFrame(rows, columns=["length", "drawn", "width", "sd", "found"]).dropna()


def line_of(name: str, found: pd.Series, true: pd.Series, length: pd.Series, sd: pd.Series) -> str:
    good = found.notna() & (true > 0)
    found, true, length, sd = (each[good] for each in (found, true, length, sd))
    inside = (np.abs(found - true) <= 2 * sd).mean()
    mean = (found * length).sum() / (true * length).sum()
    return f"| {name} | {len(found)} | {(found / true).median() - 1:+.0%} | {mean - 1:+.0%} | {inside:.2f} |"


def report(rows: pd.DataFrame, places: pd.DataFrame, windows: pd.DataFrame) -> None:
    one = pd.Series(1.0, places.index)
    print("| width over | number | median | mean | in 2 sd |\n|---|---|---|---|---|")
    print(line_of("every place", places.width, places.drawn, one, places.sd))
    print(line_of("mean drawn", rows.width, rows.drawn, rows.length, rows.sd))
    print(line_of("covered", rows.width, rows.covered, rows.length, rows.sd))
    print(line_of("again", rows.again, rows.covered, rows.length, rows.sd))
    print(line_of("without JPEG", rows.plain, rows.covered, rows.length, rows.sd))
    print(line_of("contrast told", rows.told, rows.covered, rows.length, rows.sd))
    sd = np.hypot(windows.sd, Config.width_shape_sd * windows.width)
    print(line_of("true lines, mean drawn", windows.width, windows.drawn, windows.length, sd))
    part = windows.found
    print(
        line_of("of them found", *(each[part] for each in (windows.width, windows.drawn, windows.length, sd)))
    )
    print(f"contrast expected over true: {(rows.prior / rows.contrast).median() - 1:+.0%} in the median")
    sure = rows.right[rows.certain]
    print(f"class certain: {len(sure)} of {len(rows)} rows, of which {int(sure.sum())} have the right class")


def crackpipe(work: Path, *arguments: str) -> None:
    command = [sys.executable, "-m", "crackpipe", *arguments]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=work)


def made(work: Path, oblique: bool, seed: int, frames: int) -> None:
    """The delivery, its survey, and the result of its first frames, if they are not there yet."""
    work.mkdir(parents=True, exist_ok=True)
    kind = ["--oblique"] if oblique else []
    if not (work / "drive" / "truth" / "cracks.parquet").exists():
        crackpipe(work, "sample", "drive", "--kind", "drive", "--seed", str(seed), *kind)
    inputs = ["--positions", "drive/positions.csv", "--camera", "drive/camera.toml"]
    if (work / "inspected-cracks" / "run.json").exists():
        return
    crackpipe(work, "frames", "drive/frames", *inputs, "--out", "survey")
    (work / "inspected").mkdir()
    for stem in sorted({file.name.split(".")[0] for file in (work / "survey").glob("0*")})[:frames]:
        for file in (work / "survey").glob(f"{stem}.*"):
            shutil.copy(file, work / "inspected")
    crackpipe(work, "run", "inspected")


@click.command()
@click.argument("work", type=click.Path(path_type=Path))
@click.option("--oblique", is_flag=True, help="A camera that looks ahead and down.")
@click.option("--seed", default=7, show_default=True)
@click.option("--frames", default=14, show_default=True, help="How many of them are inspected.")
def main(work: Path, oblique: bool, seed: int, frames: int) -> None:
    made(work, oblique, seed, frames)
    drive = oblique_drive() if oblique else Drive()
    road = Road(drive, road_of(drive, seed)[0], seed)
    out = work / "inspected-cracks"
    cracks = gpd.read_parquet(out / "cracks.parquet")
    parts = []
    for image in load_survey([work / "inspected"], Config(), out).images:
        chainage_mm = int(Path(image.image_id).name.split(".")[0])
        seen = Seen(road, round(chainage_mm / (drive.step_px * drive.gsd_mm)), image)
        own, truth = cracks[cracks.image_id == image.image_id], truth_of(seen)
        if len(own) and len(truth.points):
            parts.append(rows_of(seen, own, truth))
    report(*(pd.concat([part[k] for part in parts], ignore_index=True) for k in range(3)))


if __name__ == "__main__":
    main()
