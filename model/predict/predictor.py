"""Room 2: tiles -> probabilities. Device, precision, batching.

Strategy. uint8 goes to the device, normalisation and quantisation happen there, uint8 comes back. On a CPU
tiles run one by one: that is as fast as any batch (larger ones leave the caches, and glibc maps and unmaps
their feature maps anew for every layer), needs an eighth of the memory, and no tile can depend on its
neighbours. On a GPU batches have one fixed size, short ones are padded, so that the same kernels run whatever
the cut (`gpu_batches`).
"""

import os
from collections import deque
from collections.abc import Callable
from functools import partial

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from crackpipe.model.networks.context_cracknet import TILE_PX
from crackpipe.model.predict import openvino
from crackpipe.model.predict.device import PRECISION_WORDS, DeviceError
from crackpipe.model.predict.gpu_batches import GpuBatches
from crackpipe.model.weights.read import Weights, load

__all__ = [
    "PRECISIONS",
    "PROBABILITY_SCALE",
    "DeviceError",
    "Predictor",
    "arithmetic",
    "fold_batch_norms",
    "resolve_device",
    "resolve_precision",
]

UInt8 = npt.NDArray[np.uint8]

PROBABILITY_SCALE = 254
"""probability = round(254 p); 255 is left for `not inspected`."""

PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16}


