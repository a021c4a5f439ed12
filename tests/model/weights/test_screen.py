"""Limits of `--screen` in the metadata of weights."""

from pathlib import Path
from typing import Any

import pytest
from helpers import WEIGHTS_METADATA

from crackpipe.model.networks.one_convolution import OneConvolution
from crackpipe.model.predict.resolve import facts_of
from crackpipe.model.weights import header
from crackpipe.model.weights.metadata import WeightsError
from crackpipe.model.weights.read import load, save
from crackpipe.model.weights.screen import Screen, from_entry

SCREEN = Screen(((0.98, -1.5), (0.995, -3.0)), ("dnit", "sut_crack"))


def test_the_next_higher_recall_counts() -> None:
    assert SCREEN.at_least(0.9) == SCREEN.at_least(0.98) == (0.98, -1.5)
    assert SCREEN.at_least(0.981) == (0.995, -3.0)
    assert SCREEN.at_least(0.996) is None


def test_a_file_carries_them_and_stays_the_same_network(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    save(path, OneConvolution(), WEIGHTS_METADATA)
    before = load(path)
    assert before.screen is None
    content = path.read_bytes()
    with_limits = header.metadata_of(content) | {header.SCREEN: SCREEN.as_entry()}
    path.write_bytes(header.with_metadata(content, with_limits))
    after = load(path)
    assert after.screen == facts_of(path).screen == SCREEN
    assert (after.network_sha256, after.sha256 == before.sha256) == (before.network_sha256, False)


@pytest.mark.parametrize(
    "entry",
    [
        {},
        {"limits": [], "cameras": []},
        {"limits": [[0.98]], "cameras": []},
        {"limits": [[0.98, "low"]], "cameras": []},
        {"limits": [[0.99, -1.0], [0.98, -2.0]], "cameras": []},
        {"limits": [[0.98, -2.0], [0.99, -1.0]], "cameras": []},
        {"limits": [[0.98, -2.0], [1.0, -3.0]], "cameras": []},
        {"limits": [[0.98, -2.0]], "cameras": [1]},
    ],
)
def test_what_makes_no_sense_is_refused(entry: dict[str, Any]) -> None:
    with pytest.raises(WeightsError, match=r"w\.safetensors: the limits of the screen .* make no sense"):
        from_entry(Path("w.safetensors"), entry)


@pytest.mark.parametrize("name", ["lite"])
def test_embedded_weights_hold_limits(name: str) -> None:
    held = facts_of(name).screen
    assert held is not None
    assert held == load(name).screen
    assert [recall for recall, _ in held.limits] == [0.95, 0.98, 0.99, 0.995, 0.999]
