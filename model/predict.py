"""Room 2: tiles -> probabilities. Device, precision, batching.

Strategy. uint8 goes to the device, normalisation and quantisation happen there, uint8 comes back. On a CPU
tiles run one by one: that is as fast as any batch (larger ones leave the caches, and glibc maps and unmaps
their feature maps anew for every layer), needs an eighth of the memory, and no tile can depend on its
neighbours. On a GPU batches have one fixed size, short ones are padded, so that the same kernels run whatever
the cut; two pinned buffers take turns, so that the device works while the host copies.
"""

import os
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from crackpipe.model.context_cracknet import TILE_PX
from crackpipe.model.device import DeviceError
from crackpipe.model.weights import Weights, load

__all__ = [
    "PRECISIONS",
    "PROBABILITY_SCALE",
    "DeviceError",
    "Predictor",
    "fold_batch_norms",
    "resolve_device",
    "resolve_precision",
]

UInt8 = npt.NDArray[np.uint8]

PROBABILITY_SCALE = 254
"""probability = round(254 p); 255 is left for `not inspected`."""

PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16}


# benchmark picks kernels by timing, so by chance; with TF32, fp32 would be a word only.
_CUDNN = {"enabled": True, "benchmark": False, "deterministic": True, "allow_tf32": False}


def resolve_device(device: str = "auto") -> str:
    """`auto` -> `cuda` where there is one, else `cpu`; `cpu`, `cuda`, `cuda:N` are checked and returned.

    Raises:
        DeviceError: CUDA asked for and not there, or an unknown word.
    """
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    kind, _, number = device.partition(":")
    if device != "cpu" and (kind != "cuda" or not (number.isdecimal() or device == "cuda")):
        raise DeviceError(f"unknown device {device!r}; use auto, cpu, cuda or cuda:N")
    if kind == "cuda" and int(number or 0) >= torch.cuda.device_count():
        count = torch.cuda.device_count()
        raise DeviceError(
            f"{device} asked for, torch {torch.__version__} sees {count} CUDA devices; use cpu or auto"
        )
    return device


def resolve_precision(device: str, precision: str = "auto") -> str:
    """`auto` -> `bf16` where the device computes in it natively, else `fp32`; `device` is a resolved one.

    A driver calls it once for all workers: mixed precisions in one run would mix results.

    Raises:
        DeviceError: an unknown word.
    """
    if precision in PRECISIONS:
        return precision
    if precision != "auto":
        raise DeviceError(f"unknown precision {precision!r}; use auto, {' or '.join(PRECISIONS)}")
    if device == "cpu":
        # torch has no public question for these; AMX implies a bf16 tile multiplication as well.
        native = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    else:
        native = torch.cuda.get_device_capability(device)[0] >= 8  # Ampere; before, bf16 is emulated
    return "bf16" if native else "fp32"


def fold_batch_norms(net: nn.Module) -> None:
    """Replaces each convolution + batch norm by one convolution of the same result, in place; eval mode only.

    A pair is a `Conv2d` and the `BatchNorm2d` registered right after it in the same module, which holds for
    all modules here, torchvision's ResNet and timm's EfficientNet (whose batch norms carry the activation
    with them). Such a pair becomes an `nn.Sequential` of the two, so that whoever walks the network sees that
    the activation follows. Saves a tenth of the time in fp32, nearly half in bf16.
    """
    previous_name, previous = "", None
    for name, child in list(net.named_children()):
        if isinstance(previous, nn.Conv2d) and isinstance(child, nn.BatchNorm2d):
            folded = fuse_conv_bn_eval(previous, child)
            act = getattr(child, "act", None)
            setattr(net, previous_name, folded if act is None else nn.Sequential(folded, act))
            setattr(net, name, nn.Identity())
        else:
            fold_batch_norms(child)
        previous_name, previous = name, child


@dataclass
class _Slot:
    """One pinned pair of buffers and the batch that is in flight in it."""

    tiles: Tensor  # (batch, 448, 448, 3) uint8
    probability: Tensor  # (batch, classes, 448, 448) uint8
    done: Any  # torch.cuda.Event, untyped in torch
    target: UInt8 | None = None  # where the result belongs, (n <= batch, classes, 448, 448)

    def collect(self) -> None:
        """Waits for the batch in flight, if any, and hands its result over."""
        if self.target is not None:
            self.done.synchronize()
            self.target[:] = self.probability.numpy()[: len(self.target)]
            self.target = None


