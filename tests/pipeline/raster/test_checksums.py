"""Damage that GDAL decodes without an error is noticed by the checksum that the file carries."""

import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine
from bad_files import NOISE, TILES, damage, photograph, write

from crackpipe.pipeline.config import Config
from crackpipe.pipeline.errors import ImageRejectedError
from crackpipe.pipeline.geometry.grid import Window
from crackpipe.pipeline.raster import blocks
from crackpipe.pipeline.raster.checksums import checksums_of
from crackpipe.pipeline.raster.reader import ImageReader
from crackpipe.pipeline.survey.accept import inspect
from crackpipe.pipeline.survey.files.candidates import Candidate

PLACE = Affine(0.001, 0, 500_000, 0, -0.001, 5_400_000)
HEIGHT_PX, WIDTH_PX = NOISE.shape[1:]
WHOLE = Window(0, 0, HEIGHT_PX, WIDTH_PX)
FORMATS: dict[str, dict[str, Any]] = {
    "tiles.tif": TILES,
    "strips.tif": {"blockysize": 7},
    "bands.tif": {"interleave": "band", **TILES},
    "predictor.tif": {"predictor": 2},
    "big-endian.tif": {"ENDIANNESS": "BIG", **TILES},
    "a.png": {},
}


def make(folder: Path, name: str) -> Path:
    if name.endswith(".png"):
        return photograph(folder / name, PLACE)
    return write(folder / name, PLACE, compress="deflate", **FORMATS[name])


def look_and_read(path: Path, window: Window = WHOLE) -> np.ndarray:
    image = inspect(Candidate(path.name, "s", path, path.parent), Config())
    with ImageReader(image) as reader:
        return reader.read(window)[0]


@pytest.mark.parametrize("name", FORMATS)
def test_sound_files_fit_their_checksums(tmp_path: Path, name: str) -> None:
    assert np.array_equal(look_and_read(make(tmp_path, name)), NOISE.transpose(1, 2, 0))


@pytest.mark.parametrize("name", FORMATS)
def test_damage_anywhere_in_the_data_is_noticed(tmp_path: Path, name: str) -> None:
    sound = make(tmp_path, name).read_bytes()
    silent = 0
    for at in np.linspace(0.2, 0.9, 15):
        if name.endswith(".png"):
            # bytes too many: GDAL's fast way gives up, and its slow way reads what it can
            position = int(at * len(sound))
            (tmp_path / name).write_bytes(sound[:position] + b"\x55" * 20 + sound[position:])
        else:
            (tmp_path / name).write_bytes(sound)
            damage(tmp_path / name, at, 30)
        with pytest.raises(ImageRejectedError) as caught:
            look_and_read(tmp_path / name)
        assert caught.value.reason == "unreadable-block"
        silent += "checksum" in caught.value.message
    assert silent > 0  # GDAL alone would not have noticed


def test_only_blocks_under_the_window_are_looked_at_and_each_once(tmp_path: Path) -> None:
    path = make(tmp_path, "tiles.tif")
    with rasterio.open(path) as dataset:
        offset, length = blocks.block_extent(dataset, 1, 2, 1) or (0, 0)
        checks = checksums_of(dataset, path)
        assert checks is not None
        assert checks.damage(WHOLE) is None
        content = bytearray(path.read_bytes())
        content[offset + length - 1] ^= 1  # the last byte of its Adler-32
        path.write_bytes(content)
        assert checks.damage(WHOLE) is None  # all were looked at before
        checks.close()
        checks = checksums_of(dataset, path)
        assert checks is not None
        assert checks.damage(Window(0, 0, 64, 180)) is None
        assert checks.damage(Window(63, 127, 2, 2)) == "the checksum of block (row 1, column 2) does not fit"
        checks.close()


def test_a_bomb_is_not_inflated_beyond_its_block(tmp_path: Path) -> None:
    """A block of 64 x 64 px whose stream holds 64 MB: GDAL reads its beginning, it is refused."""
    path = write(tmp_path / "a.tif", PLACE, NOISE[:, :64, :64], compress="deflate", **TILES)
    with rasterio.open(path) as dataset:
        offset, length = blocks.block_extent(dataset, 0, 0, 1) or (0, 0)
    bomb = zlib.compress(bytes(64 << 20), 9)
    content = bytearray(path.read_bytes())
    content += bomb
    end = len(content) - len(bomb)
    # one block: its offset and length stand in the directory
    for old, new in ((offset, end), (length, len(bomb))):
        at = content.index(old.to_bytes(4, "little"))
        content[at : at + 4] = new.to_bytes(4, "little")
    path.write_bytes(content)
    with pytest.raises(ImageRejectedError, match="the checksum of block"):
        look_and_read(path, Window(0, 0, 64, 64))


@pytest.mark.parametrize("compress", [None, "lzw", "zstd", "jpeg"])
def test_files_without_checksums_have_none(tmp_path: Path, compress: str | None) -> None:
    path = write(tmp_path / "a.tif", PLACE, compress=compress)
    with rasterio.open(path) as dataset:
        assert checksums_of(dataset, path) is None


def test_the_file_is_closed(tmp_path: Path) -> None:
    path = make(tmp_path, "tiles.tif")
    before = len(list(Path("/proc/self/fd").iterdir()))
    look_and_read(path)
    assert len(list(Path("/proc/self/fd").iterdir())) == before
