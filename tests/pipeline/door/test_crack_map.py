"""A result, opened as a user of Python opens it."""

import json
import shutil
from pathlib import Path

import dask.array as da
import geopandas
import numpy as np
import pytest
import rasterio
import shapely
import xarray
import zarr
from affine import Affine
from click.testing import CliRunner
from pyproj import CRS

import crackpipe
from crackpipe.cli import cli
from crackpipe.pipeline.door.masks import opened
from crackpipe.pipeline.errors import ConfigurationError, OutputDamagedError, UsageError
from crackpipe.pipeline.masks.group import create_masks


@pytest.fixture(scope="module")
def out(finished: Path) -> crackpipe.CrackMap:
    return crackpipe.open(finished)


@pytest.fixture
def copied(finished: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(finished, tmp_path / "out"))


def test_tables_are_geodataframes_in_the_crs_of_the_survey(out: crackpipe.CrackMap) -> None:
    assert out.cracks.crs == out.images.crs == CRS("EPSG:25832")
    assert out.cracks.length_m.sum() == pytest.approx(out.cracks.length.sum(), rel=1e-3)
    done = out.images[out.images.status == "done"]
    assert done.crack_length_m.sum() == pytest.approx(out.cracks.length_m.sum())
    assert set(out.images.reason.dropna()) == {"no-crs", "empty-file", "not-an-image"}
    assert out.cracks is out.cracks  # read once


def test_it_tells_in_a_line_what_it_is(out: crackpipe.CrackMap) -> None:
    assert f"{out.path}: 3 images, 3 in quarantine, {len(out.cracks)} cracks, " in repr(out)
    assert out.record["counts"]["cracks"] == len(out.cracks)


def test_a_mask_is_what_lies_on_disk_and_is_read_when_it_is_needed(
    out: crackpipe.CrackMap, finished: Path
) -> None:
    for image_id in ("lane1/a.tif", "lane2/strip.tif"):
        mask, probability = out.mask(image_id), out.probability(image_id)
        assert isinstance(mask.data, da.Array) and isinstance(probability.data, da.Array)
        assert mask.dtype == np.uint8 and mask.dims == ("y", "x")
        group = zarr.open_group(finished / "masks.zarr" / image_id, mode="r")
        np.testing.assert_array_equal(mask, group["mask"][:])  # type: ignore[index]
        np.testing.assert_array_equal(probability, group["probability"][:])  # type: ignore[index]
        assert mask.flag_meanings.split() == ["sound", "crack", "not_inspected"]


def test_a_mask_lies_where_its_image_lies(out: crackpipe.CrackMap, survey: Path) -> None:
    mask = out.mask("lane1/a.tif")
    with rasterio.open(survey / "lane1" / "a.tif") as image:
        x, y = image.transform @ (700.5, 40.5)
        assert CRS(mask.spatial_ref.crs_wkt) == CRS(image.crs.to_wkt())
    at = mask.sel(x=x, y=y, method="nearest")
    assert (at.x, at.y) == (mask.x[700], mask.y[40])
    assert float(at.x) == pytest.approx(x) and float(at.y) == pytest.approx(y)


def test_cracks_lie_on_the_mask(out: crackpipe.CrackMap) -> None:
    mask = out.mask("lane1/a.tif").load()
    cracks = out.cracks[out.cracks.image_id == "lane1/a.tif"]
    points = cracks.geometry.interpolate(0.5, normalized=True)
    where = {name: xarray.DataArray(values.to_numpy(), dims="point") for name, values in
             (("x", points.x), ("y", points.y))}  # fmt: skip
    assert float((mask.sel(**where, method="nearest") == 1).mean()) > 0.9


