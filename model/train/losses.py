"""Losses of Context-CrackNet (arXiv 2501.14413, eq. 18-24). Pixels labelled `IGNORE` count for nothing.

Legend: N tiles, K classes, H x W pixels. Sums run over all inspected pixels of the batch, that is all but
`IGNORE`, and not tile by tile. So a crack-free tile lowers the Dice of the batch only by what is falsely
found in it; alone, it would have a Dice of 0 or 1 by the smoothing term.
"""

from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F

from crackpipe.model.data.pairs import IGNORE
from crackpipe.model.evaluate.predictions import normalise, place
from crackpipe.model.weights.read import load

_SMOOTH_PX = 1.0
"""Added above and below in the quotient of Dice, px, so that a batch without any crack has a Dice of 1."""

_CENTRELINE_SHARE = 0.5
"""Share of clDice in the sum with Dice; half is the choice of its paper."""

_COST_OF_A_MISS = 0.7
"""Of a missed pixel in the Tversky loss; that of a false one is the rest to 1. The best in its paper."""

_THINNINGS = 5
"""Erosions of a soft skeleton, enough for cracks up to 11 px wide; wider ones keep a broad middle."""


def binary_loss(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """BCE + Dice of a one-class network (eq. 18-21).

    `logits` is float (N, 1, H, W). `labels` is integer (N, H, W): 0 sound, 1 crack, or `IGNORE`.
    Returns a scalar, float32. A batch of `IGNORE` only has the loss 0 and zero gradients. Raises ValueError
    for logits of several classes.
    """
    if logits.shape[1] != 1:
        raise ValueError(f"binary_loss wants logits (N, 1, H, W), got {tuple(logits.shape)}; use class_loss")
    inspected = labels != IGNORE
    target = (labels == 1).float()
    score = logits[:, 0].float()
    weight = inspected.float()
    bce = F.binary_cross_entropy_with_logits(score, target, weight, reduction="sum")
    bce = bce / weight.sum().clamp(min=1.0)
    return bce + dice_loss(torch.sigmoid(score) * weight, target * weight)


def binary_loss_for_recall(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """BCE + a Tversky loss, in which a missed pixel costs more than a false one (Salehi et al. 2017, eq. 4).

    For labels whose doubtful rim is `IGNORE`: there a false pixel beside a crack costs nothing, so to say
    little is safe, and a network trained with Dice misses much. Arguments and result are as in `binary_loss`.
    """
    inspected = (labels != IGNORE).float()
    target = (labels == 1).float()
    probability = torch.sigmoid(logits[:, 0].float()) * inspected
    recall_first = tversky_loss(probability, target) - dice_loss(probability, target)
    return binary_loss(logits, labels) + recall_first


def binary_loss_with_centreline(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """BCE + Dice, where a share of the Dice is replaced by soft clDice (Shit et al., CVPR 2021, eq. 3 and 4).

    clDice compares centrelines, so a gap in a hair crack costs as much as an equally long one in a wide
    crack. Arguments and result are as in `binary_loss`.
    """
    inspected = (labels != IGNORE).float()
    target = (labels == 1).float()
    probability = torch.sigmoid(logits[:, 0].float()) * inspected
    dice = dice_loss(probability, target)
    centreline = centreline_loss(probability[:, None], target[:, None])
    return binary_loss(logits, labels) + _CENTRELINE_SHARE * (centreline - dice)


def centreline_loss(probability: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """1 - soft clDice of two float tensors (N, 1, H, W) in 0..1."""
    thin = soft_skeleton(probability)
    with torch.no_grad():
        thin_target = soft_skeleton(target)
    precision = ((thin * target).sum() + _SMOOTH_PX) / (thin.sum() + _SMOOTH_PX)
    recall = ((thin_target * probability).sum() + _SMOOTH_PX) / (thin_target.sum() + _SMOOTH_PX)
    return 1 - 2 * precision * recall / (precision + recall)


def soft_skeleton(image: torch.Tensor) -> torch.Tensor:
    """Differentiable skeleton of (N, 1, H, W) in 0..1 (Shit et al. 2021, algorithm 1).

    The image is eroded step by step. What an opening takes away from it at each step belongs to the skeleton.
    The erosion of an opening is at the same time the image of the next step.
    """
    eroded = _erode(image)
    skeleton = F.relu(image - F.max_pool2d(eroded, 3, 1, 1))
    for _ in range(_THINNINGS):
        image, eroded = eroded, _erode(eroded)
        opened = F.max_pool2d(eroded, 3, 1, 1)
        skeleton = skeleton + F.relu((image - opened) * (1 - skeleton))
    return skeleton


def _erode(image: torch.Tensor) -> torch.Tensor:
    """Minimum over a plus of five pixels."""
    rows = -F.max_pool2d(-image, (3, 1), 1, (1, 0))
    cols = -F.max_pool2d(-image, (1, 3), 1, (0, 1))
    return torch.minimum(rows, cols)


def tversky_loss(probability: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """1 - (TP + s) / (TP + 0.3 FP + 0.7 FN + s), over two float tensors of one shape in 0..1.

    TP = sum(p t), FP = sum(p (1 - t)), FN = sum((1 - p) t). With 0.5 and 0.5 it would be the Dice loss.
    """
    hits = (probability * target).sum()
    false, missed = probability.sum() - hits, target.sum() - hits
    weighted = (1 - _COST_OF_A_MISS) * false + _COST_OF_A_MISS * missed
    return 1 - (hits + _SMOOTH_PX) / (hits + weighted + _SMOOTH_PX)


LOSSES: dict[str, Callable[[torch.Tensor, torch.Tensor], torch.Tensor]] = {
    "bce_dice": binary_loss,
    "bce_tversky": binary_loss_for_recall,
    "bce_dice_cldice": binary_loss_with_centreline,
}
"""Losses of one class, by the name that a training gives them."""


def class_loss(logits: torch.Tensor, labels: torch.Tensor, class_weights: torch.Tensor) -> torch.Tensor:
    """Frequency-weighted cross-entropy + mean Dice over classes (eq. 22-24).

    `logits` is float (N, K, H, W), class 0 is sound. `labels` is integer (N, H, W): 0..K-1 or `IGNORE`.
    `class_weights` is float (K,), from `frequency_weights`. Returns a scalar, float32.
    """
    classes = logits.shape[1]
    inspected = labels != IGNORE
    target = torch.where(inspected, labels, 0).long()
    score = logits.float()
    per_pixel = F.cross_entropy(score, target, class_weights.to(score), reduction="none")
    pixel_weight = class_weights.to(score)[target] * inspected
    cross_entropy = (per_pixel * inspected).sum() / pixel_weight.sum().clamp(min=1e-6)
    keep = inspected[:, None].float()
    probability = torch.softmax(score, dim=1) * keep
    one_hot = F.one_hot(target, classes).movedim(-1, 1).float() * keep
    dice = torch.stack([dice_loss(probability[:, k], one_hot[:, k]) for k in range(classes)])
    return cross_entropy + dice.mean()


def dice_loss(probability: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Return 1 - (2 sum(p t) + s) / (sum(p) + sum(t) + s), over two float tensors of one shape in 0..1."""
    overlap = (probability * target).sum()
    return 1 - (2 * overlap + _SMOOTH_PX) / (probability.sum() + target.sum() + _SMOOTH_PX)


def frequency_weights(pixels_per_class: torch.Tensor, power: float = 1.0) -> torch.Tensor:
    """Class weights proportional to frequency ** -power, scaled to mean 1 (eq. 22, where the power is 1).

    `pixels_per_class` (K,) are counts over the training labels. A class that never occurs gets the weight 0.
    Raises ValueError if none occurs.
    """
    counts = pixels_per_class.double()
    inverse = torch.where(counts > 0, (counts.sum() / counts.clamp(min=1)) ** power, 0.0)
    total = inverse.sum()
    if total == 0:
        raise ValueError("no labelled pixel in any class: class weights are undefined; check the masks")
    return (inverse * len(counts) / total).float()


class Teacher:
    """Trained weights whose probabilities are what a smaller network learns (Hinton et al. 2015, section 2).

    A teacher says something of every pixel, also of those that nobody labelled.
    """

    def __init__(self, name: str | Path, device: torch.device) -> None:
        """Load them by name or file. Raises ValueError for weights of several classes."""
        weights = load(name)
        if weights.channels != 1:
            raise ValueError(f"teacher {weights.path}: has {len(weights.classes)} classes; one is needed")
        self._net = place(weights.build().requires_grad_(False), device)

    def loss(self, tiles: torch.Tensor, logits: torch.Tensor) -> torch.Tensor:
        """BCE + Dice of logits (N, 1, H, W) of uint8 `tiles` (N, 3, H, W) against the teacher's answer.

        Returns a scalar, float32, 0 where both say the same: BCE is measured from its least value, and Dice
        has squares below (Milletari et al. 2016, eq. 3), because that of `dice_loss` is 0 for masks alone.
        """
        score = logits[:, 0].float()
        with torch.no_grad():
            wanted = self._net(normalise(tiles, self._net))[:, 0].float()
            probability = torch.sigmoid(wanted)
            least = F.binary_cross_entropy_with_logits(wanted, probability)
        bce = F.binary_cross_entropy_with_logits(score, probability) - least
        own = torch.sigmoid(score)
        squares = own.square().sum() + probability.square().sum()
        return bce + 1 - (2 * (own * probability).sum() + _SMOOTH_PX) / (squares + _SMOOTH_PX)
