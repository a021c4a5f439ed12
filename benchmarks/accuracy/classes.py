"""Several classes against crack-or-not through the whole product.

    python benchmarks/accuracy/classes.py OUT

Trains two lite networks from the embedded weights on the same rendered pairs, one that knows crack only and
one that tells crack, sealed_crack, joint and lane_paint apart (`--binary` and `--several` take trained ones
instead), runs `crackpipe run` with each, and with the embedded weights as they are, over the same rendered
images that none has seen, and compares the rows of class crack with the drawn cracks. The second comparison
tells what the pairs are worth from what the classes are worth.

Found: share of drawn crack length within 2 px of a reported one. False: reported length farther than 2 px
from everything within a drawn crack, by what is there in truth. Intervals are 95 %, bootstrap over images.
`--threshold` is of the network of several classes, instead of the one that validation chose.
"""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import click
import geopandas as gpd
import numpy as np
import shapely
from affine import Affine
from numpy.typing import NDArray
from pyproj import CRS
from sample_score import STEP_PX, TOLERANCE_PX, resampled
from scipy.ndimage import distance_transform_edt
from scipy.spatial import cKDTree

from crackpipe.model.render.cracks import Window
from crackpipe.model.render.labels import LABELS, class_labels
from crackpipe.model.render.picture import Scene, render_window
from crackpipe.model.render.scenes import random_scene
from crackpipe.pipeline.sample.files import write_image

