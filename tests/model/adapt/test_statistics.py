"""Batch norms take the statistics of other tiles: on a small net by hand, and on the real one."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from crackpipe.model.adapt.statistics import fit_statistics
from crackpipe.model.train.processes import giving_threads_back
from crackpipe.model.weights.read import load


class Small(nn.Module):
    """One batch norm right behind the input."""

    INPUT_MEAN = (0.0, 0.0, 0.0)
    INPUT_STD = (1.0, 1.0, 1.0)

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.norm(x)


def tiles(count: int, size: int = 8) -> list[NDArray[np.uint8]]:
    rng = np.random.default_rng(0)
    return list(rng.integers(0, 256, (count, size, size, 3)).astype(np.uint8))


def test_statistics_are_those_of_the_tiles() -> None:
    net, seen = Small(), tiles(18)
    assert fit_statistics(net, seen) == 16  # two batches of eight
    batches = np.stack(seen[:16]).astype(float).reshape(2, -1, 3)
    assert net.norm.running_mean is not None
    assert net.norm.running_var is not None
    assert net.norm.running_mean.tolist() == pytest.approx(batches.mean(axis=1).mean(axis=0), rel=1e-5)
    assert net.norm.running_var.tolist() == pytest.approx(batches.var(axis=1, ddof=1).mean(axis=0), rel=1e-5)
    assert not net.norm.training


def test_one_thread_makes_them_and_the_others_are_given_back() -> None:
    net, threads = Small(), []
    net.norm.register_forward_hook(lambda *_: threads.append(torch.get_num_threads()))
    with giving_threads_back():
        torch.set_num_threads(2)
        fit_statistics(net, tiles(8))
        assert (threads, torch.get_num_threads()) == ([1], 2)


def test_few_tiles_are_refused() -> None:
    with pytest.raises(ValueError, match="fewer than 8 tiles"):
        fit_statistics(Small(), tiles(7))


def test_of_the_real_network_only_statistics_change() -> None:
    weights = load("lite")
    net = weights.build()
    fit_statistics(net, tiles(8, size=448))
    changed = {
        name
        for name, tensor in net.state_dict().items()
        if not torch.equal(tensor.float(), weights.tensors[name].float())
    }
    assert changed
    assert {name.rpartition(".")[2] for name in changed} <= {
        "running_mean",
        "running_var",
        "num_batches_tracked",
    }
