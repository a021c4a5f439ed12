"""The names that others rely on can be imported as the documentation writes them, and lazily."""

import subprocess
import sys

import numpy as np
import pytest

LAZY = {"crackpipe.model.weights": "load", "crackpipe.model.predict": "Predictor"}


def test_the_networks_are_built_by_their_names() -> None:
    from crackpipe.model.context_cracknet import ContextCrackNet, ContextCrackNetLite

    full = ContextCrackNet(classes=1, rfem=True, cagm=True)
    lite = ContextCrackNetLite(classes=1)
    assert sum(parameter.numel() for parameter in full.parameters()) == 82_050_597
    assert sum(parameter.numel() for parameter in lite.parameters()) <= 10_000_000


def test_weights_load_by_a_name_or_a_path() -> None:
    from crackpipe.model.weights import load

    weights = load("lite")
    assert load(weights.path).sha256 == weights.sha256


def test_a_predictor_takes_tiles_and_gives_a_probability() -> None:
    from crackpipe.model.predict import Predictor

    predictor = Predictor(weights="lite", device="cpu", precision="auto", batch=8)
    probability = predictor.predict(np.zeros((1, 448, 448, 3), np.uint8))
    assert probability.shape == (1, 1, 448, 448)
    assert probability.dtype == np.uint8


@pytest.mark.parametrize(("room", "name"), LAZY.items())
def test_a_room_imports_torch_only_when_its_name_is_asked_for(room: str, name: str) -> None:
    program = (
        f"import sys, importlib; room = importlib.import_module({room!r}); before = 'torch' in sys.modules; "
        f"room.{name}; print(before, 'torch' in sys.modules)"
    )
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert told.stdout.split() == ["False", "True"]


@pytest.mark.parametrize("room", LAZY)
def test_another_name_of_a_room_is_an_error(room: str) -> None:
    import importlib

    with pytest.raises(AttributeError, match="nothing"):
        _ = importlib.import_module(room).nothing