def test_a_rotated_image_has_coordinates_of_each_pixel(tmp_path: Path) -> None:
    turned = Affine.translation(500_000, 5_400_000) @ Affine.rotation(30) @ Affine.scale(0.001, -0.001)
    create_masks(
        tmp_path / "a", height_px=5, width_px=7, transform=turned, crs_wkt=CRS("EPSG:25832").to_wkt(),
        chunk_shape=(3, 4), classes=["crack"],
    )  # fmt: skip
    mask = opened(tmp_path / "a", "mask")
    assert isinstance(mask.xc.data, da.Array) and mask.xc.chunks == mask.chunks
    row, col = np.mgrid[:5, :7]
    x, y = turned @ (col + 0.5, row + 0.5)
    np.testing.assert_allclose(mask.xc, x, rtol=0, atol=1e-6)
    np.testing.assert_allclose(mask.yc, y, rtol=0, atol=1e-6)


def test_an_image_without_a_mask_says_why(out: crackpipe.CrackMap) -> None:
    with pytest.raises(UsageError, match=r"has no image 'lane1/a'. Did you mean 'lane1/a.tif'"):
        out.mask("lane1/a")
    with pytest.raises(UsageError, match=r"has no image '\.\./out/cracks.parquet'"):
        out.mask("../out/cracks.parquet")
    with pytest.raises(
        UsageError, match=r"no-crs.tif has no mask, it is in quarantine: no-crs: .*--assume-crs"
    ):
        out.mask("no-crs.tif")


def test_sections_that_were_not_made_name_the_command(out: crackpipe.CrackMap) -> None:
    with pytest.raises(UsageError, match=rf"`crackpipe sections {out.path} --centreline ROADS`"):
        _ = out.sections


def test_sections_are_a_geodataframe_once_they_were_made(copied: Path, tmp_path: Path) -> None:
    images = crackpipe.open(copied).images.set_index("image_id")
    west, south, east, north = images.geometry["lane2/strip.tif"].bounds
    line = shapely.LineString([((west + east) / 2, south), ((west + east) / 2, north)])
    roads = geopandas.GeoDataFrame({"route_id": ["A 1"]}, geometry=[line], crs=images.crs)
    roads.to_file(tmp_path / "roads.gpkg")
    words = ["sections", str(copied), "--centreline", str(tmp_path / "roads.gpkg"), "--length", "1m"]
    done = CliRunner().invoke(cli, words)
    assert done.exit_code == 0, done.output
    sections = crackpipe.open(copied).sections
    assert sections.crs == images.crs and set(sections.geom_type) == {"LineString"}
    assert set(sections.route_id) == {"A 1"} and sections.crack_m.sum() > 1.0


def test_what_is_no_result_is_refused(tmp_path: Path, copied: Path) -> None:
    with pytest.raises(UsageError, match="no output of crackpipe run"):
        crackpipe.open(tmp_path)
    (copied / ".crackpipe" / "version.json").write_text('{"layout": 99}')
    with pytest.raises(ConfigurationError, match="made by a newer crackpipe"):
        crackpipe.open(copied)


def test_a_run_that_did_not_come_to_its_end_says_so(copied: Path) -> None:
    for name in ("cracks.parquet", "images.parquet", "run.json"):
        (copied / name).unlink()
    out = crackpipe.open(str(copied))
    assert "no run has come to its end" in repr(out)
    for ask in (lambda: out.cracks, lambda: out.images, lambda: out.mask("lane1/a.tif")):
        with pytest.raises(UsageError, match="Run the same command again"):
            ask()


def test_damage_is_told(copied: Path) -> None:
    out = crackpipe.open(copied)
    assert out.verify().findings == []
    table = copied / "cracks.parquet"
    table.write_bytes(table.read_bytes()[:-100])
    (copied / "masks.zarr" / "lane1" / "a.tif" / "zarr.json").unlink()
    assert {found.path for found in out.verify().findings} == {
        "cracks.parquet",
        "masks.zarr/lane1/a.tif/zarr.json",
    }
    with pytest.raises(OutputDamagedError, match=r"cracks.parquet cannot be read: .*verify --repair"):
        _ = out.cracks
    with pytest.raises(OutputDamagedError, match=r"a\.tif is missing"):
        out.mask("lane1/a.tif")


def test_an_older_record_is_no_hindrance(copied: Path) -> None:
    record = json.loads((copied / "run.json").read_text())
    del record["counts"]
    (copied / "run.json").write_text(json.dumps(record))
    assert "no run has come to its end" in repr(crackpipe.open(copied))
