"""Cores and blocks partition the image; pixels have their true size on the ground, in every CRS."""

import math

import numpy as np
import pytest
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st
from pyproj import CRS, Transformer

from crackpipe.pipeline.geometry import grid
from crackpipe.pipeline.geometry.grid import Block, Grid, Window, plan_units
from crackpipe.pipeline.geometry.ground import (
    footprint_corners,
    ground_matrix,
    gsd_mm_of,
    length_m,
    width_scale_mm,
    world_of_pixel,
)

sizes = st.integers(1, 1500)


# ---- windows


def test_window_padded_clipped_and_cut_out() -> None:
    window = Window(10, 20, 30, 40)
    assert window.padded(5) == Window(5, 15, 40, 50)
    assert (window.row_stop, window.col_stop) == (40, 60)
    assert Window(-5, -5, 10, 10).clipped(3, 100) == Window(0, 0, 3, 5)
    assert Window(50, 50, 10, 10).clipped(20, 20) == Window(20, 20, 0, 0)
    outer = np.arange(50 * 60).reshape(50, 60)
    assert np.array_equal(outer[window.within(Window(0, 0, 50, 60))], outer[10:40, 20:60])


def test_windows_share_their_overlap() -> None:
    one, other = Window(0, 10, 30, 20), Window(20, 0, 30, 15)
    assert one.shared_with(other) == other.shared_with(one) == Window(20, 10, 10, 5)
    assert one.shared_with(Window(5, 12, 3, 3)) == Window(5, 12, 3, 3)


def test_bounding_window_holds_interpolation_neighbours() -> None:
    assert grid.bounding_window(np.array([[1.2, 3.0], [4.0, 5.5]])) == Window(1, 3, 4, 4)


# ---- cores, blocks, units


@given(sizes, sizes, st.integers(0, 192), st.integers(1, 4))
def test_every_pixel_is_in_exactly_one_core(height: int, width: int, halo: int, block_cores: int) -> None:
    cut = Grid(height, width, halo, block_cores)
    seen = np.zeros((height, width), int)
    for block in cut.blocks():
        cores = cut.cores(block)
        assert len(cores) == cut.tile_count(block)
        for core in cores:
            seen[core.row : core.row_stop, core.col : core.col_stop] += 1
    assert (seen == 1).all()


@given(sizes, sizes, st.integers(1, 5))
def test_cores_do_not_depend_on_the_block_size(height: int, width: int, block_cores: int) -> None:
    def cores(cut: Grid) -> set[Window]:
        return {core for block in cut.blocks() for core in cut.cores(block)}

    assert cores(Grid(height, width, 32, block_cores)) == cores(Grid(height, width, 32, 8))


def test_blocks_lie_on_zarr_chunks() -> None:
    cut = Grid(7000, 4000)
    assert cut.chunk_shape == (3072, 3072)
    assert [(b.row, b.col) for b in cut.blocks()] == [(r, c) for r in (0, 3072, 6144) for c in (0, 3072)]
    assert Grid(100, 5000).chunk_shape == (100, 3072)


def test_tile_is_the_core_with_its_halo() -> None:
    cut = Grid(1000, 1000, 32)
    assert cut.core_px == 384
    assert cut.tile(Window(384, 768, 384, 232)) == Window(352, 736, 448, 448)


@pytest.mark.parametrize(("halo", "block_cores"), [(-1, 8), (224, 8), (32, 0)])
def test_impossible_grids_are_refused(halo: int, block_cores: int) -> None:
    with pytest.raises(ValueError, match="must be"):
        Grid(10, 10, halo, block_cores)


def test_units_hold_whole_blocks_up_to_a_number_of_tiles() -> None:
    small, large = Grid(300, 300), Grid(3072, 6144)
    units = plan_units([("a", small), ("b", small), ("c", large), ("d", small)], 64)
    assert [[block.image_id for block in unit] for unit in units] == [["a", "b"], ["c"], ["c"], ["d"]]
    assert sum(block.tiles for unit in units for block in unit) == 1 + 1 + 128 + 1
    assert units[1] == (Block("c", Window(0, 0, 3072, 3072), 64),)
    assert plan_units([], 64) == []


# ---- pixels on the ground


