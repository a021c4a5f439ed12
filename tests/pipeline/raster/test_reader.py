"""A window shows what the whole image shows, and never a pixel that is not there."""

import errno
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from rasters.read_files import NOISE, TILES, look, read_window, write

from crackpipe.pipeline.config import Config
from crackpipe.pipeline.errors import ImageRejectedError
from crackpipe.pipeline.geometry.grid import Grid, Window
from crackpipe.pipeline.raster import decoder as read
from crackpipe.pipeline.raster.reader import ImageReader
from crackpipe.pipeline.survey.accept import inspect
from crackpipe.pipeline.survey.files.candidates import Candidate

FORMATS: dict[str, dict[str, Any]] = {
    "tiled": TILES,
    "stripped": {"blockysize": 7},
    "single-strip": {"blockysize": 300, "compress": "deflate"},
    "band-interleaved": {"interleave": "band", **TILES},
    "bigtiff": {"BIGTIFF": "YES", "compress": "lzw", "predictor": 2},
    "big-endian": {"ENDIANNESS": "BIG"},
    "zstd": {"compress": "zstd", **TILES},
}


@pytest.mark.parametrize("name", FORMATS)
def test_windows_of_lossless_formats(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / "a.tif", **FORMATS[name])
    with ImageReader(look(path)) as reader:
        for window in (Window(0, 0, 300, 400), Window(100, 130, 64, 64), Window(299, 399, 1, 1)):
            rgb, valid = reader.read(window)
            rows, cols = window.within(Window(0, 0, 300, 400))
            assert np.array_equal(rgb, NOISE.transpose(1, 2, 0)[rows, cols])
            assert rgb.flags.c_contiguous
            assert valid.all()


