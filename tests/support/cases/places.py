"""Cases of the catalogue in `bad_files` that are wrong only together with other images of the survey."""

from pathlib import Path

import numpy as np
from affine import Affine
from bad_files import NOISE, case, write


@case("one place for three images of different content")
def _(folder: Path, place: Affine) -> None:
    for number, name in enumerate(("a.tif", "b.tif", "c.tif")):
        write(folder / name, place, np.roll(NOISE, 7 * number))


@case("a CRS from which PROJ knows only a rough way to that of the tables")
def _(folder: Path, place: Affine) -> None:
    for name, x in (("a.tif", 530_000), ("b.tif", 530_030)):  # one alone would be far from all others
        write(folder / name, Affine(0.001, 0, x, 0, -0.001, 180_000), crs="EPSG:27700")
