"""How by_5f0e436.tar.xz was made, with crackpipe at commit 5f0e436: this file, then make_outputs.sh.

The survey has two roads, one with a dark crack, and an image without a coordinate reference system. The
weights are those of one convolution, so that newer embedded weights change nothing.
"""

import os
from pathlib import Path

import numpy as np
import rasterio
from rasterio.transform import from_origin

from crackpipe.model.bare import write_untrained


def draw(name: str, x: float, crs: str | None, seed: int, *, crack: bool) -> None:
    grey = np.random.default_rng(seed).integers(118, 123, (120, 160)).astype(np.uint8)
    if crack:
        cols = np.arange(20, 140)
        rows = (60 + 8 * np.sin(cols / 12)).astype(int)
        for step in range(-3, 4):
            grey[rows + step, cols] = 15
    profile = {
        "driver": "GTiff", "height": 120, "width": 160, "count": 1, "dtype": "uint8", "compress": "deflate",
        "predictor": 2, "crs": crs, "transform": from_origin(x, 5_400_000.0, 0.001, 0.001),
    }  # fmt: skip
    with rasterio.open(f"survey/{name}", "w", **profile) as file:
        file.write(grey, 1)
    os.utime(f"survey/{name}", (1_700_000_000, 1_700_000_000))


Path("survey").mkdir()
draw("a.tif", 500000.0, "EPSG:25832", 1, crack=True)
draw("b.tif", 500002.0, "EPSG:25832", 2, crack=False)
draw("no-crs.tif", 500004.0, None, 3, crack=False)
write_untrained(Path("weights.safetensors"), "one-convolution")
