"""Differences between weights, by hand."""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from crackpipe.model.evaluate.comparison import compare, markdown
from crackpipe.model.evaluate.judge import Evaluation, Picture, score_set
from crackpipe.model.evaluate.metrics import Counts
from crackpipe.model.evaluate.reliability import Reliability

NOTHING = Reliability(
    error=math.nan,
    error_where_seen=math.nan,
    probability=np.zeros(10),
    labelled=np.zeros(10),
    pixels=np.zeros(10, np.int64),
)


def picture(stem: str, found_px: int) -> Picture:
    """100 px labelled, 100 px predicted, `found_px` of them right."""
    near = {"near_label_px": found_px, "near_prediction_px": found_px}
    return Picture("cfd", stem, Counts(true_px=found_px, predicted_px=100, labelled_px=100, **near), 0)


def evaluation(found_px: Sequence[int]) -> Evaluation:
    pictures = tuple(picture(f"{number:03d}", px) for number, px in enumerate(found_px))
    return Evaluation(
        weights="w",
        threshold=0.5,
        best_threshold=0.5,
        sets={"cfd": score_set(pictures)},
        reliability=NOTHING,
        pictures=pictures,
    )


def test_difference_by_hand() -> None:
    found = compare(evaluation([60, 70, 80, 90]), evaluation([50, 60, 70, 80]))["cfd"]
    assert found.photographs == 4
    assert found.figures["f1_2px"] == pytest.approx((0.1, 0.1, 0.1))  # on every photograph, so in every draw
    assert found.figures["iou"][0] == pytest.approx(300 / 500 - 260 / 540)
    assert found.p_value == pytest.approx(2 / 2**4)  # all four signs alike, either way


def test_photographs_that_are_hard_for_both_do_not_widen_the_interval() -> None:
    rng = np.random.default_rng(1)
    hard = rng.integers(10, 80, 40)
    found = compare(evaluation(hard + rng.integers(4, 9, 40)), evaluation(hard))["cfd"]
    value, low, high = found.figures["f1_2px"]
    assert 0.04 < low < value < high < 0.08
    assert found.p_value < 1e-6


def test_equal_weights_do_not_differ() -> None:
    found = compare(evaluation([60, 70]), evaluation([60, 70]))["cfd"]
    assert found.figures["f1_2px"] == (0, 0, 0)
    assert found.p_value == 1


def test_nothing_found_is_no_agreement_at_all() -> None:
    one, other = evaluation([60, 70]), evaluation([60, 70])
    blind = replace(other.pictures[0], counts=Counts(labelled_px=100))
    found = compare(one, replace(other, pictures=(blind, other.pictures[1])))["cfd"]
    assert found.photographs == 2
    assert found.figures["f1_2px"][0] == pytest.approx(0.65 - 2 * 0.7 * 0.35 / (0.7 + 0.35))
    assert found.p_value == 1  # one photograph alone shows nothing


def test_other_pictures_are_refused() -> None:
    with pytest.raises(ValueError, match="different pictures"):
        compare(evaluation([60, 70]), evaluation([60]))


def test_table() -> None:
    row = markdown(evaluation([60, 70]), evaluation([50, 60])).splitlines()[-1].split("|")
    assert [cell.strip() for cell in row[1:3]] == ["cfd", "2"]
    assert row[4].strip() == "+0.100 (+0.100 to +0.100)"
    assert row[7].strip() == "0.500"  # two signs alike, either way
