"""Learning rate, halving and patience, counted by hand."""

from pathlib import Path

import pytest

from crackpipe.model.train.checkpoint import Progress
from crackpipe.model.train.config import TrainConfig
from crackpipe.model.train.schedule import note_validation, out_of_patience, rate_factor, rate_of


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
