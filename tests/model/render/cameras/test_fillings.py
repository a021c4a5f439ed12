"""What lies in cracks lies there alone, and the mask stays on them."""

import numpy as np
from scipy import ndimage

from crackpipe.model.render.cameras.fillings import FILLED, Filling, random_filling
from crackpipe.model.render.cameras.openings import Openings
from crackpipe.model.render.cameras.pairs import mask_of

TONE = 100.0


def drawn_crack() -> Openings:
    cover = np.zeros((120, 120), np.float32)
    cover[:, 58:62] = 1
    return Openings(cover, cover, np.zeros_like(cover))


def fillings(over: np.ndarray, count: int = 200) -> list[Filling]:
    drawn = drawn_crack()
    found = [random_filling(np.random.default_rng(seed), drawn, over, 1.0, TONE) for seed in range(count)]
    return [filling for filling in found if filling is not None]


def test_some_pictures_have_filled_cracks() -> None:
    nothing = np.zeros((120, 120), np.float32)
    assert abs(len(fillings(nothing)) / 200 - FILLED) < 0.1


def test_a_filling_lies_in_the_crack_and_close_beside_it_only() -> None:
    far = ndimage.distance_transform_edt(drawn_crack().cover == 0) > 30
    over = np.zeros((120, 120), np.float32)
    over[:60] = 1
    for filling in fillings(over):
        assert 0 <= filling.cover.min() <= filling.cover.max() <= 1
        assert filling.cover[far].max() < 0.01
        assert filling.cover[:60].max() == 0  # what lies above the crack hides it too


def test_most_fillings_are_brighter_than_the_road_and_some_are_as_bright() -> None:
    nothing = np.zeros((120, 120), np.float32)
    green = np.array([filling.rgb[1].mean() for filling in fillings(nothing)])
    assert np.mean(green > TONE) > 0.7
    assert green.min() > 0.7 * TONE
    assert green.max() < 230


def test_where_a_filling_looks_like_the_road_nobody_can_see_the_crack() -> None:
    drawn, nothing = drawn_crack(), np.zeros((120, 120), np.float32)
    road = np.full((120, 120), TONE, np.float32)
    open_crack = road * (1 - np.float32(0.7) * drawn.cover)
    half = np.zeros_like(road)
    half[:60] = 1
    sand = Filling(drawn.cover * half, (road * 1.5, road, road * 0.7))
    mask = mask_of(drawn, nothing, road, sand.over(open_crack, 1), 1.0)
    assert set(np.unique(mask[:40])) == {0, 127}
    assert np.all(mask[80:, 58:62] == 255)
    seen = mask_of(drawn, nothing, road, sand.over(open_crack, 0), 1.0)
    assert np.all(seen[:, 58:62] == 255)
