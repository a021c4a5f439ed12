"""The threshold of adapted weights, and what is written of weights: a network that can be checked by eye."""

from pathlib import Path

import numpy as np
import pytest
from helpers import WEIGHTS_METADATA

from crackpipe.model.adapt.teach import rewrite, threshold_for
from crackpipe.model.data.pairs import Pair
from crackpipe.model.networks.one_convolution import OneConvolution
from crackpipe.model.predict.predictor import Predictor
from crackpipe.model.weights.read import load, save


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights that see what is darker than 60; at grey 60 the probability is 0.5."""
    out = tmp_path_factory.mktemp("weights") / "dark.safetensors"
    save(out, OneConvolution(), WEIGHTS_METADATA | {"name": "dark", "taken": "at noon"})
    return out


def road(*lines: tuple[int, int, bool]) -> Pair:
    """200 x 200 px with lines of 9 px: at a column, of a grey, labelled or not."""
    image, label = np.full((200, 200, 3), 200, np.uint8), np.zeros((200, 200), np.uint8)
    for col, grey, labelled in lines:
        image[:, col : col + 9] = grey
        label[:, col : col + 9] = labelled
    return Pair("own", "road", image, label, np.empty((0, 2), np.int32))


def chosen(file: Path, pair: Pair, before: float) -> float:
    return threshold_for(Predictor(str(file), "cpu", "fp32"), [pair], before, {})


def test_a_threshold_tells_what_is_labelled_from_what_is_not(file: Path) -> None:
    """At grey 52 the probability is 0.73, at 64 it is 0.38: between both lies the border."""
    pair = road((50, 52, True), (120, 64, False))
    assert 0.38 < chosen(file, pair, 0.1) < 0.45
    assert 0.65 < chosen(file, pair, 0.9) < 0.75


def test_of_thresholds_as_good_the_nearest_is_taken(file: Path) -> None:
    pair = road((50, 10, True))
    assert chosen(file, pair, 0.6) == 0.6
    assert chosen(file, pair, 0.32) == pytest.approx(0.3)


def test_without_cracks_the_threshold_stays(file: Path) -> None:
    assert chosen(file, road((50, 10, False)), 0.32) == 0.32


@pytest.mark.parametrize(("gsd_mm", "tiles"), [({}, 2), ({"road": 1.5}, 2), ({"road": 4.0}, 1)])
def test_coarse_looks_have_a_say_only_where_a_run_takes_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gsd_mm: dict[str, float], tiles: int
) -> None:
    out = tmp_path / "coarse.safetensors"
    save(out, OneConvolution(), WEIGHTS_METADATA | {"gsd_range_mm": [0.5, 6.0], "coarse_shift": -1.0})
    predictor, seen = Predictor(str(out), "cpu", "fp32"), []
    predict = predictor.predict
    monkeypatch.setattr(predictor, "predict", lambda some: (seen.extend(some), predict(some))[1])
    threshold_for(predictor, [road((50, 52, True))], 0.1, gsd_mm)
    assert len(seen) == tiles  # one core, and perhaps one coarse look


def test_what_was_measured_on_the_network_is_not_said_of_another(tmp_path: Path) -> None:
    out = tmp_path / "dark.safetensors"
    screen = {"limits": [[0.98, -1.5]], "cameras": ["dnit"]}
    save(out, OneConvolution(), WEIGHTS_METADATA | {"screen": screen})
    rewrite(load(out), tmp_path / "same.safetensors", threshold=0.25)
    rewrite(load(out), tmp_path / "other.safetensors", OneConvolution())
    assert load(tmp_path / "same.safetensors").screen == load(out).screen
    assert load(out).screen is not None
    assert load(tmp_path / "other.safetensors").screen is None


def test_what_a_file_says_stays_unless_it_is_changed(file: Path, tmp_path: Path) -> None:
    rewrite(load(file), tmp_path / "mine.safetensors", threshold=0.25)
    mine, before = load(tmp_path / "mine.safetensors"), load(file)
    assert (mine.name, mine.threshold, mine.extra) == ("mine", 0.25, before.extra)
    assert (mine.data, mine.licence, mine.contrast_c0) == (before.data, before.licence, before.contrast_c0)
    assert mine.extra["taken"] == "at noon"
