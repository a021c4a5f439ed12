"""A window beyond the image shows it reflected; a pixel has one value and one reason in every window."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from rasterio.windows import Window as RasterWindow
from rasters.read_files import NOISE, TILES, UTM_1_MM, look, read_window, write

from crackpipe.pipeline.config import Config
from crackpipe.pipeline.geometry.grid import Window
from crackpipe.pipeline.raster.reader import ImageReader, reflected
from crackpipe.pipeline.survey.accept import inspect
from crackpipe.pipeline.survey.files.candidates import Candidate


@given(st.integers(-3000, 3000), st.integers(1, 500), st.integers(1, 60))
def test_reflected_is_numpys_reflection_without_end(start: int, count: int, size: int) -> None:
    pad = 3500
    whole = np.pad(np.arange(size), pad, mode="reflect") if size > 1 else np.zeros(2 * pad + 1, int)
    assert np.array_equal(reflected(start, count, size), whole[pad + start : pad + start + count])


@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 50), (2, 3), (30, 40), (300, 400)])
def test_windows_beyond_the_image_are_reflected(tmp_path: Path, height: int, width: int) -> None:
    values = NOISE[:, :height, :width]
    path = write(tmp_path / "a.tif", values)
    whole, _ = read_window(path)
    assert np.array_equal(whole, values.transpose(1, 2, 0))
    pad = 448
    padded = np.pad(whole, ((pad, pad), (pad, pad), (0, 0)), mode="reflect")
    with ImageReader(look(path)) as reader:
        for window in (
            Window(-32, -32, 448, 448),
            Window(height - 20, width - 20, 448, 448),
            Window(-448, -448, 100, 100),
            Window(-5, 0, height + 10, width),
        ):
            rgb, valid = reader.read(window)
            rows, cols = window.within(Window(-pad, -pad, 0, 0))
            assert np.array_equal(rgb, padded[rows, cols])
            assert valid.shape == (window.height, window.width)
            assert valid.all()


def test_reflected_pixels_are_as_valid_as_their_source(tmp_path: Path) -> None:
    mask = np.ones((300, 400), bool)
    mask[:, 5] = False
    _, valid = read_window(write(tmp_path / "a.tif", mask=mask), Window(0, -10, 10, 20))
    # columns -5 and 5, and two beside each: it is a lost line
    assert np.flatnonzero(~valid[0]).tolist() == [3, 4, 5, 6, 7, 13, 14, 15, 16, 17]


ROAD = np.random.default_rng(1).normal(130, 6, (300, 400)).clip(80, 200).astype(np.uint8)
JPEG = {"compress": "jpeg", "photometric": "ycbcr", **TILES}


def write_sparse(path: Path, values: NDArray[Any], missing: Window, **profile: Any) -> Path:
    """Write all blocks but `missing`."""
    bands, height, width = values.shape
    size = {"count": bands, "height": height, "width": width, "dtype": "uint8"}
    place = {"driver": "GTiff", "crs": "EPSG:25832", "transform": UTM_1_MM, "sparse_ok": True}
    with rasterio.open(path, "w", interleave="pixel", **size, **place, **profile) as dataset:
        for row, col in Window(0, 0, height, width).cells(missing.height, missing.width):
            if (row * missing.height, col * missing.width) != (missing.row, missing.col):
                block = Window(row * missing.height, col * missing.width, missing.height, missing.width)
                block = block.clipped(height, width)
                part = values[(slice(None), *block.within(Window(0, 0, height, width)))]
                dataset.write(part, window=RasterWindow(block.col, block.row, block.width, block.height))
    return path


def lossy_nodata(path: Path) -> Path:
    """A hole of nodata along blocks, and far away values that are near to it."""
    values = np.stack([ROAD] * 3)
    values[:, 64:128, 64:128], values[:, 200:204, 300:304] = 0, 20
    return write(path, values, nodata=0, **JPEG)


def strip_never_written(path: Path) -> Path:
    """A strip that was never written, which is thin, and far away a hole of nodata."""
    values = np.stack([ROAD] * 3)
    values[:, 40:100, 40:100] = 255
    return write_sparse(path, values, Window(240, 0, 8, 400), nodata=255, blockysize=8)


def tile_never_written(path: Path) -> Path:
    """A tile of a lossy file that was never written, and far away a hole of nodata."""
    values = np.stack([ROAD] * 3)
    values[:, 10:60, 10:60] = 255
    return write_sparse(path, values, Window(192, 256, 64, 64), nodata=255, **JPEG)


@pytest.mark.parametrize("draw", [lossy_nodata, strip_never_written, tile_never_written])
def test_a_pixel_has_one_reason_in_whatever_window_it_is_read(
    tmp_path: Path, draw: Callable[[Path], Path]
) -> None:
    image, whole = look(draw(tmp_path / "a.tif")), Window(0, 0, 300, 400)
    with ImageReader(image) as reader:
        _, expected = reader.read_with_reasons(whole)
        assert 1000 < np.count_nonzero(expected) < 20_000
        for side_px in (37, 64, 150):
            for row, col in whole.cells(side_px, side_px):
                part = Window(row * side_px, col * side_px, side_px, side_px).clipped(300, 400)
                _, reasons = reader.read_with_reasons(part)
                assert np.array_equal(reasons, expected[part.within(whole)]), part


def test_collars_of_a_file_depend_on_how_its_values_are_read(tmp_path: Path) -> None:
    """A process may read one file under several configurations: a worker of a scheduler outlives a run."""
    values = np.full((1, 300, 400), 2000, np.uint16)
    values[:, :, :80] = 0
    path, missing = write(tmp_path / "a.tif", values), []
    for white_level in (65535, 4095):  # the road is nearly black, then grey
        image = inspect(Candidate("a.tif", "s", path, tmp_path), Config(white_level=white_level))
        with ImageReader(image) as reader:
            missing.append(int((~reader.read(Window(0, 0, 300, 400))[1]).sum()))
    assert missing == [0, 300 * 82]
