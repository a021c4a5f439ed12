"""Zeros that end an uncompressed TIFF are found pixel by pixel, however the file stores its pixels."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from numpy.typing import NDArray

from crackpipe.pipeline.geometry.grid import Window
from crackpipe.pipeline.raster.gdal import open_raster
from crackpipe.pipeline.raster.validity.reasons import ZERO_TAIL
from crackpipe.pipeline.raster.zero_tail import ZeroTail

HEIGHT_PX, WIDTH_PX = 120, 201
WHOLE = Window(0, 0, HEIGHT_PX, WIDTH_PX)
TILES = {"tiled": True, "blockxsize": 64, "blockysize": 64}


def write(path: Path, bands: int, dtype: str, zeros: int, **profile: Any) -> Path:
    """Noise without a zero, of which the last bytes of the file are set to zero."""
    top = 2 ** profile.get("nbits", 8)
    values = np.random.default_rng(0).integers(1, top, (bands, HEIGHT_PX, WIDTH_PX)).astype(dtype)
    size = {"count": bands, "height": HEIGHT_PX, "width": WIDTH_PX, "dtype": dtype}
    with rasterio.open(path, "w", driver="GTiff", **size, **profile) as dataset:
        dataset.write(values)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) - zeros] + bytes(zeros))
    return path


def marked_in(path: Path, window: Window = WHOLE) -> NDArray[np.bool_]:
    reasons = np.zeros((window.height, window.width), np.uint8)
    with open_raster(path, "GTiff", georeferenced=False) as dataset:
        ZeroTail(dataset, path).mark(reasons, window)
    assert set(np.unique(reasons)) <= {0, ZERO_TAIL}
    return reasons == ZERO_TAIL


@pytest.mark.parametrize(
    ("bands", "dtype", "profile"),
    [
        (3, "uint8", {"interleave": "pixel"}),
        (3, "uint8", {"interleave": "band"}),
        (3, "uint8", {"interleave": "pixel", **TILES}),
        (1, "uint16", {}),
        (1, "uint16", {"nbits": 12, "blockysize": HEIGHT_PX}),
        (3, "uint16", {"nbits": 12, "interleave": "pixel", **TILES}),
    ],
    ids=["pixels", "bands", "tiles", "16 bits", "12 bits", "12 bits in tiles"],
)
def test_zeros_are_marked_from_their_first_pixel_on(
    tmp_path: Path, bands: int, dtype: str, profile: dict[str, Any]
) -> None:
    path = write(tmp_path / "a.tif", bands, dtype, zeros=30_001, **profile)
    marked = marked_in(path)
    with rasterio.open(path) as dataset:
        lost = (dataset.read() == 0).any(axis=0)
    assert np.count_nonzero(lost) > 1000
    assert not (lost & ~marked).any()
    # one more pixel may be marked: the zeros begin inside it and left a part that is no zero
    assert np.count_nonzero(marked & ~lost) <= 1
    window = Window(70, 40, 50, 100)
    assert np.array_equal(marked_in(path, window), marked[window.within(WHOLE)])


@pytest.mark.parametrize(("zeros", "profile"), [(4000, {}), (9001, {"compress": "deflate"})])
def test_few_zeros_and_compressed_files_are_not_looked_at(
    tmp_path: Path, zeros: int, profile: dict[str, Any]
) -> None:
    path = tmp_path / "a.tif"
    assert not marked_in(write(path, 3, "uint8", zeros, **profile)).any()
