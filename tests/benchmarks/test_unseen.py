"""benchmarks/accuracy/unseen.py: who chooses the threshold at which a camera is judged."""

from types import ModuleType

import click
import numpy as np
import pytest
from paths import benchmark

from crackpipe.model.evaluate.predictions import Prediction


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
    free = {"a": [line_at("a", 0.9, 0.4)], "b": [line_at("b", 0.3, 0.12)]}
    assert 0.12 < unseen.chosen_by_others("a", free) <= 0.3  # where b parts its crack from its ground
    assert 0.4 < unseen.chosen_by_others("b", free) <= 0.9


def test_alone_there_is_no_threshold(unseen: ModuleType) -> None:
    with pytest.raises(click.UsageError, match="a: no other free set to choose a threshold"):
        unseen.chosen_by_others("a", {"a": [line_at("a", 0.9, 0.4)]})


def test_weights_that_know_the_camera_are_refused(unseen: ModuleType) -> None:
    unseen.check_unseen("dnit", "mine", "cracksc, rendered_cameras")
    with pytest.raises(click.UsageError, match="dnit=mine: these weights have seen dnit"):
        unseen.check_unseen("dnit", "mine", "cracksc, dnit_plan")
