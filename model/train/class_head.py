"""The last layer of a network at the start of its training: fresh, or from weights of other classes."""

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from crackpipe.model.weights.read import Weights

LAST_LAYER = ("head.weight", "head.bias", "head.1.weight", "head.1.bias")
"""The names of its tensors in the full network and in the lite one."""


def start_at_prior(net: nn.Module, prior: float) -> None:
    """Call `set_prior` on the bias of the fresh last layer of `net`, one of our networks."""
    for name, bias in net.named_parameters():
        if name in LAST_LAYER and bias.ndim == 1:
            set_prior(bias, prior)


def set_prior(bias: Tensor, prior: float) -> None:
    """Set the bias (channels,) of a last layer: every pixel starts as crack with probability `prior`, 0..1.

    Lin et al. 2017, "Focal Loss for Dense Object Detection", section 4.1. Few pixels are crack, and a short
    training that starts at 0.5 spends most of its steps on learning that. Several classes share `prior`.
    """
    with torch.no_grad():
        bias.fill_(math.log(prior / (1 - prior)))
        if len(bias) > 1:  # softmax: background first
            bias[0] = 0.0
            bias[1:] -= math.log(len(bias) - 1)


def has_fresh_rows(classes: tuple[str, ...], start: Weights) -> bool:
    """Whether the last layer gets fresh rows: for several `classes` that are not those of `start`."""
    return len(classes) > 1 and classes != start.classes


def head_for(classes: tuple[str, ...], start: Weights, fresh: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors of the last layer for several `classes`, by name.

    A class that `start` knows takes its row from there, any other from `fresh`, the state dict of the new
    network. Weights of one class have no row for background. It becomes 0, because the softmax over (0, s) is
    the sigmoid of s.
    """
    ours = ("background", *classes)
    theirs = start.classes if start.channels == 1 else ("background", *start.classes)
    head = {name: fresh[name].clone() for name in LAST_LAYER if name in fresh and name in start.tensors}
    for name, tensor in head.items():
        for row, wanted in enumerate(ours):
            if wanted in theirs:
                tensor[row] = start.tensors[name][theirs.index(wanted)]
            elif row == 0:
                tensor[row] = 0.0
    return head
