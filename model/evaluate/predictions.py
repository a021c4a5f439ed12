"""Whole photographs through a network: a probability of every pixel, beside its label.

A photograph is cut into cores of 384 px. The network sees each core as a tile of 448 px, with a halo of 32 px
on each side; beyond the photograph's edge the halo is filled by reflection. Cut, halo and rounding are those
of a survey. Frame: pixels are (row, col).

Legend: N tiles, H x W pixels of a photograph.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from crackpipe.model.data.augment import reflected_window
from crackpipe.model.data.pairs import IGNORE, TILE_PX, Pair
from crackpipe.model.predict import coarse
from crackpipe.model.predict.predictor import PROBABILITY_SCALE, Predictor

HALO_PX = 32
CORE_PX = TILE_PX - 2 * HALO_PX

LEVELS = PROBABILITY_SCALE + 1
"""How many values a probability can have: round(254 p) is 0..254."""


@dataclass(frozen=True)
class Prediction:
    """Probabilities of one photograph beside its label."""

    set_name: str
    label: NDArray[np.uint8]
    """(H, W): 0 sound, 1 crack (or the index of a class, from 1), `IGNORE` not labelled."""
    probability: NDArray[np.uint8]
    """(H, W): round(254 p). Of several classes, p is that of the most probable one."""
    most_probable: NDArray[np.uint8] | None = None
    """(H, W): index of that class, from 1. None for a network of one class."""


def normalise(tiles: torch.Tensor, net: nn.Module) -> torch.Tensor:
    """uint8 (N, 3, H, W) RGB -> float32 (N, 3, H, W), channels last, by the network's mean and deviation."""
    mean: Any = net.INPUT_MEAN
    std: Any = net.INPUT_STD
    shape = (1, 3, 1, 1)
    shift = torch.tensor(mean, device=tiles.device).view(shape)
    scale = torch.tensor(std, device=tiles.device).view(shape)
    return ((tiles.float() - shift) / scale).contiguous(memory_format=torch.channels_last)


def place(net: nn.Module, device: torch.device) -> nn.Module:
    """Move a network to a device, in the memory format in which convolutions are fastest."""
    return net.to(device=device).to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


def autocast(device: torch.device, bf16: bool) -> torch.autocast | nullcontext[None]:
    """A context in which a network computes in bf16 where `bf16` is true, else in full precision."""
    return torch.autocast(device.type, torch.bfloat16) if bf16 else nullcontext()


def crack_or_not(predictions: Iterable[Prediction], kinds: Sequence[str]) -> list[Prediction]:
    """Join all classes of kind `crack` into one class, crack; every other class becomes sound.

    `kinds` are those of the classes 1, 2, ... Predictions of a network of one class stay as they are.
    """
    return [
        _of_classes(each, [k for k, kind in enumerate(kinds, 1) if kind == "crack"]) for each in predictions
    ]


def of_class(predictions: Iterable[Prediction], index: int) -> list[Prediction]:
    """Keep the class `index`, counted from 1, as crack; every other class becomes sound."""
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
    """The probability that a pixel is crack, for every pixel of a photograph, by a network in training.

    `net` has one class, is in eval mode and on `device`. `image` is uint8 (H, W, 3) RGB of any size.
    Returns uint8 (H, W), round(254 p).
    """

    def levels(tiles: NDArray[np.uint8]) -> NDArray[np.uint8]:
        stack = torch.from_numpy(tiles).permute(0, 3, 1, 2).to(device)
        with torch.inference_mode(), autocast(device, bf16):
            logits = net(normalise(stack, net))
        return (torch.sigmoid(logits.float()) * PROBABILITY_SCALE).round().to(torch.uint8)[:, 0].cpu().numpy()

    return _by_tiles(image, levels, batch)


