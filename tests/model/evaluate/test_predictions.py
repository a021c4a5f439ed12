"""Predictions of whole photographs, of one class and of several."""

from pathlib import Path

import numpy as np
import pytest
import torch
from colours import save_colour_weights

from crackpipe.model.data import augment
from crackpipe.model.evaluate import predictions
from crackpipe.model.evaluate.predictions import Prediction
from crackpipe.model.networks.context_cracknet import ContextCrackNetLite
from crackpipe.model.predict.predictor import Predictor
from crackpipe.model.weights.read import load
from crackpipe.pipeline.masks.values import classify


class Darkness(torch.nn.Module):
    """Logit 10 where a pixel is darker than 127, else -10: a network whose answer is known."""

    INPUT_MEAN = (127.0, 127.0, 127.0)
    INPUT_STD = (128.0, 128.0, 128.0)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        assert x.shape[2:] == (448, 448)
        return torch.where(x[:, :1] < 0, 10.0, -10.0)


@pytest.mark.parametrize("shape", [(40, 50), (448, 448), (385, 900), (800, 384)])
def test_whole_photographs_are_put_together_in_place(shape: tuple[int, int]) -> None:
    image = np.random.default_rng(1).integers(0, 255, (*shape, 3), np.uint8)
    image[..., 1:] = image[..., :1]
    probability = predictions.predict_image(Darkness(), image, torch.device("cpu"))
    assert ((probability == 254) == (image[..., 0] < 127)).all()


def test_lite_network_predicts_a_photograph() -> None:
    net = ContextCrackNetLite(1).eval()
    image = np.full((100, 60, 3), 90, np.uint8)
    assert predictions.predict_image(net, image, torch.device("cpu"), bf16=True).shape == (100, 60)


# ---- several classes


def test_validation_sees_what_a_run_sees(tmp_path: Path) -> None:
    """The most probable class and its probability are those of the masks, to the level."""
    loaded = load(save_colour_weights(tmp_path / "w.safetensors"))
    image = np.random.default_rng(4).integers(90, 150, (150, 170, 3), np.uint8)
    index, best = predictions.predict_classes(loaded.build(), image, torch.device("cpu"))
    tile = augment.reflected_window(image, -32, -32, 448, 448)
    [probability] = Predictor(loaded, "cpu", "fp32").predict(tile[None])
    mask, of_run = classify(probability[:, 32:182, 32:202], 127)
    assert (np.abs(best.astype(int) - of_run) <= 1).all()
    assert (np.where(best >= 127, index, 0) == mask).mean() > 0.999
    assert set(np.unique(mask)) == {0, 1, 2, 3}


def test_figures_of_several_classes_by_hand() -> None:
    label = np.array([[0, 1, 2, 255]], np.uint8)
    found = Prediction("a", label, np.array([[9, 200, 180, 7]], np.uint8), np.array([[3, 1, 1, 2]], np.uint8))
    [crack] = predictions.crack_or_not([found], ("crack", "line", "crack"))
    assert crack.label.tolist() == [[0, 1, 0, 255]]
    assert crack.probability.tolist() == [[9, 200, 180, 0]]
    [second] = predictions.of_class([found], 2)
    assert second.label.tolist() == [[0, 0, 1, 255]]
    assert second.probability.tolist() == [[0, 0, 0, 7]]
    binary = Prediction("a", label, found.probability)
    assert predictions.crack_or_not([binary], ("crack",)) == [binary]
