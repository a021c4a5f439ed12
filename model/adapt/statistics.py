"""Batch norms take the mean and variance of another camera's pictures. No label is needed, nothing trains.

A batch norm divides out what its input had in training. Under another light or tone that is the wrong mean
and the wrong variance, layer after layer. Li et al. 2016, "Revisiting Batch Normalization For Practical
Domain Adaptation" (arXiv 1603.04779).
"""

from collections.abc import Iterable, Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from crackpipe.model.evaluate.predictions import normalise, place
from crackpipe.model.train.processes import giving_threads_back

BATCH = 8
"""Tiles together. Statistics are the mean over batches, so that all tiles count alike in full ones."""


@torch.no_grad()
def fit_statistics(net: nn.Module, tiles: Iterable[NDArray[np.uint8]], device: str = "cpu") -> int:
    """Give all batch norms of `net`, in place, the statistics of `tiles`, each uint8 (448, 448, 3) RGB.

    `net` has INPUT_MEAN and INPUT_STD as our networks have. Tiles that do not fill a batch of eight at the
    end are left out. Returns how many were taken. The same tiles in the same order give the same statistics:
    it takes one thread, since sums depend on how many there are. Raises ValueError for fewer tiles than a
    batch.
    """
    norms = [module for module in net.modules() if isinstance(module, nn.BatchNorm2d)]
    net = place(net.eval(), torch.device(device))
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # torch then takes the plain mean over batches
        norm.train()
    taken = 0
    with giving_threads_back():
        torch.set_num_threads(1)
        for batch in _batches(tiles):
            stack = torch.from_numpy(batch).permute(0, 3, 1, 2).to(device)
            net(normalise(stack, net))
            taken += len(batch)
    net.eval()
    if not taken:
        raise ValueError(f"fewer than {BATCH} tiles: statistics of so few say nothing; give more pictures")
    return taken


def _batches(tiles: Iterable[NDArray[np.uint8]]) -> Iterator[NDArray[np.uint8]]:
    some: list[NDArray[np.uint8]] = []
    for tile in tiles:
        some.append(tile)
        if len(some) == BATCH:
            yield np.stack(some)
            some = []