def predict_classes(
    net: nn.Module, image: NDArray[np.uint8], device: torch.device, *, bf16: bool = False, batch: int = 4
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """The most probable class of every pixel of a photograph, and its probability. Background is no class.

    `net` has several classes, is in eval mode and on `device`. `image` is uint8 (H, W, 3) RGB of any size.
    Returns the index of the class, from 1, and round(254 p), both uint8 (H, W). Where two classes are equally
    probable, the lower index is taken.
    """

    def most_probable(tiles: NDArray[np.uint8]) -> NDArray[np.uint8]:
        stack = torch.from_numpy(tiles).permute(0, 3, 1, 2).to(device)
        with torch.inference_mode(), autocast(device, bf16):
            logits = net(normalise(stack, net))
        levels = (torch.softmax(logits.float(), dim=1)[:, 1:] * PROBABILITY_SCALE).round().to(torch.uint8)
        best = levels.max(dim=1).values
        index = torch.argmax((levels == best[:, None]).to(torch.uint8), dim=1) + 1
        return torch.stack([index.to(torch.uint8), best], dim=-1).cpu().numpy()

    both = _by_tiles(image, most_probable, batch)
    return both[..., 0], both[..., 1]


def predict_like_a_survey(
    predictor: Predictor, image: NDArray[np.uint8], *, gsd_mm: float | None = None
) -> NDArray[np.uint8]:
    """Exactly the `probability` that `crackpipe run` writes for this picture with the default halo.

    `predictor` has weights of one class. `image` is uint8 (H, W, 3) RGB of any size, `gsd_mm` the GSD, mm/px,
    at which the network sees it, by default the nominal one of the weights: it decides whether coarse looks
    are taken. Returns uint8 (H, W), round(254 p).
    """
    close = closely(predictor, image)
    shift = coarse.shift_at(gsd_mm or predictor.weights.training_gsd_mm, HALO_PX, predictor.weights)
    if shift is not None:
        found = _coarsely(predictor, image, shift)
        for top, left in _corners(image):
            core = slice(top, top + CORE_PX), slice(left, left + CORE_PX)
            coarse.join(close[core], found[core])
    return close


def closely(predictor: Predictor, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """What the close looks of `predict_like_a_survey` find."""
    return _by_tiles(image, lambda tiles: predictor.predict(tiles)[:, 0], predictor.batch)


def _coarsely(predictor: Predictor, image: NDArray[np.uint8], shift: float) -> NDArray[np.uint8]:
    """What coarse looks find, uint8 (H, W), with `shift` added to their logit."""
    (height, width), step = image.shape[:2], coarse.CORES * CORE_PX
    side, found = coarse.side_px(CORE_PX, HALO_PX), np.empty(image.shape[:2], np.uint8)
    for top in range(0, height, step):
        for left in range(0, width, step):
            pixels = reflected_window(image, top - HALO_PX, left - HALO_PX, side, side)
            plane = predictor.predict(coarse.shrunk(pixels)[None])[0, 0]
            here = found[top : top + step, left : left + step]
            inner = coarse.enlarged(plane, side, shift)[HALO_PX:-HALO_PX, HALO_PX:-HALO_PX]
            here[:] = inner[: here.shape[0], : here.shape[1]]
    return found


def _by_tiles(
    image: NDArray[np.uint8], levels: Callable[[NDArray[np.uint8]], NDArray[np.uint8]], batch: int
) -> NDArray[np.uint8]:
    """Cut an image (H, W, 3) into tiles, give them to `levels`, and join the cores of what it returns.

    `levels` maps (N, 448, 448, 3) to (N, 448, 448, ...), N at most `batch`. Returns (H, W, ...).
    """
    height, width = image.shape[:2]
    corners = _corners(image)
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


def _corners(image: NDArray[np.uint8]) -> list[tuple[int, int]]:
    """(row, col) of the first pixel of every core."""
    height, width = image.shape[:2]
    return [(top, left) for top in range(0, height, CORE_PX) for left in range(0, width, CORE_PX)]


def predict_pairs(
    net: nn.Module, pairs: Sequence[Pair], device: torch.device, *, bf16: bool = False, classes: int = 1
) -> Iterator[Prediction]:
    """Predict every pair, one at a time, by a network of so many classes; see `predict_image`."""
    for pair in pairs:
        if classes > 1:
            most_probable, probability = predict_classes(net, pair.image, device, bf16=bf16)
            yield Prediction(pair.set_name, pair.label, probability, most_probable)
        else:
            probability = predict_image(net, pair.image, device, bf16=bf16)
            yield Prediction(pair.set_name, pair.label, probability)
