"""Arrays written here are those of the zarr library, byte for byte, and read the same."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from zarr.codecs import ZstdCodec

from crackpipe.pipeline.geometry.grid import Window
from crackpipe.pipeline.masks import arrays

ATTRIBUTES = {
    "long_name": "Straße",
    "values": [0, 1, 0.1, -1e-7, 5936208.460333571],
    "a": {"b": [], "c": None},
}


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def plane(tmp_path: Path) -> Path:
    """A checked array of 7 x 9 in chunks of 4 x 4, nothing written."""
    path = tmp_path / "ours"
    options: dict[str, Any] = {"chunk_shape": (4, 4), "dtype": "uint8", "fill_value": 255, "checked": True}
    arrays.create_array(path, shape=(7, 9), attributes=ATTRIBUTES, dimension_names=("y", "x"), **options)
    return path


@pytest.fixture
def library(tmp_path: Path) -> Path:
    """The same by the library."""
    path = tmp_path / "theirs"
    zarr.create_array(
        path, shape=(7, 9), chunks=(4, 4), dtype="uint8", fill_value=255, dimension_names=("y", "x"),
        compressors=[ZstdCodec(level=3, checksum=True)], attributes=ATTRIBUTES,
    )  # fmt: skip
    return path


def test_planes_are_the_librarys(plane: Path, library: Path) -> None:
    values = np.random.default_rng(0).integers(0, 3, (7, 9), dtype=np.uint8)
    values[:4, 4:8] = 255  # a chunk of the fill value is written as well
    zarr.open_array(library, mode="r+").with_config({"write_empty_chunks": True})[:] = values
    for row in (0, 4):
        for col in (0, 4, 8):
            window = Window(row, col, 4, 4).clipped(7, 9)
            arrays.write_chunk(plane, window, values[window.within(Window(0, 0, 7, 9))])
    assert files(plane) == files(library)
    assert len(files(plane)) == 1 + 6


@pytest.mark.parametrize("values", [[1.5, 2.5, -3.0], [0.0], [1e300] * 40])
def test_vectors_and_scalars_are_the_librarys(tmp_path: Path, values: list[float]) -> None:
    vector, size = np.array(values), len(values)
    theirs = zarr.create_array(
        tmp_path / "theirs/x", shape=(size,), chunks=(size,), dtype="float64", dimension_names=("x",),
        attributes=ATTRIBUTES,
    )  # fmt: skip
    theirs[:] = vector
    zarr.create_array(tmp_path / "theirs/s", shape=(), dtype="int64", attributes=ATTRIBUTES, fill_value=0)
    ours = tmp_path / "ours"
    ours.mkdir()
    x: dict[str, Any] = {"dtype": "float64", "fill_value": 0.0, "dimension_names": ("x",)}
    arrays.create_array(ours / "x", shape=(size,), chunk_shape=(size,), attributes=ATTRIBUTES, **x)
    arrays.write_vector(ours / "x", vector)
    arrays.create_array(
        ours / "s", shape=(), chunk_shape=(), dtype="int64", fill_value=0, attributes=ATTRIBUTES
    )
    assert files(ours) == files(tmp_path / "theirs")


@pytest.mark.parametrize(
    "window", [Window(0, 0, 7, 9), Window(3, 3, 2, 2), Window(4, 8, 3, 1), Window(6, 0, 1, 9)]
)
def test_windows_read_what_the_library_reads(plane: Path, window: Window) -> None:
    values = np.arange(63, dtype=np.uint8).reshape(7, 9)
    for written in (Window(0, 0, 4, 4), Window(4, 4, 3, 4), Window(4, 8, 3, 1)):  # the others stay missing
        arrays.write_chunk(plane, written, values[written.within(Window(0, 0, 7, 9))])
    rows, cols = window.within(Window(0, 0, 7, 9))
    theirs = zarr.open_array(plane, mode="r")[rows, cols]
    assert np.array_equal(arrays.read_window(plane, window), theirs)


def test_a_damaged_chunk_is_named(plane: Path) -> None:
    arrays.write_chunk(plane, Window(0, 0, 4, 4), np.eye(4, dtype=np.uint8))
    file = plane / "c" / "0" / "0"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1  # in the checksum
    file.write_bytes(content)
    with pytest.raises(ValueError, match=r"c/0/0 is damaged.*checksum"):
        arrays.read_window(plane, Window(0, 0, 2, 2))
    assert (arrays.read_window(plane, Window(4, 4, 2, 2)) == 255).all()
