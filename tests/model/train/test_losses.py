import math
from pathlib import Path

import pytest
import torch
from helpers import WEIGHTS_METADATA, plain_weights

from crackpipe.model.evaluate.predictions import normalise
from crackpipe.model.networks.one_convolution import OneConvolution
from crackpipe.model.train.losses import (
    LOSSES,
    Teacher,
    binary_loss,
    binary_loss_with_centreline,
    centreline_loss,
    class_loss,
    dice_loss,
    frequency_weights,
    soft_skeleton,
    tversky_loss,
)
from crackpipe.model.weights.read import load, save


def logit(probability: float) -> float:
    return math.log(probability / (1 - probability))


def test_binary_loss_by_hand() -> None:
    # Two pixels: crack seen with p = 0.8, sound seen with p = 0.4.
    logits = torch.tensor([[[[logit(0.8), logit(0.4)]]]])
    labels = torch.tensor([[[1, 0]]])
    bce = -(math.log(0.8) + math.log(0.6)) / 2
    dice = 1 - (2 * 0.8 + 1) / (1.2 + 1 + 1)
    assert binary_loss(logits, labels).item() == pytest.approx(bce + dice, abs=1e-6)


def test_ignored_pixels_change_nothing() -> None:
    logits = torch.tensor([[[[logit(0.8), logit(0.4), 7.0, -7.0]]]])
    labels = torch.tensor([[[1, 0, 255, 255]]], dtype=torch.uint8)
    alone = binary_loss(logits[..., :2], labels[..., :2])
    assert binary_loss(logits, labels).item() == pytest.approx(alone.item(), abs=1e-6)


def test_everything_ignored_is_zero_with_zero_gradient() -> None:
    logits = torch.randn(1, 1, 4, 4, requires_grad=True)
    loss = binary_loss(logits, torch.full((1, 4, 4), 255))
    loss.backward()
    assert loss.item() == 0
    assert logits.grad is not None
    assert not logits.grad.any()


def test_perfect_masks_have_almost_no_loss() -> None:
    labels = torch.tensor([[[0, 1], [1, 0]]])
    assert binary_loss((labels[:, None] * 2 - 1) * 20.0, labels).item() < 1e-6
    assert binary_loss(torch.full((1, 1, 2, 2), -20.0), torch.zeros(1, 2, 2)).item() < 1e-6


def test_dice_is_pooled_over_the_batch() -> None:
    # Tile 1 is found exactly (10 px), tile 2 is crack-free with 2 px falsely found.
    target = torch.tensor([[1.0] * 10, [0.0] * 10])
    found = torch.tensor([[1.0] * 10, [1.0] * 2 + [0.0] * 8])
    assert dice_loss(found, target).item() == pytest.approx(1 - 21 / 23)


def test_with_tversky_a_missed_pixel_costs_more_than_a_false_one() -> None:
    target = torch.tensor([1.0] * 10 + [0.0] * 10)
    missed, false = target.clone(), target.clone()
    missed[:2], false[-2:] = 0.0, 1.0
    assert tversky_loss(missed, target).item() == pytest.approx(1 - 9 / (8 + 0.7 * 2 + 1), abs=1e-6)
    assert tversky_loss(false, target).item() == pytest.approx(1 - 11 / (10 + 0.3 * 2 + 1), abs=1e-6)
    # in the sum it stands in the place of Dice
    logits, labels = torch.tensor([[[[logit(0.8), logit(0.4)]]]]), torch.tensor([[[1, 0]]])
    bce = -(math.log(0.8) + math.log(0.6)) / 2
    tversky = 1 - 1.8 / (0.8 + 0.3 * 0.4 + 0.7 * 0.2 + 1)
    assert LOSSES["bce_tversky"](logits, labels).item() == pytest.approx(bce + tversky, abs=1e-6)


def test_binary_loss_refuses_classes() -> None:
    with pytest.raises(ValueError, match="class_loss"):
        binary_loss(torch.zeros(1, 2, 4, 4), torch.zeros(1, 4, 4))


def test_frequency_weights_are_inverse_and_of_mean_one() -> None:
    weights = frequency_weights(torch.tensor([90, 10]))
    assert weights.tolist() == pytest.approx([0.2, 1.8])
    assert frequency_weights(torch.tensor([90, 10]), power=0.5).tolist() == pytest.approx([0.5, 1.5])
    assert frequency_weights(torch.tensor([90, 10, 0]))[2] == 0
    with pytest.raises(ValueError, match="masks"):
        frequency_weights(torch.zeros(3))


