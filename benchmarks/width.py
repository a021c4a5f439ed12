"""How wrong are widths, and does the uncertainty say so? Straight slots over asphalt-like texture.

    python benchmarks/width.py [--windows 600] [--texture-sd 10] [--blur-px 0.7] [--seed 1]

Each row measures many windows of 50 px at random angles and sub-pixel places: once with the contrast known,
once with a contrast that differs by 20 % from crack to crack while only its mean is known. `spread` is the
standard deviation of the error, `promised` the mean of the stated one, `1 sd`, `2 sd` the share of truths
within one and two stated deviations, `integral` the error of missing light over contrast.
Fit and drawing share one model: this tells whether the measurement is sound, not whether cracks are slots.
"""

import argparse
import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from scipy.special import erf

from crackpipe.pipeline.grid import Window
from crackpipe.pipeline.width import (
    Contrast,
    Profiles,
    measure,
    missing_light,
    paths_of,
    widths_of,
    windows_of,
)

WIDTHS_PX = (0.3, 0.5, 1.0, 1.5, 2.0, 3.0, 5.0, 8.0, 12.0)
CONTRAST = 60.0
LINE_PX = 100  # two windows: many lines, since the contrast of a line is one draw

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Road:
    """What cracks are drawn on."""

    texture_sd: float
    """Grey values."""
    blur_px: float
    noise_sd: float = 3.0
    """Read and photon noise, grey values, independent from pixel to pixel."""
    grain_px: float = 1.0
    """Standard deviation of the filter that makes the texture."""


def slot(
    rng: np.random.Generator, road: Road, width_px: float, contrast: float
) -> tuple[NDArray[np.float32], Floats]:
    """An image with one slot at a random angle, and its centreline (2, 2) (row, col)."""
    angle = rng.uniform(0.0, np.pi / 2)
    tangent = np.array([np.sin(angle), np.cos(angle)])
    start = 30.0 + rng.uniform(0.0, 1.0, 2)
    height, width = (np.ceil(start + LINE_PX * tangent) + 30).astype(int)
    row, col = np.ogrid[:height, :width]
    across = (row - start[0]) * tangent[1] - (col - start[1]) * tangent[0]
    scale = 1.0 / (np.sqrt(2.0) * road.blur_px)
    steps = (np.arange(4) - 1.5) / 4  # 4 x 4 points for the area of a pixel
    share = np.zeros((height, width))
    near = np.abs(across) < width_px / 2 + 8.0
    for step in (a * tangent[1] - b * tangent[0] for a in steps for b in steps):
        s = across[near] + step
        share[near] += erf((s + width_px / 2) * scale) - erf((s - width_px / 2) * scale)
    texture = gaussian_filter(rng.standard_normal(share.shape), road.grain_px)
    texture *= road.texture_sd / texture.std()
    noise = rng.normal(0.0, road.noise_sd, share.shape)
    image = 128.0 - contrast * share / 32 + texture + noise
    return image.astype(np.float32), start + np.array([[0.0], [LINE_PX]]) * tangent


def profiles_of(rng: np.random.Generator, road: Road, width_px: float, contrast: float) -> Profiles:
    """Profiles of the windows of one drawn slot."""
    image, line = slot(rng, road, width_px, contrast)
    # a mask is about a pixel wider than the crack
    paths = paths_of([line], [max(1.5, width_px / 2 + 0.8)])
    outer = Window(0, 0, *image.shape)
    valid = np.ones(image.shape, bool)
    return measure(paths, windows_of(paths, 50.0), image, valid, outer, sigma_psf_px=road.blur_px)


def row(rng: np.random.Generator, road: Road, width_px: float, spread: float, lines: int) -> str:
    """One line of the table."""
    errors, promised, integrals, flags = [], [], [], []
    known = Contrast(CONTRAST, spread, float("nan"), 0)
    for _ in range(lines):
        profiles = profiles_of(rng, road, width_px, CONTRAST * np.exp(spread * rng.standard_normal()))
        found = widths_of(profiles, known, sigma_psf_px=road.blur_px)
        area, _ = missing_light(profiles, np.ones(len(found.width_px), bool))
        errors.append(found.width_px - width_px)
        promised.append(found.width_sigma_px)
        integrals.append(area / CONTRAST - width_px)
        flags.append(found.flag)
    error, sigma, integral = (np.concatenate(each) for each in (errors, promised, integrals))
    within = [float(np.mean(np.abs(error) <= k * sigma)) for k in (1, 2)]
    cells = [
        f"{width_px:4.1f}",
        f"{error.mean():+.3f}",
        f"{error.std():.3f}",
        f"{sigma.mean():.3f}",
        *(f"{share:.2f}" for share in within),
        f"{integral.mean():+.3f} ± {integral.std():.3f}",
        f"{np.concatenate(flags).mean():.3f}",
    ]
    return f"| {' | '.join(cells)} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--windows", type=int, default=600, help="windows per width")
    parser.add_argument("--texture-sd", type=float, default=10.0, help="grey values")
    parser.add_argument("--blur-px", type=float, default=0.7, help="standard deviation of the camera's blur")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    road = Road(options.texture_sd, options.blur_px)
    rng = np.random.default_rng(options.seed)
    for spread in (0.0, 0.2):
        print(f"\ncontrast {CONTRAST:.0f} {'known' if spread == 0 else f'+- {spread:.0%}'}\n")
        print("| w px | bias | spread | promised | 1 sd | 2 sd | integral | flagged |")
        print("|---|---|---|---|---|---|---|---|")
        for width_px in WIDTHS_PX:
            print(row(rng, road, width_px, spread, max(1, options.windows // 2)), flush=True)
    profiles = profiles_of(rng, road, 1.5, CONTRAST)
    many = Profiles.joined([(np.arange(2) + 2 * k, profiles) for k in range(2000)], 4000)
    started = time.process_time()
    widths_of(many, Contrast(CONTRAST, 0.2, float("nan"), 0), sigma_psf_px=road.blur_px)
    print(f"\nfit: {4000 / (time.process_time() - started):.0f} windows/s of CPU time")


if __name__ == "__main__":
    main()