_BATCHES_IN_FLIGHT = 3  # one goes up, one is computed, one comes down


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

    With `openvino-` before it, OpenVINO computes in place of torch. A driver calls this once for all workers:
    mixed precisions in one run would mix results.

    Raises:
        DeviceError: an unknown word; OpenVINO where it is not installed, on another device than a CPU, or in
            bf16 on a processor where it would take fp32 and not say so.
    """
    if precision.removeprefix(openvino.PREFIX) in PRECISIONS:
        if precision.startswith(openvino.PREFIX):
            openvino.check(device)
            if arithmetic(precision) == torch.bfloat16 and not _multiplies_in_bf16(device):
                raise DeviceError(f"{precision}: this processor does not multiply in bf16; use openvino-fp32")
        return precision
    if precision != "auto":
        raise DeviceError(f"unknown precision {precision!r}; use one of {', '.join(PRECISION_WORDS)}")
    return "bf16" if _multiplies_in_bf16(device) else "fp32"


def _multiplies_in_bf16(device: str) -> bool:
    if device == "cpu":
        # torch has no public question for these; AMX implies a bf16 tile multiplication as well.
        return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())
    return torch.cuda.get_device_capability(device)[0] >= 8  # Ampere; before, bf16 is emulated


def arithmetic(precision: str) -> torch.dtype:
    """What a resolved precision computes in."""
    return PRECISIONS[precision.removeprefix(openvino.PREFIX)]


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


class Predictor:
    """A network with its weights on one device, ready to run.

    On a CPU one caller at a time; on a GPU several threads may use it.

    Attributes:
        weights: what it runs.
        device: resolved, `cpu`, `cuda` or `cuda:N`.
        precision: resolved, `fp32` or `bf16`, or one of these with `openvino-` before it.
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
        net = self.weights.build()
        fold_batch_norms(net)  # in fp32, before anything is rounded
        self._gpu: GpuBatches | None = None
        if self.device != "cpu":
            self._gpu = GpuBatches(self._forward, self.device, len(self.weights.classes), batch)
        if self.precision.startswith(openvino.PREFIX):
            self._logits = openvino.compiled(
                net, self.weights.mean, self.weights.std, arithmetic(self.precision)
            )
        else:
            self._logits = self._in_torch(net)

    def _in_torch(self, net: nn.Module) -> Callable[[Tensor], Tensor]:
        # channels_last: the layout of the tiles themselves, and the fast one for convolutions everywhere
        dtype = PRECISIONS[self.precision]
        self._net = net.to(self.device, dtype, memory_format=torch.channels_last)  # type: ignore[call-overload]
        if self.device == "cpu":
            from crackpipe.model.predict import cpu_convolutions  # imports timm, which takes seconds

            if cpu_convolutions.available(self.precision):
                cpu_convolutions.pack_convolutions(self._net)
        # one value per byte of a row: an inner loop over three channels would be slow
        self._mean = torch.tensor(self.weights.mean, device=self.device).repeat(TILE_PX)
        self._std = torch.tensor(self.weights.std, device=self.device).repeat(TILE_PX)

        def logits(tiles: Tensor) -> Tensor:
            x = tiles.flatten(2).float().sub_(self._mean).div_(self._std).to(dtype)
            x = x.view(tiles.shape).permute(0, 3, 1, 2)  # (N, 3, 448, 448), channels_last in memory
            return self._net(x).float()  # type: ignore[no-any-return]

        return logits

    @property
    def batch(self) -> int:
        """Tiles per step: of a GPU, fewer where its memory was short; a CPU runs tile by tile."""
        return self._gpu.batch if self._gpu else 1

    @property
    def batch_reduced(self) -> bool:
        """Whether it was short: then probabilities may differ by 1/254 from an undisturbed run's."""
        return self._gpu is not None and self._gpu.reduced

    def predict(self, tiles: UInt8) -> UInt8:
        """uint8 RGB tiles (N, 448, 448, 3) -> uint8 probabilities (N, classes, 448, 448), round(254 p).

        One class: sigmoid. K classes: softmax over background and the K, background left out. What is not a
        number becomes 255, not inspected. A tile's result depends neither on its position nor on N.

        Raises:
            ValueError: tiles of another shape or type.
            DeviceError: not even one tile fits into the GPU's memory.
        """
        _check(tiles)
        probability = np.empty((len(tiles), len(self.weights.classes), TILE_PX, TILE_PX), np.uint8)
        started: deque[tuple[int, Callable[[], UInt8]]] = deque()
        for start in range(0, len(tiles), self.batch):
            started.append((start, self.begin(tiles[start : start + self.batch])))
            if len(started) == _BATCHES_IN_FLIGHT:
                _take(started, probability)
        while started:
            _take(started, probability)
        return probability

    def begin(self, tiles: UInt8) -> Callable[[], UInt8]:
        """`predict` in two steps: send the tiles on their way, and call the result for the probabilities.

        A GPU works meanwhile; a CPU begins when the result is asked for. Every result has to be asked for.
        """
        _check(tiles)
        if self._gpu is None:
            return partial(self._one_by_one, tiles)
        return partial(self._gpu.collect, self._gpu.begin(tiles))

    @torch.inference_mode()
    def _one_by_one(self, tiles: UInt8) -> UInt8:
        probability = np.empty((len(tiles), len(self.weights.classes), TILE_PX, TILE_PX), np.uint8)
        for tile, target in zip(tiles, probability, strict=True):
            # a copy, because torch takes neither read-only nor negatively strided arrays
            target[:] = self._forward(torch.from_numpy(tile[None].copy()))[0].numpy()
        return probability

    def _forward(self, tiles: Tensor) -> Tensor:
        """(N, 448, 448, 3) uint8 -> (N, classes, 448, 448) uint8, both on the device."""
        logits = self._logits(tiles)
        p = torch.sigmoid(logits) if logits.shape[1] == 1 else torch.softmax(logits, dim=1)[:, 1:]
        # A NaN cast to uint8 is undefined and could pass for a sound road.
        return torch.nan_to_num(p * PROBABILITY_SCALE, nan=255.0).round().to(torch.uint8)


def _check(tiles: UInt8) -> None:
    if tiles.dtype != np.uint8 or tiles.shape[1:] != (TILE_PX, TILE_PX, 3):
        raise ValueError(f"tiles are {tiles.dtype} {tiles.shape}; uint8 (N, {TILE_PX}, {TILE_PX}, 3) needed")


def _take(started: deque[tuple[int, Callable[[], UInt8]]], probability: UInt8) -> None:
    """The oldest result into its place."""
    start, result = started.popleft()
    landed = result()
    probability[start : start + len(landed)] = landed
