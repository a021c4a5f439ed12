"""Two numbers in the last layer: probabilities mean what they say, and the same pixels are marked."""

import re

import numpy as np
import pytest
import torch

from crackpipe.model.evaluate.predictions import Prediction
from crackpipe.model.networks.context_cracknet import ContextCrackNetLite
from crackpipe.model.train import export
from crackpipe.model.train.calibration import fit, fold, logit_of, moved, probability_of


def drawn(scale: float, offset: float, set_name: str = "a", pixels: int = 400) -> Prediction:
    """Pixels whose labels follow `scale * logit + offset`, where the network says `logit`."""
    rng = np.random.default_rng(5)
    logit = rng.normal(-1.0, 1.5, (pixels, pixels))
    label = rng.random(logit.shape) < probability_of(scale * logit + offset)
    said = np.round(254 * probability_of(logit)).astype(np.uint8)
    return Prediction(set_name, label.astype(np.uint8), said)


@pytest.mark.parametrize(("scale", "offset"), [(1.0, 0.0), (0.5, 1.0), (1.5, -2.0)])
def test_what_was_done_to_the_logit_is_found(scale: float, offset: float) -> None:
    assert fit([drawn(scale, offset)]) == pytest.approx((scale, offset), abs=0.04)


def test_sets_count_the_same_whatever_their_size() -> None:
    large, small = drawn(1.0, 2.0, "large", 600), drawn(1.0, -2.0, "small", 200)
    assert fit([large, small])[1] == pytest.approx(0.0, abs=0.05)


def test_a_threshold_stays_one_however_far_the_logit_is_stretched() -> None:
    assert moved(0.9, 50.0, 0.0) == 0.9999
    assert moved(0.1, 50.0, 0.0) == 0.0001


def test_what_is_not_labelled_and_sets_without_cracks_do_not_count() -> None:
    known = drawn(0.5, 1.0)
    label = known.label.copy()
    label[:100] = 255
    sound = Prediction("sound", np.zeros_like(label), np.full_like(label, 200))
    assert fit([Prediction("a", label, known.probability), sound]) == pytest.approx(
        fit([Prediction("a", label[100:], known.probability[100:])]), abs=1e-9
    )
    with pytest.raises(ValueError, match="no crack"):
        fit([sound])


def test_the_network_marks_the_same_pixels_at_the_moved_threshold() -> None:
    torch.manual_seed(3)
    net = ContextCrackNetLite(cagm=False).eval()
    image = torch.randn(1, 3, 64, 64)
    with torch.inference_mode():
        before = torch.sigmoid(net(image))
        fold(net, 0.7, 0.4)
        after = torch.sigmoid(net(image))
    assert torch.allclose(
        after, torch.from_numpy(probability_of(0.7 * logit_of(before.numpy()) + 0.4)), atol=1e-5
    )
    threshold = float(before.median()) + 1e-4
    changed = (before >= threshold) != (after >= moved(threshold, 0.7, 0.4))
    assert changed.float().mean() < 0.001


def test_several_classes_are_refused() -> None:
    with pytest.raises(ValueError, match="one class"):
        fold(ContextCrackNetLite(3, cagm=False), 1.0, 0.0)


def test_a_network_is_not_turned_upside_down(capsys: pytest.CaptureFixture[str]) -> None:
    """Where cracks look less probable than sound road, the fit has a scale below 0."""
    against = drawn(-0.5, -1.0)
    scale, offset = fit([against])
    assert scale < 0
    net = ContextCrackNetLite(cagm=False)
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    with pytest.raises(ValueError, match=r"scale of the logit is -0\.\d+, but must be above 0"):
        fold(net, scale, offset)
    assert export._calibrated(net, [against], 0.4, {"validation": {}}) == (0.4, {"validation": {}})
    assert all(torch.equal(tensor, before[name]) for name, tensor in net.state_dict().items())
    assert re.match(r"not calibrated: .* \(scale -0\.\d+, must be above 0\)", capsys.readouterr().err)
