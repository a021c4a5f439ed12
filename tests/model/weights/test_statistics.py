"""Statistics of known pictures: from distance to familiarity, to JSON and back, and what is refused."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from crackpipe.model.weights.metadata import WeightsError
from crackpipe.model.weights.statistics import Statistics, digest_of, from_entry

HERE = Path("w.safetensors")


def drawn() -> Statistics:
    """Two features, of which the second counts double; two sets at 0 and at 10 of the first."""
    return Statistics(
        sets=("near", "far"),
        projection=np.array([[1, 0], [0, 2]], np.float32),
        centres=np.array([[0, 0], [10, 0]], np.float32),
        usual=1.0,
        strange=4.0,
    )


def off(statistics: Statistics, first: float, second: float) -> float:
    return statistics.distance(np.array([first, second], np.float32))


def test_the_nearest_set_counts() -> None:
    assert off(drawn(), 0, 0) == off(drawn(), 10, 0) == 0.0
    assert off(drawn(), 3, 0) == pytest.approx(3 / np.sqrt(2))
    assert off(drawn(), 9, 0) == pytest.approx(1 / np.sqrt(2))
    assert off(drawn(), 0, 1) == pytest.approx(2 / np.sqrt(2))


def test_familiarity_is_1_where_it_is_usual_and_half_where_it_is_strange() -> None:
    found = [drawn().familiarity(distance) for distance in (0.0, 0.5, 1.0, 2.0, 4.0, 16.0, 64.0)]
    assert found == pytest.approx([1, 1, 1, 0.5**0.5, 0.5, 0.25, 0.125])


def test_an_entry_is_read_back() -> None:
    entry = json.loads(json.dumps(drawn().as_entry()))
    again = from_entry(HERE, entry)
    assert again.sets == ("near", "far") and (again.usual, again.strange) == (1.0, 4.0)
    assert np.array_equal(again.projection, drawn().projection)
    assert np.array_equal(again.centres, drawn().centres)
    assert digest_of(again.as_entry()) == digest_of(entry)
    assert digest_of(entry | {"strange": 4.5}) != digest_of(entry)


@pytest.mark.parametrize(
    "changed",
    [
        {"usual": 0.0},
        {"usual": 4.0},
        {"strange": float("inf")},
        {"usual": "much"},
        {"sets": ["near"]},
        {"projection": {"shape": [2, 3], "float32": "AAAA"}},
        {"centres": {"shape": [2, 2], "float32": "AADAfwAAwH8AAMB/AADAfw=="}},
        {"centres": {"shape": [1 << 20, 2], "float32": ""}},
        {"centres": 3},
        {"sureness": [0.3, 0.6]},
        {"sureness": [0.6]},
        {"sureness": [2, 0.1]},
    ],
)
def test_nonsense_is_refused(changed: dict[str, Any]) -> None:
    with pytest.raises(
        WeightsError, match=r"w\.safetensors: its statistics .*`crackpipe weights familiarity"
    ):
        from_entry(HERE, drawn().as_entry() | changed)


def test_an_entry_without_sureness_is_as_it_was_and_one_with_it_is_read_back() -> None:
    assert "sureness" not in drawn().as_entry()  # so files made before keep their digest
    sure = replace(drawn(), sureness=(0.6, 0.3))
    assert from_entry(HERE, json.loads(json.dumps(sure.as_entry()))).sureness == (0.6, 0.3)
    assert digest_of(sure.as_entry()) != digest_of(drawn().as_entry())


def test_an_entry_that_lacks_something_is_refused() -> None:
    with pytest.raises(WeightsError, match="KeyError: 'centres'"):
        from_entry(HERE, {key: value for key, value in drawn().as_entry().items() if key != "centres"})
