import numpy as np
import pytest

from crackpipe.model.data import plane

IMAGE = [(0, 0), (0, 9), (7, 0), (7, 9)]
"""Corners of a picture of 8 x 10 px, (row, col), centres of pixels."""


def from_above(gsd_mm: float = 10.0) -> plane.Matrix:
    """A camera that looks straight down: 8 x 10 px of `gsd_mm`, right edge at 0.1 m, far edge at 0.08 m."""
    step = gsd_mm / 1000
    ground = [((col + 0.5) * step, (8 - row - 0.5) * step) for row, col in IMAGE]
    return plane.homography(IMAGE, ground)


def oblique() -> plane.Matrix:
    """A strip of road 2 m wide, 10 px wide at row 0 (4 m ahead) and 40 px wide at row 30 (1 m ahead)."""
    pixels = [(0, 15), (0, 25), (30, 0), (30, 40)]
    return plane.homography(pixels, [(-1, 4), (1, 4), (-1, 1), (1, 1)])


def test_the_four_points_lie_where_they_were_given() -> None:
    matrix = oblique()
    assert np.allclose(plane.to_ground(matrix, [(0, 15), (30, 40)]), [(-1, 4), (1, 1)])
    assert np.allclose(plane.to_pixels(matrix, [(1, 4), (-1, 1)]), [(0, 25), (30, 0)])
    # at 1 m a pixel is 2 m / 40 px wide, at 4 m four times that: the half-way row sees 1.6 m, not 2.5 m
    assert np.allclose(plane.to_ground(matrix, [(15, 20)]), [(0, 1.6)])


def test_more_points_than_four_are_fitted() -> None:
    pixels = [(0, 0), (0, 10), (10, 0), (10, 10), (5, 5)]
    matrix = plane.homography(pixels, [(col / 10, 1 - row / 10) for row, col in pixels])
    assert np.allclose(plane.to_ground(matrix, [(2, 7)]), [(0.7, 0.8)])


@pytest.mark.parametrize(
    ("pixels", "ground"),
    [
        ([(0, 0), (0, 1), (1, 0)], [(0, 0), (1, 0), (0, 1)]),
        ([(0, 0), (1, 1), (2, 2), (3, 3)], [(0, 0), (1, 0), (0, 1), (1, 1)]),
        ([(0, 0), (0, 1), (1, 0), (1, 1)], [(0, 0), (1, 0), (0, 1)]),
    ],
)
def test_points_that_fix_no_plane_are_refused(
    pixels: list[tuple[int, int]], ground: list[tuple[int, int]]
) -> None:
    with pytest.raises(ValueError, match=r"four or more|fix no plane"):
        plane.homography(pixels, ground)


def test_a_camera_that_looks_down_sees_the_plan_already() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (8, 10, 3), np.uint8)
    labels = (picture[..., 0] > 127) * np.uint8(255)
    plan = plane.plan_of(from_above(), (0.0, 0.1), (0.0, 0.08), gsd_mm=10.0)
    assert plan.shape == (8, 10)
    assert np.array_equal(plane.warp_image(picture, plan), picture)
    assert np.array_equal(plane.warp_labels(labels, plan, 127), labels)
    assert plane.inside(plan, (8, 10)).all()


def test_lines_that_meet_at_the_horizon_are_parallel_in_the_plan() -> None:
    picture = np.zeros((31, 41), np.uint8)
    for row in range(31):
        picture[row, : 15 - row // 2] = 255  # left of the strip
    plan = plane.plan_of(oblique(), (-1.5, 1.5), (1.0, 4.0), gsd_mm=50.0)
    seen = plane.warp_image(picture, plan, mirrored=True)
    assert plan.shape == (60, 60)
    # the strip's left edge, half a metre from the plan's, is column 10 in every row, to half a pixel of the
    # camera; nearer than row 55 the camera sees nothing left of the strip
    assert np.abs((seen[:55] > 127).sum(axis=1) - 10).max() <= 2


def test_ground_that_the_camera_did_not_see_is_unknown() -> None:
    plan = plane.plan_of(oblique(), (-1.5, 1.5), (0.5, 4.0), gsd_mm=100.0)
    inside = plane.inside(plan, (31, 41))
    labels = plane.warp_labels(np.zeros((31, 41), np.uint8), plan, 127)
    assert np.array_equal(labels == 127, ~inside)
    assert not inside[31:].any()  # nearer than 1 m
    assert inside[0].all()  # 4 m ahead 3 m are 15 px
    assert inside[28, 6:24].all()
    assert not inside[28, [0, 29]].any()
    assert plane.warp_image(np.full((31, 41), 9, np.uint8), plan)[33].max() == 0


def test_a_class_needs_half_a_pixel_and_doubt_only_a_part() -> None:
    labels = np.zeros((8, 10), np.uint8)
    labels[4, 3:5] = 127
    labels[4, 5:8] = 255
    third = plane.plan_of(from_above(), (0.003, 0.093), (0.0, 0.08), gsd_mm=10.0)  # 0.3 px to the right
    assert plane.warp_labels(labels, third, 127)[4].tolist() == [0, 0, 127, 127, 127, 255, 255, 255, 0]


def test_a_plan_without_ground_is_refused() -> None:
    with pytest.raises(ValueError, match="a side must have"):
        plane.plan_of(from_above(), (0.0, 0.0), (0.0, 1.0), gsd_mm=10.0)
