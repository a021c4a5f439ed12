"""Masks survive the way to disk, are georeferenced for every reader, and a lost chunk is no sound road."""

import json
from pathlib import Path

import numpy as np
import pytest
import xarray
import zarr
from affine import Affine
from pyproj import CRS

from crackpipe.pipeline.geometry.grid import Grid, Window
from crackpipe.pipeline.masks.group import create_masks, ensure_root, read_window, write_block
from crackpipe.pipeline.masks.values import NOT_INSPECTED

UTM_1_MM = Affine(0.001, 0, 500000, 0, -0.001, 5500000)
ROTATED = UTM_1_MM @ Affine.rotation(30)
CRACK = np.array(
    [[int(pixel) for pixel in row] for row in ("00000000", "01000000", "00110000", "00001111", "00000000")],
    np.uint8,
)


def create(
    path: Path,
    *,
    size: tuple[int, int] = (5, 8),
    transform: Affine = UTM_1_MM,
    crs: str = "EPSG:25832",
    chunk_shape: tuple[int, int] | None = None,
    classes: tuple[str, ...] = ("crack",),
) -> Path:
    create_masks(
        path,
        height_px=size[0],
        width_px=size[1],
        transform=transform,
        crs_wkt=CRS(crs).to_wkt(),
        chunk_shape=chunk_shape or size,
        classes=classes,
    )
    return path


def files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


# ---- blocks


def test_a_block_is_written_and_read_back(tmp_path: Path) -> None:
    group = create(tmp_path / "a.tif")
    write_block(group, Window(0, 0, 5, 8), CRACK, CRACK * 200)
    mask, probability = read_window(group, Window(1, 1, 2, 3))
    assert mask.tolist() == [[1, 0, 0], [0, 1, 1]]
    assert probability.tolist() == [[200, 0, 0], [0, 200, 200]]
    assert (mask.dtype, probability.dtype) == (np.uint8, np.uint8)


def test_every_block_of_the_grid_is_one_chunk(tmp_path: Path) -> None:
    cut = Grid(1000, 900, 32, block_cores=1)
    group = create(tmp_path / "a.tif", size=(1000, 900), chunk_shape=cut.chunk_shape)
    expected = np.random.default_rng(0).integers(0, 2, (1000, 900), dtype=np.uint8)
    before = files(group)
    for block in cut.blocks():
        rows, cols = block.within(Window(0, 0, 1000, 900))
        write_block(group, block, expected[rows, cols], expected[rows, cols] * 254)
        written = {name for name, content in files(group).items() if before.get(name) != content}
        chunk = f"c/{block.row // 384}/{block.col // 384}"
        assert written == {f"mask/{chunk}", f"probability/{chunk}"}
        before = files(group)
    assert np.array_equal(read_window(group, Window(0, 0, 1000, 900))[0], expected)


@pytest.mark.parametrize(
    "window",
    [Window(0, 0, 4, 8), Window(1, 0, 4, 8), Window(0, 0, 8, 4), Window(4, 0, 4, 8), Window(8, 0, 1, 8)],
)
def test_only_whole_chunks_are_written(tmp_path: Path, window: Window) -> None:
    group = create(tmp_path / "a.tif", size=(9, 8), chunk_shape=(4, 8))
    values = np.zeros((window.height, window.width), np.uint8)
    if window.row % 4 == 0 and window.width == 8:
        write_block(group, window, values, values)
    else:
        with pytest.raises(ValueError, match="is not a chunk of 4 x 8 px"):
            write_block(group, window, values, values)
    with pytest.raises(ValueError, match="is not a chunk"):
        write_block(group, Window(0, 0, 4, 8), CRACK, CRACK)


# ---- lost and damaged chunks


def test_what_was_never_written_is_not_inspected(tmp_path: Path) -> None:
    group = create(tmp_path / "a.tif", size=(10, 8), chunk_shape=(5, 8))
    write_block(group, Window(0, 0, 5, 8), CRACK * 0, CRACK * 0)
    mask, probability = read_window(group, Window(0, 0, 10, 8))
    assert (mask[:5] == 0).all()
    assert (mask[5:] == NOT_INSPECTED).all()
    assert (probability[5:] == NOT_INSPECTED).all()


