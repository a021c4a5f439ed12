"""Where the network answers with no number, the ground is not inspected."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import numpy as np
import pyarrow.parquet as pq
import pytest
from helpers import write_scene
from numpy.typing import NDArray

from crackpipe.model.render.picture import clean_scene
from crackpipe.pipeline.config import Config
from crackpipe.pipeline.geometry.grid import Grid, Window
from crackpipe.pipeline.image import SurveyImage
from crackpipe.pipeline.masks import group
from crackpipe.pipeline.request import Request
from crackpipe.pipeline.run import run
from crackpipe.pipeline.tasks import unit
from crackpipe.pipeline.tasks.open_block import Canvas


def half_without_numbers() -> NDArray[np.uint8]:
    """The answer (1, 448, 448) of a network: sound above, and no number in the lower half."""
    answer = np.zeros((1, 448, 448), np.uint8)
    answer[:, 224:] = 255
    return answer


def test_no_number_is_neither_crack_nor_inspected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def begin(tiles: NDArray[np.uint8]) -> Callable[[], NDArray[np.uint8]]:
        return lambda: np.stack([half_without_numbers()] * len(tiles))

    network = SimpleNamespace(device="cpu", batch_reduced=False, begin=begin)
    monkeypatch.setattr(unit, "predictor_of", lambda _: network)
    write_scene(tmp_path / "survey" / "a.tif", clean_scene(300, 300, seed=1))
    out = tmp_path / "out"
    run(Request((tmp_path / "survey",), out, Config(coarse_look=False), serial=True))
    mask, probability = group.read_window(out / "masks.zarr" / "a.tif", Window(0, 0, 300, 300))
    assert not mask[:192].any()  # the halo of the tile is 32 px
    assert (mask[192:] == 255).all()
    assert (mask == probability).all()
    [row] = pq.read_table(out / "images.parquet").to_pylist()
    assert row["uninspected_m2"] / (row["inspected_m2"] + row["uninspected_m2"]) == pytest.approx(0.36)
    assert row["message"] == "36 % of its pixels are not inspected: where the network answered with no number"
    assert "--precision fp32" in row["remedy"]
    assert pq.read_table(out / "cracks.parquet").num_rows == 0


@pytest.mark.parametrize("tile_px", [299, 448, 600])
def test_no_number_is_not_blended_with_its_neighbours(tile_px: int) -> None:
    """Between 0, sound, and 255, no number, would lie what looks like a crack."""
    side = tile_px - 64  # a core of this grid
    grid = Grid(side, side, 32, 1, tile_px)
    window = Window(0, 0, side, side)
    canvas = Canvas(
        image=cast(SurveyImage, None),
        grid=grid,
        window=window,
        outer=window,
        rgb=np.empty((0, 0, 3), np.uint8),
        reasons=np.zeros((side, side), np.uint8),
        cores=[window],
        probability=np.full((1, side, side), 255, np.uint8),
    )
    canvas.paste(window, half_without_numbers())
    mask, probability = canvas.classified(127)
    assert set(np.unique(probability)) == {0, 255}
    assert (mask == probability).all()
