"""A crack beside whose image lies an odd world file is measured as it was drawn."""

from collections.abc import Callable
from pathlib import Path

import bad_files
import numpy as np
import pyarrow.parquet as pq
import pytest
from affine import Affine
from helpers import crack

from crackpipe.model.render.picture import clean_scene, render_window
from crackpipe.pipeline import run as story
from crackpipe.pipeline.config import Config
from crackpipe.pipeline.request import Request

DRAWN = crack(40, 60, 260, 380, 5.0)
LENGTH_M = (
    float(np.hypot(*np.diff(DRAWN.centreline, axis=0).T).sum()) / 1000 / 0.9996
)  # the scale of UTM there
WIDTH_MM = 5.0 / 0.9996


def words(path: Path, place: Affine) -> None:
    bad_files.beside(path, "img.Jgw", "IMG.PRJ", place)
    world = path.with_name("img.Jgw")
    world.write_text(world.read_text().replace("\n", "  words\n") + "\n7\n")


def commas_in_utf_16(path: Path, place: Affine) -> None:
    bad_files.beside(path, "img.jpg.jgw", "img.prj", place)
    world = path.with_name("img.jpg.jgw")
    world.write_text(world.read_text().replace(".", ","), encoding="utf-16")


def smaller_copy(path: Path, place: Affine) -> None:
    bad_files.beside(path, "img.wld", "img.prj", place)
    with bad_files.rasterio.open(path) as dataset:
        small = dataset.read()[:, ::2, ::2]
    bad_files.write(path.with_suffix(".png"), place, small, driver="PNG", crs=None, transform=None)


NEIGHBOURS: dict[str, Callable[[Path, Affine], None]] = {
    "words": words,
    "commas": commas_in_utf_16,
    "copy": smaller_copy,
}


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("odd")
    rgb, _ = render_window(clean_scene(300, 420, seed=1, cracks=(DRAWN,)), 0, 0, 300, 420)
    for number, (name, neighbour) in enumerate(NEIGHBOURS.items()):
        place = Affine(0.001, 0, 500_000 + 5 * number, 0, -0.001, 5_400_000)
        path = bad_files.write(
            folder / "survey" / name / "img.jpg", place, np.moveaxis(rgb, -1, 0),
            driver="JPEG", quality=95, crs=None, transform=None,
        )  # fmt: skip
        neighbour(path, place)
    story.run(Request((folder / "survey",), folder / "out", Config(), serial=True))
    return folder / "out"


@pytest.mark.parametrize("name", NEIGHBOURS)
def test_length_and_width_are_those_drawn(result: Path, name: str) -> None:
    rows = pq.read_table(result / "cracks.parquet").to_pylist()
    rows = [row for row in rows if row["image_id"] == f"{name}/img.jpg"]
    length_m = sum(row["length_m"] for row in rows)
    width_mm = sum(row["width_mm"] * row["length_m"] for row in rows) / length_m
    assert length_m == pytest.approx(LENGTH_M, rel=0.03)
    assert width_mm == pytest.approx(WIDTH_MM, rel=0.10)


def test_the_smaller_copy_has_no_line(result: Path) -> None:
    rows = pq.read_table(result / "images.parquet").to_pylist()
    assert {row["image_id"]: row["reason"] for row in rows if row["reason"]} == {
        "copy/img.png": "world-file-shared"
    }
    cracks = pq.read_table(result / "cracks.parquet").to_pylist()
    assert {row["image_id"] for row in cracks} == {f"{name}/img.jpg" for name in NEIGHBOURS}
