"""Runs over plan views of a camera that looks ahead: what the tables say, however the work is cut."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pytest
import rasterio
import xarray as xr
from helpers import crack, tree_hash, write_scene

from crackpipe.model.render.picture import clean_scene
from crackpipe.pipeline.config import Config
from crackpipe.pipeline.geometry.grid import Window
from crackpipe.pipeline.geometry.plan_view import COARSEST, PlanView, inspected
from crackpipe.pipeline.publish import Summary
from crackpipe.pipeline.request import Request
from crackpipe.pipeline.run import run
from crackpipe.pipeline.survey.plan_view import tags_of

# The camera's pixel is as long as one of the plan view in the last row. Upwards it grows with the distance,
# in the first row to 1.8 times across and 3.2 times along.
VIEW = PlanView((1, -0.75, 900, 0, -0.5, 1900, 0, -0.001, 1.8), (1600, 1500), (800, 900))
# one along the view, and one across it from the middle of the inspected part
ALONG, ACROSS = crack(300, 250, 780, 300, 5.0), crack(420, 350, 470, 800, 5.0)


def write(path: Path, view: PlanView | None) -> None:
    write_scene(path, clean_scene(800, 900, seed=5, cracks=(ALONG, ACROSS)))
    if view is not None:
        with rasterio.open(path, "r+") as dataset:
            dataset.update_tags(**tags_of(view))


def go(survey: Path, out: Path, *, serial: bool = True, **config: Any) -> Summary:
    return run(Request((survey,), out, Config(**config), serial=serial))


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A survey of one plan view, finished: survey and out."""
    folder = tmp_path_factory.mktemp("ahead")
    write(folder / "survey" / "a.tif", VIEW)
    assert go(folder / "survey", folder / "out").exit_code == 0
    yield folder


def test_the_tables_tell_how_fine_it_was_seen(done: Path) -> None:
    (image,) = gpd.read_parquet(done / "out" / "images.parquet").to_dict("records")
    assert image["gsd_mm"] == pytest.approx(COARSEST, rel=1e-3)
    assert "its pixels are 1 mm, the camera's own within it up to 2.5 mm long" in image["message"]
    assert "not seen finely enough by the camera, or not at all" in image["message"]
    # lengths are measured in pixels of the plan view
    cracks = gpd.read_parquet(done / "out" / "cracks.parquet")
    assert cracks.gsd_mm.unique() == pytest.approx([1.0], rel=1e-3)
    assert cracks.length_m.sum() == pytest.approx((ALONG.length_px + ACROSS.length_px) / 1000, rel=0.15)


def test_what_was_seen_too_coarsely_is_not_inspected(done: Path) -> None:
    mask = xr.open_zarr(done / "out" / "masks.zarr", group="a.tif", mask_and_scale=False)["mask"].to_numpy()
    wanted = inspected(VIEW, Window(0, 0, 800, 900))
    assert 0.5 < wanted.mean() < 0.9
    assert np.array_equal(mask == 255, ~wanted)


@pytest.mark.parametrize(
    "config",
    [{"unit_tiles": 1}, {"block_cores": 1}, pytest.param({"workers": 2}, marks=pytest.mark.dask)],
    ids=["small units", "small blocks", "2 workers"],
)
def test_same_bytes_however_the_work_is_cut(done: Path, tmp_path: Path, config: dict[str, int]) -> None:
    go(done / "survey", tmp_path / "out", serial="workers" not in config, **config)
    for table in ("cracks.parquet", "images.parquet"):
        assert (tmp_path / "out" / table).read_bytes() == (done / "out" / table).read_bytes()
    if "block_cores" not in config:
        assert tree_hash(tmp_path / "out") == tree_hash(done / "out")


def test_it_is_done_again_where_its_homography_changes(tmp_path: Path) -> None:
    file = tmp_path / "survey" / "a.tif"
    write(file, None)
    go(tmp_path / "survey", tmp_path / "out")
    plain = gpd.read_parquet(tmp_path / "out" / "cracks.parquet")
    assert go(tmp_path / "survey", tmp_path / "out").images_run == 0
    write(file, VIEW)
    assert go(tmp_path / "survey", tmp_path / "out").images_run == 1
    told = gpd.read_parquet(tmp_path / "out" / "cracks.parquet")
    assert told.width_mm.tolist() != plain.width_mm.tolist()