@pytest.mark.parametrize("value", [0, NOT_INSPECTED])
def test_chunks_of_one_value_are_written_too(tmp_path: Path, value: int) -> None:
    group = create(tmp_path / "a.tif")
    values = np.full((5, 8), value, np.uint8)
    write_block(group, Window(0, 0, 5, 8), values, values)
    assert (group / "mask/c/0/0").is_file()
    assert (group / "probability/c/0/0").is_file()


def test_a_flipped_bit_is_an_error_or_without_effect(tmp_path: Path) -> None:
    group = create(tmp_path / "a.tif", size=(16, 16))
    values = (np.random.default_rng(0).random((16, 16)) < 0.2).astype(np.uint8)
    window = Window(0, 0, 16, 16)
    write_block(group, window, values, values)
    chunk, array = group / "mask/c/0/0", zarr.open_array(group / "mask", mode="r")
    sound = chunk.read_bytes()
    caught = 0
    for bit in range(8 * len(sound)):
        damaged = bytearray(sound)
        damaged[bit // 8] ^= 1 << bit % 8
        chunk.write_bytes(damaged)
        try:
            assert np.array_equal(array[:], values)
        except (RuntimeError, ValueError):
            caught += 1
    assert caught > 0.98 * 8 * len(sound)
    chunk.write_bytes(sound[:-10])
    with pytest.raises((RuntimeError, ValueError)):
        read_window(group, window)


# ---- what readers see


def test_bytes_depend_on_the_arguments_only(tmp_path: Path) -> None:
    for name in ("one", "two"):
        group = create(tmp_path / name)
        write_block(group, Window(0, 0, 5, 8), CRACK, CRACK * 200)
    assert files(tmp_path / "one") == files(tmp_path / "two")


def test_xarray_opens_an_image(tmp_path: Path) -> None:
    group = create(tmp_path / "masks.zarr/lane1/a.tif")
    ensure_root(tmp_path / "masks.zarr", ["lane1/a.tif"], tmp_path / "group.partial")
    write_block(group, Window(0, 0, 5, 8), CRACK, CRACK * 200)
    options = {"group": "lane1/a.tif", "consolidated": False}
    for dataset in (
        xarray.open_zarr(group),
        xarray.open_dataset(tmp_path / "masks.zarr", engine="zarr", backend_kwargs=options),
    ):
        assert dataset.mask.dtype == np.uint8
        assert np.array_equal(dataset.mask, CRACK)
        assert np.array_equal(dataset.probability, CRACK * 200)
        assert dataset.mask.dims == ("y", "x")
        assert dataset.x.values[:2].tolist() == pytest.approx([500000.0005, 500000.0015])
        assert dataset.y.values[:2].tolist() == pytest.approx([5499999.9995, 5499999.9985])
        assert CRS.from_wkt(dataset.spatial_ref.attrs["crs_wkt"]) == CRS("EPSG:25832")
        assert dataset.mask.attrs["grid_mapping"] == "spatial_ref"
        assert dataset.mask.attrs["flag_meanings"] == "sound crack not_inspected"
        assert dataset.mask.attrs["flag_values"] == [0, 1, 255]
    one = xarray.open_zarr(group).isel(x=slice(2, 4), y=slice(2, 3)).mask
    assert one.values.tolist() == [[1, 1]]


@pytest.mark.parametrize("transform", [UTM_1_MM, ROTATED], ids=["north-up", "rotated"])
def test_the_place_stands_there_three_times(tmp_path: Path, transform: Affine) -> None:
    group = zarr.open_group(create(tmp_path / "a.tif", transform=transform), mode="r")
    gdal = [float(word) for word in str(group["spatial_ref"].attrs["GeoTransform"]).split()]
    assert Affine.from_gdal(*gdal) == transform
    for node in (group, group["mask"], group["probability"]):
        attributes = node.attrs.asdict()
        assert Affine(*attributes["spatial:transform"]) == transform  # type: ignore[misc]
        assert attributes["spatial:shape"] == [5, 8]
        assert attributes["spatial:dimensions"] == ["y", "x"]
        assert attributes["proj:code"] == "EPSG:25832"
        for wkt in (attributes["_CRS"]["wkt"], attributes["proj:wkt2"]):  # type: ignore[index,call-overload]
            assert CRS.from_wkt(str(wkt)) == CRS("EPSG:25832")
    assert [convention["name"] for convention in group.attrs["zarr_conventions"]] == ["proj", "spatial"]  # type: ignore
    corners = np.array([transform @ corner for corner in ((0, 0), (8, 0), (8, 5), (0, 5))])
    bbox = [*corners.min(axis=0), *corners.max(axis=0)]
    assert group.attrs["spatial:bbox"] == pytest.approx(bbox, abs=1e-9)


def test_a_rotated_image_has_no_coordinates_that_would_be_wrong(tmp_path: Path) -> None:
    dataset = xarray.open_zarr(create(tmp_path / "a.tif", transform=ROTATED))
    assert set(dataset.coords) == {"spatial_ref"}
    assert set(dataset.data_vars) == {"mask", "probability"}


@pytest.mark.parametrize(
    ("crs", "name", "units"),
    [
        ("EPSG:25832", "projection_x_coordinate", "metre"),
        ("EPSG:2263", "projection_x_coordinate", "US survey foot"),
        ("EPSG:4326", "longitude", "degrees_east"),
        ("EPSG:31467", "projection_x_coordinate", "metre"),
    ],
)
def test_coordinates_say_what_they_are(tmp_path: Path, crs: str, name: str, units: str) -> None:
    x = xarray.open_zarr(create(tmp_path / "a.tif", crs=crs)).x
    assert (x.attrs["standard_name"], x.attrs["axis"]) == (name, "X")
    assert str(x.attrs["units"]) in (units, "0.304800609601219 metre")


def test_classes_are_named(tmp_path: Path) -> None:
    dataset = xarray.open_zarr(create(tmp_path / "a.tif", classes=("alligator crack", "pothole")))
    assert dataset.mask.attrs["flag_values"] == [0, 1, 2, 255]
    assert dataset.mask.attrs["flag_meanings"] == "sound alligator_crack pothole not_inspected"


# ---- groups above the images


def test_ensure_root_links_the_images(tmp_path: Path) -> None:
    root = tmp_path / "masks.zarr"
    for name in ("a.tif", "lane1/deep/b.tif"):
        create(root / name)
    ensure_root(root, ["lane1/deep/b.tif", "a.tif"], tmp_path / "group.partial")
    first = files(tmp_path)
    ensure_root(root, ["a.tif", "lane1/deep/b.tif"], tmp_path / "group.partial")
    assert files(tmp_path) == first
    opened = zarr.open_group(root, mode="r")
    assert sorted(opened.group_keys()) == ["a.tif", "lane1"]
    assert opened["lane1/deep/b.tif/mask"].shape == (5, 8)


def test_ensure_root_repairs_a_torn_file(tmp_path: Path) -> None:
    root = tmp_path / "masks.zarr"
    root.mkdir()
    (root / "zarr.json").write_text('{"zarr_for')
    ensure_root(root, ["a.tif"], tmp_path / "group.partial")
    assert json.loads((root / "zarr.json").read_text())["node_type"] == "group"
    assert [path.name for path in tmp_path.rglob("*")] == ["masks.zarr", "zarr.json"]


def test_a_group_that_cannot_be_written_leaves_no_file_among_the_masks(tmp_path: Path) -> None:
    root = tmp_path / "masks.zarr"
    with pytest.raises(FileNotFoundError):
        ensure_root(root, ["lane1/a.tif"], tmp_path / "no folder" / "group.partial")
    assert [path for path in root.rglob("*") if path.is_file()] == []


def test_a_group_is_never_made_twice(tmp_path: Path) -> None:
    create(tmp_path / "a.tif")
    with pytest.raises(FileExistsError):
        create(tmp_path / "a.tif")
