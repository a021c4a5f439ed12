"""What benchmarks/accuracy/familiarity.py holds against what is found."""

from dataclasses import replace
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
from helpers import WEIGHTS_METADATA
from paths import benchmark

from crackpipe.model.data.pairs import Pair
from crackpipe.model.networks.one_convolution import OneConvolution
from crackpipe.model.predict.predictor import Predictor
from crackpipe.model.weights.read import load, save
from crackpipe.model.weights.statistics import Statistics


@pytest.fixture(scope="module")
def familiarity() -> ModuleType:
    return benchmark("familiarity")


def test_what_coarse_looks_find_makes_no_picture_familiar(
    familiarity: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The network gives 0.5 to a band of grey 60. Coarse looks would be certain of all of it."""
    save(tmp_path / "dark.safetensors", OneConvolution(), WEIGHTS_METADATA)
    one = np.zeros((1, 1), np.float32)
    known = Statistics(sets=("a",), projection=one, centres=one, usual=1.0, strange=2.0, sureness=(0.9, 0.6))
    predictor = Predictor(replace(load(tmp_path / "dark.safetensors"), familiarity=known), "cpu", "fp32")
    image, label = np.full((90, 90, 3), 200, np.uint8), np.zeros((90, 90), np.uint8)
    image[30:60], label[45] = 60, 1
    pair = Pair("own", "road", image, label, np.empty((0, 2), np.int32))
    encoder = SimpleNamespace(familiarity=lambda _: 1.0)

    def certain(_: Predictor, image: np.ndarray) -> np.ndarray:
        return np.full(image.shape[:2], 254, np.uint8)

    monkeypatch.setattr(familiarity, "predict_like_a_survey", certain)
    (judged,) = familiarity.judged(predictor, encoder, iter([(False, pair)]), 1.0, 95)
    assert judged.found > 0
    assert (judged.texture, judged.familiarity < 0.5) == (1.0, True)
