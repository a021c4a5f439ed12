"""What a file declares not to be there is not inspected: alpha, nodata, masks, blocks never written."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio.windows import Window as RasterWindow
from rasters.read_files import NOISE, TILES, UTM_1_MM, look, read_window, write

from crackpipe.pipeline.geometry.grid import Window
from crackpipe.pipeline.raster.reader import ImageReader

HOLE = np.ones((300, 400), bool)
HOLE[50:120, 60:200] = False


def test_alpha_is_not_inspected(tmp_path: Path) -> None:
    values = np.concatenate([NOISE, HOLE[None] * np.uint8(255)])
    path = write(tmp_path / "a.tif", values, colorinterp=["red", "green", "blue", "alpha"], **TILES)
    rgb, valid = read_window(path)
    assert np.array_equal(rgb, NOISE.transpose(1, 2, 0))
    assert np.array_equal(valid, HOLE)


def test_nodata_is_not_inspected_where_all_bands_have_it(tmp_path: Path) -> None:
    values = np.maximum(NOISE, 1) * HOLE
    values[0, 0, 0] = 0  # a red of 0 alone is a colour
    assert np.array_equal(read_window(write(tmp_path / "a.tif", values, nodata=0))[1], HOLE)


def test_internal_mask_is_not_inspected(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tif", mask=HOLE, **TILES)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["a.tif"]
    assert np.array_equal(read_window(path)[1], HOLE)
    window = Window(40, 50, 30, 30)
    assert np.array_equal(read_window(path, window)[1], HOLE[40:70, 50:80])


def test_mask_beside_the_image_is_not_inspected(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tif")
    write(tmp_path / "a.tif.msk", HOLE[None].astype(np.uint8) * 255, **TILES)
    assert np.array_equal(read_window(path)[1], HOLE)


@pytest.mark.parametrize("nodata", [-9999, 256, 0.5, float("nan")])
def test_nodata_that_no_pixel_can_have_is_ignored(tmp_path: Path, nodata: float) -> None:
    image = dataclasses.replace(look(write(tmp_path / "a.tif", NOISE)), nodata=nodata)
    with ImageReader(image) as reader:
        assert reader.read(Window(0, 0, 300, 400))[1].all()


@pytest.mark.parametrize("interleave", ["pixel", "band"])
def test_blocks_never_written_are_not_inspected(tmp_path: Path, interleave: str) -> None:
    path = tmp_path / "a.tif"
    with rasterio.open(
        path,
        "w",
        **{"driver": "GTiff", "count": 3, "height": 200, "width": 200, "dtype": "uint8"},
        **{"crs": "EPSG:25832", "transform": UTM_1_MM, "sparse_ok": True, "interleave": interleave, **TILES},
    ) as dataset:
        dataset.write(NOISE[:, :64, :128], window=RasterWindow(64, 128, 128, 64))
        dataset.write(NOISE[:1, :64, :64], [1], window=RasterWindow(0, 0, 64, 64))
    expected = np.zeros((200, 200), bool)
    expected[128:192, 64:192] = True
    if interleave == "pixel":
        expected[:64, :64] = True
    _, valid = read_window(path)
    assert np.array_equal(valid, expected)
    assert np.array_equal(read_window(path, Window(100, 50, 60, 100))[1], expected[100:160, 50:150])
