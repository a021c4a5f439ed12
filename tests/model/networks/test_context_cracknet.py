"""Both networks: size, cost, shapes, switches, and the arithmetic of the two modules."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from crackpipe.model.networks.context_cracknet import (
    CAGM,
    RFEM,
    ContextCrackNet,
    ContextCrackNetLite,
    ContextCrackNetLite1,
)
from crackpipe.model.weights.authors_keys import from_authors, is_authors

Network = Callable[..., nn.Module]
BOTH = pytest.mark.parametrize("network", [ContextCrackNet, ContextCrackNetLite])


def on_meta(network: Network, **options: object) -> nn.Module:
    """Shapes without numbers: no memory, no time."""
    with torch.device("meta"):
        return network(**options).eval()


def meta_tiles(n: int = 1, px: int = 448) -> Tensor:
    return torch.empty(n, 3, px, px, device="meta")


def parameters(net: nn.Module) -> int:
    return sum(p.numel() for p in net.parameters())


def flop(net: nn.Module) -> int:
    with FlopCounterMode(display=False) as counter:
        net(meta_tiles())
    return int(counter.get_total_flops())


def test_published_network_has_the_published_size() -> None:
    assert parameters(on_meta(ContextCrackNet)) == 82_050_597


def test_published_network_costs_208_6_gflop_per_tile() -> None:
    assert round(flop(on_meta(ContextCrackNet)) / 1e9, 1) == 208.6


def test_lite_is_small() -> None:
    net = on_meta(ContextCrackNetLite)
    assert parameters(net) == 4_349_613
    assert flop(net) < 10e9


def test_lite1_stays_within_10_gflop_per_tile() -> None:
    net = on_meta(ContextCrackNetLite1)
    assert parameters(net) == 5_114_285
    assert round(flop(net) / 1e9, 1) == 9.4
    assert net(meta_tiles(2)).shape == (2, 1, 448, 448)


@BOTH
@pytest.mark.parametrize("classes", [1, 5])
def test_logits_are_at_full_resolution(network: Network, classes: int) -> None:
    assert on_meta(network, classes=classes)(meta_tiles(2)).shape == (2, classes, 448, 448)


@BOTH
def test_attention_maps_on_request(network: Network) -> None:
    logits, alphas = on_meta(network)(meta_tiles(2), return_attention=True)
    assert logits.shape == (2, 1, 448, 448)
    assert [tuple(a.shape) for a in alphas] == [(2, 1, px, px) for px in (28, 56, 112, 224)]


@BOTH
def test_switches_remove_their_module_and_nothing_else(network: Network) -> None:
    whole = on_meta(network)
    bare = on_meta(network, rfem=False, cagm=False)
    gates = sum(parameters(m) for m in whole.modules() if isinstance(m, RFEM))
    cagm = sum(parameters(m) for m in whole.modules() if isinstance(m, CAGM))
    assert parameters(on_meta(network, rfem=False)) == parameters(whole) - gates
    assert parameters(on_meta(network, cagm=False)) == parameters(whole) - cagm
    assert parameters(bare) == parameters(whole) - gates - cagm
    assert bare(meta_tiles(), return_attention=True)[1] == []


@BOTH
def test_other_tile_sizes_need_cagm_off(network: Network) -> None:
    with pytest.raises(ValueError, match=r"448x448.*32x32 = 1024.*cagm=False"):
        on_meta(network)(meta_tiles(px=512))
    assert on_meta(network, cagm=False)(meta_tiles(px=512)).shape == (1, 1, 512, 512)


def test_every_parameter_of_lite_learns() -> None:
    torch.manual_seed(0)
    net = ContextCrackNetLite()
    net(torch.randn(1, 3, 448, 448)).square().mean().backward()
    idle = [name for name, p in net.named_parameters() if p.grad is None or not p.grad.any()]
    assert idle == []


def test_cagm_is_the_linformer_formula() -> None:
    """softmax(Q (E K)^T / sqrt(d)) (F V), head by head, against the module on a 3 x 4 map."""
    torch.manual_seed(2)
    net = CAGM(8, heads=2, feed_forward=16, tokens=12, projected=5).eval().double()
    x = torch.randn(1, 8, 3, 4, dtype=torch.float64)
    t = x[0].reshape(8, 12).T  # (T, C)

    a = net.attention
    z = net.norm1(t)
    q, k, v = a.query(z), a.project_key.weight @ a.key(z), a.project_value.weight @ a.value(z)
    heads = [
        torch.softmax(q[:, s] @ k[:, s].T / math.sqrt(4), dim=1) @ v[:, s] for s in (slice(0, 4), slice(4, 8))
    ]
    t = t + a.out(torch.cat(heads, dim=1))
    z = net.norm2(t)
    t = t + net.feed_forward[3](torch.relu(net.feed_forward[0](z)))
    assert torch.allclose(net(x)[0], t.T.reshape(8, 3, 4), atol=1e-12)


def test_cagm_sees_the_whole_tile() -> None:
    torch.manual_seed(3)
    net = CAGM(8, heads=2, feed_forward=16, tokens=16, projected=4).eval()
    x = torch.zeros(1, 8, 4, 4)
    there = x.clone()
    there[0, 0, 3, 3] = 1.0
    assert (net(x) != net(there)).any(dim=1).all()


def test_rfem_multiplies_the_skip_by_its_map() -> None:
    torch.manual_seed(4)
    net = RFEM(6, 4).eval()
    skip, deep = torch.randn(2, 6, 5, 5), torch.randn(2, 4, 5, 5)
    gated, alpha = net(skip, deep)
    assert alpha.shape == (2, 1, 5, 5)
    assert bool(((alpha > 0) & (alpha < 1)).all())
    assert torch.equal(gated, skip * alpha)
    net.load_state_dict(
        net.state_dict() | {"psi.weight": torch.zeros(1, 3, 1, 1), "psi.bias": torch.tensor([math.log(3.0)])}
    )  # sigmoid(ln 3) = 3/4
    assert torch.allclose(net(skip, deep)[0], 0.75 * skip)


@pytest.fixture(scope="module")
def theirs() -> dict[str, Tensor]:
    """Names and shapes as the authors' code has them, written down from its modules."""
    ours = on_meta(ContextCrackNet).state_dict()
    names = {}
    for name, tensor in ours.items():
        if name.startswith(("stem.", "layer")):
            renamed = name.replace("stem.0", "conv1").replace("stem.1", "bn1")
            names[f"encoder.{renamed}"] = tensor
    block = "linformer.self_attn"
    for part in ("q_proj", "k_proj", "v_proj", "out_proj"):
        names |= {f"{block}.{part}.weight": meta(1024, 1024), f"{block}.{part}.bias": meta(1024)}
    names |= {f"{block}.proj_E": meta(784, 256), f"{block}.proj_F": meta(784, 256)}
    for norm in ("norm1", "norm2"):
        names |= {f"linformer.{norm}.weight": meta(1024), f"linformer.{norm}.bias": meta(1024)}
    names |= {
        "linformer.feed_forward.0.weight": meta(2048, 1024),
        "linformer.feed_forward.0.bias": meta(2048),
        "linformer.feed_forward.2.weight": meta(1024, 2048),
        "linformer.feed_forward.2.bias": meta(1024),
    }
    for number, deep, c in ((3, 2048, 1024), (2, 1024, 512), (1, 512, 256), (0, 256, 64)):
        up, gate, conv = f"up{number + 1}", f"attention{number}", f"conv{number}.conv"
        names |= {f"{up}.weight": meta(deep, c, 2, 2), f"{up}.bias": meta(c)}
        for side in ("W_g", "W_x"):
            names |= {
                f"{gate}.{side}.0.weight": meta(c // 2, c, 1, 1),
                f"{gate}.{side}.0.bias": meta(c // 2),
            }
            names |= batch_norm(f"{gate}.{side}.1", c // 2)
        names |= {f"{gate}.psi.1.weight": meta(1, c // 2, 1, 1), f"{gate}.psi.1.bias": meta(1)}
        names |= {f"{conv}.0.weight": meta(c, 2 * c, 3, 3), f"{conv}.3.weight": meta(c, c, 3, 3)}
        names |= batch_norm(f"{conv}.1", c) | batch_norm(f"{conv}.4", c)
    return names | {"final.weight": meta(1, 64, 1, 1), "final.bias": meta(1)}


class TestPublishedCheckpoints:
    """The key map is a bijection onto our tensors with equal shapes."""

    def test_every_tensor_finds_its_place(self, theirs: dict[str, Tensor]) -> None:
        ours = on_meta(ContextCrackNet).state_dict()
        renamed = from_authors(theirs)
        assert is_authors(theirs)
        assert not is_authors(ours)
        assert {n: t.shape for n, t in renamed.items()} == {n: t.shape for n, t in ours.items()}

    def test_stages_keep_their_order(self, theirs: dict[str, Tensor]) -> None:
        renamed = from_authors(theirs)
        assert renamed["decoder.0.up.weight"] is theirs["up4.weight"]
        assert renamed["decoder.0.rfem.encoder.0.weight"] is theirs["attention3.W_x.0.weight"]
        assert renamed["decoder.3.rfem.decoder.0.weight"] is theirs["attention0.W_g.0.weight"]

    def test_projections_are_transposed(self, theirs: dict[str, Tensor]) -> None:
        matrix = torch.randn(784, 256)
        renamed = from_authors(theirs | {"linformer.self_attn.proj_E": matrix})
        assert torch.equal(renamed["cagm.attention.project_key.weight"], matrix.T)

    def test_strangers_are_named(self, theirs: dict[str, Tensor]) -> None:
        with pytest.raises(KeyError, match=r"up5\.weight"):
            from_authors(theirs | {"up5.weight": meta(1)})


def meta(*shape: int) -> Tensor:
    return torch.empty(shape, device="meta")


def batch_norm(name: str, channels: int) -> dict[str, Tensor]:
    vectors = ("weight", "bias", "running_mean", "running_var")
    return {f"{name}.{v}": meta(channels) for v in vectors} | {f"{name}.num_batches_tracked": meta()}
