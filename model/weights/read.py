"""Weights: find, verify, describe, build; and write.

A weights file is safetensors (which cannot execute code) with one metadata entry, `crackpipe`: JSON text that
says everything a run must know about the weights. PyTorch checkpoints, also of the authors' public code, are
read with `weights_only=True` and get default metadata.
"""

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from crackpipe.model.weights import files
from crackpipe.model.weights.files import ARCHITECTURES
from crackpipe.model.weights.folder import available, read, update_sums
from crackpipe.model.weights.metadata import Entries, WeightsError

__all__ = [
    "Weights",
    "WeightsError",
    "available",
    "channels_for",
    "import_checkpoint",
    "load",
    "save",
    "update_sums",
]

_MISFITS_NAMED = 20


@dataclass(frozen=True)
class Weights:
    """What a weights file says, and its tensors. Made by `load`."""

    name: str
    path: Path
    sha256: str
    """Of the whole file, lower-case hex."""
    architecture: str
    """`context-cracknet` or `context-cracknet-lite`."""
    rfem: bool
    cagm: bool
    classes: tuple[str, ...]
    """Names of the K classes; background is not one of them."""
    kinds: tuple[str, ...]
    """Of each class `crack`, `line` or `area`: what a crack map makes of it (`class_kinds`)."""
    training_gsd_mm: float
    """Millimetres per pixel of the images it was trained on."""
    mean: tuple[float, float, float]
    """Of R, G, B in grey values 0..255; the network's input is (grey - mean) / std."""
    std: tuple[float, float, float]
    threshold: float
    """Probability from which a pixel is a crack, or of its most probable class; 0 < p < 1."""
    contrast_c0: float
    """Typical darkness of a wide crack below its surroundings, in grey values, 0 < c0 <= 255."""
    data: str
    """What it was trained on."""
    licence: str
    metrics: Mapping[str, Any]
    """Figures of the training's validation; open-ended."""
    extra: Mapping[str, Any]
    """Whatever else the training wrote down."""
    tensors: Mapping[str, Tensor] = field(repr=False, compare=False)
    """State dict on the CPU; floating tensors in float32."""

    @property
    def channels(self) -> int:
        """Channels of the logits; see `channels_for`."""
        return channels_for(self.classes)

    def build(self) -> nn.Module:
        """The network with these weights on the CPU, float32, in eval mode."""
        net = _skeleton(self)
        # Copies, because the caller may fold or train in place.
        copies = {name: t.clone(memory_format=torch.contiguous_format) for name, t in self.tensors.items()}
        net.load_state_dict(copies, strict=True, assign=True)
        return net.eval()


def channels_for(classes: tuple[str, ...]) -> int:
    """Channels of the logits: 1 (sigmoid) for one crack class, else K + 1 with background first (softmax)."""
    return 1 if len(classes) == 1 else len(classes) + 1


def load(name_or_path: str | os.PathLike[str] = "lite") -> Weights:
    """Reads and verifies weights: an embedded name, `lite` or `full`, or the path of a file.

    A name wins over a file of the same name in the current folder; write `./lite` for the latter.

    Raises:
        WeightsError: unknown name, unreadable or changed file, tensors or metadata that do not fit.
    """
    path, sha256, content = read(name_or_path)
    if path.suffix == ".safetensors":
        tensors, metadata = files.from_safetensors(path, content)
    elif path.suffix in (".pt", ".pth"):
        tensors, metadata = files.from_checkpoint(path, content)
    else:
        raise WeightsError(
            f"{path}: suffix {path.suffix!r} is not .safetensors, .pth or .pt; convert the file"
        )
    return _describe(path, sha256, tensors, metadata)


