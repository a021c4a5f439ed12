"""The authors' network, said again in few lines: its checkpoints compute the same in ours."""

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from click.testing import CliRunner
from torch import Tensor, nn

from crackpipe.cli import cli
from crackpipe.model.networks.context_cracknet import ContextCrackNetLite
from crackpipe.model.weights.read import load

STAGES = ((3, 2048, 1024), (2, 1024, 512), (1, 512, 256), (0, 256, 64))
"""Number of gate and convolutions, channels of the deeper map, channels of the skip."""


def two_convolutions(channels_in: int, channels: int) -> nn.ModuleDict:
    layers: list[nn.Module] = []
    for source in (channels_in, channels):
        layers += [nn.Conv2d(source, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels), nn.ReLU()]
    return nn.ModuleDict({"conv": nn.Sequential(*layers)})


def gate(channels: int) -> nn.ModuleDict:
    inner = channels // 2
    return nn.ModuleDict({
        "W_g": nn.Sequential(nn.Conv2d(channels, inner, 1), nn.BatchNorm2d(inner)),
        "W_x": nn.Sequential(nn.Conv2d(channels, inner, 1), nn.BatchNorm2d(inner)),
        "psi": nn.Sequential(nn.ReLU(), nn.Conv2d(inner, 1, 1), nn.Sigmoid()),
    })  # fmt: skip


def transformer() -> nn.ModuleDict:
    attention = nn.ModuleDict({f"{part}_proj": nn.Linear(1024, 1024) for part in ("q", "k", "v", "out")})
    for matrix in ("proj_E", "proj_F"):
        attention.register_parameter(matrix, nn.Parameter(0.05 * torch.randn(784, 256)))
    feed_forward = nn.Sequential(nn.Linear(1024, 2048), nn.ReLU(), nn.Linear(2048, 1024), nn.Dropout(0.1))
    return nn.ModuleDict({
        "self_attn": attention, "norm1": nn.LayerNorm(1024), "norm2": nn.LayerNorm(1024),
        "feed_forward": feed_forward,
    })  # fmt: skip


class Theirs(nn.Module):
    """arXiv 2501.14413 under the names of the public code."""

    def __init__(self, classes: int = 1) -> None:
        super().__init__()
        from crackpipe.model.networks import torchvision_ops  # noqa: F401  before torchvision
        from torchvision.models import resnet50  # isort: skip

        self.encoder = resnet50(weights=None)
        del self.encoder.fc
        self.linformer = transformer()
        for number, deep, skip in STAGES:
            setattr(self, f"up{number + 1}", nn.ConvTranspose2d(deep, skip, 2, stride=2))
            setattr(self, f"attention{number}", gate(skip))
            setattr(self, f"conv{number}", two_convolutions(2 * skip, skip))
        self.final = nn.Conv2d(64, classes, 1)

    def forward(self, x: Tensor) -> Tensor:
        e = self.encoder
        x0 = e.relu(e.bn1(e.conv1(x)))
        x1 = e.layer1(e.maxpool(x0))
        x2 = e.layer2(x1)
        x3 = e.layer3(x2)
        y = e.layer4(x3)
        for (number, _, _), skip in zip(STAGES, (self.mix(x3), x2, x1, x0), strict=True):
            y = getattr(self, f"up{number + 1}")(y)
            side = getattr(self, f"attention{number}")
            seen = skip * side["psi"](F.relu(side["W_g"](y) + side["W_x"](skip)))
            y = getattr(self, f"conv{number}")["conv"](torch.cat([seen, y], dim=1))
        return F.interpolate(self.final(y), size=x.shape[2:], mode="bilinear", align_corners=False)

    def mix(self, x3: Tensor) -> Tensor:
        """softmax(Q (E^T K)^T / sqrt(128)) (F^T V) in eight heads, then the feed-forward layers."""
        block, a = self.linformer, self.linformer["self_attn"]
        t = x3.flatten(2).transpose(1, 2)  # (N, 784, 1024)
        z = block["norm1"](t)
        q, k, v = (a[f"{part}_proj"](z).unflatten(2, (8, 128)) for part in ("q", "k", "v"))
        k = torch.einsum("nthd,tk->nkhd", k, a.proj_E)
        v = torch.einsum("nthd,tk->nkhd", v, a.proj_F)
        share = torch.softmax(torch.einsum("nthd,nkhd->nhtk", q, k) / 128**0.5, dim=-1)
        t = t + a["out_proj"](torch.einsum("nhtk,nkhd->nthd", share, v).flatten(2))
        t = t + block["feed_forward"](block["norm2"](t))
        return t.transpose(1, 2).reshape(x3.shape)