def test_world_of_pixel_counts_from_pixel_centres() -> None:
    transform = Affine(2, 0, 100, 0, -2, 50)
    assert world_of_pixel(transform, np.array([[0.0, 0.0], [3.0, 1.0]])).tolist() == [
        [101, 49],
        [103, 43],
    ]
    assert footprint_corners(transform, 10, 20).tolist() == [[100, 50], [140, 50], [140, 30], [100, 30]]


def _image_of_known_gsd(crs: CRS, rotation_deg: float = 0.0, gsd_m: float = 0.001) -> Affine:
    """A transform whose pixels have 1 mm on the ground at 48.1 N 11.5 E (or in the CRS's own area)."""
    area = crs.area_of_use
    lon, lat = (area.west + area.east) / 2, (area.south + area.north) / 2
    if area.west <= 11.5 <= area.east and area.south <= 48.1 <= area.north:
        lon, lat = 11.5, 48.1
    geod = crs.get_geod()
    to_crs = Transformer.from_crs(CRS(4326), crs, always_xy=True)
    x, y = to_crs.transform(lon, lat)
    here = Transformer.from_crs(crs, crs.geodetic_crs, always_xy=True).transform(x, y)
    degrees = math.degrees(crs.geodetic_crs.axis_info[0].unit_conversion_factor)
    columns = []
    for azimuth in (90 + rotation_deg, 180 + rotation_deg):
        reach = 0.25
        there = np.array(geod.fwd(here[0] * degrees, here[1] * degrees, azimuth, reach)[:2]) / degrees
        end = Transformer.from_crs(crs.geodetic_crs, crs, always_xy=True).transform(*there)
        columns.append((np.array(end) - (x, y)) / reach * gsd_m)
    (a, d), (b, e) = columns
    return Affine(a, b, x, d, e, y)


@pytest.mark.parametrize("rotation_deg", [0.0, 33.0])
@pytest.mark.parametrize("epsg", [25832, 4326, 3857, 2263, 3089, 27700, 31467, 27572, 2053, 2193])
def test_ground_matrix_is_true_to_1e_5_in_every_crs(epsg: int, rotation_deg: float) -> None:
    # metres, degrees, Web Mercator, US feet (two), GK with northing first, grads, south-oriented
    crs = CRS(epsg)
    transform = _image_of_known_gsd(crs, rotation_deg)
    ground = ground_matrix(transform, crs, 1000, 1000)
    assert gsd_mm_of(ground) == pytest.approx(1.0, rel=1e-5)
    diagonal = np.array([[0.0, 0.0], [999.0, 999.0]])
    assert length_m(diagonal, ground) == pytest.approx(0.999 * math.sqrt(2), rel=1e-5)


def test_ground_matrix_of_a_north_up_image() -> None:
    ground = ground_matrix(Affine(0.001, 0, 5e5, 0, -0.001, 5.5e6), CRS(25832), 100, 100)
    # UTM shortens by 0.9996 at its central meridian; a step down the rows goes south
    assert ground == pytest.approx(np.array([[0, 1], [-1, 0]]) * 0.001 / 0.9996, abs=1e-8)


@pytest.mark.parametrize(
    ("epsg", "transform"),
    [
        (4326, Affine(0.001, 0, 500000, 0, -0.001, 5500000)),  # metres, but the CRS says degrees
        (25832, Affine(0.001, 0, 1e12, 0, -0.001, 5.5e6)),
    ],
)
def test_images_outside_their_crs_are_refused(epsg: int, transform: Affine) -> None:
    with pytest.raises(ValueError, match="CRS"):
        ground_matrix(transform, CRS(epsg), 100, 100)


def test_width_scale_of_oblong_pixels() -> None:
    ground = np.array([[0.0, 0.002], [-0.001, 0.0]])  # 2 mm east per column, 1 mm south per row
    along_rows, along_cols = np.array([[1.0, 0.0]]), np.array([[0.0, 5.0]])
    assert width_scale_mm(along_rows, ground) == pytest.approx([2.0])
    assert width_scale_mm(along_cols, ground) == pytest.approx([1.0])


def test_cells_under_a_window() -> None:
    assert list(Window(9, 10, 2, 10).cells(10, 10)) == [(0, 1), (1, 1)]
    assert list(Window(10, 19, 10, 2).cells(10, 10)) == [(1, 1), (1, 2)]
