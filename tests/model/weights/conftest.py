"""A network drawn at random, and a weights file of it."""

from pathlib import Path
from typing import Any

import pytest
import torch

from crackpipe.model.networks.context_cracknet import ContextCrackNetLite
from crackpipe.model.weights.read import save


@pytest.fixture
def described() -> dict[str, Any]:
    """What the file says of itself: no value that would stand there anyway."""
    return {
        "classes": ["crack"],
        "training_gsd_mm": 1.0,
        "threshold": 0.45,
        "contrast_c0": 58.5,
        "data": "drawn at random",
        "licence": "CC0-1.0",
        "metrics": {"iou": 0.5, "per_set": {"Ä": [0.1, None]}},
        "epochs": 3,
    }


@pytest.fixture(scope="session")
def net() -> ContextCrackNetLite:
    torch.manual_seed(1)
    return ContextCrackNetLite().eval()


@pytest.fixture
def path(tmp_path: Path, net: ContextCrackNetLite, described: dict[str, Any]) -> Path:
    save(tmp_path / "drawn.safetensors", net, described)
    return tmp_path / "drawn.safetensors"
