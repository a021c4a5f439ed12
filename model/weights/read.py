"""Weights are found, checked, described and built here, and written.

A weights file is safetensors, which cannot execute code, with one metadata entry, `crackpipe`: JSON text that
says everything a run must know about the weights. PyTorch checkpoints, also the authors', are read with
`weights_only=True` and get default metadata.
"""

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from crackpipe.model.weights import files, header
from crackpipe.model.weights.files import ARCHITECTURES
from crackpipe.model.weights.folder import read, shown_name
from crackpipe.model.weights.metadata import Entries, WeightsError
from crackpipe.model.weights.screen import Screen
from crackpipe.model.weights.screen import from_entry as screen_of
from crackpipe.model.weights.statistics import Statistics, digest_of, from_entry
from crackpipe.model.weights.sureness import Span

_MISFITS_NAMED = 20


@dataclass(frozen=True, kw_only=True)
class Weights:
    """What a weights file says, and its tensors. Made by `load`."""

    name: str
    path: Path
    sha256: str
    """Of the whole file, lower-case hex."""
    network_sha256: str
    """Of the file without statistics of familiarity, `coarse_shift`, `screen` (`header.network_sha256`)."""
    architecture: str
    """A name of `files.ARCHITECTURES`."""
    rfem: bool
    cagm: bool
    classes: tuple[str, ...]
    """Names of the K classes; background is not one of them."""
    kinds: tuple[str, ...]
    """Of each class `crack`, `line` or `area`: what a crack map makes of it (`kinds`)."""
    training_gsd_mm: float
    """Millimetres per pixel of the images it was trained on."""
    gsd_range_mm: tuple[float, float] | None
    """Finest and coarsest GSD, mm/px, of images that it was trained to see as they are. None: not stated, and
    images more than a factor 1.5 off `training_gsd_mm` are resampled to it."""
    mean: tuple[float, float, float]
    """Of R, G, B in grey values 0..255; the network's input is (grey - mean) / std."""
    std: tuple[float, float, float]
    threshold: float
    """Probability from which a pixel is a crack, or of its most probable class; 0 < p < 1."""
    coarse_shift: float | None
    """What is added to the logit of a coarse look (`predict.coarse`); None: these weights take none."""
    screen: Screen | None = field(compare=False)
    """Limits of `--screen`; None: not measured."""
    contrast_c0: float
    """Typical darkness of a wide crack below its surroundings, in grey values, 0 < c0 <= 255."""
    data: str
    """What it was trained on."""
    licence: str
    metrics: Mapping[str, Any]
    """Figures of the training's validation, and whatever else was measured."""
    familiarity: Statistics | None = field(repr=False, compare=False)
    """By what a run tells how well the network knows its images; None: not stated."""
    extra: Mapping[str, Any]
    """Every other entry of the metadata."""
    tensors: Mapping[str, Tensor] = field(repr=False, compare=False)
    """State dict on the CPU; floating tensors in float32."""

    @property
    def statistics(self) -> str | None:
        """Digest of `familiarity`, None without."""
        return None if self.familiarity is None else digest_of(self.familiarity.as_entry())

    @property
    def sureness(self) -> Span | None:
        """Usual and strange sureness of known pictures (`weights.sureness`), None if not stated."""
        return None if self.familiarity is None else self.familiarity.sureness

    @property
    def channels(self) -> int:
        """Channels of the logits; see `channels_for`."""
        return channels_for(self.classes)

    def build(self) -> nn.Module:
        """The network with these weights on the CPU, float32, in eval mode."""
        net = _skeleton(self)
        # Copies, because the caller may change them in place.
        copies = {name: t.clone(memory_format=torch.contiguous_format) for name, t in self.tensors.items()}
        net.load_state_dict(copies, strict=True, assign=True)
        return net.eval()

    def build_part(self, *prefixes: str) -> nn.Module:
        """The network as of `build`, but only modules whose names begin so have weights, which they share
        with `tensors`: to be read only. All others are empty (torch's meta device)."""
        net = _skeleton(self)
        some = {name: tensor for name, tensor in self.tensors.items() if name.startswith(prefixes)}
        net.load_state_dict(some, strict=False, assign=True)
        return net.eval()


def channels_for(classes: tuple[str, ...]) -> int:
    """Channels of the logits: 1 (sigmoid) for one crack class, else K + 1 with background first (softmax)."""
    return 1 if len(classes) == 1 else len(classes) + 1


