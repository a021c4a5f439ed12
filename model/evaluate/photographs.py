"""Whole photographs through a network, and figures against their labels: what training looks at.

A photograph is cut into cores of 384 px, each seen as a tile of 448 px with 32 px of halo; beyond the
photograph's edge the halo is mirrored. Same cut, same halo, same rounding of probabilities as in a survey.
Frame: pixels are (row, col).
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from crackpipe.model.data.augment import reflected_window
from crackpipe.model.data.pairs import TILE_PX, Pair
from crackpipe.model.evaluate import metrics
from crackpipe.model.predict.predictor import Predictor
from crackpipe.model.train.losses import IGNORE

HALO_PX = 32
CORE_PX = TILE_PX - 2 * HALO_PX

LEVELS = 255
"""Probabilities are uint8 round(254 p): 0..254."""


@dataclass(frozen=True)
class Prediction:
    """Probability map of one photograph beside its label."""

    set_name: str
    label: NDArray[np.uint8]
    """(H, W): 0 sound, 1 crack (or the class index), 255 not inspected."""
    probability: NDArray[np.uint8]
    """(H, W): round(254 p), of several classes that of the most probable one."""
    most_probable: NDArray[np.uint8] | None = None
    """(H, W): index 1.. of that class; None for a network of one class."""


def normalise(tiles: torch.Tensor, net: nn.Module) -> torch.Tensor:
    """uint8 (N, 3, H, W) RGB -> float32, channels last, with the network's own mean and deviation."""
    mean: Any = net.INPUT_MEAN
    std: Any = net.INPUT_STD
    shape = (1, 3, 1, 1)
    shift = torch.tensor(mean, device=tiles.device).view(shape)
    scale = torch.tensor(std, device=tiles.device).view(shape)
    return ((tiles.float() - shift) / scale).contiguous(memory_format=torch.channels_last)


def place(net: nn.Module, device: torch.device) -> nn.Module:
    """Move to a device, in the memory format in which convolutions are fastest."""
    return net.to(device=device).to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


def autocast(device: torch.device, bf16: bool) -> torch.autocast | nullcontext[None]:
    """bf16 where asked for, else full precision."""
    return torch.autocast(device.type, torch.bfloat16) if bf16 else nullcontext()


def crack_or_not(predictions: Iterable[Prediction], kinds: Sequence[str]) -> list[Prediction]:
    """Predictions of several classes as those of the classes of kind `crack` together.

    `kinds` of the classes 1, 2, ...; predictions of one class stay as they are.
    """
    return [
        _of_classes(each, [k for k, kind in enumerate(kinds, 1) if kind == "crack"]) for each in predictions
    ]


def of_class(predictions: Iterable[Prediction], index: int) -> list[Prediction]:
    """Predictions of several classes as those of class `index`, 1.., against everything else."""
    return [_of_classes(each, [index]) for each in predictions]


def _of_classes(prediction: Prediction, indices: Sequence[int]) -> Prediction:
    if prediction.most_probable is None:
        return prediction
    label = np.isin(prediction.label, indices).astype(np.uint8)
    label[prediction.label == IGNORE] = IGNORE
    chosen = np.isin(prediction.most_probable, indices)
    return Prediction(
        prediction.set_name, label, np.where(chosen, prediction.probability, 0).astype(np.uint8)
    )


def predict_image(
    net: nn.Module, image: NDArray[np.uint8], device: torch.device, *, bf16: bool = False, batch: int = 4
) -> NDArray[np.uint8]:
    """Probability of crack of every pixel of a photograph, by a network as it is in training.

    `net`: one class, in eval mode, on `device`. `image`: uint8 (H, W, 3) RGB, any size.
    Returns uint8 (H, W), round(254 p).
    """

    def levels(tiles: NDArray[np.uint8]) -> NDArray[np.uint8]:
        stack = torch.from_numpy(tiles).permute(0, 3, 1, 2).to(device)
        with torch.inference_mode(), autocast(device, bf16):
            logits = net(normalise(stack, net))
        return (torch.sigmoid(logits.float()) * (LEVELS - 1)).round().to(torch.uint8)[:, 0].cpu().numpy()

    return _by_tiles(image, levels, batch)


