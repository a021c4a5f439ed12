"""Cracks in the picture: as wide as on the ground, and the mask on them."""

import numpy as np
import pytest
from scipy import ndimage

from crackpipe.model.render.cameras import openings
from crackpipe.model.render.cameras.view import Ground, View
from crackpipe.model.render.cameras.ways import Way

PLAN = Ground(View(240, gsd_mm=1.0, far=1.001, stretch=1.0, heading=0.0))
OBLIQUE = Ground(View(240, gsd_mm=2.0, far=1.8, stretch=2.0, heading=0.1))


def slanting(width_mm: float, ground: Ground) -> Way:
    """A straight crack through the whole picture, a little off the direction of the road."""
    along = np.arange(-100.0, ground.view.ahead_mm + 100, ground.view.gsd_mm)
    return Way(np.stack([along, 0.2 * (along - along.mean())], axis=1), np.full(len(along), width_mm))


@pytest.mark.parametrize("width_mm", [0.3, 1.0, 4.0, 12.0])
def test_the_area_of_a_crack_is_its_length_times_its_width(width_mm: float) -> None:
    drawn = openings.draw(np.random.default_rng(3), PLAN, [slanting(width_mm, PLAN)])
    rows = drawn.cover[20:220].sum(axis=1)
    # across a row, a band that leans by 0.2 is wider by the hypotenuse
    assert rows.mean() / np.hypot(1, 0.2) == pytest.approx(width_mm, rel=0.25, abs=0.05)


def test_edges_are_ragged_each_for_itself() -> None:
    drawn = openings.draw(np.random.default_rng(3), PLAN, [slanting(10.0, PLAN)])
    inside = drawn.cover >= 0.5
    lean = 0.2 * np.arange(200)
    left = np.array([np.flatnonzero(row)[0] for row in inside[20:220]]) + lean
    right = np.array([np.flatnonzero(row)[-1] for row in inside[20:220]]) + lean
    assert left.std() > 0.3
    assert right.std() > 0.3
    assert abs(np.corrcoef(left, right)[0, 1]) < 0.5


@pytest.mark.parametrize("ground", [PLAN, OBLIQUE])
@pytest.mark.parametrize("width_mm", [1.0, 3.0, 9.0])
def test_the_mask_lies_on_the_darkness(ground: Ground, width_mm: float) -> None:
    rng = np.random.default_rng(5)
    drawn = openings.draw(rng, ground, [slanting(width_mm, ground)])
    nothing = np.zeros_like(drawn.cover)
    dark = 1 - openings.darken(rng, drawn, nothing, ground.view.gsd_mm)
    mask = (drawn.mask >= 0.5).astype(float)
    rows = np.flatnonzero(
        mask.any(axis=1) & ~mask[:, [0, -1]].any(axis=1)
    )  # where it does not leave the picture
    columns = np.arange(240)
    assert len(rows) > 100
    middle = [(layer[rows] * columns).sum(axis=1) / layer[rows].sum(axis=1) for layer in (mask, dark * mask)]
    assert abs(np.mean(middle[0] - middle[1])) < 0.25
    core = dark > 0.5 * np.percentile(dark[dark > 0], 95)
    assert np.mean(ndimage.binary_dilation(mask > 0)[core]) > 0.98


def test_the_mask_of_the_thinnest_crack_is_one_piece() -> None:
    drawn = openings.draw(np.random.default_rng(3), PLAN, [slanting(0.3, PLAN)])
    _, pieces = ndimage.label(drawn.mask >= 0.5, np.ones((3, 3)))
    assert pieces == 1


def test_what_lies_above_a_crack_hides_it() -> None:
    rng = np.random.default_rng(5)
    drawn = openings.draw(rng, PLAN, [slanting(5.0, PLAN)])
    over = np.zeros_like(drawn.cover)
    over[:120] = 1
    factor = openings.darken(rng, drawn, over, 1.0)
    assert np.abs(factor[:100] - 1).max() < 0.02
    assert factor[140:].min() < 0.7
