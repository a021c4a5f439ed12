"""The change of a width, and how sure it is: what is stated is what comes out of many draws."""

import numpy as np
import pytest
from numpy.typing import NDArray

from crackpipe.pipeline.compare.stretches.widths import SURE, Sided, changes, of_rows

Floats = NDArray[np.float64]
COUNT = 4000


def sided(width: Floats, own: float, shared: float) -> Sided:
    nothing = np.zeros(len(width))
    return Sided(
        width_mm=width,
        own_mm=own * width,
        shared_mm=shared * width,
        cut_mm=nothing,
        doubtful=np.zeros(len(width), np.bool_),
    )


def years(rng: np.random.Generator, own: float, shared: float, light: float = 0.0) -> tuple[Sided, Sided]:
    """Unchanged cracks as one camera sees them: the shared error is the same in both years."""
    true = np.exp(rng.normal(0.5, 0.4, COUNT)) * np.exp(rng.normal(0, shared, COUNT))
    first, second = (true * np.exp(rng.normal(0, own, COUNT)) for _ in range(2))
    return sided(first, own, shared), sided(second * np.exp(light), own, shared)


@pytest.mark.parametrize("light", [0.0, 0.1, -0.1])
def test_of_unchanged_cracks_a_fortieth_seems_wider(light: float) -> None:
    older, newer = years(np.random.default_rng(1), own=0.1, shared=0.3, light=light)
    found = changes(older, newer, one_camera=True)
    assert found.shift == pytest.approx(light, abs=0.01)
    assert np.mean(found.sure > SURE) == pytest.approx(0.025, abs=0.01)
    assert np.mean(found.sure < -SURE) == pytest.approx(0.025, abs=0.012)


def test_only_so_much_of_a_common_shift_is_light() -> None:
    older, newer = years(np.random.default_rng(2), own=0.05, shared=0.1, light=0.4)
    found = changes(older, newer, one_camera=True)
    assert (found.shift_used, found.shift) == (0.15, pytest.approx(0.4, abs=0.01))
    assert np.mean(found.sure > SURE) > 0.8


def test_stated_deviations_that_are_too_small_are_raised() -> None:
    older, newer = years(np.random.default_rng(3), own=0.2, shared=0.0)
    half = [sided(each.width_mm, 0.1, 0.0) for each in (older, newer)]
    found = changes(*half, one_camera=True)
    assert found.scale == pytest.approx(2.0, rel=0.1)
    assert np.mean(found.sure > SURE) < 0.05


def test_a_growth_of_a_half_is_seen_by_one_camera_and_not_by_two() -> None:
    rng = np.random.default_rng(4)
    older, newer = years(rng, own=0.1, shared=0.3)
    grown = newer.width_mm.copy()
    grown[:200] *= 1.5
    newer = sided(grown, 0.1, 0.3)
    one, two = (changes(older, newer, one_camera=each) for each in (True, False))
    assert np.mean(one.sure[:200] > SURE) > 0.7
    assert np.mean(two.sure[:200] > SURE) < 0.4


def test_the_parts_of_a_deviation_add_up_in_squares() -> None:
    width, sigma = np.array([2.0, 2.0, np.nan]), np.array([0.5, 0.1, np.nan])
    own, shared, spread = of_rows(width, sigma, np.full(3, np.nan), np.array([2.0, np.nan, np.nan]), 0.11)
    assert np.hypot(own, shared)[:2] == pytest.approx(sigma[:2])
    assert shared[:2] == pytest.approx([0.22, 0.1])
    assert spread[:2] == pytest.approx([0.0, 0.5])
    own, shared, _ = of_rows(width, sigma, np.array([0.3, 0.05, np.nan]), width, 0.11)
    assert own[:2] == pytest.approx([0.3, 0.05])
    assert np.hypot(own, shared)[:2] == pytest.approx(sigma[:2])
