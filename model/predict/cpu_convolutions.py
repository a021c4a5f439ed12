"""Convolutions for the CPU: weights in oneDNN's own layout, and the activation in the same pass.

A small network spends a third of its time on its activations, because a ReLU reads and writes a map once
more. oneDNN clamps each value while it is still in a register. Torch's compiler uses the same operators and
packs weights in the same way; but it needs a C++ compiler, which a machine that runs surveys seldom has.

The result is the same whether it is clamped before or after it is rounded to bf16, since 0 and 6 are bf16
numbers.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from crackpipe.model.networks import torchvision_ops  # noqa: F401  before timm, which imports torchvision

from timm.layers.conv2d_same import Conv2dSame  # isort: skip

_ATTRIBUTES: dict[type[nn.Module], tuple[str, list[float]]] = {
    nn.ReLU: ("relu", []),
    nn.ReLU6: ("hardtanh", [0.0, 6.0]),
    nn.Identity: ("none", []),
}


def available(precision: str) -> bool:
    """True where this torch and this CPU have the operators in that precision."""
    if not (torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, "_convolution_pointwise")):
        return False
    return precision == "fp32" or bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


class PackedConvolution(nn.Module):
    """A `Conv2d` and the activation after it; inference only, its weight cannot be read back."""

    def __init__(self, conv: nn.Conv2d, activation: nn.Module) -> None:
        super().__init__()
        weight, padding = _symmetric(conv) if isinstance(conv, Conv2dSame) else (conv.weight, conv.padding)
        self._plain: Tensor | None = weight.detach()
        self._weight: Any = None
        self._geometry = [list(padding), list(conv.stride), list(conv.dilation), conv.groups]
        self._attribute = _ATTRIBUTES[type(activation)]
        self.bias = conv.bias

    def forward(self, x: Tensor) -> Tensor:
        """(N, Cin, H, W), channels_last -> (N, Cout, H', W'), channels_last."""
        if self._plain is not None:  # the layout depends on the size of the map, known only now
            pack = torch.ops.mkldnn._reorder_convolution_weight
            self._weight, self._plain = pack(self._plain, *self._geometry, list(x.shape)), None
        attribute, scalars = self._attribute
        return torch.ops.mkldnn._convolution_pointwise(  # type: ignore[no-any-return]
            x, self._weight, self.bias, *self._geometry, attribute, scalars, ""
        )


def _symmetric(conv: nn.Conv2d) -> tuple[Tensor, tuple[int, ...]]:
    """Kernel and padding for TensorFlow's `SAME` at stride 2, without a padded copy of the map.

    On a map of even size `SAME` pads one row and one column more after the map than before it: (0, 1) for a
    kernel of 3, (1, 2) for one of 5. oneDNN pads both sides alike. So the kernel gets a row and a column of
    zeros in front, and the map one row and column more before it: (1, 1) and (2, 2). To pad a copy of the map
    would take longer than the convolution itself. Raises ValueError for another stride, a dilation, or a
    kernel of even size.
    """
    height, width = conv.kernel_size
    if conv.stride != (2, 2) or conv.dilation != (1, 1) or not height % 2 == width % 2 == 1:
        raise ValueError(f"no symmetric padding for {conv}")
    return F.pad(conv.weight, (1, 0, 1, 0)), (height // 2, width // 2)


def pack_convolutions(net: nn.Module) -> None:
    """Replace each `Conv2d`, and the activation that follows it in a `nn.Sequential`, in place.

    The network must be in its final precision, channels_last and on the CPU. Outside a `Sequential` modules
    may run in another order than they are listed in, so there activations stay as they are.
    """
    children = list(net.named_children())
    for place, (name, child) in enumerate(children):
        if not isinstance(child, nn.Conv2d):
            pack_convolutions(child)
            continue
        after = [(n, c) for n, c in children[place + 1 :] if type(c) is not nn.Identity][:1]
        activation: nn.Module = nn.Identity()
        if isinstance(net, nn.Sequential) and after and type(after[0][1]) in _ATTRIBUTES:
            activation = after[0][1]
            setattr(net, after[0][0], nn.Identity())
        setattr(net, name, PackedConvolution(child, activation))
