"""The networks of the paper's tables under one encoder: ours, and nine of segmentation-models-pytorch.

Encoder `lite0` is EfficientNet-Lite0, of which a package brings ImageNet weights; `resnet50` is the published
one, whose weights torchvision downloads. A baseline is the library's network with its own default decoder;
all 288 tensors of Lite0 go by name into the encoder of each, as into the one of the lite network.
"""

from collections.abc import Callable
from typing import Any

from torch import nn

from crackpipe.model.networks.context_cracknet import ContextCrackNet, ContextCrackNetLite
from crackpipe.model.train.class_head import set_prior, start_at_prior
from crackpipe.model.train.imagenet import lite0_state_dict, load_imagenet_encoder

OURS = {"lite": ContextCrackNetLite, "full": ContextCrackNet}

BASELINES = {
    "U-Net": "Unet",
    "U-Net++": "UnetPlusPlus",
    "DeepLabV3": "DeepLabV3",
    "DeepLabV3+": "DeepLabV3Plus",
    "FPN": "FPN",
    "PSPNet": "PSPNet",
    "LinkNet": "Linknet",
    "MAnet": "MAnet",
    "PAN": "PAN",
}
"""Name in the paper -> class of segmentation-models-pytorch."""

ENCODERS = {"lite0": ("tu-tf_efficientnet_lite0", OURS["lite"]), "resnet50": ("resnet50", OURS["full"])}
"""Name in the library, and the network of ours whose encoder and input it shares."""

NAMES = (*OURS, *BASELINES)


def baseline(name: str, encoder: str = "lite0", *, pretrained: bool = False, classes: int = 1) -> nn.Module:
    """A network of the paper's Table 3: float (N, 3, H, W) normalised RGB -> logits (N, classes, H, W).

    Raises KeyError for an unknown name or encoder, ModuleNotFoundError without segmentation-models-pytorch.
    """
    from crackpipe.model.networks import torchvision_ops  # noqa: F401  before torchvision
    import segmentation_models_pytorch as smp  # isort: skip

    library_name, ours = ENCODERS[encoder]
    make = getattr(smp, BASELINES[name])
    net: nn.Module = make(library_name, encoder_weights=None, in_channels=3, classes=classes)
    net.INPUT_MEAN, net.INPUT_STD = ours.INPUT_MEAN, ours.INPUT_STD
    if pretrained and encoder == "lite0":
        net.encoder.model.load_state_dict(lite0_state_dict(), strict=True)
    elif pretrained:
        _load_resnet50(net.encoder)
    return net


def _load_resnet50(encoder: nn.Module) -> None:
    from torchvision.models import ResNet50_Weights

    tensors = ResNet50_Weights.IMAGENET1K_V2.get_state_dict(progress=True, check_hash=True)
    encoder.load_state_dict(tensors)  # the library's encoder passes over `fc.`


def network(
    name: str,
    encoder: str = "lite0",
    *,
    rfem: bool = True,
    cagm: bool = True,
    pretrained: bool = False,
    prior: float = 0.5,
) -> Callable[[int], nn.Module]:
    """What makes the network of that name, given the number of output channels; shapes as of `baseline`.

    `rfem`, `cagm`: of ours, the module on or off; `prior`: of the training's recipe, which sets it only where
    it makes the network itself. Raises ValueError for an unknown name.
    """
    if name not in NAMES:
        raise ValueError(f"network {name!r}: choose of {', '.join(NAMES)}")

    def make(classes: int) -> nn.Module:
        if name in BASELINES:
            other: Any = baseline(name, encoder, pretrained=pretrained, classes=classes)
            set_prior(other.segmentation_head[0].bias, prior)
            return other  # type: ignore[no-any-return]
        net = OURS[name](classes, rfem=rfem, cagm=cagm)
        if pretrained:
            load_imagenet_encoder(net)
        start_at_prior(net, prior)
        return net

    return make