@pytest.fixture(scope="module")
def theirs() -> Theirs:
    torch.manual_seed(0)
    net = Theirs().eval()
    for module in net.modules():  # statistics as after training: none of them trivial
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.running_mean, 0, 0.1)  # type: ignore[arg-type]
            nn.init.uniform_(module.running_var, 0.5, 1.5)  # type: ignore[arg-type]
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, 0, 0.3)
    return net


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
def test_imported_checkpoint_computes_the_same(tmp_path: Path, theirs: Theirs) -> None:
    torch.save(theirs.state_dict(), tmp_path / "best_attention.pth")
    loaded = load(tmp_path / "best_attention.pth")
    ours = loaded.build()
    torch.manual_seed(1)
    x = torch.randn(1, 3, 448, 448)
    with torch.inference_mode():
        wanted, found = theirs(x), ours(x)
    assert wanted.max() - wanted.min() > 0.02  # an answer that depends on where one looks
    assert (found - wanted).abs().max() <= 1e-5

    out = tmp_path / "theirs.safetensors"
    arguments = ["weights", "import", str(tmp_path / "best_attention.pth"), "--out", str(out)]
    result = CliRunner().invoke(cli, [*arguments, "--licence", "MIT", "--threshold", "0.4"])
    assert result.exit_code == 0, result.output
    stored = load(out)
    assert (stored.architecture, stored.licence, stored.threshold) == ("context-cracknet", "MIT", 0.4)
    assert stored.mean == (123.675, 116.28, 103.53)
    for name, tensor in loaded.tensors.items():
        assert torch.allclose(stored.tensors[name], tensor, rtol=1e-3, atol=1e-7), name  # fp16 on disk


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
def test_what_does_not_fit_is_listed(tmp_path: Path) -> None:
    tensors = dict(ContextCrackNetLite().state_dict())
    del tensors["reduce.bias"], tensors["cagm.norm1.weight"]
    tensors["up.bias"] = torch.zeros(5)
    tensors["stranger"] = torch.zeros(1)
    torch.save(tensors, tmp_path / "w.pth")
    result = CliRunner().invoke(
        cli, ["weights", "import", str(tmp_path / "w.pth"), "--out", str(tmp_path / "w.safetensors")]
    )
    message = str(result.exception)
    assert "4 tensors do not fit" in message
    for name in ("reduce.bias is missing", "cagm.norm1.weight", "up.bias is (5,)", "stranger is (1,)"):
        assert name in message
    assert not (tmp_path / "w.safetensors").exists()


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
def test_import_describes_what_a_checkpoint_does_not_say(tmp_path: Path) -> None:
    net = ContextCrackNetLite()
    torch.save(net.state_dict(), tmp_path / "w.pth")
    out = tmp_path / "w.safetensors"
    arguments = ["weights", "import", str(tmp_path / "w.pth"), "--out", str(out)]
    result = CliRunner().invoke(cli, [*arguments, "--gsd", "2", "--data", "our roads"])
    assert result.exit_code == 0, result.output
    stored = load(out)
    assert (stored.training_gsd_mm, stored.data, stored.threshold) == (2.0, "our roads", 0.5)
    assert stored.licence.startswith("unknown")
    assert torch.equal(stored.tensors["up.bias"], net.state_dict()["up.bias"])