class Predictor:
    """A network with its weights on one device, ready to run. Not thread-safe: one caller at a time.

    Attributes:
        weights: what it runs.
        device: resolved, `cpu`, `cuda` or `cuda:N`.
        precision: resolved, `fp32` or `bf16`.
        batch: tiles per step on a GPU; halved when its memory was short (see `batch_reduced`). A CPU runs
            tile by tile.
        batch_reduced: True where the probabilities may differ by 1/254 from an undisturbed run's.
    """

    def __init__(
        self,
        weights: str | os.PathLike[str] | Weights = "lite",
        device: str = "auto",
        precision: str = "auto",
        batch: int = 8,
    ) -> None:
        """Loads and prepares the network.

        Raises:
            WeightsError: see `crackpipe.model.weights.load`.
            DeviceError: see `resolve_device` and `resolve_precision`.
            ValueError: batch below 1.
        """
        if batch < 1:
            raise ValueError(f"batch is {batch}; at least 1 tile")
        self.weights = weights if isinstance(weights, Weights) else load(weights)
        self.device = resolve_device(device)
        self.precision = resolve_precision(self.device, precision)
        self.batch = batch if self.device != "cpu" else 1
        self.batch_reduced = False
        net = self.weights.build()
        fold_batch_norms(net)  # in fp32, before anything is rounded
        # channels_last: the layout of the tiles themselves, and the fast one for convolutions everywhere
        self._net = net.to(self.device, PRECISIONS[self.precision], memory_format=torch.channels_last)  # type: ignore[call-overload]
        if self.device == "cpu":
            from crackpipe.model import cpu_convolutions  # imports timm, which takes seconds

            if cpu_convolutions.available(self.precision):
                cpu_convolutions.pack_convolutions(self._net)
        # one value per byte of a row: an inner loop over three channels would be slow
        self._mean = torch.tensor(self.weights.mean, device=self.device).repeat(TILE_PX)
        self._std = torch.tensor(self.weights.std, device=self.device).repeat(TILE_PX)

    @torch.inference_mode()
    def predict(self, tiles: UInt8) -> UInt8:
        """uint8 RGB tiles (N, 448, 448, 3) -> uint8 probabilities (N, classes, 448, 448), round(254 p).

        One class: sigmoid. K classes: softmax over background and the K, background left out. What is not a
        number becomes 255, not inspected. A tile's result depends neither on its position nor on N.

        Raises:
            ValueError: tiles of another shape or type.
            DeviceError: not even one tile fits into the GPU's memory.
        """
        if tiles.dtype != np.uint8 or tiles.shape[1:] != (TILE_PX, TILE_PX, 3):
            raise ValueError(
                f"tiles are {tiles.dtype} {tiles.shape}; uint8 (N, {TILE_PX}, {TILE_PX}, 3) needed"
            )
        probability = np.empty((len(tiles), len(self.weights.classes), TILE_PX, TILE_PX), np.uint8)
        if self.device == "cpu":
            for tile, target in zip(tiles, probability, strict=True):
                # a copy, because torch takes neither read-only nor negatively strided arrays
                target[:] = self._forward(torch.from_numpy(tile[None].copy()))[0].numpy()
        else:
            self._predict_on_gpu(tiles, probability)
        return probability

    def _forward(self, tiles: Tensor) -> Tensor:
        """(N, 448, 448, 3) uint8 -> (N, classes, 448, 448) uint8, both on the device."""
        x = tiles.flatten(2).float().sub_(self._mean).div_(self._std).to(PRECISIONS[self.precision])
        x = x.view(tiles.shape).permute(0, 3, 1, 2)  # (N, 3, 448, 448), channels_last in memory
        logits = self._net(x).float()
        p = torch.sigmoid(logits) if logits.shape[1] == 1 else torch.softmax(logits, dim=1)[:, 1:]
        # A NaN cast to uint8 is undefined and could pass for a sound road.
        return torch.nan_to_num(p * PROBABILITY_SCALE, nan=255.0).round().to(torch.uint8)

    def _predict_on_gpu(self, tiles: UInt8, probability: UInt8) -> None:
        """Fills `probability`; starts over with half the batch when the device's memory is short."""
        while True:
            try:
                with torch.backends.cudnn.flags(**_CUDNN):
                    self._run_batches(tiles, probability)
                return
            except torch.OutOfMemoryError as error:
                if self.batch == 1:
                    raise DeviceError(f"{self.device}: no memory for one tile; free it or use cpu") from error
                self.batch, self.batch_reduced = self.batch // 2, True
            torch.cuda.empty_cache()  # not in the handler: the traceback there keeps tensors alive

    def _run_batches(self, tiles: UInt8, probability: UInt8) -> None:
        with torch.cuda.device(self.device):  # events and streams belong to the current device
            slots = [self._new_slot(), self._new_slot()]
            for number, start in enumerate(range(0, len(tiles), self.batch)):
                slot = slots[number % 2]
                slot.collect()
                part = tiles[start : start + self.batch]
                slot.tiles.numpy()[: len(part)] = part  # what follows is padding: zeros or older tiles
                slot.target = probability[start : start + self.batch]
                on_device = self._forward(slot.tiles.to(self.device, non_blocking=True))
                slot.probability.copy_(on_device, non_blocking=True)
                slot.done.record()
            for slot in slots:
                slot.collect()

    def _new_slot(self) -> _Slot:
        shape = (self.batch, len(self.weights.classes), TILE_PX, TILE_PX)
        return _Slot(
            tiles=torch.zeros((self.batch, TILE_PX, TILE_PX, 3), dtype=torch.uint8, pin_memory=True),
            probability=torch.empty(shape, dtype=torch.uint8, pin_memory=True),
            # sleep while waiting: the cores decode images meanwhile
            done=torch.cuda.Event(blocking=True),
        )
