"""Which tiles tell, and that they tell the same however an image is cut."""

import json

import numpy as np
import pytest

from crackpipe.pipeline.familiarity.places import Offer, offers, together
from crackpipe.pipeline.geometry.grid import Grid, Window

CORE_PX = 384


def offers_of(grid: Grid, inspected: np.ndarray) -> list[Offer]:
    """The offers of all blocks of an image, as its units make them."""
    whole = Window(0, 0, grid.height_px, grid.width_px)
    found = []
    for block in grid.blocks():
        inner = inspected[block.within(whole)]
        cores = [core for core in grid.cores(block) if inner[core.within(block)].any()]
        found += offers(grid, block, cores, inner)
    return found


def of_core(offer: Offer) -> float:
    """Stands for what the network says of a tile: another number for each place."""
    return (offer.core.row * 7 + offer.core.col * 3) % 1000 / 1000


def told(grid: Grid, inspected: np.ndarray) -> float | None:
    kept = [(*offer.cell, offer.order, of_core(offer)) for offer in offers_of(grid, inspected)]
    return together(json.loads(json.dumps(kept[::-1])))


def places(grid: Grid, inspected: np.ndarray) -> list[tuple[int, int]]:
    """(row, column) of the cores that are offered."""
    return [(o.core.row // CORE_PX, o.core.col // CORE_PX) for o in offers_of(grid, inspected)]


def test_two_tiles_of_a_frame_tell() -> None:
    grid = Grid(1080, 1920)
    assert places(grid, np.ones((1080, 1920), np.bool_)) == [(2, 1), (0, 0)]


def test_two_of_each_8_x_8_cores_of_a_long_image() -> None:
    grid = Grid(20 * CORE_PX, 3 * CORE_PX)
    rows = [row for row, _ in places(grid, np.ones((20 * CORE_PX, 3 * CORE_PX), np.bool_))]
    assert [sum(row // 8 == cell for row in rows) for cell in range(3)] == [2, 2, 2]


def test_a_tile_whose_middle_was_not_inspected_tells_only_if_no_other_can() -> None:
    grid = Grid(2 * CORE_PX, 2 * CORE_PX)
    inspected = np.ones((2 * CORE_PX, 2 * CORE_PX), np.bool_)
    assert places(grid, inspected) == [(0, 0), (1, 1)]
    inspected[200, 200] = False
    assert places(grid, inspected) == [(1, 1), (1, 0)]
    inspected[:, CORE_PX + 200 :] = False
    inspected[CORE_PX + 200] = False
    assert len(places(grid, inspected)) == 2  # half of the middles are lost, and two tell all the same


def test_an_image_without_an_inspected_pixel_has_none() -> None:
    assert told(Grid(500, 500), np.zeros((500, 500), np.bool_)) is None


@pytest.mark.parametrize("seed", range(6))
def test_an_image_has_one_number_however_it_is_cut(seed: int) -> None:
    rng = np.random.default_rng(seed)
    height_px, width_px = (int(side) for side in rng.integers(200, 6000, 2))
    inspected = np.ones((height_px, width_px), np.bool_)
    for _ in range(int(rng.integers(0, 4))):  # collars, masked vehicles, dead pixels
        row, col = int(rng.integers(height_px)), int(rng.integers(width_px))
        inspected[row : row + int(rng.integers(1, 2500)), col : col + int(rng.integers(1, 2500))] = False
    numbers = {told(Grid(height_px, width_px, block_cores=cores), inspected) for cores in (1, 2, 3, 8, 16)}
    assert len(numbers) == 1


def test_the_number_of_an_image_has_two_digits() -> None:
    assert together([[0, 0, 5, 0.12345], [0, 0, 9, 0.2], [0, 0, 70, 1.0]]) == 0.16
    assert together([]) is None
