"""The last layer of a network that is to tell other classes apart than the weights it starts from."""

from collections.abc import Mapping

from torch import Tensor

from crackpipe.model.weights import Weights

LAST_LAYER = ("head.weight", "head.bias", "head.1.weight", "head.1.bias")
"""Its tensors in the full network and in the lite one."""


def has_fresh_rows(classes: tuple[str, ...], start: Weights) -> bool:
    """Whether the last layer of several `classes` begins anew, but for those that `start` knows."""
    return len(classes) > 1 and classes != start.classes


def head_for(classes: tuple[str, ...], start: Weights, fresh: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors of the last layer for several `classes`, by name.

    Rows of classes that `start` knows are its own, the others those of `fresh`, the state dict of the new
    network. The background of weights with one class scores 0: softmax over (0, s) is the sigmoid of s.
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
