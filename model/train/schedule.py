"""Learning rate, early stopping and what it judges by, and which parameters get which rate and decay."""

import math

import torch
from torch import nn

from crackpipe.model.data.pairs import has_crack, is_validation, list_pairs
from crackpipe.model.train.checkpoint import Progress
from crackpipe.model.train.class_head import LAST_LAYER, has_fresh_rows
from crackpipe.model.train.config import TrainConfig
from crackpipe.model.weights.read import load


def rate_factor(progress: float, warmup: float) -> float:
    """Learning rate over its peak at `progress` 0..1: linear rise, then half a cosine down to 0.01."""
    if progress < warmup:
        return (progress + 1e-3) / (warmup + 1e-3)
    done = min(1.0, (progress - warmup) / (1 - warmup)) if warmup < 1 else 1.0
    return 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * done))


def rate_of(config: TrainConfig, progress: Progress, done: float) -> float:
    """Learning rate at a share `done` 0..1 of the schedule."""
    if config.schedule == "plateau":
        return float(config.learning_rate * 0.5**progress.halvings)
    return config.learning_rate * rate_factor(done, config.warmup)


def note_validation(progress: Progress, score: float, config: TrainConfig) -> bool:
    """Count a validation with this score, where more is better. Returns whether it is the best so far.

    A score below 0 says that there was nothing to judge by, and does not count.
    """
    if score < 0:
        return False
    if score > progress.best:
        progress.best, progress.since_best, progress.since_halved = score, 0, 0
        return True
    progress.since_best += 1
    progress.since_halved += 1
    if config.schedule == "plateau" and progress.since_halved >= config.plateau_epochs:
        progress.halvings += 1
        progress.since_halved = 0
    return False


def out_of_patience(progress: Progress, config: TrainConfig) -> bool:
    """Whether a training ends before its schedule does."""
    return config.patience is not None and progress.since_best >= config.patience


def check_judges(config: TrainConfig) -> None:
    """Raise ValueError if cracks are needed that are kept from training to judge by, and there is none."""
    if not (config.keeps_best or config.calibrate):
        return
    kept = [
        mask
        for name, image, mask in list_pairs(config.folders)
        if is_validation(name, image.stem, config.validation_share)
    ]
    asked = f"patience {config.patience}, schedule {config.schedule}, calibrate {config.calibrate}"
    if not kept:
        raise ValueError(
            f"{asked}: no photograph is kept from training to judge by; keep some with --validation-share 0.2"
        )
    if not any(has_crack(mask, config.classes, config.kinds) for mask in kept):
        raise ValueError(
            f"{asked}: {len(kept)} photographs are kept from training, but none has a labelled crack to "
            f"judge by; --validation-share is {config.validation_share}: give more, or add a set that "
            "validates"
        )


def parameter_groups(net: nn.Module, config: TrainConfig) -> list[dict[str, object]]:
    """Groups for the optimiser: encoder, a fresh last layer, and the rest, each at its rate.

    Vectors (biases, batch norm) are apart, because by default they have no weight decay.
    """
    fresh = config.init is not None and has_fresh_rows(config.classes, load(config.init))
    rates = {
        "encoder": config.encoder_rate if config.pretrained or config.init else 1.0,
        "rest": 1.0,
        "head": config.fresh_head_rate,
    }

    def part_of(name: str) -> str:
        if name.startswith(("encoder.", "stem.", "layer")):
            return "encoder"
        return "head" if fresh and name in LAST_LAYER else "rest"

    groups = []
    for part, rate in rates.items():
        for vector in (True, False):
            parameters = [
                p for name, p in net.named_parameters() if part_of(name) == part and (p.ndim < 2) == vector
            ]
            decay = 0.0 if vector and not config.decay_vectors else config.weight_decay
            groups.append({"params": parameters, "weight_decay": decay, "rate": rate})
    return [group for group in groups if group["params"]]


def keep_depthwise_in_full_precision(net: nn.Module) -> None:
    """Run depthwise convolutions in fp32 inside autocast.

    Their bf16 weight gradient in channels_last is several times slower on CPUs: 0.60 against 0.46 s per tile
    for the whole step of the lite network.
    """

    def in_full_precision(module: nn.Conv2d) -> None:
        forward = module.forward

        def wrapped(x: torch.Tensor) -> torch.Tensor:
            with torch.autocast("cpu", enabled=False):
                return forward(x.float())

        module.forward = wrapped  # type: ignore[method-assign, assignment]

    for module in net.modules():
        if isinstance(module, nn.Conv2d) and module.groups > 1:
            in_full_precision(module)
