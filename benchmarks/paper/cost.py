"""Table 7: parameters, GFLOP and CPU time of a tile, for every network.

FLOP are those of `torch.utils.flop_counter` (two per multiply-add; convolutions and matrix products alone).
Time is CPU time of one thread for one tile of 448 x 448 px, fp32, channels last, eval mode, batch norms as
they are; the shortest of the rounds, for other work on the machine can only lengthen it. Weights are random.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass

import baselines
import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from crackpipe.model.networks.context_cracknet import TILE_PX


@dataclass(frozen=True)
class Cost:
    """One row of Table 7."""

    name: str
    encoder: str
    parameters: int
    flop: int
    """Of one tile, forward."""
    cpu_ms: float
    """Of one tile, forward."""


def flop_of(net: nn.Module) -> int:
    """FLOP of one tile. Attention runs as plain products: torch does not count its fused kernel on CPUs."""
    tile = torch.zeros(1, 3, TILE_PX, TILE_PX, device=next(net.parameters()).device)
    with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        net.eval()(tile)
    return counter.get_total_flops()


def cpu_ms_of(net: nn.Module, rounds: int) -> float:
    """Shortest CPU time of one tile, ms, of so many rounds after one that does not count."""
    torch.set_num_threads(1)
    net = net.eval().to(memory_format=torch.channels_last)
    tile = torch.zeros(1, 3, TILE_PX, TILE_PX).contiguous(memory_format=torch.channels_last)
    times_s = []
    with torch.inference_mode():
        net(tile)
        for _ in range(rounds):
            start = time.process_time()
            net(tile)
            times_s.append(time.process_time() - start)
    return 1000 * min(times_s)


def costs(names: tuple[str, ...], encoder: str, rounds: int) -> Iterator[Cost]:
    """Measure one network after the other."""
    for name in names:
        net = baselines.network(name, encoder)(1)
        own = {"lite": "lite0", "full": "resnet50"}.get(name, encoder)
        parameters = sum(p.numel() for p in net.parameters())
        yield Cost(name, own, parameters, flop_of(net), cpu_ms_of(net, rounds))


def row(cost: Cost) -> str:
    """A line of the Markdown table."""
    figures = f"{cost.parameters / 1e6:.2f} | {cost.flop / 1e9:.1f} | {cost.cpu_ms:.0f}"
    return f"| {cost.name} | {cost.encoder} | {figures} |"


HEADER = "| network | encoder | parameters, M | GFLOP | ms per tile |\n|---|---|---|---|---|"
