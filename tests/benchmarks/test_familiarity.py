"""What benchmarks/accuracy/familiarity.py holds against what is found."""

from dataclasses import replace
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
from helpers import WEIGHTS_METADATA
from paths import benchmark
from PIL import Image

from crackpipe.model.data.pairs import Pair, is_validation
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


def test_pictures_that_trained_do_not_judge(familiarity: ModuleType, tmp_path: Path) -> None:
    """Also those that only the start of a training saw, of which the statistics know nothing."""
    for name in ("cfd", "negatives_cfd", "sut_crack"):
        for number in range(12):
            stem = f"{number}_0_0" if name.startswith("negatives") else f"{number}"
            for part, suffix in (("images", "jpg"), ("masks", "png")):
                (tmp_path / name / part).mkdir(parents=True, exist_ok=True)
                pixels = Image.fromarray(np.zeros((8, 8), np.uint8))
                pixels.save(tmp_path / name / part / f"{stem}.{suffix}")
    save(tmp_path / "w.safetensors", OneConvolution(), WEIGHTS_METADATA | {"data": "cfd, dnit_plan"})
    known = familiarity.known_to(load(tmp_path / "w.safetensors"))
    assert known == {"cfd", "dnit"}
    chosen = list(familiarity.chosen(tmp_path, known, 12))
    assert {(is_known, pair.set_name) for is_known, pair in chosen} == {
        (True, "cfd"), (True, "negatives_cfd"), (False, "sut_crack"),
    }  # fmt: skip
    assert all(is_validation(pair.set_name, pair.stem) for is_known, pair in chosen if is_known)
    assert sum(not is_known for is_known, _ in chosen) == 12
