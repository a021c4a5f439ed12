"""What a person finds in the folder to label: read with the tools of a GIS."""

import os
import subprocess
import sys
from pathlib import Path

import geopandas as gpd
import numpy as np
import pyogrio
import pytest
import rasterio
import shapely
from PIL import Image

from crackpipe.pipeline.adapt.pick import Picked, PickRequest, pick, summary_lines
from crackpipe.pipeline.errors import OutputNotWritableError, UsageError


@pytest.fixture(scope="module")
def picked(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> Picked:
    to = tmp_path_factory.mktemp("pick") / "tiles"
    return pick(PickRequest(run=finished, count=6, to=to, side_px=384))


def test_the_geopackage_has_tiles_that_nobody_reviewed(picked: Picked) -> None:
    file = picked.folder / "tiles.gpkg"
    assert {name for name, _ in pyogrio.list_layers(file)} == {"cracks", "tiles"}
    assert dict(pyogrio.list_layers(file)) == {"cracks": "LineString", "tiles": "Polygon"}
    tiles = gpd.read_file(file, layer="tiles")
    assert len(tiles) == 6
    assert tiles["reviewed"].dtype == bool
    assert not tiles["reviewed"].any()
    assert {"unsure", "spread"} <= set(tiles["why"])
    assert tiles.crs.to_epsg() == 25832
    assert tiles["image_id"].nunique() > 1


def test_lines_are_those_of_the_run_cut_at_the_tiles(picked: Picked, finished: Path) -> None:
    lines = gpd.read_file(picked.folder / "tiles.gpkg", layer="cracks")
    tiles = gpd.read_file(picked.folder / "tiles.gpkg", layer="tiles")
    run = gpd.read_parquet(finished / "cracks.parquet")
    within = shapely.intersection(shapely.union_all(run.geometry), shapely.union_all(tiles.geometry))
    assert lines.length.sum() == pytest.approx(within.length, rel=1e-6)
    assert lines.length.sum() > 0.5
    assert (lines["width_mm"] > 0).all()
    outline = tiles.set_index("tile").geometry
    for row in lines.itertuples():
        assert outline[row.tile].buffer(1e-6).contains(row.geometry)
        assert row.image_id == tiles.set_index("tile")["image_id"][row.tile]


def test_pictures_lie_where_the_image_lies(picked: Picked, survey: Path) -> None:
    for each in picked.chosen:
        tile = each.candidate.tile
        stem = picked.folder / "pictures" / tile.name
        with rasterio.open(survey / tile.image.image_id) as source:
            pixels = np.moveaxis(source.read(), 0, -1)[tile.window.within(_whole(source))]
            x, y = source.xy(tile.window.row, tile.window.col)
        assert (np.asarray(Image.open(f"{stem}.png")) == pixels).all()
        a, d, b, e, x0, y0 = (float(word) for word in Path(f"{stem}.pgw").read_text().split())
        assert (a, d, b, e) == (0.001, 0, 0, -0.001)
        assert (x0, y0) == pytest.approx((x, y))
        assert Path(f"{stem}.prj").read_text().startswith('PROJCS["ETRS_1989_UTM_Zone_32N"')
        assert "EPSG" in Path(f"{stem}.png.aux.xml").read_text()


def test_gdal_reads_place_and_crs_by_itself(picked: Picked) -> None:
    """As in QGIS: with GDAL's defaults, not with the settings that crackpipe gives GDAL here."""
    tile = picked.chosen[0].candidate.tile
    program = (
        "import rasterio, sys; d = rasterio.open(sys.argv[1]); print(d.crs.to_epsg(), *d.transform.to_gdal())"
    )
    said = subprocess.run(
        [sys.executable, "-c", program, str(picked.folder / "pictures" / f"{tile.name}.png")],
        env={name: value for name, value in os.environ.items() if not name.startswith(("GDAL_", "CPL_"))},
        capture_output=True, text=True, check=True,
    ).stdout.split()  # fmt: skip
    assert said[0] == "25832"
    corner = tile.image.transform @ (tile.window.col, tile.window.row)
    assert [float(word) for word in said[1:]] == pytest.approx([corner[0], 0.001, 0, corner[1], 0, -0.001])


def _whole(source: rasterio.DatasetReader):  # type: ignore[no-untyped-def]
    from crackpipe.pipeline.geometry.grid import Window

    return Window(0, 0, source.height, source.width)


def test_the_steps_name_the_command(picked: Picked) -> None:
    text = (picked.folder / "README.txt").read_text()
    assert f"--train {picked.folder / 'tiles.gpkg'}" in text
    assert "reviewed" in text
    first = next(iter(summary_lines(picked)))
    images = {each.candidate.tile.image.image_id for each in picked.chosen}
    assert first.startswith(f"6 tiles of {len(images)} images: ")
    assert f"{sum(each.why == 'unsure' for each in picked.chosen)} unsure" in first


def test_same_run_same_bytes(picked: Picked, finished: Path, tmp_path: Path) -> None:
    again = pick(PickRequest(run=finished, count=6, to=tmp_path / "tiles", side_px=384)).folder

    def content(folder: Path) -> dict[str, bytes]:
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        return {str(path.relative_to(folder)): path.read_bytes() for path in files}

    first, second = content(picked.folder), content(again)
    assert len(first) == 2 + 4 * 6
    first.pop("README.txt"), second.pop("README.txt")  # name their folders
    assert first == second


def test_more_than_there_are_are_said(finished: Path, tmp_path: Path) -> None:
    few = pick(PickRequest(run=finished, count=50, to=tmp_path / "tiles", side_px=384))
    assert len(few.chosen) == 9
    assert "50 were asked for, but the run has no more" in list(summary_lines(few))


def test_what_cannot_be_is_refused(picked: Picked, finished: Path, survey: Path, tmp_path: Path) -> None:
    with pytest.raises(OutputNotWritableError, match=r"is there already: remove it, or give another --to"):
        pick(PickRequest(run=finished, count=6, to=picked.folder))
    with pytest.raises(UsageError, match="at least 1"):
        PickRequest(run=finished, count=0, to=tmp_path / "tiles")
    with pytest.raises(UsageError, match="from 256 to 4096"):
        PickRequest(run=finished, count=6, to=tmp_path / "tiles", side_px=100)
    with pytest.raises(UsageError, match="finished run"):
        pick(PickRequest(run=survey, count=6, to=tmp_path / "tiles"))
