"""Training tiles: labels travel with their pixels, and a number decides everything."""

from dataclasses import replace
from itertools import islice

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from crackpipe.model.data import augment
from crackpipe.model.data import tiles as tile_room
from crackpipe.model.data.pairs import Pair
from crackpipe.model.data.tiles import TileNumbers, TrainingTiles, draw_tile

STILL = augment.Odds(turn=0, tone=0, grey=0, saturation=0, shadow=0, noise=0, blur=0, jpeg=0)


def striped_pair(height: int, width: int, set_name: str = "roads") -> Pair:
    """A dark diagonal on a light road, whose label is exactly the dark pixels."""
    rows, cols = np.indices((height, width))
    label = (np.abs(rows - cols) < 4).astype(np.uint8)
    image = np.where(label[..., None] == 1, 80, 200).astype(np.uint8).repeat(3, axis=-1)
    return Pair(set_name, "1", image, label, np.argwhere(label).astype(np.int32))


def darkness(image: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """At least 0.4 of the way from the road (200) to the crack (80): where a resized label is crack."""
    return image.mean(axis=-1) <= 152


@pytest.mark.parametrize("turn", [0.0, 1.0])
def test_ignored_pixels_travel_with_their_photograph(turn: float) -> None:
    """A bright band that nobody inspected: whatever is done to the tile, no part of it is judged."""
    pair = striped_pair(500, 600)
    image, label = pair.image.copy(), pair.label.copy()
    image[200:240], label[200:240] = 255, 255
    pair = Pair("roads", "1", image, label, np.argwhere(label == 1).astype(np.int32))
    odds = augment.Odds(turn=turn, tone=0, grey=0, saturation=0, shadow=0, noise=0, blur=0, jpeg=0)
    ignored = 0
    for seed in range(8):
        tile, tile_label = draw_tile([pair], np.random.default_rng(seed), odds)
        assert set(np.unique(tile_label)) <= {0, 1, 255}
        # 200 is the road; a turn overshoots to some 205 beside a crack, far below half of the band's 255
        assert (tile_label[tile[..., 0] >= 230] == 255).all()
        ignored += int((tile_label == 255).sum())
    assert ignored > 0


@pytest.mark.parametrize("shape", [(133, 133), (141, 240), (360, 360), (320, 480), (900, 700)])
@pytest.mark.parametrize("turn", [0.0, 1.0])
def test_labels_stay_on_their_cracks(shape: tuple[int, int], turn: float) -> None:
    """Whatever the size, scale, mirror and angle: the label is where the dark pixels are."""
    pair = striped_pair(*shape)
    odds = augment.Odds(turn=turn, tone=0, grey=0, saturation=0, shadow=0, noise=0, blur=0, jpeg=0)
    for seed in range(6):
        image, label = draw_tile([pair], np.random.default_rng(seed), odds)
        assert image.shape == (448, 448, 3)
        assert label.shape == (448, 448)
        assert set(np.unique(label)) <= {0, 1}
        differing = darkness(image) != (label == 1)
        assert differing.sum() <= 0.15 * (label.sum() + 100)  # half-covered pixels along the edges
        assert image.min() >= 30  # no black corner of a turned tile (80, less the overshoot of bicubic)


def test_tile_depends_on_seed_and_number_only() -> None:
    pairs = [striped_pair(400, 500), striped_pair(150, 140, "small")]
    one, two = TrainingTiles(pairs, seed=5), TrainingTiles(pairs, seed=5)
    one[0]
    assert all((a == b).all() for a, b in zip(one[7], two[7], strict=True))
    assert not (one[7][0] == TrainingTiles(pairs, seed=6)[7][0]).all()
    image, label = one[3]
    assert image.shape == (3, 448, 448)
    assert label.shape == (448, 448)


def test_processes_share_the_tile_numbers() -> None:
    both = [list(islice(TileNumbers(100, rank, 2), 3)) for rank in range(2)]
    assert both == [[100, 102, 104], [101, 103, 105]]


def test_most_tiles_hold_a_crack() -> None:
    pair = striped_pair(2000, 2000)
    held = [draw_tile([pair], np.random.default_rng(seed), STILL)[1].any() for seed in range(60)]
    assert 0.6 < np.mean(held) < 1


def test_mirror_repeats_at_any_distance() -> None:
    line = np.arange(4, dtype=np.uint8)[None, :, None].repeat(3, axis=2)
    window = augment.reflected_window(line, 0, -5, 1, 15)
    assert window[0, :, 0].tolist() == [1, 2, 3, 2, 1, 0, 1, 2, 3, 2, 1, 0, 1, 2, 3]
    assert augment.reflected_window(line, 0, 1, 1, 2)[0, :, 0].tolist() == [1, 2]


def test_every_disturbance_keeps_shape_and_type() -> None:
    image = striped_pair(448, 448).image
    always = augment.Odds(turn=1, tone=1, grey=0, saturation=1, shadow=1, noise=1, blur=1, jpeg=1)
    for seed in range(5):
        out = augment.disturb(image, np.random.default_rng(seed), always)
        assert out.shape == image.shape
        assert out.dtype == np.uint8
        assert out.std() > 5
    grey = augment.disturb(image, np.random.default_rng(0), replace(STILL, grey=1))
    assert (grey[..., 0] == grey[..., 2]).all()


def test_rendered_roads_make_the_share_that_is_asked_for() -> None:
    none = np.zeros((0, 2), np.int32)
    pairs = [
        Pair(name, "a", np.full((448, 448, 3), grey, np.uint8), np.zeros((448, 448), np.uint8), none)
        for name, grey in (("deepcrack", 0), ("mine", 80), ("drawn", 160), ("more", 240))
    ]

    tiles = TrainingTiles(pairs, 1, STILL, rendered=("drawn", "more"), rendered_share=0.25)
    greys = [int(tiles[number][0][0, 0, 0]) for number in range(400)]
    assert 70 <= sum(grey >= 160 for grey in greys) <= 130  # 100 +- 3.5 deviations
    # sets of photographs keep their proportions, here 20 : 10
    assert 1.5 <= greys.count(0) / greys.count(80) <= 2.7


def test_small_scales_are_drawn_only_where_asked_for() -> None:
    pair = striped_pair(600, 600)
    usual = [draw_tile([pair], np.random.default_rng(seed), STILL) for seed in range(24)]
    same = [draw_tile([pair], np.random.default_rng(seed), STILL, (), 0.5) for seed in range(24)]
    assert all((a[0] == b[0]).all() and (a[1] == b[1]).all() for a, b in zip(usual, same, strict=True))
    small = [draw_tile([pair], np.random.default_rng(seed), STILL, (), 0.25) for seed in range(24)]
    assert not all((a[0] == b[0]).all() for a, b in zip(usual, small, strict=True))


@pytest.mark.parametrize(("width_px", "expected"), [(7, {0, 1, 255}), (1, {0, 255})])
def test_small_photographs_lie_side_by_side_and_no_crack_is_called_sound(
    width_px: int, expected: set[int]
) -> None:
    rows, cols = np.indices((600, 600))
    label = (np.abs(rows - cols) <= width_px // 2).astype(np.uint8)
    image = np.where(label[..., None] == 1, 80, 200).astype(np.uint8).repeat(3, axis=-1)
    pair = Pair("roads", "1", image, label, np.argwhere(label).astype(np.int32))
    tile, small = tile_room._draw_small([pair], np.random.default_rng(1), 0.25, STILL)
    assert tile.shape == (448, 448, 3)
    assert small.shape == (448, 448)
    assert set(np.unique(small)) <= expected
    assert (small[tile[..., 0] < 190] != 0).all()
    assert (small[tile[..., 0] >= 198] != 1).all()
    # three by three photographs: diagonals of a row of cells join at their corners, five remain
    assert ndimage.label(small != 0, np.ones((3, 3)))[1] == 5
