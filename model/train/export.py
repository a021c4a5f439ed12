"""A checkpoint becomes a weights file: full validation, threshold, metadata."""

import math
import sys
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from crackpipe.model.data.credits import licence_of
from crackpipe.model.data.pairs import list_pairs, load_pairs
from crackpipe.model.evaluate.familiarity import LEAST_PHOTOGRAPHS, add_statistics
from crackpipe.model.evaluate.predictions import Prediction, crack_or_not, of_class, place, predict_pairs
from crackpipe.model.evaluate.thresholds import THRESHOLDS_BY, score_sets
from crackpipe.model.networks.context_cracknet import ContextCrackNet, ContextCrackNetLite
from crackpipe.model.train import calibration, checkpoint
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
    coarse_shift: float | None = None,
    threshold_by: str = "iou",
    calibrate: bool = False,
) -> Path:
    """Validate the averaged weights of a checkpoint on whole photographs and write them to `out`.

    The threshold gives the greatest mean IoU over the validation sets, or line F1 (`threshold_by` "lines");
    without validation photographs it is 0.5. A training that writes the checkpoint may go on meanwhile.
    Of several `classes`, those of kind crack decide it: a pixel is crack if such a class is its most probable
    one and reaches the threshold; `metrics` has figures of each class alone under `classes`. For
    `share_of_others` see `pairs.is_validation`, for GSD range and shift `weights.read`. With `calibrate`,
    probabilities of one class are fitted to the validation photographs (`calibration`), and the threshold
    moves with them, so that the same pixels are marked.
    """
    net, state = _averaged(checkpoint_path, architecture(channels_for(classes)), device)
    pairs = load_pairs(data, validation=True, classes=classes, share_of_others=share_of_others)
    found = list(predict_pairs(net, pairs, torch.device(device), classes=len(classes)))
    threshold, metrics = _validated(found, classes, kinds, threshold_by)
    threshold, metrics = _calibrated(net, found, threshold, metrics) if calibrate else (threshold, metrics)
    metadata: dict[str, Any] = {
        "name": name or None,
        "classes": classes,
        "kinds": kinds if len(classes) > 1 else None,
        "training_gsd_mm": TRAINING_GSD_MM,
        "gsd_range_mm": gsd_range_mm,
        "threshold": threshold,
        "coarse_shift": coarse_shift,
        "contrast_c0": CONTRAST_C0,
        **_credits(data, {*seen_before, *state.get("origin", {}).get("seen", ())}, licence),
        "metrics": metrics,
        "tiles_seen": state["progress"]["tiles"],
    }
    save(out, net.float(), {key: value for key, value in metadata.items() if value is not None})
    _tell_familiarity(out, data, share_of_others, device)
    _tell_validation(metrics["validation"])
    return out


def _credits(data: Sequence[Path], seen_before: Collection[str], licence: str | None) -> dict[str, str]:
    """What the weights have seen, and what their licence is then."""
    seen = {set_name for set_name, _, _ in list_pairs(data)} | set(seen_before)
    return {"data": ", ".join(sorted(seen)), "licence": licence or licence_of(seen)}


def _tell_validation(figures_of: dict[str, dict[str, float]]) -> None:
    for set_name, figures in figures_of.items():
        print(f"validation {set_name}: {figures}", file=sys.stderr, flush=True)


def _tell_familiarity(out: Path, data: Sequence[Path], share_of_others: float, device: str) -> None:
    """Add the statistics by which a run tells how familiar its images are, if there are enough pictures."""
    if add_statistics(str(out), data, out, share_of_others, device) is None:
        print(
            f"no statistics of familiarity: fewer than {LEAST_PHOTOGRAPHS} photographs to train on",
            file=sys.stderr,
            flush=True,
        )


def _averaged(checkpoint_path: Path, net: nn.Module, device: str) -> tuple[nn.Module, Mapping[str, Any]]:
    """`net` with the averaged weights of a checkpoint, in eval mode; and all that the checkpoint holds."""
    state = checkpoint.read(checkpoint_path)
    net.load_state_dict(state["ema"])
    return place(net.eval(), torch.device(device)), state


def _calibrated(
    net: nn.Module, found: Sequence[Prediction], threshold: float, metrics: dict[str, Any]
) -> tuple[float, dict[str, Any]]:
    """Calibrate `net` in place; the threshold as it is then, and metrics with what was done to the logit.

    Without a labelled crack nothing can be fitted, and where the fit turns the network upside down nothing is
    gained; then all stays as it is.
    """
    if not any((p.label == 1).any() for p in found):
        print("not calibrated: no photograph kept from training has a labelled crack", file=sys.stderr)
        return threshold, metrics
    scale, offset = calibration.fit(found)
    if not scale > 0:
        print(
            "not calibrated: on the photographs kept from training cracks are no more probable than sound "
            f"road (scale {scale:.4g}, must be above 0); train longer, or look at their labels",
            file=sys.stderr,
        )
        return threshold, metrics
    calibration.fold(net, scale, offset)
    moved = round(calibration.moved(threshold, scale, offset), 4)
    done = {"scale": round(scale, 4), "offset": round(offset, 4)}
    return moved, metrics | {"calibration": done}


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