@pytest.mark.parametrize("name", ["a.jpg", "a.png"])
@pytest.mark.parametrize("limit_bytes", [read.WHOLE_LIMIT_BYTES, 0], ids=["in memory", "spooled"])
def test_formats_that_decode_from_the_top(
    tmp_path: Path, name: str, limit_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(read, "WHOLE_LIMIT_BYTES", limit_bytes)
    monkeypatch.setattr(read, "_STRIPE_PX", 64)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    path = write(tmp_path / name, driver={"a.jpg": "JPEG", "a.png": "PNG"}[name])
    with rasterio.open(path) as dataset:
        expected = dataset.read().transpose(1, 2, 0)
    with ImageReader(look(path)) as reader:
        for window in (Window(200, 300, 100, 100), Window(0, 0, 300, 400), Window(10, 20, 30, 40)):
            rgb, valid = reader.read(window)
            rows, cols = window.within(Window(0, 0, 300, 400))
            assert np.array_equal(rgb, expected[rows, cols])
            assert valid.all()
    assert [entry.name for entry in tmp_path.iterdir() if entry.is_dir()] == []


def test_a_damaged_block_is_named_with_gdals_cause(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tif", compress="deflate", **TILES)
    image = look(path)
    content = bytearray(path.read_bytes())
    content[len(content) // 2 : len(content) // 2 + 4000] = bytes(4000)
    path.write_bytes(content)
    os.utime(path, ns=(image.mtime_ns, image.mtime_ns))  # damaged on disk, not changed
    with ImageReader(image) as reader, pytest.raises(ImageRejectedError) as caught:
        reader.read(Window(0, 0, 300, 400))
    assert caught.value.reason == "unreadable-block"
    assert "a.tif" in caught.value.message
    assert "rows 0..299" in caught.value.message
    assert "Read failed" not in caught.value.message  # that is rasterio's, the cause says more


@pytest.mark.parametrize("profile", [TILES, {"compress": "deflate", **TILES}], ids=["plain", "deflate"])
def test_a_disk_that_cannot_read_a_file_puts_it_into_quarantine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, profile: dict[str, Any]
) -> None:
    def failing(*_: object) -> bytes:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    image = look(write(tmp_path / "a.tif", **profile))
    monkeypatch.setattr(os, "pread", failing)
    with pytest.raises(ImageRejectedError, match=r"a\.tif: .*Input/output error") as caught:
        ImageReader(image).read(Window(0, 0, 300, 400))
    assert caught.value.reason == "unreadable-block"


@pytest.mark.parametrize("name", ["tiled.tif", "lzw.tif", "a.jpg", "a.png"])
def test_mutants_are_read_or_refused(tmp_path: Path, name: str) -> None:
    profile = {"tiled.tif": TILES, "lzw.tif": {"compress": "lzw", "BIGTIFF": "YES"}}.get(name, {})
    driver = {"a.jpg": "JPEG", "a.png": "PNG"}.get(name, "GTiff")
    sound = write(tmp_path / name, driver=driver, **profile).read_bytes()
    random, seen = np.random.default_rng(0), set()
    for _ in range(60):
        mutant = bytearray(sound)
        for position in random.integers(0, [600, len(sound)][random.integers(2)], 3):
            mutant[position] = random.integers(256)
        (tmp_path / name).write_bytes(mutant)
        try:
            read_window(tmp_path / name, Window(-32, -32, 364, 464))
            seen.add("read")
        except ImageRejectedError as error:
            seen.add(error.reason)
    assert seen - {"read"}


@pytest.mark.parametrize("change", ["touch", "append", "remove"])
def test_a_file_that_changes_is_noticed(tmp_path: Path, change: str) -> None:
    path = write(tmp_path / "a.tif")
    image = look(path)
    with ImageReader(image) as reader:
        reader.read(Window(0, 0, 10, 10))
        if change == "touch":
            os.utime(path, ns=(0, image.mtime_ns + 1))
        elif change == "append":
            path.write_bytes(path.read_bytes() + b"x")
        else:
            path.unlink()
        with pytest.raises(ImageRejectedError) as caught:
            reader.read(Window(0, 0, 10, 10))
    assert caught.value.reason == "changed-while-read"
    with pytest.raises(ImageRejectedError, match=r"a\.tif"):
        ImageReader(image)


@pytest.mark.parametrize("sidecar", ["msk", "ovr", "aux.xml"])
def test_vrt_sidecars_never_reach_the_pixels(tmp_path: Path, sidecar: str) -> None:
    path = write(tmp_path / "a.tif", nodata=None)
    (tmp_path / "passwd").write_bytes(b"root:x:0:0" * 12000)
    vrt = f"""<VRTDataset rasterXSize="400" rasterYSize="300"><VRTRasterBand dataType="Byte" band="1"
        subClass="VRTRawRasterBand"><SourceFilename>{tmp_path}/passwd</SourceFilename></VRTRasterBand></VRTDataset>"""
    Path(f"{path}.{sidecar}").write_text(vrt)
    if sidecar == "msk":
        with pytest.raises(ImageRejectedError) as caught:
            look(path)
        assert caught.value.reason == "mask-unreadable"
        assert "root" not in caught.value.message
        return
    rgb, valid = read_window(path)
    assert np.array_equal(rgb, NOISE.transpose(1, 2, 0))
    assert valid.all()


def test_blocks_of_a_unit_decode_each_block_of_the_file_once(tmp_path: Path) -> None:
    """Counted in bytes read: noise does not compress, so the file is its blocks. GDAL reads each once to
    decode it, and `checksums` once to compare its checksum."""
    file = tmp_path / "noise.tif"
    noise = np.random.default_rng(0).integers(0, 256, (3, 1500, 1100), dtype=np.uint8)
    write(file, noise, tiled=True, blockxsize=256, blockysize=256, compress="deflate")
    image = inspect(Candidate("noise.tif", "survey", file, tmp_path), Config())
    cut = Grid(1500, 1100, block_cores=1)
    before = bytes_read()
    with ImageReader(image) as reader:
        for block in cut.blocks():  # 4 x 3, each with a halo that reaches into its neighbours
            reader.read(cut.tile(block))
    assert bytes_read() - before < 2.05 * file.stat().st_size


def bytes_read() -> int:
    """Bytes this process has asked the system for so far."""
    return int(Path("/proc/self/io").read_text().split()[1])
