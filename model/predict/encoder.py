"""How familiar a tile is: the first part of the network, in fp32, whatever the precision of the network is.

Strategy. What a network makes of a road in its encoder differs between roads that it knows and others. The
middle of a tile goes through the encoder, down to maps of 1/8 of its size, and of every channel the mean and
the spread over the map are taken. `weights.statistics` compares them with those of known pictures.

A tile goes through alone and always as fp32. So its number is the same in every batch, in OpenVINO, and in
bf16; between kinds of devices it may differ by rounding.
"""

import threading
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from crackpipe.model.networks.context_cracknet import TILE_PX
from crackpipe.model.predict import cpu_convolutions
from crackpipe.model.predict.predictor import fold_batch_norms
from crackpipe.model.weights.metadata import WeightsError
from crackpipe.model.weights.read import Weights

SIDE_PX = TILE_PX // 2
"""Side of the square in the middle of a tile that is looked at: a quarter of the tile, and of its cost."""


def can_encode(architecture: str) -> bool:
    """Whether a network has an encoder. The one of a single convolution has none."""
    return architecture in _ENCODERS


class Encoder:
    """The encoder of some weights, on one device. Several threads may use it."""

    def __init__(self, weights: Weights, device: str = "cpu") -> None:
        """Take the encoder out of the weights.

        Raises WeightsError if the network has none, or if the statistics are not of its features.
        """
        if not can_encode(weights.architecture):
            raise WeightsError(
                f"{weights.path}: {weights.architecture} has no encoder to tell familiarity by"
            )
        prefixes, take = _ENCODERS[weights.architecture]
        net = take(weights.build_part(*prefixes))
        fold_batch_norms(net)
        self._net = net.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        if device == "cpu" and cpu_convolutions.available("fp32"):
            cpu_convolutions.pack_convolutions(self._net)
        if device != "cpu":
            # For the whole process: to set them for a moment would disturb a network that is captured in
            # another thread meanwhile (`gpu_batches`). With TF32, fp32 would not be fp32.
            torch.backends.cudnn.benchmark, torch.backends.cudnn.allow_tf32 = False, False
            torch.backends.cudnn.deterministic = True
        self._device = device
        self._turn = threading.Lock()
        self._mean = torch.tensor(weights.mean, device=device)
        self._std = torch.tensor(weights.std, device=device)
        self._statistics = weights.familiarity
        if self._statistics is not None:
            wanted = len(self.features(np.zeros((TILE_PX, TILE_PX, 3), np.uint8)))
            if len(self._statistics.projection) != wanted:
                raise WeightsError(
                    f"{weights.path}: its statistics of familiarity are of "
                    f"{len(self._statistics.projection)} features, but the encoder has {wanted}; make them "
                    "anew with `crackpipe weights familiarity`"
                )

    @torch.inference_mode()
    def features(self, tile: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Mean and spread of every channel, (F,), of a tile uint8 (448, 448, 3) RGB."""
        margin_px = (TILE_PX - SIDE_PX) // 2
        middle = slice(margin_px, margin_px + SIDE_PX)
        square = torch.from_numpy(tile[middle, middle].copy()).to(self._device)
        x = ((square.float() - self._mean) / self._std).permute(2, 0, 1)[None]  # (1, 3, 224, 224)
        with self._turn:
            x = self._net(x.contiguous(memory_format=torch.channels_last))  # (1, C, 28, 28)
        found = torch.cat([x.mean(dim=(2, 3))[0], x.std(dim=(2, 3))[0]])
        return found.cpu().numpy()

    def familiarity(self, tile: npt.NDArray[np.uint8]) -> float:
        """How familiar a tile is, 0..1. Raises ValueError if the weights have no statistics."""
        if self._statistics is None:
            raise ValueError("these weights have no statistics of familiarity")
        return self._statistics.familiarity(self._statistics.distance(self.features(tile)))


def _of_lite(net: Any) -> nn.Module:
    encoder = net.encoder
    return nn.Sequential(encoder.conv_stem, encoder.bn1, *list(encoder.blocks)[:3])


def _of_full(net: Any) -> nn.Module:
    return nn.Sequential(net.stem, net.pool, net.layer1, net.layer2)


_ENCODERS = {
    "context-cracknet-lite": (("encoder.",), _of_lite),
    "context-cracknet-lite1": (("encoder.",), _of_lite),
    "context-cracknet": (("stem.", "layer1.", "layer2."), _of_full),
}
"""By architecture: prefixes of the encoder's tensors, and how its first part is taken out of the network."""
