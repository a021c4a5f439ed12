import numpy as np
import pytest

from crackpipe.model.data.prepare import figures


def picture() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pavement of 100 and 110 grey, a crack of 60 in row 20; its label 5 px wide becomes 1 px in one half."""
    grey = np.full((40, 60), 100, np.float32)
    grey[:, ::2] = 110
    grey[20] = 60
    before, after = np.zeros((40, 60), np.uint8), np.zeros((40, 60), np.uint8)
    before[18:23] = 255
    after[18:23] = 127
    after[20, :30] = 255
    before[:, 50:] = after[:, 50:] = 127
    return grey, before, after


def test_figures_of_one_picture() -> None:
    found = figures.compare(*picture())
    assert found.inspected_px == 40 * 50
    assert found.doubtful_px == 5 * 50 - 30
    assert (found.label_px, found.label_doubtful_px) == (250, 220)
    assert found.lost_px == pytest.approx(found.length_px * 15 / 50, abs=3)  # from 5 px beyond column 30 on
    assert found.width_px[0] == pytest.approx(5, abs=0.6)
    assert found.width_px[1] == pytest.approx(1)
    # the ring is 105 grey on average, with a deviation of 5: the crack lies 9 deviations below, and a little
    # more because the ring's round end has a bright column more. The centreline of the wide label forks at
    # its ends, where it leaves the crack
    assert found.contrast[1] == pytest.approx(9, abs=0.02)
    assert 8 < found.contrast[0] < 9


def test_a_picture_without_a_label_has_no_width() -> None:
    grey, before, _ = picture()
    found = figures.compare(grey, np.zeros_like(before), np.zeros_like(before))
    assert np.isnan(found.width_px).all()
    assert (found.length_px, found.doubtful_px) == (0, 0)


def test_the_table_says_where_a_step_does_not_fit() -> None:
    grey, before, after = picture()
    good = figures.compare(grey, before, before)
    bad = figures.compare(grey, before, np.full_like(before, 127))
    lines = figures.table(
        {"good": [good], "bad": [good, bad], "half": [figures.compare(grey, before, after)]}
    )
    assert lines[2].startswith("| good | 1 | 0.0% | 0.0% | 0.0% | ")
    assert len(lines) == 2 + 3 + 3
    assert lines[5].startswith("bad: 50% of what was inspected turned to 127, more than 25%")
    assert lines[6].startswith("bad: along 50% of the labelled length no core was found")
    assert lines[7].startswith("half: along ")
