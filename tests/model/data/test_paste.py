"""Real cracks on other road, small enough to check by eye."""

import numpy as np
import pytest
from numpy.typing import NDArray

from crackpipe.model.data import augment
from crackpipe.model.data.pairs import Pair
from crackpipe.model.data.paste import paste_crack
from crackpipe.model.data.tiles import TrainingTiles, draw_tile

ROAD, CRACK_COL = 200, 30


def cracked_road(size_px: int = 60) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Grey 200 with a vertical crack of 3 px, half as bright."""
    image = np.full((size_px, size_px, 3), ROAD, np.uint8)
    crack = np.zeros((size_px, size_px), bool)
    crack[:, CRACK_COL : CRACK_COL + 3] = True
    image[crack] = ROAD // 2
    return image, crack


@pytest.mark.parametrize("grey", [40, 80, 250])
def test_a_crack_darkens_by_the_share_that_it_darkened_its_own_road(grey: int) -> None:
    source, crack = cracked_road()
    target = np.full((60, 60, 3), grey, np.uint8)
    image, labels = paste_crack(target, np.zeros((60, 60), np.uint8), source, crack)
    assert (labels == crack).all()
    assert (image[crack] == grey // 2).all()
    far = np.ones(60, bool)
    far[CRACK_COL - 2 : CRACK_COL + 5] = False
    assert (image[:, far] == grey).all()


def test_a_colour_cast_stays_behind() -> None:
    source, crack = cracked_road()
    source[..., 2] //= 2
    target = np.full((60, 60, 3), 100, np.uint8)
    image, _ = paste_crack(target, np.zeros((60, 60), np.uint8), source, crack)
    assert (image[crack] == 50).all()


def test_bright_grains_in_a_crack_do_not_lighten() -> None:
    source, crack = cracked_road()
    source[20:24, CRACK_COL] = 255
    target = np.full((60, 60, 3), 100, np.uint8)
    image, _ = paste_crack(target, np.zeros((60, 60), np.uint8), source, crack)
    assert image.max() == 100


def test_what_nobody_inspected_stays_unjudged() -> None:
    source, crack = cracked_road()
    labels = np.zeros((60, 60), np.uint8)
    labels[:10] = 255
    _, changed = paste_crack(np.full((60, 60, 3), 100, np.uint8), labels, source, crack)
    assert (changed[:10] == 255).all()
    assert (changed[10:] == crack[10:]).all()


def test_without_a_crack_nothing_changes() -> None:
    source, crack = cracked_road()
    image, labels = paste_crack(source, crack.astype(np.uint8), source, ~crack & crack)
    assert (image == source).all()
    assert (labels == crack).all()


def roads() -> tuple[Pair, Pair]:
    """A photograph with a crack, and one without."""
    source, crack = cracked_road(500)
    label = crack.astype(np.uint8)
    free = np.random.default_rng(0).integers(110, 130, (500, 500, 1), np.uint8).repeat(3, axis=-1)
    none = np.zeros((0, 2), np.int32)
    return (
        Pair("one", "a", source, label, np.argwhere(label == 1).astype(np.int32)),
        Pair("none", "b", free, label * 0, none),
    )


def test_crack_free_tiles_get_the_share_of_cracks_that_is_asked_for() -> None:
    cracked, free = roads()
    pasted = {}
    for share in (0.0, 0.4, 1.0):
        odds = augment.Odds(paste=share, tone=0, grey=0, saturation=0, shadow=0, noise=0, blur=0, jpeg=0)
        tiles = [draw_tile([free], np.random.default_rng(seed), odds, [cracked]) for seed in range(20)]
        pasted[share] = sum((label == 1).any() for _, label in tiles)
        for image, label in tiles:
            if (label == 1).any():
                assert image[label == 1].mean() < 0.7 * image[label == 0].mean()
    assert pasted[0.0] == 0
    assert 3 <= pasted[0.4] <= 14
    assert pasted[1.0] == 20


def test_pasted_tiles_depend_on_seed_and_number_only() -> None:
    cracked, free = roads()
    one, two = (TrainingTiles([cracked, free], 3, augment.Odds(paste=1.0), rendered=()) for _ in range(2))
    for number in (0, 5):
        for a, b in zip(one[number], two[number], strict=True):
            assert (a == b).all()
    # a rendered crack is not a real one: nothing to paste
    none = TrainingTiles([cracked, free], 3, augment.Odds(paste=1.0), rendered=("one",))
    assert any((one[n][1] != none[n][1]).any() for n in range(8))
