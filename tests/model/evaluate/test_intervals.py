"""Bootstrap intervals over photographs."""

import math

import pytest

from crackpipe.model.evaluate.intervals import intervals
from crackpipe.model.evaluate.metrics import Counts

GOOD = Counts(true_px=90, predicted_px=100, labelled_px=100, near_label_px=100, near_prediction_px=100)
BAD = Counts(true_px=10, predicted_px=100, labelled_px=100, near_label_px=20, near_prediction_px=20)


def test_equal_photographs_leave_no_doubt() -> None:
    found = intervals([GOOD] * 5, list("abcde"), ["iou", "f1_2px"])
    assert found["iou"] == pytest.approx((90 / 110, 90 / 110))
    assert found["f1_2px"] == (1, 1)


def test_interval_holds_the_pooled_figure() -> None:
    counts = [GOOD, BAD] * 20
    low, high = intervals(counts, [str(number) for number in range(40)], ["f1_2px"])["f1_2px"]
    # Share of GOOD ones drawn: 0.5 with deviation 0.5 / sqrt(40) = 0.079; F1 = 0.2 + 0.8 share.
    assert low == pytest.approx(0.6 - 1.96 * 0.8 * 0.079, abs=0.03)
    assert high == pytest.approx(0.6 + 1.96 * 0.8 * 0.079, abs=0.03)


def test_crops_of_one_photograph_are_drawn_together() -> None:
    apart = intervals([GOOD, BAD] * 20, [str(number) for number in range(40)], ["f1_2px"])["f1_2px"]
    paired = [str(number // 2) for number in range(40)]  # one good and one bad crop each: all alike
    together = intervals([GOOD, BAD] * 20, paired, ["f1_2px"])["f1_2px"]
    assert together == pytest.approx((0.6, 0.6))
    assert apart[1] - apart[0] > 0.2


def test_same_input_same_interval_and_nothing_is_nan() -> None:
    twice = [intervals([GOOD, BAD, BAD], list("abc"), ["iou"]) for _ in range(2)]
    assert twice[0] == twice[1]
    assert all(map(math.isnan, intervals([Counts(inspected_px=9)], ["a"], ["iou"])["iou"]))
