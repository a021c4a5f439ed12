"""Context-CrackNet as in its paper (arXiv 2501.14413), and a lite network: the same modules, a small encoder.

Both are a U-Net with two additions: CAGM lets every position of the 1/16 map look at the whole tile, and RFEM
weighs each skip connection by what the decoder already knows.

Legend: N tiles, H x W their size in pixels (448 x 448), C channels, T tokens (T = H/16 * W/16 = 784),
k = 256 tokens left after the Linformer projection, h heads, d = C/h channels per head.

The input is normalised by the caller, (grey - mean) / std with `INPUT_MEAN` and `INPUT_STD` of the class: the
weights file records them, the predictor applies them on the device.
"""

from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

TILE_PX = 448
"""Side of the square tile, in pixels. CAGM's token projections have this size built in."""

STRIDE = 16
"""CAGM works on the map at 1/16 of the tile."""

Triple = tuple[float, float, float]


class LinformerAttention(nn.Module):
    """Multi-head attention whose keys and values are first projected from T to k tokens.

    Wang et al. 2020, "Linformer: Self-Attention with Linear Complexity", eq. 7, with E and F shared by the
    heads: softmax(Q (E K)^T / sqrt(d)) (F V).
    """

    def __init__(self, width: int, heads: int, tokens: int, projected: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width)
        self.value = nn.Linear(width, width)
        self.project_key = nn.Linear(tokens, projected, bias=False)  # E
        self.project_value = nn.Linear(tokens, projected, bias=False)  # F
        self.out = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """(N, T, C) -> (N, T, C)."""
        n, t, c = x.shape
        q = self.query(x)  # (N, T, C)
        # E multiplies from the left: transposed keys and values would rule out the fused kernel below
        k = torch.matmul(self.project_key.weight, self.key(x))  # (N, k, C)
        v = torch.matmul(self.project_value.weight, self.value(x))  # (N, k, C)
        q, k, v = (m.reshape(n, -1, self.heads, c // self.heads).transpose(1, 2) for m in (q, k, v))
        attended = F.scaled_dot_product_attention(q, k, v)  # (N, h, T, d)
        return self.out(attended.transpose(1, 2).reshape(n, t, c))  # type: ignore[no-any-return]


class CAGM(nn.Module):
    """Context-aware global module: one pre-norm transformer block over all positions of a feature map."""

    def __init__(
        self,
        width: int,
        heads: int,
        *,
        feed_forward: int = 2048,
        tokens: int = (TILE_PX // STRIDE) ** 2,
        projected: int = 256,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        self.tokens = tokens
        self.norm1 = nn.LayerNorm(width)
        self.attention = LinformerAttention(width, heads, tokens, projected)
        self.norm2 = nn.LayerNorm(width)
        self.feed_forward = nn.Sequential(
            nn.Linear(width, feed_forward), nn.ReLU(), nn.Dropout(dropout), nn.Linear(feed_forward, width)
        )
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H/16, W/16) -> the same shape.

        Raises ValueError if the map has another number of positions than the token projections.
        """
        n, c, height, width = x.shape
        if height * width != self.tokens:
            raise ValueError(
                f"CAGM was built for {self.tokens} positions (tiles of {TILE_PX}x{TILE_PX} px) and got "
                f"{height}x{width} = {height * width} (about {height * STRIDE}x{width * STRIDE} px): "
                f"cut tiles of {TILE_PX}x{TILE_PX} px, or build the network with cagm=False"
            )
        t = x.flatten(2).transpose(1, 2)  # (N, C, H, W) -> (N, T, C)
        t = t + self.dropout(self.attention(self.norm1(t)))
        t = t + self.dropout(self.feed_forward(self.norm2(t)))
        return t.transpose(1, 2).reshape(n, c, height, width)  # type: ignore[no-any-return]


class RFEM(nn.Module):
    """Region-focused enhancement module: an attention gate on a skip connection.

    Oktay et al. 2018, "Attention U-Net", eq. 1 and 2, at equal resolution of both maps:
    alpha = sigmoid(psi(ReLU(W_x x + W_g g))), the encoder map x is multiplied by alpha.
    """

    def __init__(self, encoder: int, decoder: int) -> None:
        super().__init__()
        inner = encoder // 2
        self.encoder = nn.Sequential(nn.Conv2d(encoder, inner, 1), nn.BatchNorm2d(inner))  # W_x
        self.decoder = nn.Sequential(nn.Conv2d(decoder, inner, 1), nn.BatchNorm2d(inner))  # W_g
        self.psi = nn.Conv2d(inner, 1, 1)

    def forward(self, skip: Tensor, deep: Tensor) -> tuple[Tensor, Tensor]:
        """(N, Ce, H, W), (N, Cd, H, W) -> the gated skip (N, Ce, H, W) and alpha (N, 1, H, W) in 0..1."""
        alpha = torch.sigmoid(self.psi(F.relu(self.encoder(skip) + self.decoder(deep))))
        return skip * alpha, alpha


def conv_bn_relu(channels_in: int, channels_out: int) -> nn.Sequential:
    """Conv3x3 without bias (batch norm brings one), batch norm, ReLU."""
    return nn.Sequential(
        nn.Conv2d(channels_in, channels_out, 3, padding=1, bias=False),
        nn.BatchNorm2d(channels_out),
        nn.ReLU(inplace=True),
    )


class DecoderStage(nn.Module):
    """Doubles the resolution of the deeper map, gates the skip, joins both and refines."""

    def __init__(self, deep: int, skip: int, width: int, rfem: bool) -> None:
        super().__init__()
        self.up = nn.ConvTranspose2d(deep, width, 2, stride=2)
        self.rfem = RFEM(skip, width) if rfem else None
        self.refine = nn.Sequential(conv_bn_relu(skip + width, width), conv_bn_relu(width, width))

    def forward(self, deep: Tensor, skip: Tensor) -> tuple[Tensor, Tensor | None]:
        """(N, Cdeep, H/2, W/2), (N, Cskip, H, W) -> (N, width, H, W), alpha (N, 1, H, W) or None."""
        up = self.up(deep)
        alpha = None
        if self.rfem is not None:
            skip, alpha = self.rfem(skip, up)
        return self.refine(torch.cat((skip, up), dim=1)), alpha


Output = Tensor | tuple[Tensor, list[Tensor]]
"""Logits (N, classes, H, W), and with `return_attention` the list of RFEM's alpha maps, deepest first."""


class ContextCrackNet(nn.Module):
    """The paper's network: ResNet50 encoder, CAGM on the 1/16 map, four decoder stages with RFEM.

    82,050,597 parameters for one class, 208.6 GFLOP per tile. Nothing is downloaded at construction.

    `classes` is the number of output channels: 1 for crack or not (sigmoid), K + 1 for K classes (softmax,
    background first). Two switches are for ablation: without `rfem` the encoder maps pass ungated, without
    `cagm` the 1/16 map passes as it is.
    """

    INPUT_MEAN: ClassVar[Triple] = (123.675, 116.28, 103.53)
    """Grey values 0..255 of R, G, B (the ImageNet statistics)."""
    INPUT_STD: ClassVar[Triple] = (58.395, 57.12, 57.375)

    def __init__(self, classes: int = 1, rfem: bool = True, cagm: bool = True) -> None:
        super().__init__()
        # These imports take seconds. They stand here and below, and not at the top of the module, so that
        # only those who build a network pay for them.
        from crackpipe.model.networks import torchvision_ops  # noqa: F401  before torchvision
        from torchvision.models import resnet50  # isort: skip

        encoder = resnet50(weights=None)
        self.stem = nn.Sequential(encoder.conv1, encoder.bn1, encoder.relu)
        self.pool = encoder.maxpool
        self.layer1, self.layer2 = encoder.layer1, encoder.layer2
        self.layer3, self.layer4 = encoder.layer3, encoder.layer4
        self.cagm = CAGM(1024, heads=8) if cagm else nn.Identity()
        self.decoder = nn.ModuleList(
            DecoderStage(deep, skip, skip, rfem)
            for deep, skip in ((2048, 1024), (1024, 512), (512, 256), (256, 64))
        )
        self.head = nn.Conv2d(64, classes, 1)

    def forward(self, x: Tensor, return_attention: bool = False) -> Output:
        """(N, 3, H, W) float, normalised RGB -> logits (N, classes, H, W); see `Output`."""
        x0 = self.stem(x)  # (N, 64, H/2, W/2)
        x1 = self.layer1(self.pool(x0))  # (N, 256, H/4, W/4)
        x2 = self.layer2(x1)  # (N, 512, H/8, W/8)
        x3 = self.layer3(x2)  # (N, 1024, H/16, W/16)
        y = self.layer4(x3)  # (N, 2048, H/32, W/32)
        alphas = []
        for stage, skip in zip(self.decoder, (self.cagm(x3), x2, x1, x0), strict=True):
            y, alpha = stage(y, skip)
            alphas.append(alpha)
        logits = F.interpolate(self.head(y), scale_factor=2, mode="bilinear", align_corners=False)
        return (logits, [a for a in alphas if a is not None]) if return_attention else logits


class ContextCrackNetLite(nn.Module):
    """The same CAGM and RFEM on EfficientNet-Lite0, for users without a GPU.

    4,349,613 parameters for one class, 8.5 GFLOP per tile. Unlike the paper's network it decides at full
    resolution: one more transposed convolution gives a map of the tile's size, and the image itself is joined
    to it, so that a crack of one pixel keeps its place. `classes`, `rfem` and `cagm` are as in
    `ContextCrackNet`.
    """

    ENCODER: ClassVar[str] = "tf_efficientnet_lite0"
    """Its name in timm."""
    INPUT_MEAN: ClassVar[Triple] = (127.0, 127.0, 127.0)
    """Grey values 0..255 of R, G, B, as the ImageNet weights of the encoder were trained."""
    INPUT_STD: ClassVar[Triple] = (128.0, 128.0, 128.0)

    def __init__(self, classes: int = 1, rfem: bool = True, cagm: bool = True) -> None:
        super().__init__()
        from crackpipe.model.networks import torchvision_ops  # noqa: F401  before timm, which imports torchvision
        import timm  # isort: skip

        self.encoder = timm.create_model(self.ENCODER, pretrained=False, features_only=True)
        self.reduce = nn.Conv2d(112, 128, 1)  # to a width that four heads divide
        self.cagm = CAGM(128, heads=4, feed_forward=256) if cagm else nn.Identity()
        self.decoder = nn.ModuleList(
            DecoderStage(deep, skip, width, rfem)
            for deep, skip, width in ((320, 128, 128), (128, 40, 64), (64, 24, 48), (48, 16, 24))
        )
        self.up = nn.ConvTranspose2d(24, 8, 2, stride=2)
        self.head = nn.Sequential(conv_bn_relu(8 + 3, 16), nn.Conv2d(16, classes, 1))

    def forward(self, x: Tensor, return_attention: bool = False) -> Output:
        """(N, 3, H, W) float, normalised RGB -> logits (N, classes, H, W); see `Output`."""
        x0, x1, x2, x3, y = self.encoder(x)  # 16 at 1/2, 24 at 1/4, 40 at 1/8, 112 at 1/16, 320 at 1/32
        alphas = []
        for stage, skip in zip(self.decoder, (self.cagm(self.reduce(x3)), x2, x1, x0), strict=True):
            y, alpha = stage(y, skip)
            alphas.append(alpha)
        logits = self.head(torch.cat((self.up(y), x), dim=1))  # (N, 8 + 3, H, W) -> (N, classes, H, W)
        return (logits, [a for a in alphas if a is not None]) if return_attention else logits


class ContextCrackNetLite1(ContextCrackNetLite):
    """The lite network on EfficientNet-Lite1, whose five middle stages are one block deeper, for comparison.

    5,114,285 parameters for one class, 9.4 GFLOP per tile. Maps and modules are those of the lite network.
    """

    ENCODER: ClassVar[str] = "tf_efficientnet_lite1"
