"""What weights must say of themselves before they are written."""

from pathlib import Path
from typing import Any

import pytest
import torch
from helpers import WEIGHTS_METADATA
from torch import nn

from crackpipe.model.networks.context_cracknet import ContextCrackNetLite
from crackpipe.model.weights.metadata import WeightsError
from crackpipe.model.weights.read import save


@pytest.mark.parametrize("key", WEIGHTS_METADATA)
def test_missing_metadata_is_named(tmp_path: Path, net: ContextCrackNetLite, key: str) -> None:
    with pytest.raises(WeightsError, match=key):
        save(tmp_path / "w.safetensors", net, {k: v for k, v in WEIGHTS_METADATA.items() if k != key})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("threshold", 0.0),
        ("threshold", 1.0),
        ("threshold", "0.5"),
        ("threshold", True),
        ("threshold", float("nan")),
        ("training_gsd_mm", -1.0),
        ("training_gsd_mm", 10**400),
        ("gsd_range_mm", [0.5]),
        ("gsd_range_mm", [6.0, 0.5]),
        ("gsd_range_mm", [0.0, 6.0]),
        ("contrast_c0", 256.0),
        ("classes", "crack"),
        ("classes", []),
        ("classes", ["a", "a"]),
        ("classes", ["a", "b"]),  # two classes want three channels
        ("mean", [1.0, 2.0]),
        ("std", [1.0, 0.0, 1.0]),
        ("licence", ""),
        ("metrics", 1.0),
        ("metrics", {"iou": float("nan")}),
        ("metrics", {"iou": object()}),
    ],
)
def test_impossible_metadata_is_refused(
    tmp_path: Path, net: ContextCrackNetLite, key: str, value: Any
) -> None:
    with pytest.raises(WeightsError, match=r"w\.safetensors"):
        save(tmp_path / "w.safetensors", net, WEIGHTS_METADATA | {key: value})


def test_values_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    broken = ContextCrackNetLite()
    with torch.no_grad():
        broken.get_parameter("head.1.weight").fill_(1e6)  # beyond fp16
    with pytest.raises(WeightsError, match=r"head\.1\.weight.*NaN or infinity"):
        save(tmp_path / "w.safetensors", broken, WEIGHTS_METADATA)


def test_other_networks_and_suffixes_are_refused(tmp_path: Path, net: ContextCrackNetLite) -> None:
    with pytest.raises(WeightsError, match="Linear"):
        save(tmp_path / "w.safetensors", nn.Linear(1, 1), WEIGHTS_METADATA)
    with pytest.raises(WeightsError, match=r"\.pth"):
        save(tmp_path / "w.pth", net, WEIGHTS_METADATA)
