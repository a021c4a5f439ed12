"""Room 2: tiles become probabilities. Device, precision, batching.

Strategy. uint8 goes to the device, normalisation and quantisation happen there, uint8 comes back.

On a CPU tiles run one by one. That is as fast as batches, which do not fit into the caches and whose feature
maps glibc maps and unmaps for every layer; it needs an eighth of the memory of a batch of 8; and no tile can
depend on its neighbours. On a GPU all batches have one size, and a short one is padded, so that the same
kernels run however the tiles are divided (`gpu_batches`).
"""

import os
import threading
from collections import deque
from collections.abc import Callable
from functools import partial

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from crackpipe.model.networks.context_cracknet import TILE_PX
from crackpipe.model.predict import openvino, suspicion
from crackpipe.model.predict.device import PRECISION_WORDS, DeviceError
from crackpipe.model.predict.gpu_batches import Forward, GpuBatches
from crackpipe.model.weights.read import Weights, load

UInt8 = npt.NDArray[np.uint8]

PROBABILITY_SCALE = 254
"""A probability is stored as round(254 p); 255 means not inspected."""

PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16}

_BATCHES_IN_FLIGHT = 3  # one goes up, one is computed, one comes down


def resolve_device(device: str = "auto") -> str:
    """`auto` becomes `cuda` if there is a GPU, else `cpu`; `cpu`, `cuda`, `cuda:N` are checked and returned.

    Raises DeviceError if CUDA is asked for and not there, or for an unknown word.
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
    """`auto` becomes `bf16` if the device multiplies in bf16 itself, else `fp32`; `device` is resolved
    already.

    With `openvino-` before it, OpenVINO computes in place of torch. The driver calls this once for all
    workers, because two precisions in one run would mix results.

    Raises DeviceError for an unknown word. Of OpenVINO, it is raised if that is not installed, on another
    device than a CPU, and for bf16 on a processor where OpenVINO would take fp32 without saying so.
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
        # torch has no public function for this. AMX multiplies in bf16 as well.
        return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())
    return torch.cuda.get_device_capability(device)[0] >= 8  # Ampere; before, bf16 is emulated


def arithmetic(precision: str) -> torch.dtype:
    """The number format in which a resolved precision computes."""
    return PRECISIONS[precision.removeprefix(openvino.PREFIX)]


