"""From a checkpoint to a weights file: full validation, threshold, metadata."""

import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from crackpipe.model.data.pairs import list_pairs, load_pairs
from crackpipe.model.evaluate import photographs
from crackpipe.model.networks.context_cracknet import ContextCrackNet, ContextCrackNetLite
from crackpipe.model.train import checkpoint
from crackpipe.model.weights.read import channels_for, save

TRAINING_GSD_MM = 1.0
"""Nominal: the photographs state no ground sample distance; trained on at 0.5 to 2 times their scale."""

CONTRAST_C0 = 60.0
"""Darkness of a deep crack against its road, in grey values 0..255, where an image does not tell it."""

NO_VALIDATION_THRESHOLD = 0.5

LICENCE = (
    "Weights derived from data sets of which several allow non-commercial research only "
    "(DeepCrack, CFD) or state no licence; see docs/use/training.md"
)


def export(
    checkpoint_path: Path,
    data: Sequence[Path],
    out: Path,
    architecture: type[ContextCrackNetLite] | type[ContextCrackNet] = ContextCrackNetLite,
    *,
    device: str = "cpu",
    licence: str | None = None,
    name: str = "",
    classes: tuple[str, ...] = ("crack",),
    kinds: tuple[str, ...] = ("crack",),
    share_of_others: float = 0.0,
) -> Path:
    """Validate the averaged weights of a checkpoint on whole photographs and write them to `out`.

    The threshold is the one with the greatest mean IoU over the validation sets; without validation
    photographs it is 0.5. May be called on the checkpoint of a training that still runs.

    Of several `classes` those of kind crack choose the threshold: a pixel is crack where such a class is the
    most probable and reaches it. Figures of each class on its own are in `metrics` under `classes`.
    """
    state = checkpoint.read(checkpoint_path)
    net: nn.Module = architecture(channels_for(classes))
    net.load_state_dict(state["ema"])
    net = photographs.place(net.eval(), torch.device(device))
    pairs = load_pairs(data, validation=True, classes=classes, share_of_others=share_of_others)
    found = list(photographs.predict_pairs(net, pairs, torch.device(device), classes=len(classes)))
    predictions = photographs.crack_or_not(found, kinds)
    threshold, figures = NO_VALIDATION_THRESHOLD, {}
    if any((p.label == 1).any() for p in predictions):
        threshold = round(photographs.best_threshold(predictions), 4)
        figures = _figures(predictions, threshold)
    metadata: dict[str, Any] = {
        "classes": classes,
        "training_gsd_mm": TRAINING_GSD_MM,
        "threshold": threshold,
        "contrast_c0": CONTRAST_C0,
        "data": ", ".join(sorted({set_name for set_name, _, _ in list_pairs(data)})),
        "licence": licence or LICENCE,
        "metrics": {"validation": figures},
        "tiles_seen": state["progress"]["tiles"],
    }
    if len(classes) > 1:
        metadata["kinds"] = kinds
        metadata["metrics"]["classes"] = {
            class_name: _figures(photographs.of_class(found, index), threshold)
            for index, class_name in enumerate(classes, start=1)
        }
    save(out, net.float(), metadata | ({"name": name} if name else {}))
    for set_name, scores in figures.items():
        print(f"validation {set_name}: {scores}", file=sys.stderr, flush=True)
    return out


def _figures(predictions: Sequence[photographs.Prediction], threshold: float) -> dict[str, dict[str, float]]:
    """Rounded figures of every set, without those that are undefined."""
    return {
        set_name: {k: round(v, 4) for k, v in vars(scores).items() if not math.isnan(v)}
        for set_name, scores in photographs.score_sets(predictions, threshold, centreline=True).items()
    }
