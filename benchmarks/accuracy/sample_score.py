"""Found and true length of a run on rendered images.

    python benchmarks/accuracy/sample_score.py SAMPLE [OUT]

SAMPLE is what `crackpipe sample` wrote (survey/ and truth/); OUT its result, by default SAMPLE/survey-cracks.
Found: share of drawn length within 2 px of a reported line, by drawn width in pixels. True: share of reported
length within 2 px of a drawn crack. Width error where both are: reported row width minus drawn width.
"""

from itertools import pairwise
from pathlib import Path

import click
import geopandas as gpd
import numpy as np
import shapely
from affine import Affine
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from crackpipe.pipeline.config import Config
from crackpipe.pipeline.image import SurveyImage
from crackpipe.pipeline.survey.load import load_survey

TOLERANCE_PX = 2.0
STEP_PX = 0.5
EDGES_PX = (0.0, 0.5, 1.0, 1.5, 3.0, 1000.0)

Floats = NDArray[np.float64]


def resampled(points: Floats, values: Floats) -> tuple[Floats, Floats]:
    """Points (N, 2) and values (N,) every STEP_PX along a polyline (V, 2)."""
    arc = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(points, axis=0).T))])
    at = np.arange(STEP_PX / 2, max(arc[-1], STEP_PX), STEP_PX)
    return np.column_stack([np.interp(at, arc, points[:, axis]) for axis in (0, 1)]), np.interp(
        at, arc, values
    )


def in_pixels(image: SurveyImage, cracks: gpd.GeoDataFrame) -> tuple[Floats, Floats]:
    """Reported lines of an image as points (N, 2) (row, col) and the width in pixels of their row."""
    to_pixel: Affine = ~image.transform
    parts = [(np.zeros((0, 2)), np.zeros(0))]
    for line, width_mm in zip(cracks.to_crs(image.crs_wkt).geometry, cracks["width_mm"], strict=True):
        x, y = shapely.get_coordinates(line).T
        col, row = to_pixel * (x, y)
        points = np.column_stack([row - 0.5, col - 0.5])
        parts.append(resampled(points, np.full(len(points), width_mm / image.gsd_mm)))
    return np.concatenate([p for p, _ in parts]), np.concatenate([v for _, v in parts])


def drawn_in_pixels(truth: gpd.GeoDataFrame) -> tuple[Floats, Floats]:
    """Drawn cracks of an image as points (N, 2) (row, col) and their width there in pixels."""
    parts = [(np.zeros((0, 2)), np.zeros(0))]
    for row in truth.itertuples():
        points = np.column_stack([row.row_px, row.col_px]).astype(float)
        parts.append(resampled(points, np.asarray(row.width_mm, float) / row.gsd_mm))
    return np.concatenate([p for p, _ in parts]), np.concatenate([v for _, v in parts])


def near(points: Floats, others: Floats) -> tuple[NDArray[np.bool_], NDArray[np.intp]]:
    """Whether each point has another within TOLERANCE_PX, and which is nearest."""
    if len(others) == 0:
        return np.zeros(len(points), bool), np.zeros(len(points), np.intp)
    distance, index = cKDTree(others).query(points)
    return distance <= TOLERANCE_PX, index


@click.command()
@click.argument("sample", type=click.Path(path_type=Path, exists=True))
@click.argument("out", type=click.Path(path_type=Path), required=False)
def main(sample: Path, out: Path | None) -> None:
    out = out or sample / "survey-cracks"
    cracks, truth = (gpd.read_parquet(p / "cracks.parquet") for p in (out, sample / "truth"))
    drawn_width, found, true, errors = [], [], [], []
    for image in load_survey([sample / "survey"], Config(), out).images:
        reported, reported_px = in_pixels(image, cracks[cracks.image_id == image.image_id])
        drawn, drawn_px = drawn_in_pixels(truth[truth.image_id == image.image_id])
        is_found, nearest = near(drawn, reported)
        is_true, _ = near(reported, drawn)
        wide = drawn_px >= 1.5
        click.echo(
            f"{image.image_id}: found {is_found[wide].mean():.3f} of {wide.sum() * STEP_PX:.0f} px "
            f"from 1.5 px wide, true {is_true.mean():.3f} of {len(reported) * STEP_PX:.0f} px"
        )
        drawn_width.append(drawn_px)
        found.append(is_found)
        true.append(is_true)
        error = reported_px[nearest[is_found]] - drawn_px[is_found] if len(reported) else np.zeros(0)
        errors.append(np.column_stack([drawn_px[is_found], error]))
    width, is_found, is_true = (np.concatenate(each) for each in (drawn_width, found, true))
    error = np.concatenate(errors)
    click.echo("drawn width px    length px    found    width error px: median, 16 %, 84 %")
    for low, high in pairwise(EDGES_PX):
        part = (width >= low) & (width < high)
        of_part = error[(error[:, 0] >= low) & (error[:, 0] < high), 1]
        spread = np.nanpercentile(of_part, [50, 16, 84]) if len(of_part) else [np.nan] * 3
        name = f"{low:g} to {high:g}" if high < EDGES_PX[-1] else f"from {low:g}"
        share = is_found[part].mean() if part.any() else float("nan")
        numbers = ", ".join(f"{value:+.2f}" for value in spread)
        click.echo(f"{name:14}{part.sum() * STEP_PX:13.0f}{share:9.3f}    {numbers}")
    wide = width >= 1.5
    click.echo(f"found, from 1.5 px: {is_found[wide].mean():.3f}   true: {is_true.mean():.3f}")


if __name__ == "__main__":
    main()
