from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from crackpipe.model.data.plane import to_ground, warp_labels
from crackpipe.model.data.prepare import lane

SHAPE = (330, 1024)
RIGHT_OF_TRUE = ((276.0, -0.7), (864.0, 0.7))


def frame(shift_px: float = 0.0) -> np.ndarray:
    """A lane 588 px wide at the top, 1.4 px wider with each row; the rest is 127."""
    rows, cols = np.mgrid[: SHAPE[0], : SHAPE[1]]
    (left, left_slope), (right, right_slope) = RIGHT_OF_TRUE
    inside = (cols >= left + shift_px + left_slope * rows) & (cols <= right + shift_px + right_slope * rows)
    return np.where(inside, np.uint8(0), np.uint8(127))


def test_edges_are_the_median_over_frames() -> None:
    found = lane.lane_of([frame(-20), frame(0), frame(1), frame(40)])
    assert found.left == pytest.approx((276.5, -0.7), abs=0.6)
    assert found.right == pytest.approx((863.5, 0.7), abs=1.1)
    assert found.horizon_row == pytest.approx(-588 / 1.4, abs=3)


def test_in_the_plan_the_lane_is_as_wide_everywhere() -> None:
    plan = lane.plan_view(lane.lane_of([frame()]), SHAPE)
    seen = warp_labels(frame(), plan, 127) == 0
    widths = seen[:300].sum(axis=1)  # further down the camera sees less than the lane
    assert np.abs(widths * lane.GSD_MM / 1000 - lane.LANE_M).max() < 0.03
    assert plan.shape[1] * lane.GSD_MM / 1000 == pytest.approx(lane.LANE_M + 0.6, abs=0.01)


def test_ground_ahead_follows_from_the_focal_length() -> None:
    found = lane.lane_of([frame()])
    plan = lane.plan_view(found, SHAPE)
    # a camera pitched by atan(420 / 700) sees at its axis, row 0, as far ahead as height / tan(pitch)
    pitch = np.arctan(-found.horizon_row / lane.FOCAL_PX)
    height_m = lane.LANE_M / 588 * lane.FOCAL_PX * np.sin(pitch)
    ahead = to_ground(plan.matrix, [(0, 570), (165, 570), (329, 570)])[:, 1]
    angles = pitch + np.arctan(np.array([0, 165, 329]) / lane.FOCAL_PX)
    assert ahead == pytest.approx(height_m / np.tan(angles), rel=0.01)


def test_a_section_without_edges_is_named(tmp_path: Path) -> None:
    file = tmp_path / "a_1.png"
    Image.fromarray(np.zeros((90, 120), np.uint8)).save(file)
    with pytest.raises(ValueError, match="section a: no frame of the section shows both edges"):
        lane.plan_views({"a": [file]})


def test_edges_that_do_not_meet_ahead_are_refused() -> None:
    with pytest.raises(ValueError, match="no road that leads ahead"):
        lane.lane_of([frame()[::-1]])
