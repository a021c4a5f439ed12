"""Real runs over surveys whose images meet: one road in one image, in overlapping frames, in tiles."""

import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

import geopandas as gpd
import numpy as np
import pyarrow.parquet as pq
import pytest
import rasterio
import shapely
from affine import Affine
from helpers import crack, tree_hash
from pyproj import CRS

from crackpipe.model.render.picture import Scene, clean_scene, render_window
from crackpipe.pipeline.config import Config
from crackpipe.pipeline.publish import Summary
from crackpipe.pipeline.request import Request
from crackpipe.pipeline.run import run
from crackpipe.pipeline.sample.files import ground_transform
from crackpipe.pipeline.state import markers
from crackpipe.pipeline.state.output import Output

UTM32 = CRS("EPSG:25832")
LONLAT = (9.3, 48.7)
LONG = crack(15, 120, 1085, 260, 5.0)
"""The one crack of the road, of 1.1 m."""
ROAD = clean_scene(1100, 384, seed=5, cracks=(LONG,))
NORTH_UP = ground_transform(UTM32, *LONLAT, 1.0, size_px=(1100, 384))
FRAMES = ((0, 500), (300, 500), (600, 500))
"""(first row, rows): each overlaps the next by 200 px."""
TILES = ((0, 384), (384, 384), (768, 332))


def write(
    path: Path,
    scene: Scene,
    window: tuple[int, int, int, int],
    transform: Affine,
    crs: CRS = UTM32,
    *,
    mask: Callable[[np.ndarray, np.ndarray], np.ndarray] | None = None,
) -> None:
    """A window (row, col, height, width) of a scene whose first pixel lies at `transform`.

    `mask` says from (col, row) of the window which pixels have data.
    """
    row, col, height, width = window
    rgb, _ = render_window(scene, *window)
    rgb = np.maximum(rgb, 1)
    if mask is not None:
        rows, cols = np.mgrid[:height, :width] + 0.5
        rgb[~mask(cols.ravel(), rows.ravel()).reshape(height, width)] = 0
    profile = {
        "driver": "GTiff", "height": height, "width": width, "count": 3, "dtype": "uint8", "nodata": 0,
        "crs": crs.to_wkt(), "transform": transform @ Affine.translation(col, row),
    }  # fmt: skip
    path.parent.mkdir(parents=True, exist_ok=True)
    with rasterio.open(path, "w", **profile) as target:
        target.write(np.moveaxis(rgb, -1, 0))


def road(folder: Path, parts: tuple[tuple[int, int], ...]) -> Path:
    for number, (row, rows) in enumerate(parts, start=1):
        write(folder / "survey" / f"{number}.tif", ROAD, (row, 0, rows, 384), NORTH_UP)
    return folder / "survey"


def go(survey: Path, out: Path, **config: object) -> tuple[gpd.GeoDataFrame, gpd.GeoDataFrame, Summary]:
    summary = run(Request((survey,), out, Config(**config), serial=True))  # type: ignore[arg-type]
    return gpd.read_parquet(out / "cracks.parquet"), gpd.read_parquet(out / "images.parquet"), summary


