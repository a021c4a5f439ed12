"""Zarr v3 arrays as files, without the zarr library in between: metadata, chunks, windows.

Each call of the library passes through its event loop in another thread. That takes about a millisecond, and
an image needs 15 calls, which slows small frames down. An array written here is byte for byte what the
library would write for the same options (the tests compare them), so any reader of Zarr opens it.
Format: https://zarr-specs.readthedocs.io/en/latest/v3/core/index.html
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numcodecs.zstd import Zstd
from numpy.typing import NDArray

from crackpipe.pipeline.geometry.grid import Window

ZSTD_LEVEL = 3


def create_array(
    path: Path,
    *,
    shape: Sequence[int],
    chunk_shape: Sequence[int],
    dtype: str,
    fill_value: float,
    attributes: Mapping[str, Any],
    dimension_names: Sequence[str] = (),
    checked: bool = False,
) -> dict[str, Any]:
    """Make a folder with the `zarr.json` of an array without chunks; returns what is in that file.

    `checked` adds a checksum to every chunk and compresses more. Raises OSError, also where `path` exists.
    """
    endian = {} if dtype == "uint8" else {"configuration": {"endian": "little"}}
    zstd = {"level": ZSTD_LEVEL, "checksum": True} if checked else {"level": 0, "checksum": False}
    metadata: dict[str, Any] = {
        "shape": list(shape),
        "data_type": dtype,
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": list(chunk_shape)}},
        "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
        "fill_value": fill_value,
        "codecs": [{"name": "bytes", **endian}, {"name": "zstd", "configuration": zstd}],
        "attributes": dict(attributes),
        **({"dimension_names": list(dimension_names)} if dimension_names else {}),
        "zarr_format": 3,
        "node_type": "array",
        "storage_transformers": [],
    }
    path.mkdir()
    (path / "zarr.json").write_bytes(json.dumps(metadata, indent=2).encode())
    return metadata


def write_vector(path: Path, values: NDArray[np.float64]) -> None:
    """Fill an array of one dimension and one chunk, made by `create_array`."""
    if values.any():  # the library too leaves out a chunk that holds only the fill value
        (path / "c").mkdir()
        (path / "c" / "0").write_bytes(Zstd(level=0, checksum=False).encode(values))


def write_chunk(path: Path, window: Window, values: NDArray[np.uint8]) -> None:
    """Write one chunk of an array, also if all its values are the fill value.

    `values` is uint8 (h, w) of `window`. Raises ValueError if `window` is not exactly one chunk, OSError.
    """
    (height_px, width_px), (rows, cols), fill_value = _layout(path)
    chunk = Window(window.row, window.col, rows, cols).clipped(height_px, width_px)
    fits = window == chunk and values.shape == (window.height, window.width)
    if window.row % rows or window.col % cols or not fits:
        raise ValueError(f"{window} with values of shape {values.shape} is not a chunk of {rows} x {cols} px")
    whole = np.ascontiguousarray(values)
    if values.shape != (rows, cols):  # a chunk at the edge is stored in full
        whole = np.full((rows, cols), fill_value, np.uint8)
        whole[: window.height, : window.width] = values
    file = _chunk_file(path, window.row // rows, window.col // cols)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(Zstd(level=ZSTD_LEVEL, checksum=True).encode(whole))


def read_window(path: Path, window: Window) -> NDArray[np.uint8]:
    """Read a window inside an array; pixels of a chunk that is missing get the fill value.

    Returns uint8 (h, w). Raises ValueError if a chunk is damaged, OSError.
    """
    _, (rows, cols), fill_value = _layout(path)
    values = np.full((window.height, window.width), fill_value, np.uint8)
    for row, col in window.cells(rows, cols):
        chunk = _read_chunk(_chunk_file(path, row, col), (rows, cols))
        if chunk is not None:
            place = Window(row * rows, col * cols, rows, cols)
            common = window.shared_with(place)
            values[common.within(window)] = chunk[common.within(place)]
    return values


def _read_chunk(file: Path, shape: tuple[int, int]) -> NDArray[np.uint8] | None:
    try:
        content = file.read_bytes()
    except FileNotFoundError:
        return None
    try:
        return np.frombuffer(Zstd().decode(content), np.uint8).reshape(shape)
    except (RuntimeError, ValueError) as error:
        raise ValueError(f"{file} is damaged: {error}. Remove the image's marker and run again.") from error


def _chunk_file(path: Path, row: int, col: int) -> Path:
    return path / "c" / str(row) / str(col)


def _layout(path: Path) -> tuple[tuple[int, int], tuple[int, int], int]:
    """Shape, chunk shape, fill value of an array of two dimensions."""
    metadata = json.loads((path / "zarr.json").read_bytes())
    height_px, width_px = metadata["shape"]
    rows, cols = metadata["chunk_grid"]["configuration"]["chunk_shape"]
    return (height_px, width_px), (rows, cols), metadata["fill_value"]
