"""Bytes of a weights file become named tensors and a metadata dictionary. Nothing in them is trusted."""

import io
import json
import pickle
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn

from crackpipe.model.networks.context_cracknet import (
    ContextCrackNet,
    ContextCrackNetLite,
    ContextCrackNetLite1,
)
from crackpipe.model.networks.one_convolution import OneConvolution
from crackpipe.model.weights.authors_keys import from_authors, is_authors
from crackpipe.model.weights.metadata import WeightsError

# One entry of metadata and not one a field: safetensors writes entries in random order, and equal weights
# shall give equal bytes.
METADATA_KEY = "crackpipe"

ARCHITECTURES: dict[str, type[ContextCrackNet] | type[ContextCrackNetLite] | type[OneConvolution]] = {
    "context-cracknet": ContextCrackNet,
    "context-cracknet-lite": ContextCrackNetLite,
    "context-cracknet-lite1": ContextCrackNetLite1,
    "one-convolution": OneConvolution,
}
KNOWN = ", ".join(ARCHITECTURES)

_ONLY_IN_LITE1 = "encoder.blocks.1.2.conv_pw.weight"  # the third block of a stage that has two in lite


Content = tuple[dict[str, Tensor], dict[str, Any]]
"""Named tensors, and metadata that nobody has checked yet."""


def from_safetensors(path: Path, content: bytes) -> Content:
    """Tensors and metadata of a file that `to_safetensors` made; `path` is for messages only.

    Raises WeightsError if `content` is no safetensors file, or one without our metadata.
    """
    try:
        tensors = safetensors.torch.load(content)
        # Layout: 8 bytes little-endian length, then a JSON header; the line above has checked both.
        header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
        metadata = json.loads(header["__metadata__"][METADATA_KEY], parse_constant=_refuse_constant)
    except (safetensors.SafetensorError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise WeightsError(
            f"{path}: not a crackpipe weights file ({type(error).__name__}: {error}); "
            f"write it with crackpipe.model.weights.read.save"
        ) from error
    if not isinstance(metadata, dict):
        raise WeightsError(f"{path}: metadata is a {type(metadata).__name__}, not an object; write it again")
    return tensors, metadata


def to_safetensors(tensors: dict[str, Tensor], metadata: Mapping[str, Any]) -> bytes:
    """The file's bytes; equal values give equal bytes.

    Raises ValueError or TypeError if JSON cannot hold the metadata, for example a NaN.
    """
    text = json.dumps(metadata, sort_keys=True, allow_nan=False, ensure_ascii=False)
    return safetensors.torch.save(tensors, metadata={METADATA_KEY: text})


# What torch.load(weights_only=True) was seen to raise for damaged files.
UNPICKLING_ERRORS = (
    pickle.UnpicklingError,
    RuntimeError,
    EOFError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    AssertionError,
    OSError,
    struct.error,
)


def from_checkpoint(path: Path, content: bytes) -> Content:
    """Tensors of a PyTorch checkpoint, which is a state dict or a dict with one under `state_dict`.

    Tensors have our names or those of an authors' checkpoint. A checkpoint says nothing about itself, so its
    metadata are the network's defaults and "unknown".

    Raises WeightsError if it holds anything but tensors, or the tensors of another network.
    """
    try:
        loaded = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except UNPICKLING_ERRORS as error:
        raise WeightsError(
            f"{path}: not a checkpoint of tensors only ({type(error).__name__}); pickles that hold anything "
            f"else are never loaded: save the state dict alone, or convert it to .safetensors"
        ) from error
    tensors = loaded.get("state_dict", loaded) if isinstance(loaded, dict) else None
    if not isinstance(tensors, dict) or not all(isinstance(t, Tensor) for t in tensors.values()):
        raise WeightsError(f"{path}: holds no state dict; save `net.state_dict()`")
    tensors = {str(name): tensor for name, tensor in tensors.items()}
    try:
        tensors = from_authors(tensors) if is_authors(tensors) else tensors
    except KeyError as error:
        raise WeightsError(f"{path}: neither network has a tensor {error}; known are {KNOWN}") from error
    return tensors, _undescribed(path, tensors)


def structure(tensors: Mapping[str, Tensor]) -> dict[str, bool]:
    """Which of the two modules the network has, by its tensors' names."""
    return {
        "rfem": any(".rfem." in name for name in tensors),
        "cagm": any(name.startswith("cagm.") for name in tensors),
    }


def architecture_of(net: nn.Module) -> str:
    """The name of a network in `ARCHITECTURES`. Raises WeightsError for another network."""
    for name, cls in ARCHITECTURES.items():
        if type(net) is cls:
            return name
    raise WeightsError(f"{type(net).__name__} is none of the known networks: {KNOWN}")


def _undescribed(path: Path, tensors: Mapping[str, Tensor]) -> dict[str, Any]:
    """Metadata for tensors that came without."""
    architecture = "context-cracknet"
    if "encoder.conv_stem.weight" in tensors:
        architecture += "-lite1" if _ONLY_IN_LITE1 in tensors else "-lite"
    head = tensors.get("head.weight" if architecture == "context-cracknet" else "head.1.weight")
    if head is None or head.ndim != 4:
        raise WeightsError(f"{path}: has the output layer of neither network; known are {KNOWN}")
    channels = head.shape[0]
    return {
        "architecture": architecture,
        "classes": ["crack"] if channels == 1 else [f"class_{k}" for k in range(1, channels)],
        "training_gsd_mm": 1.0,
        "mean": ARCHITECTURES[architecture].INPUT_MEAN,
        "std": ARCHITECTURES[architecture].INPUT_STD,
        "threshold": 0.5,
        "contrast_c0": 60.0,
        "data": "unknown (checkpoint without metadata)",
        "licence": "unknown (checkpoint without metadata)",
        "metrics": {},
        **structure(tensors),
    }


def _refuse_constant(text: str) -> float:
    raise ValueError(f"{text} is not a JSON number")
