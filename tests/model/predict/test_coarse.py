"""The coarse look: what it costs, when it is taken, and what it adds to the close one."""

from typing import NamedTuple

import numpy as np
import pytest

from crackpipe.model.predict import coarse


class Weights(NamedTuple):
    coarse_shift: float | None = -2.57
    gsd_range_mm: tuple[float, float] | None = (0.5, 6.0)


@pytest.mark.parametrize(
    ("gsd_mm", "weights", "shift"),
    [
        (1.0, Weights(), -2.57),
        (1.68, Weights(), -2.57),  # 4 x 384 + 64 px become 448, so this is 6 mm/px
        (1.681, Weights(), None),
        (1.0, Weights(coarse_shift=None), None),
        (1.0, Weights(gsd_range_mm=None), None),
    ],
)
def test_it_is_taken_where_the_weights_know_pavement_so_coarse(
    gsd_mm: float, weights: Weights, shift: float | None
) -> None:
    assert coarse.shift_at(gsd_mm, 32, weights) == shift


def test_a_look_is_a_tile_and_comes_back_in_place() -> None:
    side = coarse.side_px(384, 32)
    pavement = np.full((side, side, 3), 200, np.uint8)
    pavement[800:816] = 20  # a crack of 16 px
    tile = coarse.shrunk(pavement)
    assert tile.shape == (448, 448, 3)
    dark = np.uint8(254) * (tile[..., 0] < 100)
    again = coarse.enlarged(dark, side, 0.0)
    rows = np.flatnonzero(again[:, 700] > 127)
    assert rows.mean() == pytest.approx(807.5, abs=1.0)
    assert 12 <= len(rows) <= 20


def test_the_logit_is_lowered() -> None:
    """0.65 becomes 0.124 by -2.57: log(.124 / .876) - log(.65 / .35)."""
    sure = np.full((448, 448), round(254 * 0.65), np.uint8)
    assert coarse.enlarged(sure, 448, -2.57)[0, 0] == pytest.approx(254 * 0.124, abs=1)
    levels = np.resize(np.arange(255, dtype=np.uint8), (448, 448))
    lowered = coarse.enlarged(levels, 448, -2.57)
    assert (np.diff(lowered[0, :255].astype(int)) >= 0).all()
    assert (lowered[0, 0], lowered[0, 254]) == (0, 254)


def test_what_is_no_number_finds_nothing() -> None:
    found = np.zeros((448, 448), np.uint8)
    found[100:200] = 255
    assert not coarse.enlarged(found, 1600, -2.57).any()


def test_it_has_a_say_only_far_from_what_the_close_look_found() -> None:
    close = np.zeros((40, 40), np.uint8)
    close[:, 5], close[0] = 100, 255  # found, and not inspected
    found = np.full((40, 40), 60, np.uint8)
    coarse.join(close, found)
    assert (close[0] == 255).all()
    assert (close[1:, :14] == np.where(np.arange(14) == 5, 100, 0)).all()  # up to 8 px off
    assert (close[1:, 14:] == 60).all()


def test_what_is_hardly_probable_is_not_added() -> None:
    close = np.zeros((40, 40), np.uint8)
    coarse.join(close, np.full((40, 40), 24, np.uint8))
    assert not close.any()