def load(name_or_path: str | os.PathLike[str] = "lite") -> Weights:
    """Read and check weights, given by an embedded name, by `lite` or `full`, or by the path of a file.

    A name goes before a file of the same name in the current folder; `./lite` means the file.
    Raises WeightsError for an unknown name, a file that cannot be read or was changed, and for tensors or
    metadata that do not fit.
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
    weights = _describe(path, sha256, tensors, metadata)
    if weights.familiarity is None and weights.coarse_shift is None and weights.screen is None:
        return weights
    return replace(weights, network_sha256=header.network_sha256(content, metadata))


def save(path: str | os.PathLike[str], net: nn.Module, metadata: Mapping[str, Any]) -> None:
    """Write `net` (state dict and structure) and `metadata` to a .safetensors file, whole or not at all.

    `path` ends in .safetensors; a file that is there is replaced. `net` is a network of `ARCHITECTURES`, on
    any device. Its matrices and kernels are stored in fp16. Its vectors, 2 % of the bytes, stay fp32, because
    variances of batch norms may leave the range of fp16.

    `metadata` holds the fields of `Weights` with values that JSON can hold: classes, training_gsd_mm,
    threshold, contrast_c0, data, licence, metrics. It needs kinds only if not every class is a crack, mean
    and std only if they differ from the network's own, name only if it is not the file's, gsd_range_mm
    only if the training covered one, and coarse_shift only if they take a coarse look. Other keys are kept in
    `Weights.extra`.

    Raises WeightsError if metadata is missing or impossible, or if a tensor is not finite in fp16.
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
    _describe(path, "", tensors, complete)  # fails here where `load` would fail later
    try:
        content = files.to_safetensors(tensors, complete)
    except (TypeError, ValueError) as error:
        raise WeightsError(f"{path}: metadata cannot be written as JSON: {error}") from error
    partial = path.with_name(path.name + ".partial")
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        partial.write_bytes(content)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def import_checkpoint(source: Path, out: Path, described: Mapping[str, Any]) -> Weights:
    """Write a PyTorch checkpoint, ours or the authors', as a weights file, and return what was written.

    `source` ends in .pth or .pt; nothing in it is executed. `out` ends in .safetensors; a file that is there
    is replaced. `described` holds fields of `Weights`, of which a checkpoint knows nothing. What it does not
    hold gets a default; data and licence become unknown.

    Raises WeightsError with a list of all that does not fit; then nothing is written.
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
    """Make `Weights` of what was read, and check all that can be checked without running the network."""
    entry = Entries(path, metadata)
    weights = Weights(
        name=shown_name(path, entry.text("name") if "name" in metadata else None),
        path=path,
        sha256=sha256,
        network_sha256=sha256,
        architecture=entry.one_of("architecture", tuple(ARCHITECTURES)),
        rfem=entry.one_of("rfem", (True, False)),
        cagm=entry.one_of("cagm", (True, False)),
        classes=entry.names("classes"),
        kinds=entry.kinds("kinds", len(entry.names("classes"))),
        training_gsd_mm=entry.number("training_gsd_mm", above=0.0, at_most=1000.0),
        gsd_range_mm=entry.gsd_range("gsd_range_mm"),
        mean=entry.triple("mean", above=-1.0, at_most=255.0),
        std=entry.triple("std", above=0.0, at_most=1000.0),
        threshold=entry.number("threshold", above=0.0, at_most=math.nextafter(1.0, 0.0)),
        coarse_shift=entry.coarse_shift(header.COARSE_SHIFT),
        screen=screen_of(path, entry.mapping(header.SCREEN)) if header.SCREEN in metadata else None,
        contrast_c0=entry.number("contrast_c0", above=0.0, at_most=255.0),
        data=entry.text("data"),
        licence=entry.text("licence"),
        metrics=entry.mapping("metrics"),
        familiarity=(
            from_entry(path, entry.mapping(header.STATISTICS)) if header.STATISTICS in metadata else None
        ),
        extra={key: value for key, value in metadata.items() if key not in Weights.__dataclass_fields__},
        tensors=tensors,
    )
    _check_shapes(weights)  # before anything is computed, because a hostile checkpoint may claim any size
    return replace(weights, tensors={name: _finite_float32(path, name, t) for name, t in tensors.items()})


def _finite_float32(path: Path, name: str, tensor: Tensor) -> Tensor:
    """The tensor in float32. Raises WeightsError for a NaN, which would silently pass for a sound road."""
    if not tensor.is_floating_point():
        return tensor
    if not bool(torch.isfinite(tensor).all()):
        raise WeightsError(f"{path}: tensor {name} holds NaN or infinity; train or download it again")
    return tensor.float()


def _skeleton(weights: Weights) -> nn.Module:
    """The network on torch's meta device: shapes without values, so no time goes into random numbers."""
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
