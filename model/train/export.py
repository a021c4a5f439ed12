"""A checkpoint becomes a weights file: full validation, threshold, metadata."""

import math
import sys
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from crackpipe.model.data.credits import licence_of
from crackpipe.model.data.pairs import list_pairs, load_pairs
from crackpipe.model.evaluate.predictions import Prediction, crack_or_not, of_class, place, predict_pairs
from crackpipe.model.evaluate.thresholds import THRESHOLDS_BY, score_sets
from crackpipe.model.networks.context_cracknet import ContextCrackNet, ContextCrackNetLite
from crackpipe.model.train import checkpoint
from crackpipe.model.weights.read import channels_for, save

TRAINING_GSD_MM = 1.0
"""A nominal GSD, mm per px: the photographs state none, and training scales them by 0.5 to 2."""

CONTRAST_C0 = 60.0
"""How much darker a deep crack is than its road, grey values 0..255; for images that do not show it."""

NO_VALIDATION_THRESHOLD = 0.5


def export(
    checkpoint_path: Path,
    data: Sequence[Path],
    out: Path,
    architecture: type[ContextCrackNetLite] | type[ContextCrackNet] = ContextCrackNetLite,
    *,
    device: str = "cpu",
    licence: str | None = None,
    seen_before: Collection[str] = (),
    name: str = "",
    classes: tuple[str, ...] = ("crack",),
    kinds: tuple[str, ...] = ("crack",),
    share_of_others: float = 0.0,
    gsd_range_mm: tuple[float, float] | None = None,
    threshold_by: str = "iou",
) -> Path:
    """Validate the averaged weights of a checkpoint on whole photographs and write them to `out`.

    The threshold gives the greatest mean IoU over the validation sets, or line F1 (`threshold_by` "lines");
    without validation photographs it is 0.5. A training that writes the checkpoint may go on meanwhile.

    Of several `classes`, those of kind crack decide the threshold: a pixel is crack if such a class is its
    most probable one and reaches the threshold. The figures of each class alone are in `metrics` under
    `classes`. `share_of_others` is explained in `pairs.is_validation`, `gsd_range_mm` in `weights.read`.
    """
    state = checkpoint.read(checkpoint_path)
    net: nn.Module = architecture(channels_for(classes))
    net.load_state_dict(state["ema"])
    net = place(net.eval(), torch.device(device))
    pairs = load_pairs(data, validation=True, classes=classes, share_of_others=share_of_others)
    found = list(predict_pairs(net, pairs, torch.device(device), classes=len(classes)))
    threshold, metrics = _validated(found, classes, kinds, threshold_by)
    seen = {set_name for set_name, _, _ in list_pairs(data)} | set(seen_before)
    metadata: dict[str, Any] = {
        "classes": classes,
        "training_gsd_mm": TRAINING_GSD_MM,
        "threshold": threshold,
        "contrast_c0": CONTRAST_C0,
        "data": ", ".join(sorted(seen)),
        "licence": licence or licence_of(seen),
        "metrics": metrics,
        "tiles_seen": state["progress"]["tiles"],
    }
    metadata |= {"gsd_range_mm": gsd_range_mm} if gsd_range_mm else {}
    metadata |= {"kinds": kinds} if len(classes) > 1 else {}
    save(out, net.float(), metadata | ({"name": name} if name else {}))
    for set_name, figures in metrics["validation"].items():
        print(f"validation {set_name}: {figures}", file=sys.stderr, flush=True)
    return out


def _validated(
    found: Sequence[Prediction], classes: Sequence[str], kinds: Sequence[str], threshold_by: str
) -> tuple[float, dict[str, Any]]:
    """The threshold, 0..1, and the figures at it: `validation` by set and, of several classes, `classes`."""
    predictions = crack_or_not(found, kinds)
    threshold, figures = NO_VALIDATION_THRESHOLD, {}
    if any((p.label == 1).any() for p in predictions):
        threshold = round(THRESHOLDS_BY[threshold_by](predictions), 4)
        figures = _figures(predictions, threshold)
    metrics: dict[str, Any] = {"validation": figures}
    if len(classes) > 1:
        metrics["classes"] = {
            class_name: _figures(of_class(found, index), threshold)
            for index, class_name in enumerate(classes, start=1)
        }
    return threshold, metrics


def _figures(predictions: Sequence[Prediction], threshold: float) -> dict[str, dict[str, float]]:
    """Rounded figures of every set, without those that are undefined."""
    return {
        set_name: {k: round(v, 4) for k, v in vars(scores).items() if not math.isnan(v)}
        for set_name, scores in score_sets(predictions, threshold, centreline=True).items()
    }
