"""What a cheap look first would save and cost: the lite network at about half resolution over 2 x 2 cores.

    python benchmarks/speed/cascade.py FOLDER... [--only LIST.txt]

For every core of the images in FOLDER the largest probability of the cheap look is set against what the full
look finds there. A core whose cheap look stays under a limit is not looked at again; a line of the table says
for one limit which share of the cores that is, which share of the network's time it saves (each cheap look
costs a quarter of four full ones, found or not), which share of the crack pixels that the full look finds is
given up, and which share of the length. A negative saving means that looking twice costs more than it spares.

The length is the number of pixels of the thinned mask, in lines of 10 px or more. `free skipped` is the share
of the cores without such a line that are not looked at again.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image
from scipy import ndimage

from crackpipe.model.predict.predictor import Predictor
from crackpipe.pipeline.geometry.grid import TILE_PX, Grid, Window
from crackpipe.pipeline.raster.reader import reflected
from crackpipe.pipeline.trace.thinning import thin

HALO_PX = 32
LINE_PX = 10
"""Shorter lines do not count."""
LIMITS = (2, 5, 10, 20, 40, 60, 90, 120)
"""Of 254."""


def window_of(image: np.ndarray, window: Window) -> np.ndarray:
    """Pixels of a window, reflected beyond the image."""
    rows = reflected(window.row, window.height, image.shape[0])
    cols = reflected(window.col, window.width, image.shape[1])
    return image[rows][:, cols]


def lines(crack: np.ndarray) -> np.ndarray:
    """The thinned crack pixels of a tile, bool (H, W), without short lines."""
    thinned = np.zeros_like(crack)
    thinned[tuple(thin(crack, max(crack.shape)).T)] = True
    numbers, _ = ndimage.label(thinned, np.ones((3, 3)))
    long_enough = np.bincount(numbers.ravel()) >= LINE_PX
    long_enough[0] = False  # the background
    return long_enough[numbers]


def looks(predictor: Predictor, image: np.ndarray) -> Iterator[tuple[int, int, int]]:
    """Per core: largest cheap probability, number of crack pixels of the full look, length in px."""
    grid = Grid(*image.shape[:2], HALO_PX)
    step, threshold = 2 * grid.core_px, np.ceil(254 * predictor.weights.threshold)
    side = step + 2 * HALO_PX
    for row in range(0, image.shape[0], step):
        for col in range(0, image.shape[1], step):
            wide = Image.fromarray(window_of(image, Window(row - HALO_PX, col - HALO_PX, side, side)))
            small = np.asarray(wide.resize((TILE_PX, TILE_PX), Image.Resampling.BILINEAR))
            cheap = Image.fromarray(predictor.predict(small[None])[0, 0]).resize((side, side))
            cheap = np.asarray(cheap)[HALO_PX:-HALO_PX, HALO_PX:-HALO_PX]
            group = Window(row, col, step, step).clipped(*image.shape[:2])
            for core in grid.cores(group):
                tile = window_of(image, grid.tile(core))
                crack = predictor.predict(tile[None])[0, 0] >= threshold
                inside = core.within(grid.tile(core))
                yield (
                    int(cheap[core.within(Window(row, col, step, step))].max()),
                    int(crack[inside].sum()),
                    int(lines(crack)[inside].sum()),
                )


def table(cores: np.ndarray) -> None:
    cheap, found, length = cores.T
    groups = len(cores) / 4
    for limit in LIMITS:
        skipped = cheap < limit
        saved = (skipped.sum() - groups) / len(cores)
        lost = found[skipped].sum() / max(1, found.sum())
        lost_length = length[skipped].sum() / max(1, length.sum())
        free = skipped[length == 0].mean() if (length == 0).any() else np.nan
        print(
            f"{limit:5}  {100 * skipped.mean():12.1f} %  {100 * saved:10.1f} %  {100 * lost:12.2f} %  "
            f"{100 * lost_length:10.2f} %  {100 * free:11.1f} %"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description="What a cheap look first would save and cost.")
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--only", type=Path, help="text file that names the images to take")
    given = parser.parse_args()
    only = given.only.read_text() if given.only else None
    predictor = Predictor("lite", device="cpu")
    for folder in given.folders:
        files = sorted(file for file in folder.rglob("*") if file.suffix in (".jpg", ".png", ".tif"))
        files = [file for file in files if only is None or file.stem in only]
        found = [
            core for file in files for core in looks(predictor, np.asarray(Image.open(file).convert("RGB")))
        ]
        cores = np.array(found)
        print(
            f"{folder}: {len(files)} images, {len(cores)} cores, {(cores[:, 1] == 0).sum()} without a crack, "
            f"{(cores[:, 2] == 0).sum()} without a line"
        )
        print("limit  cores skipped    time saved   crack px lost   length lost  free skipped")
        table(cores)


if __name__ == "__main__":
    main()
