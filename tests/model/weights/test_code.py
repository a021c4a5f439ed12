"""Weights execute no code."""

import os
import pickle
import re
from pathlib import Path

import pytest
import torch

from crackpipe.model.weights import metadata
from crackpipe.model.weights.read import load


class _Touch:
    """Unpickling this makes a file."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.target),)


@pytest.mark.parametrize("how", ["torch zip", "torch legacy", "pickle", "renamed to safetensors"])
def test_weights_that_execute_code_are_refused(how: str, tmp_path: Path) -> None:
    trap = tmp_path / "executed"
    content = {"state_dict": {"head.weight": torch.zeros(1)}, "epoch": _Touch(trap)}
    path = tmp_path / ("weights.safetensors" if how.startswith("renamed") else "weights.pth")
    if how == "pickle":
        path.write_bytes(pickle.dumps(_Touch(trap)))
    else:
        torch.save(content, path, _use_new_zipfile_serialization=how != "torch legacy")
    with pytest.raises(metadata.WeightsError, match=re.escape(str(path))):
        load(str(path))
    assert not trap.exists()
    pickle.loads(pickle.dumps(_Touch(trap)))  # the trap works
    assert trap.exists()


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
def test_code_is_never_executed(tmp_path: Path) -> None:
    trap = tmp_path / "executed"
    torch.save({"state_dict": _Touch(trap)}, tmp_path / "w.pth")
    (tmp_path / "plain.pth").write_bytes(pickle.dumps(_Touch(trap)))
    for name in ("w.pth", "plain.pth"):
        with pytest.raises(metadata.WeightsError, match="never loaded"):
            load(tmp_path / name)
    assert not trap.exists()
