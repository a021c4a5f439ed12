"""Packed convolutions give what plain ones give, with the activation in the same pass."""

import pytest
import torch
from torch import nn

from crackpipe.model.networks.context_cracknet import ContextCrackNetLite
from crackpipe.model.predict import cpu_convolutions
from crackpipe.model.predict.cpu_convolutions import PackedConvolution, pack_convolutions
from crackpipe.model.predict.predictor import fold_batch_norms

from timm.layers.conv2d_same import Conv2dSame  # isort: skip  after torchvision's operators are stood in for

if not cpu_convolutions.available("fp32"):
    pytest.skip("this torch has no oneDNN convolutions", allow_module_level=True)

CONVOLUTIONS = [
    nn.Conv2d(11, 16, 3, padding=1),
    nn.Conv2d(8, 8, 5, padding=2, groups=8),
    nn.Conv2d(16, 24, 1, stride=2, bias=False),
    Conv2dSame(3, 8, 3, stride=2),
    Conv2dSame(8, 8, 3, stride=2, groups=8),
    Conv2dSame(8, 8, 5, stride=2, groups=8),
]


@pytest.mark.parametrize("conv", CONVOLUTIONS, ids=str)
@pytest.mark.parametrize("activation", [nn.Identity(), nn.ReLU(), nn.ReLU6()], ids=str)
def test_one_pass_gives_what_two_give(conv: nn.Conv2d, activation: nn.Module) -> None:
    x = 5 * torch.randn(2, conv.in_channels, 20, 30, generator=torch.Generator().manual_seed(1))
    x = x.contiguous(memory_format=torch.channels_last)
    with torch.inference_mode():
        expected, found = activation(conv(x)), PackedConvolution(conv, activation)(x)
    assert found.shape == expected.shape
    assert found.is_contiguous(memory_format=torch.channels_last)
    assert torch.allclose(found, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.skipif(not cpu_convolutions.available("bf16"), reason="this CPU has no bf16")
def test_clamping_before_rounding_is_clamping_after() -> None:
    """Bit for bit: the sum is rounded to bf16 once, and 6 is a bf16 number."""
    conv = nn.Conv2d(16, 24, 1).to(torch.bfloat16)
    x = (9 * torch.randn(1, 16, 40, 40)).bfloat16().contiguous(memory_format=torch.channels_last)
    with torch.inference_mode():
        expected = conv(x).clamp(0, 6)
        assert (expected == 6).any()
        assert torch.equal(PackedConvolution(conv, nn.ReLU6())(x), expected)


def test_a_padding_that_cannot_be_made_symmetric_is_refused() -> None:
    with pytest.raises(ValueError, match="no symmetric padding for Conv2dSame"):
        PackedConvolution(Conv2dSame(8, 8, 4, stride=2), nn.Identity())


def test_only_activations_that_follow_in_a_sequential_move_into_the_convolution() -> None:
    class Residual(nn.Module):
        """Its ReLU is registered after the convolution and applied to the sum."""

        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(4, 4, 3, padding=1)
            self.relu = nn.ReLU()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.relu(x + self.conv(x))

    net = nn.Sequential(
        nn.Conv2d(4, 4, 1), nn.Identity(), nn.ReLU(), Residual(), nn.Conv2d(4, 4, 1), nn.GELU()
    )
    x = torch.randn(1, 4, 9, 9).contiguous(memory_format=torch.channels_last)
    with torch.inference_mode():
        expected = net(x)
        pack_convolutions(net)
        assert torch.allclose(net(x), expected, rtol=1e-5, atol=1e-6)
    assert [type(module) for module in net[:3]] == [PackedConvolution, nn.Identity, nn.Identity]
    assert isinstance(net[3].relu, nn.ReLU)


def test_the_lite_network_is_the_same_packed() -> None:
    torch.manual_seed(3)
    net = ContextCrackNetLite(cagm=False).eval()
    x = torch.randn(1, 3, 96, 96).contiguous(memory_format=torch.channels_last)
    with torch.inference_mode():
        expected = net(x)
        fold_batch_norms(net)
        pack_convolutions(net.to(memory_format=torch.channels_last))
        assert not any(isinstance(module, nn.Conv2d | nn.ReLU6) for module in net.modules())
        assert torch.allclose(net(x), expected, rtol=1e-4, atol=1e-4 * float(expected.abs().max()))
