"""Tiles of a real run along the survey, and how unsure its network was there."""

import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import shapely

from crackpipe.pipeline.adapt import candidates
from crackpipe.pipeline.adapt.candidates import Tile, candidates_of, tiles_of
from crackpipe.pipeline.config import Config
from crackpipe.pipeline.console.log import log
from crackpipe.pipeline.dataset.finished_run import read_run
from crackpipe.pipeline.geometry.grid import Window
from crackpipe.pipeline.masks.group import read_window
from crackpipe.pipeline.request import Request
from crackpipe.pipeline.run import run


@pytest.fixture(scope="module")
def finished(survey: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The survey by weights that do not change, so that it is known how unsure they are. To be read only."""
    out = tmp_path_factory.mktemp("finished") / "out"
    run(Request((survey,), out, Config(weights="lite-2025"), serial=True))
    return out


@pytest.fixture(scope="module")
def tiles(finished: Path) -> list[Tile]:
    return tiles_of(read_run(finished), 384)


def test_tiles_partition_the_images(tiles: list[Tile]) -> None:
    assert len(tiles) == len({tile.name for tile in tiles}) == 9
    a = [tile for tile in tiles if tile.image.image_id == "lane1/a.tif"]
    assert {tile.name for tile in a} == {"lane1_a-0", "lane1_a-1", "lane1_a-2", "lane1_a-3"}
    assert sum(tile.window.height * tile.window.width for tile in a) == 600 * 760
    corner = next(tile for tile in a if tile.name == "lane1_a-0")
    assert corner.window == Window(0, 0, 300, 380)
    assert corner.outline.bounds == pytest.approx((500_000, 5_399_999.7, 500_000.38, 5_400_000))
    assert shapely.area(corner.outline) == pytest.approx(0.3 * 0.38)


def test_neighbours_on_the_road_are_neighbours_in_the_list(tiles: list[Tile]) -> None:
    centres = np.array([tile.outline.centroid.coords[0] for tile in tiles])
    steps = np.hypot(*np.diff(centres, axis=0).T)
    whole = np.hypot(*np.ptp(centres, axis=0))
    assert steps.sum() < 3 * whole


def test_unsure_is_the_mean_distance_from_certainty(finished: Path, tiles: list[Tile]) -> None:
    found = candidates_of(finished, tiles, 0.5)
    assert [each.tile for each in found] == tiles
    for each in found:
        masks = finished / "masks.zarr" / each.tile.image.image_id
        _, level = read_window(masks, each.tile.window)
        p = level / 254
        assert each.unsure == pytest.approx(np.minimum(p / 0.5, (1 - p) / 0.5).mean())
    assert max(each.unsure for each in found) > 2 * min(each.unsure for each in found)


def test_what_was_not_inspected_is_no_candidate(finished: Path, tiles: list[Tile], tmp_path: Path) -> None:
    """The chunks of b.tif are lost: not inspected."""
    run = tmp_path / "run"
    shutil.copytree(finished, run)
    shutil.rmtree(run / "masks.zarr" / "lane1/b.tif" / "probability" / "c")
    images = {each.tile.image.image_id for each in candidates_of(run, tiles, 0.5)}
    assert images == {"lane1/a.tif", "lane2/strip.tif"}


def test_familiarity_is_taken_where_the_run_says_it(
    finished: Path, tiles: list[Tile], tmp_path: Path
) -> None:
    run = tmp_path / "run"
    shutil.copytree(finished, run)
    table = pq.read_table(run / "images.parquet")
    known = {"lane1/a.tif": 0.8, "lane1/b.tif": 0.3}
    column = pa.array([known.get(name) for name in table.column("image_id").to_pylist()], pa.float64())
    if "familiarity" in table.column_names:
        table = table.drop_columns(["familiarity"])
    pq.write_table(table.append_column("familiarity", column), run / "images.parquet")
    said = {each.tile.image.image_id: each.familiarity for each in candidates_of(run, tiles, 0.5)}
    assert said == {**known, "lane2/strip.tif": None}


def test_of_a_large_survey_some_tiles_are_looked_at(
    finished: Path, tiles: list[Tile], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(candidates, "MOST_LOOKED_AT", 4)
    monkeypatch.setattr(log, "propagate", True)
    with caplog.at_level("INFO", logger="crackpipe"):
        found = candidates_of(finished, tiles, 0.5)
    assert [each.tile for each in found] == tiles[1::3]
    assert "3 of 9 tiles are looked at, every 3th along the survey" in caplog.text
