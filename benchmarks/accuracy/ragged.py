"""How much of ragged cracks is found, by their width: `python benchmarks/accuracy/ragged.py --weights lite`.

Cracks whose edges are ragged and that hold grit are drawn on four surfaces by code that training knows
nothing of: other noise, other edges, other ways than those of `model/render`. Completeness is the share of
their centrelines within 3 px of the centreline of a mask, as in line F1; precision is that of the mask.
Widths are in px, one crack a picture, several pictures a width and surface. The same arguments give the same
pictures; `--pictures DIR` keeps them beside what was found.
"""

from pathlib import Path

import click
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import distance_transform_edt, gaussian_filter
from skimage.morphology import skeletonize

from crackpipe.model.evaluate.predictions import predict_like_a_survey
from crackpipe.model.predict import Predictor

SIZE_PX = 448
FINE = 3
"""Cracks are drawn with this many sub-pixels a side."""
WIDTHS_PX = (1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.5, 8.0, 10.0, 12.0)
GROUPS = (("1 to 5 px", 1.0, 5.0), ("above 5 to 12 px", 5.01, 12.0))
SURFACES = ("fractal", "chips", "sand", "plaster")
NEAR_PX = 3.0

F64 = NDArray[np.float64]
Bools = NDArray[np.bool_]


def power_noise(rng: np.random.Generator, size: int, power: float) -> F64:
    """Noise of unit deviation whose amplitude falls with frequency to the -power, (size, size)."""
    frequency = np.hypot(np.fft.fftfreq(size)[:, None], np.fft.rfftfreq(size)[None, :])
    frequency[0, 0] = 1 / size
    white = np.fft.rfft2(rng.standard_normal((size, size)))
    field = np.fft.irfft2(white / frequency**power, s=(size, size))
    return np.asarray((field - field.mean()) / field.std())


def surface(rng: np.random.Generator, kind: str) -> F64:
    """Grey values 0..255 of a road without cracks."""
    n = SIZE_PX
    if kind == "fractal":
        grey = 118 + 6.5 * power_noise(rng, n, 1.1) + 9 * power_noise(rng, n, 0.3)
    elif kind == "chips":  # patches of a few tones with sharp edges, as of broken stone
        chips = np.zeros((n, n))
        for sigma in (1.2, 2.0, 3.4):
            noise = gaussian_filter(rng.standard_normal((n, n)), sigma)
            chips = np.where(noise > 0.8 * noise.std(), rng.normal(0, 1), chips)
        grey = 96 + 14 * gaussian_filter(chips + 0.8 * rng.standard_normal((n, n)), 0.6)
    elif kind == "sand":
        grey = 150 + 16 * gaussian_filter(rng.laplace(0, 1, (n, n)), 0.7) + 5 * power_noise(rng, n, 1.4)
    else:
        streaks = gaussian_filter(rng.standard_normal((n, n)), (0.6, 9.0))
        ramp = np.linspace(-8, 8, n)[:, None]
        grey = 168 + 9 * streaks / streaks.std() + 6 * power_noise(rng, n, 1.6) + ramp
    return np.asarray(grey, np.float64)


def way(rng: np.random.Generator) -> F64:
    """A path across the picture by midpoints that are moved, (257, 2) (row, col) px."""
    angle = rng.uniform(0, np.pi)
    reach = 0.75 * SIZE_PX * np.array([np.sin(angle), np.cos(angle)])
    path = SIZE_PX / 2 + rng.uniform(-40, 40, 2) + np.array([-reach, reach])
    stray = 26.0
    for _ in range(8):
        middle = (path[1:] + path[:-1]) / 2 + rng.normal(0, stray, (len(path) - 1, 2))
        joined = np.empty((len(path) + len(middle), 2))
        joined[::2], joined[1::2] = path, middle
        path, stray = joined, 0.52 * stray
    return np.asarray(path, np.float64)


def dense(path: F64, step_px: float) -> F64:
    """Points every `step_px` along a path."""
    arc = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(path, axis=0).T))])
    at = np.arange(0, arc[-1], step_px)
    return np.stack([np.interp(at, arc, path[:, axis]) for axis in (0, 1)], axis=1)


