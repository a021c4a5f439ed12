"""Train a network of a table and judge it, by the product's own training and evaluation.

A result is a folder: `scores.md`, `scores.csv`, `pictures.csv` as `crackpipe evaluate` writes them, and
`result.json`, written last: where it is, the network is done and is passed over. A training that was killed
goes on from its checkpoint.
"""

import csv
import json
import math
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, fields
from itertools import groupby
from pathlib import Path
from typing import Any

import baselines
import torch
from torch import nn

from crackpipe.model.data.pairs import Pair, load_pairs
from crackpipe.model.evaluate import metrics, table
from crackpipe.model.evaluate.judge import Evaluation, Picture, judge_picture, score_set
from crackpipe.model.evaluate.predictions import LEVELS, place, predict_pairs
from crackpipe.model.evaluate.reliability import reliability
from crackpipe.model.evaluate.thresholds import best_threshold
from crackpipe.model.predict.predictor import resolve_precision
from crackpipe.model.train import checkpoint, recipes, train
from crackpipe.model.train.config import TrainConfig
from crackpipe.pipeline.tasks.picture import lines_in

_BUDGET = re.compile(r"(\d+(?:\.\d+)?)([mht])")


def schedule(budget: str) -> dict[str, float]:
    """`10m`, `2h`: wall-clock of training per network; `200t`: tiles per network; `full`: 1,000 epochs.

    Returns what `TrainConfig` calls it. Raises ValueError for anything else.
    """
    if budget == "full":
        return {"epochs": 1000.0}
    found = _BUDGET.fullmatch(budget)
    if found is None:
        raise ValueError(f"budget {budget!r}: give minutes (10m), hours (2h), tiles (200t) or full")
    value, unit = float(found[1]), found[2]
    return {"tiles": int(value)} if unit == "t" else {"minutes": value * (60 if unit == "h" else 1)}


def describe(budget: str) -> str:
    """The budget in words."""
    ((unit, value),) = schedule(budget).items()
    word = {"minutes": "minutes of wall-clock", "tiles": "tiles", "epochs": "epochs"}[unit]
    return f"{value:g} {word} of training per network"


@dataclass(frozen=True)
class Plan:
    """What all networks of a table have in common."""

    data: tuple[Path, ...]
    out: Path
    budget: str
    recipe: str = "ours"
    """Of `recipes.RECIPES`."""
    encoder: str = "lite0"
    """Of the baselines."""
    device: str = "cpu"
    photographs: int | None = None
    """Judged of each set; None: all that are kept from training."""
    validation_share: float = 0.0
    """Kept from training of sets without a share of their own."""


@dataclass(frozen=True)
class Run:
    """One training of a table."""

    name: str
    """Of `baselines.NAMES`."""
    seed: int = 0
    rfem: bool = True
    cagm: bool = True

    @property
    def folder(self) -> str:
        """A name without characters that paths dislike."""
        off = "".join(f"-no-{module}" for module in ("rfem", "cagm") if not getattr(self, module))
        return f"{self.name.lower().replace('+', 'p')}{off}-seed{self.seed}"


def result(plan: Plan, run: Run) -> dict[str, Any]:
    """Train and judge, unless done; what `result.json` holds."""
    folder = plan.out / run.folder
    file = folder / "result.json"
    asked = {"budget": plan.budget, "recipe": plan.recipe, "photographs": plan.photographs}
    if file.exists():
        stored: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        if differing := [
            f"{key} {stored[key]!r}, not {asked[key]!r}" for key in asked if stored[key] != asked[key]
        ]:
            raise ValueError(f"{file} was made with {'; '.join(differing)}: take another --out or remove it")
        return stored
    pretrained = run.name == "lite" or (run.name in baselines.BASELINES and plan.encoder == "lite0")
    pretrained = pretrained or plan.encoder == "resnet50"
    config = config_of(plan, run, pretrained)
    make = baselines.network(
        run.name, plan.encoder, rfem=run.rfem, cagm=run.cagm, pretrained=pretrained, prior=config.prior
    )
    start_s = time.process_time()
    weights = train.train(config, make)
    net = restored(weights, make, plan.device)
    training_cpu_s = time.process_time() - start_s
    judged = judge(run.folder, net, validation_pairs(plan), torch.device(plan.device))
    table.write(judged, folder)
    progress = checkpoint.read(weights)["progress"]
    stored = asked | {
        "network": run.name, "seed": run.seed, "rfem": run.rfem, "cagm": run.cagm,
        "imagenet": pretrained, "device": plan.device, "tiles": progress["tiles"],
        "training_s": round(progress["active_s"], 1), "training_cpu_s": round(training_cpu_s, 1),
        "threshold": judged.threshold, "sets": table.rows(judged),
    }  # fmt: skip
    partial = file.with_suffix(".partial")
    partial.write_text(json.dumps(stored, indent=1), encoding="utf-8")
    partial.replace(file)
    return stored