def save(path: str | os.PathLike[str], net: nn.Module, metadata: Mapping[str, Any]) -> None:
    """Writes `net` (state dict and structure) and `metadata` to a .safetensors file, whole or not at all.

    Matrices and kernels go to fp16. Vectors (2 % of the bytes) stay fp32: variances of batch norms may leave
    the range of fp16.

    Args:
        path: ends in .safetensors; an existing file is replaced.
        net: a `ContextCrackNet` or `ContextCrackNetLite`, on any device.
        metadata: the fields of `Weights`: classes, training_gsd_mm, threshold, contrast_c0, data, licence,
            metrics; kinds where not every class is a crack, mean and std only where they differ from the
            network's own, name where it is not the file's; every other key is kept in `Weights.extra`.
            Values must be JSON.

    Raises:
        WeightsError: missing or impossible metadata, a tensor that is not finite (in fp16).
    """
    path = Path(path)
    if path.suffix != ".safetensors":
        raise WeightsError(f"{path}: weights are written as .safetensors, not {path.suffix!r}; rename it")
    architecture = files.architecture_of(net)
    tensors = {name: _to_disk(tensor) for name, tensor in net.state_dict().items()}
    complete = {
        "mean": ARCHITECTURES[architecture].INPUT_MEAN,
        "std": ARCHITECTURES[architecture].INPUT_STD,
        **metadata,
        "architecture": architecture,
        **files.structure(tensors),
    }
    _describe(path, "", tensors, complete)  # what is written must load
    try:
        content = files.to_safetensors(tensors, complete)
    except (TypeError, ValueError) as error:
        raise WeightsError(f"{path}: metadata cannot be written as JSON: {error}") from error
    partial = path.with_name(path.name + ".partial")
    try:
        partial.write_bytes(content)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def import_checkpoint(source: Path, out: Path, described: Mapping[str, Any]) -> Weights:
    """Writes a PyTorch checkpoint, our names or the authors', as a weights file, and returns that.

    Args:
        source: .pth or .pt; nothing in it is executed.
        out: ends in .safetensors; an existing file is replaced.
        described: fields of `Weights` that a checkpoint does not know; what is not given gets defaults, and
            data and licence are called unknown.

    Raises:
        WeightsError: anything that does not fit, with the list of it; nothing is written then.
    """
    if source.suffix not in (".pt", ".pth"):
        raise WeightsError(f"{source}: suffix {source.suffix!r} is not .pth or .pt; nothing to import")
    loaded = load(source)
    fields = ("classes", "training_gsd_mm", "threshold", "contrast_c0", "data", "licence", "metrics")
    save(out, loaded.build(), {name: getattr(loaded, name) for name in fields} | dict(described))
    return load(out)


def _to_disk(tensor: Tensor) -> Tensor:
    narrow = tensor.is_floating_point() and tensor.ndim > 1
    return tensor.detach().to("cpu", torch.float16 if narrow else tensor.dtype).contiguous().clone()


def _describe(path: Path, sha256: str, tensors: Mapping[str, Tensor], metadata: Mapping[str, Any]) -> Weights:
    """Checks everything that can be checked without running the network."""
    entry = Entries(path, metadata)
    weights = Weights(
        name=entry.text("name") if "name" in metadata else path.stem,
        path=path,
        sha256=sha256,
        architecture=entry.one_of("architecture", tuple(ARCHITECTURES)),
        rfem=entry.one_of("rfem", (True, False)),
        cagm=entry.one_of("cagm", (True, False)),
        classes=entry.names("classes"),
        kinds=entry.kinds("kinds", len(entry.names("classes"))),
        training_gsd_mm=entry.number("training_gsd_mm", above=0.0, at_most=1000.0),
        mean=entry.triple("mean", above=-1.0, at_most=255.0),
        std=entry.triple("std", above=0.0, at_most=1000.0),
        threshold=entry.number("threshold", above=0.0, at_most=math.nextafter(1.0, 0.0)),
        contrast_c0=entry.number("contrast_c0", above=0.0, at_most=255.0),
        data=entry.text("data"),
        licence=entry.text("licence"),
        metrics=entry.mapping("metrics"),
        extra={key: value for key, value in metadata.items() if key not in Weights.__dataclass_fields__},
        tensors=tensors,
    )
    _check_shapes(weights)  # before anything is computed: a hostile checkpoint can claim any size
    return replace(weights, tensors={name: _finite_float32(path, name, t) for name, t in tensors.items()})


def _finite_float32(path: Path, name: str, tensor: Tensor) -> Tensor:
    """A NaN would silently pass for a sound road, so it is looked for here."""
    if not tensor.is_floating_point():
        return tensor
    if not bool(torch.isfinite(tensor).all()):
        raise WeightsError(f"{path}: tensor {name} holds NaN or infinity; train or download it again")
    return tensor.float()


def _skeleton(weights: Weights) -> nn.Module:
    """The network on torch's meta device: shapes only, so that no time goes into random numbers."""
    with torch.device("meta"):
        network = ARCHITECTURES[weights.architecture]
        return network(weights.channels, rfem=weights.rfem, cagm=weights.cagm)


def _check_shapes(weights: Weights) -> None:
    wanted = {name: tuple(t.shape) for name, t in _skeleton(weights).state_dict().items()}
    found = {name: tuple(t.shape) for name, t in weights.tensors.items()}
    wrong = [name for name in dict.fromkeys([*wanted, *found]) if wanted.get(name) != found.get(name)]
    if wrong:
        named = [
            f"{name} is {found.get(name, 'missing')}, wanted {wanted.get(name, 'none')}"
            for name in wrong[:_MISFITS_NAMED]
        ]
        more = f"; and {len(wrong) - len(named)} more" if len(wrong) > len(named) else ""
        raise WeightsError(
            f"{weights.path}: {len(wrong)} tensors do not fit {weights.architecture} with "
            f"{len(weights.classes)} class(es), another version? {'; '.join(named)}{more}"
        )