def test_class_loss_by_hand() -> None:
    # Two classes of equal logits but for pixel 2, p = (0.25, 0.75); labels 0 and 1; weights 0.5 and 1.5.
    logits = torch.tensor([[[[0.0, 0.0]], [[0.0, math.log(3)]]]])
    labels = torch.tensor([[[0, 1]]])
    cross_entropy = -(0.5 * math.log(0.5) + 1.5 * math.log(0.75)) / 2
    dice_0 = 1 - (2 * 0.5 + 1) / (0.75 + 1 + 1)
    dice_1 = 1 - (2 * 0.75 + 1) / (1.25 + 1 + 1)
    loss = class_loss(logits, labels, torch.tensor([0.5, 1.5]))
    assert loss.item() == pytest.approx(cross_entropy + (dice_0 + dice_1) / 2, abs=1e-6)


def test_class_loss_ignores_255() -> None:
    logits = torch.randn(1, 3, 2, 2)
    labels = torch.tensor([[[0, 2], [1, 255]]])
    other = logits.clone()
    other[..., 1, 1] += 9
    weights = torch.ones(3)
    assert class_loss(logits, labels, weights).item() == pytest.approx(
        class_loss(other, labels, weights).item(), abs=1e-6
    )


def drawn(rows: slice, cols: slice) -> torch.Tensor:
    """(1, 1, 40, 40) with one rectangle of 1."""
    image = torch.zeros(1, 1, 40, 40)
    image[..., rows, cols] = 1
    return image


def test_soft_skeleton_of_a_bar_is_its_middle() -> None:
    thin = soft_skeleton(drawn(slice(15, 20), slice(4, 36)))
    assert (thin[0, 0, 17, 8:32] == 1).all()
    thin[0, 0, 17] = 0
    assert thin[..., 8:32].sum() == 0


def test_a_gap_costs_more_than_as_many_pixels_of_a_flank() -> None:
    """A bar of 3 x 32 px lacks three pixels, across it or along its edge. Dice sees no difference."""
    target = drawn(slice(15, 18), slice(4, 36))
    gap, flank = target.clone(), target.clone()
    gap[..., 15:18, 20] = 0
    flank[..., 15, 20:23] = 0
    assert dice_loss(gap, target).item() == pytest.approx(dice_loss(flank, target).item())
    assert centreline_loss(gap, target) > 2 * centreline_loss(flank, target)
    assert centreline_loss(target, target).item() == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("name", list(LOSSES))
def test_losses_by_name_agree_on_the_ends(name: str) -> None:
    target = drawn(slice(15, 18), slice(4, 36))
    labels = target[:, 0].long()
    labels[:, 30:] = 255
    logits = ((target * 2 - 1) * 20).requires_grad_()
    assert LOSSES[name](logits, labels).item() < 1e-3
    unseen = logits.detach().clone()
    unseen[..., 30:, :] = 7.0
    assert LOSSES[name](unseen, labels).item() == pytest.approx(LOSSES[name](logits, labels).item(), abs=1e-6)
    wrong = (-logits.detach() / 20).requires_grad_()
    loss = LOSSES[name](wrong, labels)
    assert loss.item() > 1
    loss.backward()
    assert wrong.grad is not None
    assert torch.isfinite(wrong.grad).all()
    assert not wrong.grad[..., 30:, :].any()


def test_nothing_inspected_is_no_loss_with_a_centreline_either() -> None:
    logits = torch.randn(1, 1, 8, 8, requires_grad=True)
    loss = binary_loss_with_centreline(logits, torch.full((1, 8, 8), 255))
    loss.backward()
    assert loss.item() == pytest.approx(0, abs=1e-6)
    assert logits.grad is not None
    assert not logits.grad.any()


def test_a_teacher_is_content_with_its_own_answer_and_teaches_on_every_pixel(tmp_path: Path) -> None:
    path = plain_weights(tmp_path / "teacher.safetensors")
    weights = load(path)
    tiles = torch.randint(0, 256, (1, 3, 448, 448), dtype=torch.uint8, generator=torch.manual_seed(3))
    teacher = Teacher(path, torch.device("cpu"))
    with torch.inference_mode():
        answer = weights.build()(normalise(tiles, weights.build()))
    assert teacher.loss(tiles, answer).item() == pytest.approx(0, abs=1e-5)
    other = (answer + 2.0).clone().requires_grad_(True)  # more crack than the teacher finds, everywhere
    loss = teacher.loss(tiles, other)
    loss.backward()
    assert loss.item() > 0.01
    assert other.grad is not None
    assert bool((other.grad != 0).all())
    with torch.inference_mode():
        assert teacher.loss(tiles, answer + 1.0) < loss  # nearer to the teacher


def test_a_teacher_knows_one_class(tmp_path: Path) -> None:
    several = WEIGHTS_METADATA | {"classes": ["crack", "joint"], "kinds": ["crack", "line"]}
    save(tmp_path / "two.safetensors", OneConvolution(classes=3), several)
    with pytest.raises(ValueError, match=r"two\.safetensors: has 2 classes; one is needed"):
        Teacher(tmp_path / "two.safetensors", torch.device("cpu"))
