"""A window shows what the whole image shows, reflected at its edges, and never a pixel that is not there."""

import dataclasses
import errno
import os
import resource
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from rasterio.enums import ColorInterp
from rasterio.windows import Window as RasterWindow

from crackpipe.pipeline.config import Config
from crackpipe.pipeline.errors import ImageRejectedError, StorageError
from crackpipe.pipeline.geometry.grid import Grid, Window
from crackpipe.pipeline.image import SurveyImage
from crackpipe.pipeline.raster import decoder as read
from crackpipe.pipeline.raster.reader import ImageReader, reflected
from crackpipe.pipeline.survey.accept import inspect
from crackpipe.pipeline.survey.files.candidates import Candidate

UTM_1_MM = Affine(0.001, 0, 500000, 0, -0.001, 5500000)
NOISE = np.random.default_rng(0).integers(0, 256, (3, 300, 400), dtype=np.uint8)
TILES = {"tiled": True, "blockxsize": 64, "blockysize": 64}


def write(path: Path, values: NDArray[Any] = NOISE, mask: NDArray[Any] | None = None, **profile: Any) -> Path:
    bands, height, width = values.shape
    profile = {"driver": "GTiff", "crs": "EPSG:25832", "transform": UTM_1_MM, **profile}
    colours, palette = profile.pop("colorinterp", None), profile.pop("palette", None)
    scales, offsets = profile.pop("scales", None), profile.pop("offsets", None)
    with (
        rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True),
        rasterio.open(
            path, "w", count=bands, height=height, width=width, dtype=values.dtype, **profile
        ) as dataset,
    ):
        if colours:
            dataset.colorinterp = [ColorInterp[name] for name in colours]
        if palette:
            dataset.write_colormap(1, palette)
        if scales:
            dataset.scales, dataset.offsets = scales, offsets
        dataset.write(values)
        if mask is not None:
            dataset.write_mask(mask)
    return path


def look(path: Path) -> SurveyImage:
    if path.suffix in (".jpg", ".png"):
        path.with_suffix(".wld").write_text("0.001 0 0 -0.001 500000 5500000")
    return inspect(Candidate(path.name, "s", path, path.parent), Config(assume_crs="EPSG:25832"))


def read_window(path: Path, window: Window | None = None) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    image = look(path)
    with ImageReader(image) as reader:
        return reader.read(window or Window(0, 0, image.height_px, image.width_px))


# ---- reflection


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


# ---- formats: each is read in windows and gives the same as the whole file does

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


# ---- values


def test_grey_is_repeated(tmp_path: Path) -> None:
    rgb, _ = read_window(write(tmp_path / "a.tif", NOISE[:1]))
    assert np.array_equal(rgb, np.repeat(NOISE[0][..., None], 3, axis=2))


def test_bands_are_ordered_by_meaning(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tif", NOISE, colorinterp=["blue", "green", "red"])
    assert np.array_equal(read_window(path)[0], NOISE[::-1].transpose(1, 2, 0))


STORED = np.array([0, 100, 1000, 4095, 10000, 32768, 65535], np.uint16).reshape(1, 1, 7)


@pytest.mark.parametrize(
    ("profile", "grey"),
    [
        ({}, [0, 0, 4, 16, 39, 128, 255]),  # value / 257
        ({"nbits": 12}, [0, 6, 62, 255, 255, 255, 255]),  # 4095 is white
        ({"scales": [1 / 16], "offsets": [0]}, [0, 6, 62, 255, 255, 255, 255]),  # to 0..4096: grey values
        ({"scales": [1e-4], "offsets": [-0.1]}, [0, 0, 0, 79, 230, 255, 255]),  # to 0..6.5: reflectance
    ],
)
def test_sixteen_bits_are_scaled_as_declared(
    tmp_path: Path, profile: dict[str, Any], grey: list[int]
) -> None:
    stored = np.minimum(STORED, 4095) if "nbits" in profile else STORED
    path = write(tmp_path / "a.tif", stored, **profile)
    assert read_window(path)[0][0, :, 0].tolist() == grey
    assert len(look(path).warnings) == (profile == {})


def test_sixteen_bit_colour(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tif", NOISE.astype(np.uint16) * 257)
    assert np.array_equal(read_window(path)[0], NOISE.transpose(1, 2, 0))


@pytest.mark.parametrize("name", ["a.tif", "a.png"])
def test_palettes_become_colours(tmp_path: Path, name: str) -> None:
    palette = {0: (10, 20, 30, 255), 1: (200, 100, 50, 255), 2: (0, 0, 0, 0)}
    values = np.array([[[0, 1, 1, 2]]], np.uint8)
    profile = {"photometric": "palette"} if name == "a.tif" else {"driver": "PNG"}
    rgb, valid = read_window(write(tmp_path / name, values, palette=palette, **profile))
    assert rgb[0, :2].tolist() == [[10, 20, 30], [200, 100, 50]]
    if name == "a.png":  # a TIFF's palette has no transparency
        assert valid.tolist() == [[True, True, True, False]]


# ---- what is not inspected

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


def test_reflected_pixels_are_as_valid_as_their_source(tmp_path: Path) -> None:
    mask = np.ones((300, 400), bool)
    mask[:, 5] = False
    _, valid = read_window(write(tmp_path / "a.tif", mask=mask), Window(0, -10, 10, 20))
    # columns -5 and 5, and two beside each: it is a lost line
    assert np.flatnonzero(~valid[0]).tolist() == [3, 4, 5, 6, 7, 13, 14, 15, 16, 17]


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


# ---- the same answer in every window

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


# ---- failures


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