def predict_classes(
    net: nn.Module, image: NDArray[np.uint8], device: torch.device, *, bf16: bool = False, batch: int = 4
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """The most probable class of every pixel of a photograph, background apart, and its probability.

    `net`: several classes, in eval mode, on `device`. `image`: uint8 (H, W, 3) RGB, any size. Returns the
    index 1.. and round(254 p), both uint8 (H, W); of equal probabilities the lower index counts.
    """

    def most_probable(tiles: NDArray[np.uint8]) -> NDArray[np.uint8]:
        stack = torch.from_numpy(tiles).permute(0, 3, 1, 2).to(device)
        with torch.inference_mode(), autocast(device, bf16):
            logits = net(normalise(stack, net))
        levels = (torch.softmax(logits.float(), dim=1)[:, 1:] * (LEVELS - 1)).round().to(torch.uint8)
        best = levels.max(dim=1).values
        index = torch.argmax((levels == best[:, None]).to(torch.uint8), dim=1) + 1
        return torch.stack([index.to(torch.uint8), best], dim=-1).cpu().numpy()

    both = _by_tiles(image, most_probable, batch)
    return both[..., 0], both[..., 1]


def predict_like_a_survey(predictor: Predictor, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The `probability` that `crackpipe run` writes for this picture, to the bit, at the default halo.

    `predictor`: of weights with one class. `image`: uint8 (H, W, 3) RGB, any size. Returns uint8 (H, W).
    """
    return _by_tiles(image, lambda tiles: predictor.predict(tiles)[:, 0], predictor.batch)


def _by_tiles(
    image: NDArray[np.uint8], levels: Callable[[NDArray[np.uint8]], NDArray[np.uint8]], batch: int
) -> NDArray[np.uint8]:
    """Cut (H, W, 3) into tiles, map (N, 448, 448, 3) to (N, 448, 448, ...), join the cores: (H, W, ...)."""
    height, width = image.shape[:2]
    corners = [(top, left) for top in range(0, height, CORE_PX) for left in range(0, width, CORE_PX)]
    whole: NDArray[np.uint8] | None = None
    for start in range(0, len(corners), batch):
        some = corners[start : start + batch]
        tiles = [reflected_window(image, r - HALO_PX, c - HALO_PX, TILE_PX, TILE_PX) for r, c in some]
        cores = levels(np.stack(tiles))[:, HALO_PX : HALO_PX + CORE_PX, HALO_PX : HALO_PX + CORE_PX]
        if whole is None:
            whole = np.empty((height, width, *cores.shape[3:]), np.uint8)
        for (top, left), core in zip(some, cores, strict=True):
            target = whole[top : top + CORE_PX, left : left + CORE_PX]
            target[:] = core[: target.shape[0], : target.shape[1]]
    assert whole is not None
    return whole


def predict_pairs(
    net: nn.Module, pairs: Sequence[Pair], device: torch.device, *, bf16: bool = False, classes: int = 1
) -> Iterator[Prediction]:
    """Run all pairs, one by one, by a network of so many classes."""
    for pair in pairs:
        if classes > 1:
            most_probable, probability = predict_classes(net, pair.image, device, bf16=bf16)
            yield Prediction(pair.set_name, pair.label, probability, most_probable)
        else:
            probability = predict_image(net, pair.image, device, bf16=bf16)
            yield Prediction(pair.set_name, pair.label, probability)


def best_threshold(predictions: Sequence[Prediction]) -> float:
    """Probability above which a pixel is called crack: greatest mean over sets of the pooled IoU.

    Sets without any labelled crack have no IoU and do not vote. Ties go to the lowest threshold. In 0..1.
    """
    names = sorted({p.set_name for p in predictions if (p.label == 1).any()})
    if not names:
        raise ValueError("no crack in any validation label: a threshold cannot be chosen")
    mean_iou = np.zeros(LEVELS)
    for name in names:
        hits, misses = np.zeros(LEVELS), np.zeros(LEVELS)
        for p in predictions:
            if p.set_name == name:
                hits += np.bincount(p.probability[p.label == 1], minlength=LEVELS)[:LEVELS]
                misses += np.bincount(p.probability[p.label == 0], minlength=LEVELS)[:LEVELS]
        found = hits[::-1].cumsum()[::-1]  # found[t] = labelled pixels with probability >= t
        false = misses[::-1].cumsum()[::-1]
        mean_iou += found / (hits.sum() + false) / len(names)
    level = 1 + int(np.argmax(mean_iou[1:]))  # level 0 would call everything crack
    return (level - 0.5) / (LEVELS - 1)  # between two levels, so that rounding cannot tip it


def score_sets(
    predictions: Sequence[Prediction], threshold: float, *, centreline: bool = False
) -> Mapping[str, metrics.Scores]:
    """Pooled figures of every set, by name; crack where `probability >= ceil(254 threshold)`."""
    level = int(np.ceil((LEVELS - 1) * threshold))
    pooled: dict[str, metrics.Counts] = {}
    for p in predictions:
        counts = metrics.count(p.probability >= level, p.label, centreline=centreline)
        pooled[p.set_name] = pooled.get(p.set_name, metrics.Counts()) + counts
    return {name: metrics.scores(pooled[name]) for name in sorted(pooled)}
