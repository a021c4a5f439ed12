"""How sure a network is of what it responds to: by hand, and the same however a picture is cut."""

import numpy as np
import pytest

from crackpipe.model.weights.sureness import RESPONDS_FROM, familiarity, halving, response, sureness


def picture() -> np.ndarray:
    """50 x 100 px inspected and as many not: ten pixels of probability 1, ten of a half, others too weak."""
    probability = np.full((100, 100), 255, np.uint8)
    probability[:50] = RESPONDS_FROM - 1
    probability[0, :10] = 254
    probability[1, :10] = 127
    return probability


def test_only_what_responds_counts() -> None:
    assert response(picture()) == (20, 10 * 254 + 10 * 127)
    assert sureness([response(picture())], 5000) == 0.75


@pytest.mark.parametrize("step", [1, 7, 100])
def test_parts_tell_what_the_whole_tells(step: int) -> None:
    parts = [response(picture()[:, col : col + step]) for col in range(0, 100, step)]
    assert sureness(parts, 5000) == 0.75
    assert sureness(reversed(parts), 5000) == 0.75


def test_a_speck_tells_nothing() -> None:
    assert sureness([(20, 254)], 200_000) == pytest.approx(254 / 20 / 254)
    assert sureness([(20, 254)], 200_001) is None  # less than one in ten thousand
    assert sureness([(0, 0)], 1) is None
    assert sureness([], 0) is None


def test_familiarity_is_half_at_the_strange_sureness_and_a_quarter_as_far_below() -> None:
    assert [familiarity(sure, (0.6, 0.3)) for sure in (0.9, 0.6, 0.3, 0.15)] == pytest.approx(
        [1, 1, 0.5, 0.25]
    )
    assert halving(16, 1, 4) == 0.25
