"""Learning rate, halving and patience, counted by hand."""

from collections import OrderedDict
from copy import deepcopy
from pathlib import Path

import numpy as np
import pytest
import torch
from training import write_set

from crackpipe.model.data.pairs import Pair
from crackpipe.model.train import checkpoint
from crackpipe.model.train.checkpoint import Ema, Origin, Progress
from crackpipe.model.train.config import TrainConfig
from crackpipe.model.train.schedule import (
    check_judges,
    note_validation,
    out_of_patience,
    parameter_groups,
    rate_factor,
    rate_of,
)
from crackpipe.model.train.train import few_of_each


def config(**values: object) -> TrainConfig:
    least: dict[str, object] = {"data": (Path("roads"),), "out": Path("w.safetensors"), "tiles": 1}
    return TrainConfig(**least | values)  # type: ignore[arg-type]


def test_rate_rises_then_falls_along_a_cosine() -> None:
    assert rate_factor(0.0, 0.1) == pytest.approx(0.01, abs=0.002)
    assert rate_factor(0.1, 0.1) == pytest.approx(1)
    assert rate_factor(0.55, 0.1) == pytest.approx(0.505)
    assert rate_factor(1.0, 0.1) == pytest.approx(0.01)
    assert rate_factor(1.3, 0.1) == pytest.approx(0.01)


def test_rate_is_halved_after_epochs_without_improvement() -> None:
    plateau, progress, rates = config(schedule="plateau", learning_rate=1e-4), Progress(), []
    for score in [0.5, 0.6, *[0.6] * 5, 0.59, 0.61, *[0.2] * 10]:
        note_validation(progress, score, plateau)
        rates.append(rate_of(plateau, progress, 0.5) / 1e-4)
    # 0.6 is not improved on five times: halved; 0.61 is new; ten more: halved after five and after ten
    assert rates == [1] * 6 + [0.5] * 7 + [0.25] * 5 + [0.125]


def test_patience_counts_from_the_best() -> None:
    patient, progress = config(patience=3), Progress()
    kept = [note_validation(progress, score, patient) for score in (0.5, 0.4, 0.5, 0.6, 0.1, 0.6)]
    assert kept == [True, False, False, True, False, False]
    assert not out_of_patience(progress, patient)
    note_validation(progress, 0.59, patient)
    assert out_of_patience(progress, patient)
    assert not out_of_patience(progress, config())


def test_a_validation_that_judged_nothing_does_not_count() -> None:
    """Neither patience nor the learning rate goes by it."""
    for values in ({"patience": 2}, {"schedule": "plateau", "plateau_epochs": 2}):
        patient, progress = config(**values), Progress()
        assert not any(note_validation(progress, -1.0, patient) for _ in range(9))
        assert progress == Progress()


@pytest.mark.parametrize("asked", [{"patience": 2}, {"schedule": "plateau"}, {"calibrate": True}])
def test_photographs_without_a_crack_are_no_judges(asked: dict[str, object], tmp_path: Path) -> None:
    write_set(tmp_path / "sound", [0], names=())
    made = config(data=(tmp_path,), validation_share=1.0, **asked)
    with pytest.raises(
        ValueError, match=r"1 photographs are kept .* none has a labelled crack .* is 1\.0: give"
    ):
        check_judges(made)
    write_set(tmp_path / "mine", [0, 255], names=())
    check_judges(made)


def test_cracks_judge_before_crack_free_pictures() -> None:
    def pair(set_name: str, stem: str, value: int) -> Pair:
        label = np.full((2, 2), value, np.uint8)
        return Pair(set_name, stem, np.zeros((2, 2, 3), np.uint8), label, np.empty((0, 2), np.int32))

    given = [pair("b", "0", 0), pair("b", "1", 2), pair("b", "2", 1), pair("a", "3", 0), pair("b", "4", 1)]
    chosen = few_of_each(given, 2, ("crack", "line"))
    assert [(each.set_name, each.stem) for each in chosen] == [("a", "3"), ("b", "2"), ("b", "4")]


def test_a_resumed_training_has_the_rates_and_decay_of_today(tmp_path: Path) -> None:
    """`train.toml` states them, and must not state what is not used."""

    def network(asked: TrainConfig) -> tuple[torch.nn.Module, Ema, torch.optim.Optimizer]:
        net = torch.nn.Sequential(OrderedDict(encoder=torch.nn.Linear(2, 2), head=torch.nn.Linear(2, 1)))
        net(torch.ones(2)).sum().backward()
        return net, Ema(deepcopy(net), 0.9), torch.optim.AdamW(parameter_groups(net, asked))

    def said(optimizer: torch.optim.Optimizer) -> list[tuple[float, float]]:
        return [(group["rate"], group["weight_decay"]) for group in optimizer.param_groups]

    net, ema, before = network(config())
    before.step()
    origin = Origin(architecture="lite", classes=("crack",), init=None, init_sha256=None, seen=frozenset())
    checkpoint.write(tmp_path / "checkpoint.pt", net, ema, before, Progress(step=1), origin)
    net, ema, today = network(config(encoder_rate=0.25, weight_decay=0.1, decay_vectors=True))
    checkpoint.restore(tmp_path / "checkpoint.pt", net, ema, today)
    assert said(before) == [(0.5, 0.0), (0.5, 0.01), (1.0, 0.0), (1.0, 0.01)]
    assert said(today) == [(0.25, 0.1), (0.25, 0.1), (1.0, 0.1), (1.0, 0.1)]
    assert len(today.state) == 4  # moments go on
