"""benchmarks/accuracy/unseen.py: who chooses the threshold at which a camera is judged."""

from pathlib import Path
from types import ModuleType

import click
import numpy as np
import pytest
from helpers import crack
from paths import benchmark

from crackpipe.model.evaluate.predictions import Prediction
from crackpipe.model.evaluate.thresholds import line_f1_by_threshold
from crackpipe.model.predict.predictor import Predictor
from crackpipe.model.render.picture import clean_scene, render_window


@pytest.fixture(scope="module")
def unseen() -> ModuleType:
    return benchmark("unseen")


def line_at(name: str, crack: float, ground: float) -> Prediction:
    """A labelled line that the network gives `crack`, beside an unlabelled one that it gives `ground`."""
    label, probability = np.zeros((40, 40), np.uint8), np.zeros((40, 40), np.uint8)
    label[10, 5:35] = 1
    probability[10, 5:35], probability[30, 5:35] = round(254 * crack), round(254 * ground)
    return Prediction(name, label, probability)


def test_a_camera_has_no_say_in_its_own_threshold(unseen: ModuleType) -> None:
    two = line_at("a", 0.9, 0.4), line_at("b", 0.3, 0.12)
    free = {each.set_name: line_f1_by_threshold([each]) for each in two}
    assert 0.12 < unseen.chosen_by_others("a", free) <= 0.3  # where b parts its crack from its ground
    assert 0.4 < unseen.chosen_by_others("b", free) <= 0.9


def test_alone_there_is_no_threshold(unseen: ModuleType) -> None:
    with pytest.raises(click.UsageError, match="a: no other free set to choose a threshold"):
        unseen.chosen_by_others("a", {"a": line_f1_by_threshold([line_at("a", 0.9, 0.4)])})


def test_weights_that_know_the_camera_are_refused(unseen: ModuleType) -> None:
    unseen.check_unseen("dnit", "mine", "cracksc, rendered_cameras")
    with pytest.raises(click.UsageError, match="dnit=mine: these weights have seen dnit"):
        unseen.check_unseen("dnit", "mine", "cracksc, dnit_plan")


def test_weights_are_written_with_what_was_chosen(unseen: ModuleType, tmp_path: Path) -> None:
    """The same pixels are marked, at the probability where the new logit has them."""
    figures = {"never_seen": {"dnit": {"f1_line": 0.44}}}
    unseen.write("lite", tmp_path / "mine.safetensors", 0.3, (0.5, -1.0), figures)
    before, after = (
        Predictor(weights=name, device="cpu", precision="fp32")
        for name in ("lite", str(tmp_path / "mine.safetensors"))
    )
    scene = clean_scene(448, 448, seed=1, cracks=(crack(30, 40, 420, 400, 5.0),))
    tile = render_window(scene, 0, 0, 448, 448)[0][None]
    marked = [
        each.predict(tile) >= level * 254 for each, level in ((before, 0.3), (after, after.weights.threshold))
    ]
    assert 0 < marked[0].sum() < marked[0].size
    assert (marked[0] != marked[1]).mean() < 1e-3
    assert after.weights.familiarity is None
    assert after.weights.screen is None
    assert before.weights.coarse_shift is not None
    assert after.weights.coarse_shift == pytest.approx(0.5 * before.weights.coarse_shift)
    assert after.weights.metrics["never_seen"] == figures["never_seen"]
    assert (after.weights.data, after.weights.licence) == (before.weights.data, before.weights.licence)


def test_one_file_is_written_and_it_is_plain_which(unseen: ModuleType) -> None:
    assert unseen.written({"roads"}, None) == ("roads", "never_seen")
    assert unseen.written({"roads", "others"}, "all") == ("all", "left_out")
    with pytest.raises(
        click.UsageError, match="under 2 weights, but one file is written; name it with --into"
    ):
        unseen.written({"roads", "others"}, None)
