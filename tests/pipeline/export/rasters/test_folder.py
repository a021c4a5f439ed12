"""Masks as Cloud Optimized GeoTIFF, the VRT over them and the overview, read back by rasterio and
rio-cogeo."""

import csv
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine
from pyproj import CRS, Transformer
from rasters.drawn_masks import UTM, store_mask, with_a_line
from rio_cogeo.cogeo import cog_validate

from crackpipe.pipeline.errors import OutputDamagedError
from crackpipe.pipeline.export.rasters.folder import file_of, write_rasters
from crackpipe.pipeline.export.rasters.masks import StoredMask, north_up, stored_mask
from crackpipe.pipeline.export.rasters.overview import survey_overview
from crackpipe.pipeline.geometry.grid import Window

NORTH_UP = Affine(0.001, 0, 500_000, 0, -0.001, 5_400_000)
ASKEW = Affine.translation(500_002, 5_400_000) @ Affine.rotation(30) @ Affine.scale(0.001, -0.001)
DEGREES = Affine(1e-8, 0, 9.0, 0, -1e-8, 48.7)


def masks(folder: Path) -> list[StoredMask]:
    """One north up, one turned by 30 degrees, one long and askew, one in degrees."""
    drawn = {
        "lane1/a.tif": (with_a_line(1500, 1100), NORTH_UP, UTM),
        "lane1/b.tif": (with_a_line(700, 900), ASKEW, UTM),
        "strip": (with_a_line(1500, 60), ASKEW, UTM),
        "far.png": (with_a_line(300, 300), DEGREES, CRS.from_epsg(4258)),
    }
    return [
        stored_mask(name, store_mask(folder / name, mask, transform, crs))
        for name, (mask, transform, crs) in drawn.items()
    ]