@pytest.fixture(scope="module")
def frames(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The road in overlapping frames, finished: survey and out."""
    folder = tmp_path_factory.mktemp("frames")
    go(road(folder, FRAMES), folder / "out")
    return folder


@pytest.fixture(scope="module")
def whole_m(tmp_path_factory: pytest.TempPathFactory) -> float:
    """Length of the crack in one image of all the road."""
    folder = tmp_path_factory.mktemp("whole")
    cracks, _, _ = go(road(folder, ((0, 1100),)), folder / "out")
    return float(cracks.length_m.sum())


def test_one_crack_through_overlapping_frames(frames: Path, whole_m: float) -> None:
    cracks, images, summary = go(frames / "survey", frames / "out")
    assert cracks.length_m.sum() == pytest.approx(whole_m, rel=0.01)
    assert whole_m == pytest.approx(LONG.length_px / 1000, rel=0.02)
    assert cracks.network_id.nunique() == 1 and cracks.crack_id.is_unique
    assert set(cracks.image_id) == {"1.tif", "2.tif", "3.tif"}
    assert [list(each) for each in images["overlaps_with"]] == [["2.tif"], ["1.tif", "3.tif"], ["2.tif"]]
    sums = cracks.groupby("image_id").length_m.sum()
    assert images.crack_length_m.tolist() == pytest.approx(sums.tolist())
    # also when there was nothing to do
    assert summary.unchanged and summary.cracks == len(cracks)
    assert summary.length_m == pytest.approx(cracks.length_m.sum())


def test_one_crack_through_tiles(tmp_path: Path, whole_m: float) -> None:
    cracks, images, _ = go(road(tmp_path, TILES), tmp_path / "out")
    assert cracks.length_m.sum() == pytest.approx(whole_m, rel=0.01)
    assert cracks.network_id.nunique() == 1
    assert [list(each) for each in images["overlaps_with"]] == [[], [], []]


def test_an_image_that_comes_later_changes_what_its_neighbours_say(frames: Path, tmp_path: Path) -> None:
    survey, out = tmp_path / "survey", tmp_path / "out"
    shutil.copytree(frames / "survey", survey)
    (survey / "2.tif").rename(tmp_path / "2.tif")
    alone, _, _ = go(survey, out)
    (tmp_path / "2.tif").rename(survey / "2.tif")
    cracks, _, summary = go(survey, out)
    assert summary.images_run == 1
    assert alone[alone.image_id == "1.tif"].length_m.sum() > cracks[cracks.image_id == "1.tif"].length_m.sum()
    assert tree_hash(out) == tree_hash(frames / "out")


def test_options_of_the_tables_inspect_nothing_again(frames: Path, tmp_path: Path) -> None:
    survey, out = tmp_path / "survey", tmp_path / "out"
    shutil.copytree(frames / "survey", survey)
    shutil.copytree(frames / "out", out)
    cracks, _, summary = go(survey, out, longitudinal_within_deg=0.0, seam_mm=60.0)
    assert (summary.images_run, summary.unchanged) == (0, False)
    assert "longitudinal" not in set(cracks.crack_type)
    assert tree_hash(out) != tree_hash(frames / "out")
    (survey / "survey.toml").write_text("travel_deg = 90\n")
    cracks, _, summary = go(survey, out)
    assert summary.images_run == 0 and set(cracks.crack_type) == {"transverse"}
    (survey / "survey.toml").unlink()
    go(survey, out)
    assert tree_hash(out) == tree_hash(frames / "out")


def test_a_collar_without_data_owns_no_ground(tmp_path: Path) -> None:
    """Turned frames in rasters with north at the top: corners of each lie on the crack of the next."""
    square = shapely.affinity.rotate(shapely.box(60, 60, 324, 324), 40)
    for number, row in enumerate((0, 190, 380), start=1):
        window = (row, 0, 384, 384)
        write(
            tmp_path / "survey" / f"{number}.tif",
            ROAD,
            window,
            NORTH_UP,
            mask=partial(shapely.contains_xy, square),
        )
    # weights that see the whole of this drawn crack, whatever the default sees
    cracks, _, _ = go(tmp_path / "survey", tmp_path / "out", weights="lite-2025")
    output = Output(tmp_path / "out")
    found = [pq.read_table(output.rows(f"{number}.tif")) for number in (1, 2, 3)]
    assert sum(sum(rows["length_m"].to_pylist()) for rows in found) > 1.2 * cracks.length_m.sum()
    seen = shapely.union_all([shapely.from_wkb(rows["geometry"].to_numpy()) for rows in found])
    # the crack runs down the road: each piece of road once
    heights = cracks.bounds.maxy - cracks.bounds.miny
    assert heights.sum() == pytest.approx(seen.bounds[3] - seen.bounds[1], rel=0.01)
    assert cracks.network_id.nunique() == 1
    marker = markers.read_marker(output, "1.tif")
    assert marker is not None
    area = shapely.from_wkt(marker["inspected_area"])
    assert area.symmetric_difference(square).area < 0.12 * square.area


LINES = (crack(200, 20, 230, 1000, 4.0), crack(20, 480, 370, 500, 5.0))
"""One along a road of 1,000 px that runs to the right, one across it."""


@pytest.mark.parametrize(("epsg", "turned"), [(25832, True), (4326, True), (25832, False)])
def test_types_along_a_road_to_the_northeast(tmp_path: Path, epsg: int, turned: bool) -> None:
    """Frames that follow each other to the northeast, in turned rasters or with north at the top."""
    crs = CRS.from_epsg(epsg)
    if turned:
        scene = clean_scene(384, 1000, seed=9, cracks=LINES)
        # heading is that of the rows of pixels
        along = ground_transform(crs, *LONLAT, 1.0, heading_deg=45 - 90, size_px=(384, 1000))
        windows = [(0, col, 384, 384) for col in (0, 200, 400, 600)]
    else:
        diagonal = (crack(980, 20, 10, 970, 4.0), crack(380, 380, 610, 620, 5.0))
        scene = clean_scene(1000, 1000, seed=9, cracks=diagonal)
        along = ground_transform(crs, *LONLAT, 1.0, size_px=(1000, 1000))
        windows = [(600 - step, step, 384, 384) for step in (0, 150, 300, 450, 600)]
    for number, window in enumerate(windows, start=8):
        write(tmp_path / "survey" / f"{number}.tif", scene, window, along, crs)
    cracks, _, _ = go(tmp_path / "survey", tmp_path / "out")
    length = cracks[cracks.crack_type != "pattern"].groupby("crack_type").length_m.sum()
    assert length["longitudinal"] > 0.7 and length["transverse"] > 0.2
    assert length.get("diagonal", 0.0) < 0.2 * length.sum()
    along_deg = cracks[cracks.crack_type == "longitudinal"].orientation_deg
    assert np.average(along_deg, weights=cracks.length_m[along_deg.index]) == pytest.approx(45, abs=6)
