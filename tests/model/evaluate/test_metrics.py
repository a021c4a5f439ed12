import math

import numpy as np
import pytest
from numpy.typing import NDArray

from crackpipe.model.data.pairs import IGNORE
from crackpipe.model.evaluate.metrics import Counts, count, scores, within


def mask(*rows: str) -> NDArray[np.uint8]:
    """`#` crack, `.` sound, `?` not inspected."""
    return np.array([[{"#": 1, ".": 0, "?": 255}[c] for c in row] for row in rows], np.uint8)


LABEL = mask(
    "........",
    "########",
    "........",
    "........",
    "........",
    "........",
)


def test_equal_masks_score_one() -> None:
    figures = scores(count(LABEL == 1, LABEL))
    assert (figures.iou, figures.dice, figures.f1, figures.f1_2px, figures.cldice) == (1, 1, 1, 1, 1)
    assert figures.false_share == 0


def test_figures_by_hand() -> None:
    # 8 labelled; predicted: 4 of them, 2 one row below, 2 four rows below.
    predicted = mask(
        "........",
        "####....",
        "....##..",
        "........",
        "........",
        "......##",
    )
    figures = scores(count(predicted == 1, LABEL))
    assert figures.iou == pytest.approx(4 / 12)
    assert figures.dice == pytest.approx(8 / 16)
    assert figures.precision == pytest.approx(4 / 8)
    assert figures.recall == pytest.approx(4 / 8)
    assert figures.precision_2px == pytest.approx(6 / 8)
    # Labelled pixel 6 is sqrt(2) from (2, 5), pixel 7 is sqrt(5) > 2 from it: 7 of 8 are near.
    assert figures.recall_2px == pytest.approx(7 / 8)
    assert figures.f1_2px == pytest.approx(2 * 0.75 * 0.875 / 1.625)
    assert figures.false_share == pytest.approx(4 / 48)


def test_tolerance_is_two_pixels_and_not_more() -> None:
    shifted_2, shifted_3 = np.roll(LABEL, 2, axis=0) == 1, np.roll(LABEL, 3, axis=0) == 1
    assert scores(count(shifted_2, LABEL)).f1_2px == 1
    assert scores(count(shifted_3, LABEL)).f1_2px == 0
    assert scores(count(shifted_2, LABEL)).iou == 0


def test_centreline_dice_forgives_width() -> None:
    label = mask("........", "########", "########", "########", "........")
    thin = mask("........", "........", "########", "........", "........")
    figures = scores(count(thin == 1, label))
    assert figures.iou == pytest.approx(1 / 3)
    # The label's skeleton has 7 px, of which the last one bends towards the corner: 6 of 7 lie in the line.
    assert figures.cldice == pytest.approx(2 * (6 / 7) / (1 + 6 / 7))


def brush(width_px: int, row: int = 20) -> NDArray[np.bool_]:
    """A stroke of odd width whose middle is in `row`, 60 px long."""
    stroke = np.zeros((40, 80), bool)
    stroke[row - width_px // 2 : row + width_px // 2 + 1, 10:70] = True
    return stroke


@pytest.mark.parametrize("width_px", [1, 5, 13])
def test_the_brush_of_a_label_moves_no_figure_of_lines(width_px: int) -> None:
    # a wide stroke's skeleton ends before its ends: half a width of the length is not there to be found
    label = brush(width_px).astype(np.uint8)
    on_it, beside = scores(count(brush(3), label)), scores(count(brush(3, row=25), label))
    assert on_it.recall_line == 1
    assert on_it.precision_line == pytest.approx(1, abs=(width_px + 3) / 60)
    assert beside.f1_line == 0  # five pixels off


def test_figures_of_lines_by_hand() -> None:
    label = np.zeros((12, 12), np.uint8)
    label[1, :10] = 1
    predicted = np.zeros((12, 12), bool)
    predicted[3, :5] = True  # two px off: right
    predicted[9, :5] = True  # eight px off: false
    figures = scores(count(predicted, label))
    assert figures.precision_line == pytest.approx(5 / 10)
    # pixel 7 of the label is sqrt(13) px from (3, 4), pixel 6 is sqrt(8) px from it: 0 to 6 are found
    assert figures.recall_line == pytest.approx(7 / 10)


def test_a_line_through_ground_that_nobody_labelled_is_not_false() -> None:
    label = brush(3).astype(np.uint8)
    label[:, 40:] = IGNORE
    figures = scores(count(brush(3), label))
    assert (figures.precision_line, figures.recall_line) == (1, 1)


def test_not_inspected_counts_for_nothing() -> None:
    label = mask("##..", "????")
    everywhere = np.ones((2, 4), bool)
    counts = count(everywhere, label)
    assert (counts.predicted_px, counts.labelled_px, counts.inspected_px) == (4, 2, 4)


def test_pooling_adds_counts() -> None:
    empty = mask("....", "....")
    found, false = count(LABEL == 1, LABEL), count(np.ones((2, 4), bool), empty)
    assert scores(found + false).iou == pytest.approx(8 / 16)
    assert found + Counts() == found


def test_nothing_there_is_nan_and_not_one() -> None:
    figures = scores(count(np.zeros((2, 4), bool), mask("....", "....")))
    assert math.isnan(figures.iou)
    assert math.isnan(figures.f1)
    assert figures.false_share == 0


def test_cracks_of_which_nothing_is_found_have_an_f1_of_0() -> None:
    figures = scores(count(np.zeros_like(LABEL, bool), LABEL))
    assert (figures.iou, figures.dice, figures.recall_line, figures.recall_2px) == (0, 0, 0, 0)
    assert (figures.f1_line, figures.f1, figures.f1_2px, figures.cldice) == (0, 0, 0, 0)
    assert math.isnan(figures.precision)  # of nothing
    nothing_labelled = scores(count(LABEL == 1, np.zeros_like(LABEL)))
    assert math.isnan(nothing_labelled.f1_line)


def test_within_of_an_empty_mask_is_empty() -> None:
    assert not within(np.zeros((3, 3), bool), 2).any()


def test_shapes_must_agree() -> None:
    with pytest.raises(ValueError, match="differ in shape"):
        count(np.zeros((2, 2), bool), LABEL)