@pytest.fixture(scope="module")
def cog(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("rasters")
    (folder / "scratch").mkdir()
    write_rasters(masks(folder / "masks.zarr"), UTM, folder / "cog", folder / "scratch")
    assert list((folder / "scratch").iterdir()) == []
    return folder / "cog"


def test_each_file_is_a_sound_cog_with_colours(cog: Path) -> None:
    files = sorted(cog.rglob("*.tif"))
    assert [file.relative_to(cog).as_posix() for file in files] == [
        "masks/far.png.tif", "masks/lane1/a.tif.tif", "masks/lane1/b.tif.tif", "masks/strip.tif",
        "survey.tif",
    ]  # fmt: skip
    for file in files:
        is_valid, errors, warnings = cog_validate(file, strict=True)
        assert (is_valid, errors, warnings) == (True, [], []), file
        with rasterio.open(file) as opened:
            assert opened.nodata == 255
            assert opened.colormap(1)[1] == (213, 94, 0, 255)
            assert opened.tags()["1"] == "crack"


def test_a_mask_that_lies_north_up_is_there_pixel_for_pixel(cog: Path) -> None:
    with rasterio.open(cog / "masks" / "lane1" / "a.tif.tif") as opened:
        np.testing.assert_array_equal(opened.read(1), with_a_line(1500, 1100))
        assert opened.transform == NORTH_UP
        assert opened.crs.to_epsg() == 25832


@pytest.mark.parametrize("level", [0, 1])
def test_a_crack_of_one_pixel_is_still_there_in_the_overviews(cog: Path, level: int) -> None:
    with rasterio.open(cog / "masks" / "lane1" / "a.tif.tif", overview_level=level) as opened:
        small = opened.read(1)
    assert (small == 1).any(axis=1).all()  # the line runs through every row
    assert (small == 255).sum() / small.size == pytest.approx(1 / 16, rel=0.02)


def test_a_turned_mask_has_each_pixel_where_it_lies_on_the_ground(tmp_path: Path) -> None:
    mask = masks(tmp_path)[1]
    stored = mask.read(Window(0, 0, mask.height_px, mask.width_px))
    turned = north_up(mask)
    assert turned is not None
    found = turned.read(Window(0, 0, turned.height_px, turned.width_px))
    for row, col in [(0, 0), (350, 450), (699, 899), (100, 850), (600, 20)]:
        x, y = mask.transform * (col + 0.5, row + 0.5)
        at_col, at_row = (~turned.transform) * (x, y)
        near = found[max(0, int(at_row) - 1) : int(at_row) + 2, max(0, int(at_col) - 1) : int(at_col) + 2]
        assert stored[row, col] in near
    for value in (0, 1, 255):  # areas are kept; 255 also fills the corners
        assert value == 255 or (found == value).sum() == pytest.approx((stored == value).sum(), rel=0.03)


def test_the_list_says_what_became_of_each_image(cog: Path) -> None:
    with (cog / "images.csv").open(newline="") as file:
        rows = {row["image_id"]: row for row in csv.DictReader(file)}
    assert {name: (row["turned"], row["in_vrt"]) for name, row in rows.items()} == {
        "lane1/a.tif": ("no", "yes"),
        "lane1/b.tif": ("yes", "yes"),
        "strip": ("no", "no"),
        "far.png": ("no", "no"),
    }
    assert "askew" in rows["strip"]["why_not"]
    assert "another CRS" in rows["far.png"]["why_not"]


def test_a_name_in_the_list_that_a_spreadsheet_would_run_gets_an_apostrophe(tmp_path: Path) -> None:
    (tmp_path / "scratch").mkdir()
    group = store_mask(tmp_path / "mask", with_a_line(60, 60), NORTH_UP)
    write_rasters([stored_mask("=1+1.tif", group)], UTM, tmp_path / "cog", tmp_path / "scratch")
    with (tmp_path / "cog" / "images.csv").open(newline="") as file:
        assert [row["image_id"] for row in csv.DictReader(file)] == ["'=1+1.tif"]
    assert (tmp_path / "cog" / "masks" / "=1+1.tif.tif").exists()


def test_images_whose_names_are_as_long_as_the_disk_takes_are_shortened(tmp_path: Path) -> None:
    (tmp_path / "scratch").mkdir()
    letters = "\u00e4" * 124  # two bytes each
    names = [f"lane1/{letters}{end}" for end in ("bcd", "abcd", "a.png", "b.png", "c.jpeg")]
    assert [len(os.fsencode(name.partition("/")[2])) for name in names] == [251, 252, 253, 253, 254]
    group = store_mask(tmp_path / "mask", with_a_line(60, 60), NORTH_UP)
    stored = [stored_mask(name, group) for name in names]
    write_rasters(stored, UTM, tmp_path / "cog", tmp_path / "scratch")
    with (tmp_path / "cog" / "images.csv").open(newline="") as file:
        files = {row["image_id"]: row["file"] for row in csv.DictReader(file)}
    assert files[names[0]] == f"masks/{names[0]}.tif"  # 255 bytes
    assert len({*files.values()}) == len(names)
    for name in names:
        assert files[name] == file_of(name)
        assert files[name].startswith(f"masks/lane1/{letters[:100]}")
        assert (tmp_path / "cog" / files[name]).is_file()


VRT_SCRIPT = """
import json, rasterio, sys
from rasterio.windows import from_bounds
with rasterio.open(sys.argv[1]) as vrt:
    with rasterio.open(sys.argv[2]) as part:
        window = from_bounds(*part.bounds, vrt.transform).round_offsets().round_lengths()
        same = (vrt.read(1, window=window) == part.read(1)).mean()
    print(json.dumps([vrt.crs.to_epsg(), vrt.nodata, same, vrt.colormap(1)[1], len(vrt.files)]))
"""


def test_the_vrt_shows_its_parts_where_they_lie_also_when_it_is_moved(cog: Path, tmp_path: Path) -> None:
    (tmp_path / "moved").symlink_to(cog, target_is_directory=True)
    plain = {name: value for name, value in os.environ.items() if not name.startswith("GDAL_")}
    vrt, part = tmp_path / "moved" / "masks.vrt", cog / "masks" / "lane1" / "a.tif.tif"
    seen: Any = subprocess.run(  # crackpipe's own processes never open a VRT
        [sys.executable, "-c", VRT_SCRIPT, str(vrt), str(part)],
        env=plain, capture_output=True, text=True, check=True,
    )  # fmt: skip
    epsg, nodata, same, colour, files = eval(seen.stdout.replace("null", "None"))
    assert (epsg, nodata, colour, files) == (25832, 255, [213, 94, 0, 255], 3)
    assert same == 1.0


def test_the_overview_holds_every_mask_and_no_more_than_its_size(tmp_path: Path) -> None:
    stored = masks(tmp_path)[:3]
    overview = survey_overview(stored, UTM, most_px=400)
    assert overview is not None
    assert 390 <= max(overview.height_px, overview.width_px) <= 400
    seen = overview.read(Window(0, 0, overview.height_px, overview.width_px))
    cell_m2 = overview.transform.a**2
    for mask in stored:
        pixels = mask.read(Window(0, 0, mask.height_px, mask.width_px))
        rows, cols = np.nonzero(pixels == 1)
        x, y = mask.transform * (cols + 0.5, rows + 0.5)
        at_col, at_row = (~overview.transform) * (x, y)
        near = [
            seen[np.floor(at_row + dr).astype(int), np.floor(at_col + dc).astype(int)] == 1
            for dr in (-0.5, 0, 0.5)
            for dc in (-0.5, 0, 0.5)
        ]
        assert np.any(near, axis=0).all(), mask.image_id  # no crack is lost
    inspected_m2 = sum(
        (mask.read(Window(0, 0, mask.height_px, mask.width_px)) != 255).sum() * 1e-6 for mask in stored
    )
    assert (seen != 255).sum() * cell_m2 == pytest.approx(inspected_m2, rel=0.06)


def test_a_mask_in_another_crs_lies_where_it_should_in_the_overview(tmp_path: Path) -> None:
    far = masks(tmp_path)[3]
    overview = survey_overview([far], UTM)
    assert overview is not None
    x, y = Transformer.from_crs(4258, 25832, always_xy=True).transform(9.0 + 150e-8, 48.7 - 150e-8)
    col, row = (~overview.transform) * (x, y)
    values = overview.read(Window(int(row) - 2, int(col) - 2, 5, 5))
    assert (values == 1).any()  # the middle of the line


def test_a_damaged_mask_is_named(tmp_path: Path) -> None:
    mask = masks(tmp_path)[0]
    chunk = mask.group / "mask" / "c" / "0" / "0"
    content = bytearray(chunk.read_bytes())
    content[len(content) // 2] ^= 0xFF
    chunk.write_bytes(content)
    with pytest.raises(OutputDamagedError, match=r"lane1/a.tif.*crackpipe verify"):
        mask.read(Window(0, 0, 10, 10))
    (mask.group / "zarr.json").write_text("{}")
    with pytest.raises(OutputDamagedError, match=r"zarr\.json"):
        stored_mask("a", mask.group)


def test_the_same_masks_give_the_same_bytes(cog: Path, tmp_path: Path) -> None:
    (tmp_path / "scratch").mkdir()
    write_rasters(masks(tmp_path / "masks.zarr"), UTM, tmp_path / "cog", tmp_path / "scratch")
    for file in sorted(cog.rglob("*.*")):
        assert (tmp_path / "cog" / file.relative_to(cog)).read_bytes() == file.read_bytes(), file