def config_of(plan: Plan, run: Run, pretrained: bool) -> TrainConfig:
    """The product's recipe with this budget; one process, for a second would halve the steps of a budget."""
    values: dict[str, Any] = {
        "recipe": plan.recipe, "data": plan.data, "device": plan.device, "seed": run.seed, "resume": True,
        "out": plan.out / run.folder / "weights.safetensors", "pretrained": pretrained, "processes": 1,
        "validation_share": plan.validation_share,
    }  # fmt: skip
    if plan.recipe == "ours":
        values |= {"validations": 0, "bf16": resolve_precision(plan.device) == "bf16"}
    return recipes.resolve(values | schedule(plan.budget))


def restored(weights: Path, make: train.MakeNetwork, device: str) -> nn.Module:
    """The averaged network of a checkpoint, ready to predict."""
    net = make(1)
    net.load_state_dict(checkpoint.averaged_weights(weights))
    return place(net.eval(), torch.device(device))


def validation_pairs(plan: Plan) -> list[Pair]:
    """What the networks of a table are judged on."""
    pairs = load_pairs(plan.data, validation=True, share_of_others=plan.validation_share)
    return pairs if plan.photographs is None else train.few_of_each(pairs, plan.photographs)


def judge(name: str, net: nn.Module, pairs: Sequence[Pair], device: torch.device) -> Evaluation:
    """Run all pairs and judge them at the threshold of the greatest mean IoU on these very pairs."""
    found = list(predict_pairs(net, pairs, device))
    threshold = best_threshold(found)
    level = math.ceil((LEVELS - 1) * threshold)
    pictures = sorted(
        (
            judge_picture(pair, one.probability, level, lines_in)
            for pair, one in zip(pairs, found, strict=True)
        ),
        key=lambda picture: (picture.set_name, picture.stem),
    )
    sets = groupby(pictures, lambda picture: picture.set_name)
    scored = {set_name: score_set(list(some)) for set_name, some in sets}
    return Evaluation(
        weights=name,
        threshold=threshold,
        best_threshold=threshold,
        sets=scored,
        reliability=reliability(found),
        pictures=tuple(pictures),
    )


def pictures_of(folder: Path) -> list[Picture]:
    """What a result's `pictures.csv` holds."""
    with (folder / "pictures.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    counted = [field.name for field in fields(metrics.Counts)]
    return [
        Picture(
            row["set"],
            row["picture"],
            metrics.Counts(**{name: int(row[name]) for name in counted}),
            int(row["false_lines"]),
        )
        for row in rows
    ]


def networks_of(out: Path, encoder: str, device: str) -> dict[str, tuple[nn.Module, float]]:
    """The trained networks of a table's folder with their thresholds, in the order of `baselines.NAMES`."""
    stored = {file.parent: json.loads(file.read_text(encoding="utf-8")) for file in out.glob("*/result.json")}
    networks = {}
    for folder, one in sorted(stored.items(), key=lambda each: baselines.NAMES.index(each[1]["network"])):
        make = baselines.network(one["network"], encoder, rfem=one["rfem"], cagm=one["cagm"])
        config = folder / "weights"
        weights = next(file for name in ("best.pt", "checkpoint.pt") if (file := config / name).exists())
        networks[one["network"]] = restored(weights, make, device), one["threshold"]
    if not networks:
        raise ValueError(f"{out}: no result of table3; run it first with --out {out}")
    return networks


def described(out: Path) -> str:
    """Budget and device of a table's folder, for a figure's title."""
    stored = [json.loads(file.read_text(encoding="utf-8")) for file in sorted(out.glob("*/result.json"))]
    return "; ".join(sorted({f"budget {each['budget']}, {each['device']}" for each in stored}))
