"""What a homography says of a plan view: which part was seen finely enough, and how wide a pixel is there."""

import numpy as np
import pytest

from crackpipe.pipeline.geometry.grid import Window
from crackpipe.pipeline.geometry.plan_view import (
    COARSEST,
    PlanView,
    camera_px,
    coarseness,
    extremes,
    frame_pixels,
    inspected,
)

# The camera's pixel is as long as one of the plan view in the last row. Upwards it grows with the distance:
# in the first row it is 2.2 times as long across, and 2.2 squared along.
PERSPECTIVE = PlanView((1, -2, 350, 0, -0.5, 210, 0, -0.01, 2.2), (300, 400), (121, 180))


def straight_down(times: float) -> PlanView:
    """A camera with `times` as many pixels along a side as the plan view."""
    return PlanView((times, 0, 0, 0, times, 0, 0, 0, 1), (100, 200), (100, 100))


def places(view: PlanView) -> tuple[np.ndarray, np.ndarray]:
    row, col = np.mgrid[0 : view.size_px[0], 0 : view.size_px[1]].astype(float)
    return row, col


@pytest.mark.parametrize("times", [0.4, 0.5, 1.0, 2.0])
def test_straight_down_a_pixel_is_as_long_as_the_numbers_say(times: float) -> None:
    view = straight_down(times)
    seen = inspected(view, Window(0, 0, 100, 100))
    # 2.5 times as long is the limit, and rows beyond the frame's last are not seen
    assert seen.sum() == min(100, int(99 / times) + 1) * 100
    assert coarseness(view, np.array([3.0]), np.array([5.0])) == pytest.approx([1 / times])
    assert extremes(view) == pytest.approx((1 / times, 1 / times))


def test_one_that_is_coarser_is_not_inspected() -> None:
    assert extremes(straight_down(0.39)) is None
    assert not inspected(straight_down(0.39), Window(0, 0, 100, 100)).any()


def test_in_perspective_the_limit_is_a_row() -> None:
    row, col = places(PERSPECTIVE)
    found = coarseness(PERSPECTIVE, row, col)
    # straight ahead of the camera, the length along the view is the square of the depth
    depth = 2.2 - 0.01 * row
    ahead = np.abs(frame_pixels(PERSPECTIVE, row, col)[0] - 200) < 0.5
    assert np.allclose(found[ahead], depth[ahead] ** 2, rtol=1e-3)
    assert np.array_equal(inspected(PERSPECTIVE, Window(0, 0, 121, 180)), found <= COARSEST)
    finest, worst = extremes(PERSPECTIVE) or (0, 0)
    assert finest == pytest.approx(1.0, abs=1e-3)
    assert worst == COARSEST


def test_behind_the_camera_nothing_is_seen() -> None:
    behind = PlanView(tuple(-number for number in PERSPECTIVE.homography), (300, 400), (121, 180))
    assert extremes(behind) is None
    assert not inspected(behind, Window(0, 0, 121, 180)).any()


def test_however_it_is_cut_the_answer_is_the_same() -> None:
    whole = inspected(PERSPECTIVE, Window(0, 0, 121, 180))
    for window in (Window(0, 0, 1, 180), Window(40, 17, 81, 3), Window(60, 100, 61, 80)):
        assert np.array_equal(inspected(PERSPECTIVE, window), whole[window.within(Window(0, 0, 121, 180))])
        part = PERSPECTIVE.part(window)
        assert np.array_equal(inspected(part, Window(0, 0, *part.size_px)), whole[window.row :][
            : window.height, window.col : window.col + window.width
        ])  # fmt: skip


def test_across_a_line_a_pixel_is_as_wide_as_its_circle() -> None:
    rng = np.random.default_rng(0)
    points = rng.uniform((70, 5), (120, 175), (50, 2))
    angle = rng.uniform(0, 6.3, 50)
    tangents = np.column_stack([np.sin(angle), np.cos(angle)])
    # a small circle in the frame around each point, and its extent across the line in the plan view
    to_plan = np.linalg.inv(PERSPECTIVE.matrix)
    x, y, _ = frame_pixels(PERSPECTIVE, points[:, 0], points[:, 1])
    turn, radius = np.linspace(0, 2 * np.pi, 721), 1e-3
    circle = np.stack(
        [x[:, None] + radius * np.cos(turn), y[:, None] + radius * np.sin(turn), np.ones((50, 721))]
    )
    col, row, depth = np.tensordot(to_plan, circle, axes=1)
    across = (row / depth - points[:, :1]) * tangents[:, 1:] - (col / depth - points[:, 1:]) * tangents[:, :1]
    expected = np.abs(across).max(axis=1) / radius
    assert np.allclose(camera_px(PERSPECTIVE, points, tangents), np.minimum(expected, COARSEST), rtol=1e-3)


def test_where_lines_stray_out_the_width_stays_bounded() -> None:
    points = np.array([[0.0, 90.0], [220.0, 90.0], [400.0, 90.0]])
    assert camera_px(PERSPECTIVE, points, np.tile([0.0, 1.0], (3, 1))).tolist() == [COARSEST] * 3
