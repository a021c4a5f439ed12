"""Weights files: what is written is read back, and other files are refused."""

import json
import random
from pathlib import Path
from typing import Any

import pytest
import torch
from helpers import WEIGHTS_METADATA

from crackpipe.model.networks.context_cracknet import ContextCrackNetLite
from crackpipe.model.weights import files
from crackpipe.model.weights import folder as weights_folder
from crackpipe.model.weights import read as weights_module
from crackpipe.model.weights.metadata import WeightsError
from crackpipe.model.weights.read import load, save


def test_module_wins_over_the_folder_of_the_same_name() -> None:
    assert weights_module.__file__ is not None
    assert weights_folder.FOLDER.is_dir()
    assert not (weights_folder.FOLDER / "__init__.py").exists()


def test_round_trip(path: Path, net: ContextCrackNetLite, described: dict[str, Any]) -> None:
    weights = load(path)
    assert weights.name == "drawn"
    assert weights.architecture == "context-cracknet-lite"
    assert weights.classes == ("crack",)
    assert weights.channels == 1
    assert (weights.rfem, weights.cagm) == (True, True)
    assert (weights.threshold, weights.contrast_c0) == (0.45, 58.5)
    assert weights.mean == (127.0, 127.0, 127.0)
    assert weights.metrics == described["metrics"]
    assert weights.extra == {"epochs": 3}
    built = weights.build()
    assert not built.training
    for name, tensor in net.state_dict().items():
        exact = tensor.ndim < 2
        tolerance = 0.0 if exact else 1e-3  # fp16 has 11 bits
        assert torch.allclose(built.state_dict()[name], tensor, rtol=tolerance, atol=1e-7), name


def test_metadata_is_readable_without_us(path: Path) -> None:
    import safetensors

    with safetensors.safe_open(path, "pt") as opened:
        assert json.loads(opened.metadata()["crackpipe"])["threshold"] == 0.45


def test_a_built_network_can_be_changed_without_changing_the_weights(path: Path) -> None:
    weights = load(path)
    with torch.no_grad():
        for parameter in weights.build().parameters():
            parameter.zero_()
    assert weights.build().state_dict()["head.1.weight"].abs().sum() > 0


@pytest.mark.parametrize("options", [{"rfem": False}, {"cagm": False}, {"classes": 4}])
def test_structure_is_read_back(tmp_path: Path, options: dict[str, Any]) -> None:
    names = ["alligator", "linear", "pothole"] if "classes" in options else ["crack"]
    save(tmp_path / "w.safetensors", ContextCrackNetLite(**options), WEIGHTS_METADATA | {"classes": names})
    weights = load(tmp_path / "w.safetensors")
    assert (weights.rfem, weights.cagm) == (options.get("rfem", True), options.get("cagm", True))
    assert weights.channels == options.get("classes", 1)
    weights.build()


def test_equal_weights_give_equal_bytes(
    path: Path, net: ContextCrackNetLite, described: dict[str, Any]
) -> None:
    again = path.with_name("again.safetensors")
    save(again, net, dict(reversed(described.items())))
    assert again.read_bytes() == path.read_bytes()


def test_a_lite_file_is_small(path: Path) -> None:
    assert path.stat().st_size < 12e6
    assert not list(path.parent.glob("*.partial"))


# ---- what is refused


def test_unknown_name_lists_what_there_is() -> None:
    with pytest.raises(WeightsError, match="no weights 'nonsense'"):
        load("nonsense")


@pytest.mark.parametrize("name", ["w.safetensors", "w.pth", "w.onnx"])
@pytest.mark.parametrize("content", [b"", b"\0" * 64, b"\xff" * 64, b"PK\x03\x04" + b"x" * 100, b"\x80\x02."])
def test_rubbish_is_refused(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(WeightsError, match=name):
        load(tmp_path / name)


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WeightsError):
        load(tmp_path)


def test_safetensors_of_others_are_refused(tmp_path: Path) -> None:
    import safetensors.torch

    safetensors.torch.save_file({"a": torch.zeros(1)}, tmp_path / "w.safetensors")
    with pytest.raises(WeightsError, match="not a crackpipe weights file"):
        load(tmp_path / "w.safetensors")


def test_damage_never_passes_for_another_error(path: Path) -> None:
    """Mutants of the header (where a parser can be hurt) load or raise WeightsError, nothing else."""
    content = bytearray(path.read_bytes())
    header_bytes = int.from_bytes(content[:8], "little")
    dice = random.Random(5)
    refused = 0
    for _ in range(30):
        mutant = content.copy()
        mutant[dice.randrange(8 + header_bytes)] = dice.randrange(256)
        try:
            files.from_safetensors(path, bytes(mutant))
        except WeightsError:
            refused += 1
    assert refused > 10
