"""Checkpoints of PyTorch: which are understood, and which are refused."""

import io
import random
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch

from crackpipe.model.networks.context_cracknet import ContextCrackNetLite, ContextCrackNetLite1
from crackpipe.model.weights.metadata import WeightsError
from crackpipe.model.weights.read import Weights, load

pytestmark = pytest.mark.filterwarnings("ignore:Detected pickle protocol")


def same(weights: Weights, net: ContextCrackNetLite) -> None:
    assert weights.architecture == "context-cracknet-lite"
    assert weights.licence.startswith("unknown")
    for name, tensor in weights.build().state_dict().items():
        assert torch.equal(tensor, net.state_dict()[name])


def test_a_bare_state_dict(tmp_path: Path, net: ContextCrackNetLite) -> None:
    torch.save(net.state_dict(), tmp_path / "w.pth")
    same(load(tmp_path / "w.pth"), net)


def test_the_deeper_encoder_is_told_by_its_tensors(tmp_path: Path) -> None:
    torch.save(ContextCrackNetLite1().state_dict(), tmp_path / "w.pth")
    assert load(tmp_path / "w.pth").architecture == "context-cracknet-lite1"


def test_a_state_dict_inside(tmp_path: Path, net: ContextCrackNetLite) -> None:
    torch.save({"epoch": 3, "state_dict": net.state_dict()}, tmp_path / "w.pt")
    same(load(tmp_path / "w.pt"), net)


@pytest.mark.parametrize("content", [{"a": torch.zeros(1)}, [1], {"state_dict": {"a": 1}}, {"a": 1}])
def test_something_else_inside(tmp_path: Path, content: Any) -> None:
    torch.save(content, tmp_path / "w.pth")
    with pytest.raises(WeightsError, match=r"w\.pth"):
        load(tmp_path / "w.pth")


def test_a_tensor_that_claims_a_terabyte(tmp_path: Path, net: ContextCrackNetLite) -> None:
    tensors = dict(net.state_dict())
    tensors["head.1.bias"] = torch.zeros(1).expand(2**38)
    torch.save(tensors, tmp_path / "w.pth")
    with pytest.raises(WeightsError, match=r"head\.1\.bias"):
        load(tmp_path / "w.pth")


def test_damage_never_passes_for_another_error(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    torch.save({"head.weight": torch.zeros(1, 64, 1, 1)}, buffer)
    dice = random.Random(6)
    path = tmp_path / "w.pth"
    for _ in range(60):
        mutant = bytearray(buffer.getvalue())
        for _ in range(dice.randrange(1, 6)):
            mutant[dice.randrange(len(mutant))] = dice.randrange(256)
        with pytest.raises(WeightsError):
            path.write_bytes(mutant)
            load(path)


def test_damage_inside_the_pickle(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    torch.save({"head.weight": torch.zeros(1, 64, 1, 1)}, buffer)
    with zipfile.ZipFile(buffer) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    pickled = next(name for name in parts if name.endswith("data.pkl"))
    dice = random.Random(7)
    path = tmp_path / "w.pth"
    for _ in range(60):
        mutant = bytearray(parts[pickled])
        mutant[dice.randrange(len(mutant))] = dice.randrange(256)
        with zipfile.ZipFile(path, "w") as archive:
            for name, content in (parts | {pickled: bytes(mutant)}).items():
                archive.writestr(name, content)
        with pytest.raises(WeightsError):
            load(path)
