"""Everything a training needs to go on after a kill, in one file that is whole or absent."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn


@dataclass(kw_only=True)
class Progress:
    """How far a training is. Tile numbers and torch's random draws follow from it and from the seed."""

    step: int = 0
    """Optimiser steps done."""
    tiles: int = 0
    """Tiles seen by all processes together."""
    active_s: float = 0.0
    """Time spent training, without pauses of the whole process."""
    validations: int = 0
    """Validations done."""
    best: float = -1.0
    """The best mean IoU of a validation, 0..1; below 0 before the first."""
    since_best: int = 0
    """Validations after the best one, none of which was better."""
    since_halved: int = 0
    """The same, but counted from the last halving of the learning rate where that came later."""
    halvings: int = 0
    """How often the learning rate was halved."""


class Ema:
    """Exponential moving average of a network's parameters and batch-norm statistics.

    The average forgets over about 1 / (1 - decay) steps. At the start it forgets faster, because the old
    weights are still random.
    """

    def __init__(self, average: nn.Module, decay: float) -> None:
        """`average` is another network of the same architecture and values; it becomes the average."""
        self.average = average.eval()
        self._decay = decay
        for parameter in self.average.parameters():
            parameter.requires_grad_(False)

    @torch.no_grad()
    def update(self, net: nn.Module, step: int) -> None:
        """Take one step towards `net`; `step` counts from 1."""
        decay = min(self._decay, (1 + step) / (10 + step))
        ours, theirs = self.average.state_dict(), net.state_dict()
        moving = [name for name, tensor in ours.items() if tensor.is_floating_point()]
        torch._foreach_lerp_([ours[n] for n in moving], [theirs[n] for n in moving], 1 - decay)
        for name, tensor in ours.items():
            if not tensor.is_floating_point():  # batch norm's step counter
                tensor.copy_(theirs[name])


def write(path: Path, net: nn.Module, ema: Ema, optimizer: torch.optim.Optimizer, progress: Progress) -> None:
    """Replace the checkpoint. A kill at any instant leaves the old one or the new one."""
    state = {
        "net": net.state_dict(),
        "ema": ema.average.state_dict(),
        "optimizer": optimizer.state_dict(),
        "progress": vars(progress),
    }
    _replace(path, state)


def write_average(path: Path, ema: Ema, progress: Progress) -> None:
    """Replace a file of the moving average alone, enough to export but not to go on from."""
    _replace(path, {"ema": ema.average.state_dict(), "progress": vars(progress)})


def _replace(path: Path, state: Mapping[str, Any]) -> None:
    staging = path.with_name(path.name + ".partial")
    with staging.open("wb") as file:
        torch.save(state, file)
        file.flush()
        os.fsync(file.fileno())
    staging.replace(path)


def read(path: Path) -> Mapping[str, Any]:
    """The dictionary that `write` stored, on the CPU; nothing in it can run code."""
    state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    return state


def restore(state: Mapping[str, Any], net: nn.Module, ema: Ema, optimizer: torch.optim.Optimizer) -> Progress:
    """Put a checkpoint back in place."""
    net.load_state_dict(state["net"])
    ema.average.load_state_dict(state["ema"])
    optimizer.load_state_dict(state["optimizer"])
    return Progress(**state["progress"])


def averaged_weights(path: Path) -> dict[str, Tensor]:
    """The moving average alone, as a state dict."""
    weights: dict[str, Tensor] = read(path)["ema"]
    return weights