CRACK, *_ = LABELS
GSD_MM = 1.0
WIDE_PX = 1.5
"""Found length is reported from this drawn width on as well: thinner cracks are lost to texture."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Score:
    """One image under one network; lengths in px."""

    drawn: Floats
    """(2,) all cracks, and those of WIDE_PX and more."""
    found: Floats
    """(2,) of these."""
    reported: float
    """Of rows of class crack."""
    false: Floats
    """(5,) reported length that is no crack, by the label there: sound and LABELS."""


def held_out(index: int, size_px: int) -> Scene:
    """Scenes whose seeds no pairs have."""
    return random_scene(900_000_000 + index, size_px, size_px, gsd_mm=GSD_MM, weathered=True, furnished=True)


def transform_of(index: int, size_px: int) -> Affine:
    """Side by side, far enough apart that no image concerns another."""
    metres = GSD_MM / 1000
    return Affine(metres, 0, 500_000 + 3 * index * size_px * metres, 0, -metres, 5_400_000)


def score(scene: Scene, cracks: gpd.GeoDataFrame, transform: Affine) -> Score:
    size = scene.height_px, scene.width_px
    _, mask = render_window(scene, 0, 0, *size)
    labels = class_labels(scene, Window(0, 0, *size), mask)
    parts = [resampled(crack.centreline, crack.width_px) for crack in scene.cracks]
    points = np.concatenate([np.zeros((0, 2)), *(each for each, _ in parts)])
    width_px = np.concatenate([np.zeros(0), *(each for _, each in parts)])
    inside = ((points >= 0) & (points <= np.array(size) - 1)).all(axis=1)
    points, width_px = points[inside], width_px[inside]
    reported = [np.zeros((0, 2))]
    for line in cracks.geometry:
        col, row = ~transform * shapely.get_coordinates(line).T
        ends = np.column_stack([row - 0.5, col - 0.5])
        reported.append(resampled(ends, np.zeros(len(ends)))[0])
    lines = np.concatenate(reported)
    near = cKDTree(lines).query(points)[0] <= TOLERANCE_PX if len(lines) else np.zeros(len(points), bool)
    wide = width_px >= WIDE_PX
    at = tuple(np.rint(lines).astype(int).clip(0, np.array(size) - 1).T)
    away = distance_transform_edt(mask == 0)[at] > TOLERANCE_PX if mask.any() else np.ones(len(lines), bool)
    return Score(
        drawn=np.array([len(points), wide.sum()]) * STEP_PX,
        found=np.array([near.sum(), (near & wide).sum()]) * STEP_PX,
        reported=len(lines) * STEP_PX,
        false=np.bincount(labels[at][away], minlength=len(LABELS) + 1) * STEP_PX,
    )


def crackpipe(*arguments: object) -> None:
    command = [sys.executable, "-m", "crackpipe", *map(str, arguments)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    subprocess.run(command, check=True, env=environment, preexec_fn=lambda: os.nice(10))


def trained(out: Path, name: str, pairs: Path, classes: tuple[str, ...], tiles: int) -> Path:
    weights = out / f"{name}.safetensors"
    rate = 3e-4 if len(classes) == 1 else 1e-3  # new classes have farther to go
    if not weights.exists():
        crackpipe(
            *("train", "--rendered", pairs, "--classes", ",".join(classes), "--init", "lite"),
            *("--learning-rate", rate, "--ema-decay", 0.99, "--tiles", tiles, "--processes", 1),
            *("--device", "cpu", "--batch", 4, "--out", weights, "--resume"),
        )
    return weights


def mapped(
    out: Path, survey: Path, name: str, weights: str | Path, threshold: float | None
) -> gpd.GeoDataFrame:
    result = out / f"cracks-{name}{'' if threshold is None else f'-{threshold:g}'}"
    more = () if threshold is None else ("--threshold", threshold)
    crackpipe("run", survey, "--out", result, "--weights", weights, "--workers", 1, *more)
    return gpd.read_parquet(result / "cracks.parquet")


def interval(values: list[float]) -> str:
    low, high = np.percentile(values, [2.5, 97.5])
    return f"({low:.2f} to {high:.2f})"


def totals(scores: list[Score]) -> tuple[Floats, float, Floats]:
    """Found share (2,), false share of reported length, false px by label (5,)."""
    drawn, found = sum(s.drawn for s in scores), sum(s.found for s in scores)
    false = np.asarray(sum(s.false for s in scores))
    reported = sum(s.reported for s in scores)
    return found / np.maximum(drawn, 1), float(false.sum() / max(reported, 1)), false


def describe(scores_of: dict[str, list[Score]]) -> None:
    labels = ", ".join(("sound", *LABELS))
    click.echo(f"{'':16}found    from {WIDE_PX} px   false share   false px: {labels}")
    for name, scores in scores_of.items():
        found, share, false = totals(scores)
        by_label = f"{false.sum():.0f}: " + ", ".join(f"{v:.0f}" for v in false)
        click.echo(f"{name:16}{found[0]:.3f}    {found[1]:.3f}         {share:.3f}         {by_label}")


def compare(name: str, binary: list[Score], several: list[Score]) -> None:
    rng = np.random.default_rng(0)
    ratios, gains = [], []
    for _ in range(2000):
        some = rng.integers(len(binary), size=len(binary))
        one, two = (totals([scores[i] for i in some]) for scores in (binary, several))
        ratios.append(two[2].sum() / max(one[2].sum(), 1.0))
        gains.append(two[0][0] - one[0][0])
    one, two = totals(binary), totals(several)
    click.echo(f"false length, several / {name}: {two[2].sum() / one[2].sum():.2f} {interval(ratios)}")
    click.echo(f"found, several - {name}: {two[0][0] - one[0][0]:+.3f} {interval(gains)}")


@click.command()
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--binary", help="Trained weights of crack only.")
@click.option("--several", help="Trained weights of all four classes.")
@click.option("--pairs", "count", default=700, show_default=True, help="Rendered pairs of 512 px.")
@click.option("--tiles", default=2000, show_default=True, help="Training tiles of each network.")
@click.option("--images", default=24, show_default=True, help="Rendered images that neither has seen.")
@click.option("--size", "size_px", default=1024, show_default=True, help="Their side, px.")
@click.option("--threshold", type=float, help="Of several classes, instead of what validation chose.")
def main(  # noqa: PLR0917  click passes by keyword
    out: Path,
    binary: str | None,
    several: str | None,
    count: int,
    tiles: int,
    images: int,
    size_px: int,
    threshold: float | None,
) -> None:
    out.mkdir(parents=True, exist_ok=True)
    pairs = out / "rendered_classes"
    if binary is None or several is None:
        crackpipe("sample", pairs, "--kind", "pairs", "--classes", "--count", count, "--seed", 31)
    survey = out / f"survey-{images}-{size_px}"
    for index in range(images):
        path = survey / f"{index:03d}.tif"
        if not path.exists():
            place = transform_of(index, size_px)
            write_image(path, held_out(index, size_px), crs=CRS.from_epsg(25832), transform=place)
    tables = {
        "embedded": mapped(out, survey, "embedded", "lite", None),
        "binary": mapped(
            out, survey, "binary", binary or trained(out, "binary", pairs, (CRACK,), tiles), None
        ),
        "several": mapped(
            out, survey, "several", several or trained(out, "several", pairs, LABELS, tiles), threshold
        ),
    }
    scores_of: dict[str, list[Score]] = {name: [] for name in tables}
    for index in range(images):
        scene = held_out(index, size_px)
        for name, table in tables.items():
            rows = table[(table["class"] == CRACK) & (table.image_id == f"{index:03d}.tif")]
            scores_of[name].append(score(scene, rows, transform_of(index, size_px)))
    describe(scores_of)
    for name in ("embedded", "binary"):
        compare(name, scores_of[name], scores_of["several"])


if __name__ == "__main__":
    main()