def picture(rng: np.random.Generator, kind: str, width_px: float) -> tuple[NDArray[np.uint8], Bools]:
    """A picture uint8 (n, n, 3) with one crack, and its centreline bool (n, n).

    A sub-pixel is crack if its distance from the centreline, moved by fractal noise, is below half the width.
    """
    road, path, n = surface(rng, kind), dense(way(rng), 0.3), SIZE_PX * FINE
    at = np.floor((path + 0.5) * FINE).astype(int)
    at = at[np.all((at >= 0) & (at < n), axis=1)]
    line = np.ones((n, n), bool)
    line[at[:, 0], at[:, 1]] = False
    distance = distance_transform_edt(line) / FINE
    ragged = min(0.35 * width_px, 1.6) * power_noise(rng, n, 0.9)
    swell = 1 + 0.25 * power_noise(rng, n, 1.8)
    inside = distance < np.maximum(width_px / 2 * swell + ragged, 0.17)
    share = inside.reshape(SIZE_PX, FINE, SIZE_PX, FINE).mean(axis=(1, 3))
    depth = 0.72 - 0.16 * power_noise(rng, SIZE_PX, 1.3)
    grit = power_noise(rng, SIZE_PX, 0.4) > 0.9
    dark = share * np.clip(np.where(grit, 0.35 * depth, depth), 0.12, 0.93)
    grey = gaussian_filter(road * (1 - dark), 0.55) + rng.normal(0, 2.0, road.shape)
    centre = np.zeros((SIZE_PX, SIZE_PX), bool)
    centre[at[:, 0] // FINE, at[:, 1] // FINE] = True
    return np.repeat(np.clip(np.rint(grey), 0, 255).astype(np.uint8)[..., None], 3, axis=2), centre


def near(line: Bools) -> Bools:
    """Pixels within NEAR_PX of a line."""
    return np.asarray(distance_transform_edt(~line) <= NEAR_PX) if line.any() else np.zeros_like(line)


@click.command()
@click.option("--weights", default="lite", show_default=True)
@click.option("--each", default=2, show_default=True, help="Pictures of each width and surface.")
@click.option("--threshold", type=float, help="Default: that of the weights.")
@click.option("--pictures", type=click.Path(path_type=Path), help="Folder for the pictures.")
def main(weights: str, each: int, threshold: float | None, pictures: Path | None) -> None:
    predictor = Predictor(weights)
    limit = predictor.weights.threshold if threshold is None else threshold
    rows: list[tuple[float, str, int, int, int, int]] = []
    for number, (width_px, kind, k) in enumerate(
        (w, s, k) for w in WIDTHS_PX for s in SURFACES for k in range(each)
    ):
        image, centre = picture(np.random.default_rng((19, number, each)), kind, width_px)
        found = predict_like_a_survey(predictor, image) >= limit * 254
        line = np.asarray(skeletonize(found, method="zhang"), bool)
        hit, right = int((centre & near(line)).sum()), int((line & near(centre)).sum())
        rows.append((width_px, kind, hit, int(centre.sum()), right, int(line.sum())))
        if pictures is not None:
            pictures.mkdir(parents=True, exist_ok=True)
            shown = image.copy()
            shown[found] = (255, 0, 0)
            name = f"{width_px:04.1f}px_{kind}_{k}.png"
            Image.fromarray(np.hstack([image, shown])).save(pictures / name)
    click.echo(f"{weights}, threshold {limit:.3f}, {len(rows)} pictures")
    click.echo("| width | completeness | precision | " + " | ".join(SURFACES) + " |")
    click.echo("|---" * (3 + len(SURFACES)) + "|")
    for name, low, high in (*GROUPS, *((f"{w:g} px", w, w) for w in WIDTHS_PX)):
        some = [row for row in rows if low <= row[0] <= high]
        per_kind = [_share([row for row in some if row[1] == kind], 2) for kind in SURFACES]
        click.echo("| " + " | ".join([name, _share(some, 2), _share(some, 4), *per_kind]) + " |")


def _share(rows: list[tuple[float, str, int, int, int, int]], column: int) -> str:
    whole = sum(int(row[column + 1]) for row in rows)
    return f"{sum(int(row[column]) for row in rows) / whole:.3f}" if whole else "-"


if __name__ == "__main__":
    main()
