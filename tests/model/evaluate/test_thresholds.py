"""The threshold that suits areas, and the one that suits lines."""

import numpy as np
import pytest

from crackpipe.model.data.pairs import IGNORE
from crackpipe.model.evaluate.predictions import Prediction
from crackpipe.model.evaluate.thresholds import (
    LINE_THRESHOLDS,
    best_line_threshold,
    best_threshold,
    line_f1_by_threshold,
    score_sets,
)


def road(set_name: str = "roads") -> Prediction:
    """A crack that is certain in its middle, 0.32 as wide as its brush, and 0.32 along a joint 40 px away."""
    label = np.zeros((100, 200), np.uint8)
    label[25:36, 20:180] = 1
    probability = np.zeros((100, 200), np.uint8)
    probability[25:36, 20:180] = probability[70:73, 20:180] = round(0.32 * 254)
    probability[29:32, 20:180] = round(0.9 * 254)
    return Prediction(set_name, label, probability)


def test_a_wide_brush_asks_for_a_low_threshold_and_lines_do_not() -> None:
    assert best_threshold([road()]) < 0.32
    assert best_line_threshold([road()]) > 0.32


def test_the_highest_of_equally_good_ones_is_taken() -> None:
    """It finds least on sound road, where no line can be right."""
    assert best_line_threshold([road()]) == max(each for each in LINE_THRESHOLDS if each <= 0.9)


def test_a_set_of_which_nothing_is_found_counts_as_0() -> None:
    """From 0.35 on nothing of the faint set is left, and the other one still has its say."""
    faint = road("faint")
    np.minimum(faint.probability, round(0.32 * 254), out=faint.probability)
    both, alone = line_f1_by_threshold([road(), faint]), line_f1_by_threshold([road()])
    above = np.array(LINE_THRESHOLDS) > 0.33
    np.testing.assert_allclose(both[above], alone[above] / 2)
    assert both[above].max() > 0.4


def test_where_nobody_labelled_no_line_is_false() -> None:
    one = road()
    one.label[60:80] = IGNORE
    f1 = line_f1_by_threshold([one])
    assert f1[0] == pytest.approx(f1.max())
    assert line_f1_by_threshold([road()])[0] < f1[0] - 0.1


def test_sets_count_alike_and_one_without_cracks_not_at_all() -> None:
    sound = road("sound")
    sound.label[:] = 0
    assert best_line_threshold([road(), sound]) == best_line_threshold([road()])
    with pytest.raises(ValueError, match="no crack in any validation label"):
        best_line_threshold([sound])


# ---- areas


def test_threshold_is_the_best_mean_iou_over_sets() -> None:
    label = np.array([[1, 1, 0, 0]], np.uint8)
    one = Prediction("one", label, np.array([[200, 100, 90, 0]], np.uint8))
    two = Prediction("two", label, np.array([[250, 180, 120, 0]], np.uint8))
    negative = Prediction("none", label * 0, np.array([[99, 0, 0, 0]], np.uint8))
    assert best_threshold([one]) == pytest.approx(90.5 / 254)
    # Up to level 90 both miss by one pixel (2/3 each); 91..100 gives 1 and 2/3; 121..180 gives 1/2 and 1.
    threshold = best_threshold([one, two, negative])
    assert threshold == pytest.approx(90.5 / 254)
    figures = score_sets([one, two, negative], threshold)
    assert figures["one"].iou == 1
    assert figures["two"].iou == pytest.approx(2 / 3)
    assert figures["none"].false_share == pytest.approx(1 / 4)


def test_threshold_needs_a_crack() -> None:
    with pytest.raises(ValueError, match="no crack"):
        best_threshold([Prediction("a", np.zeros((1, 2), np.uint8), np.zeros((1, 2), np.uint8))])
