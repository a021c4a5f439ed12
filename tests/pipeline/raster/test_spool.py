"""JPEG and PNG that are too large for memory are spooled to a temporary file."""

import resource
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from rasters.read_files import NOISE, look, write

from crackpipe.pipeline.errors import StorageError
from crackpipe.pipeline.geometry.grid import Window
from crackpipe.pipeline.raster import decoder as read
from crackpipe.pipeline.raster.reader import ImageReader


def test_spooling_needs_memory_for_a_stripe_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(read, "WHOLE_LIMIT_BYTES", 1 << 20)
    monkeypatch.setattr(read, "_STRIPE_PX", 64)
    path = write(tmp_path / "a.png", np.full((1, 8000, 500), 100, np.uint8), driver="PNG")
    image = look(path)
    tracemalloc.start()
    with ImageReader(image) as reader:
        rgb, _ = reader.read(Window(7900, 0, 100, 500))
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert rgb.shape == (100, 500, 3)
    assert peak_bytes < 2 << 20  # the image decoded has 16 MB


def test_a_full_temporary_folder_is_no_fault_of_the_image(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(read, "WHOLE_LIMIT_BYTES", 0)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    image = look(write(tmp_path / "a.png", np.tile(NOISE, (1, 3, 3)), driver="PNG"))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, before[1]))
    try:
        with (
            ImageReader(image) as reader,
            pytest.raises(StorageError, match=rf"a\.png .* file of 4 MiB in {tmp_path}, .* Free space there"),
        ):
            reader.read(Window(0, 0, 100, 100))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert [entry.name for entry in tmp_path.iterdir() if entry.is_dir()] == []