def fold_batch_norms(net: nn.Module) -> None:
    """Replace each convolution and its batch norm by one convolution of the same result, in place.

    The network must be in eval mode. The batch norm of a `Conv2d` is the `BatchNorm2d` registered right after
    it in the same module; this holds for all modules here, torchvision's ResNet and timm's EfficientNet. The
    batch norms of timm also hold the activation; there, convolution and activation become an `nn.Sequential`,
    which tells `cpu_convolutions` that one follows the other. This saves a tenth of the time in fp32, nearly
    half in bf16.
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

    On a CPU only one thread at a time may use it, on a GPU several may.
    """

    weights: Weights
    """What it runs."""
    device: str
    """Resolved: `cpu`, `cuda` or `cuda:N`."""
    precision: str
    """Resolved: `fp32` or `bf16`, or one of these with `openvino-` before it."""

    def __init__(
        self,
        weights: str | os.PathLike[str] | Weights = "lite",
        device: str = "auto",
        precision: str = "auto",
        batch: int = 8,
    ) -> None:
        """Load and prepare the network.

        Raises WeightsError as `weights.read.load` does, DeviceError as `resolve_device` and
        `resolve_precision` do, and ValueError if `batch` is below 1.
        """
        if batch < 1:
            raise ValueError(f"batch is {batch}; at least 1 tile")
        self.weights = weights if isinstance(weights, Weights) else load(weights)
        self.device = resolve_device(device)
        self.precision = resolve_precision(self.device, precision)
        net = self.weights.build()
        fold_batch_norms(net)  # in fp32, before anything is rounded
        self._gpu: GpuBatches | None = None
        self._gpu_suspicion: GpuBatches | None = None  # takes memory with its first batch
        if self.device != "cpu":
            planes, lock = len(self.weights.classes), threading.Lock()
            self._gpu = GpuBatches(self._forward, self.device, planes, batch, lock=lock)
            self._gpu_suspicion = GpuBatches(self._suspicion, self.device, 1 + planes, batch, lock=lock)
        if self.precision.startswith(openvino.PREFIX):
            self._logits = openvino.compiled(
                net, self.weights.mean, self.weights.std, arithmetic(self.precision)
            )
        else:
            self._logits = self._in_torch(net)

    def _in_torch(self, net: nn.Module) -> Callable[[Tensor], Tensor]:
        # channels_last is the layout of the tiles themselves, and the fastest for convolutions everywhere
        dtype = PRECISIONS[self.precision]
        self._net = net.to(self.device, dtype, memory_format=torch.channels_last)  # type: ignore[call-overload]
        if self.device == "cpu":
            from crackpipe.model.predict import cpu_convolutions  # imports timm, which takes seconds

            if cpu_convolutions.available(self.precision):
                cpu_convolutions.pack_convolutions(self._net)
        # one value for each byte of a row of pixels, because an inner loop over three channels is slow
        self._mean = torch.tensor(self.weights.mean, device=self.device).repeat(TILE_PX)
        self._std = torch.tensor(self.weights.std, device=self.device).repeat(TILE_PX)

        def logits(tiles: Tensor) -> Tensor:
            x = tiles.flatten(2).float().sub_(self._mean).div_(self._std).to(dtype)
            x = x.view(tiles.shape).permute(0, 3, 1, 2)  # (N, 3, 448, 448), channels_last in memory
            return self._net(x).float()  # type: ignore[no-any-return]

        return logits

    @property
    def batch(self) -> int:
        """Tiles at a time: 1 on a CPU; on a GPU as asked for, or fewer if its memory was too short."""
        return self._gpu.batch if self._gpu else 1

    @property
    def batch_reduced(self) -> bool:
        """Whether a GPU's memory was too short for the batch; then probabilities may differ by 1/254."""
        return any(each is not None and each.reduced for each in (self._gpu, self._gpu_suspicion))

    def predict(self, tiles: UInt8) -> UInt8:
        """uint8 RGB tiles (N, 448, 448, 3) -> uint8 probabilities (N, classes, 448, 448), round(254 p).

        One class has a sigmoid. K classes have a softmax over background and the K, without the background.
        What is not a number becomes 255, not inspected. A tile's result depends neither on its place among
        the tiles nor on N.

        Raises ValueError for tiles of another shape or type, DeviceError if not even one tile fits into the
        GPU's memory.
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

    def suspect(self, tiles: UInt8) -> UInt8:
        """The probabilities as of `predict`, and behind them a plane of levels of `predict.suspicion`.

        uint8 RGB tiles (N, 448, 448, 3) -> uint8 (N, classes + 1, 448, 448). Raises what `predict` raises.
        """
        _check(tiles)
        if self._gpu_suspicion is None:
            return self._one_by_one(tiles, self._suspicion, 1 + len(self.weights.classes))
        return self._gpu_suspicion.collect(self._gpu_suspicion.begin(tiles))

    def begin(self, tiles: UInt8) -> Callable[[], UInt8]:
        """Start to predict `tiles`, and return a function that waits for the probabilities, as of `predict`.

        A GPU works in the meantime; a CPU begins when that function is called. Call every one of them.
        """
        _check(tiles)
        if self._gpu is None:
            return partial(self._one_by_one, tiles, self._forward, len(self.weights.classes))
        return partial(self._gpu.collect, self._gpu.begin(tiles))

    @torch.inference_mode()
    def _one_by_one(self, tiles: UInt8, forward: Forward, planes: int) -> UInt8:
        found = np.empty((len(tiles), planes, TILE_PX, TILE_PX), np.uint8)
        for tile, target in zip(tiles, found, strict=True):
            # a copy, because torch takes no arrays that are read-only or have negative strides
            target[:] = forward(torch.from_numpy(tile[None].copy()))[0].numpy()
        return found

    def _forward(self, tiles: Tensor) -> Tensor:
        """(N, 448, 448, 3) uint8 -> (N, classes, 448, 448) uint8, both on the device."""
        return _levels_of(self._probability(tiles))

    def _suspicion(self, tiles: Tensor) -> Tensor:
        """(N, 448, 448, 3) uint8 -> (N, classes + 1, 448, 448) uint8, both on the device."""
        p = self._probability(tiles)
        return torch.cat((_levels_of(p), suspicion.levels_of(p.amax(dim=1, keepdim=True))), dim=1)

    def _probability(self, tiles: Tensor) -> Tensor:
        """(N, 448, 448, 3) uint8 -> (N, classes, 448, 448) float32."""
        logits = self._logits(tiles)
        return torch.sigmoid(logits) if logits.shape[1] == 1 else torch.softmax(logits, dim=1)[:, 1:]


def _levels_of(probability: Tensor) -> Tensor:
    """round(254 p) as uint8, 255 for what is no number."""
    # To cast a NaN to uint8 is undefined, and the result could pass for a sound road.
    return torch.nan_to_num(probability * PROBABILITY_SCALE, nan=255.0).round().to(torch.uint8)


def _check(tiles: UInt8) -> None:
    if tiles.dtype != np.uint8 or tiles.shape[1:] != (TILE_PX, TILE_PX, 3):
        raise ValueError(f"tiles are {tiles.dtype} {tiles.shape}; uint8 (N, {TILE_PX}, {TILE_PX}, 3) needed")


def _take(started: deque[tuple[int, Callable[[], UInt8]]], probability: UInt8) -> None:
    """Wait for the oldest result and put it into its place."""
    start, result = started.popleft()
    landed = result()
    probability[start : start + len(landed)] = landed
