"""Pictures of a flat road, taken at an angle, become plan views: every pixel is as many millimetres of
ground.

A plane seen by a camera without distortion is mapped by a homography (Hartley and Zisserman, "Multiple View
Geometry", 2nd edition, chapters 2 and 4). Four points of which both the pixel and the place on the ground are
known give it.

Frames: pixels are (row, col), a pixel's centre at whole numbers. Ground is (right, ahead) in metres, right
and ahead as the camera looks. In a plan view ahead is up.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray
from skimage.transform import ProjectiveTransform, warp

Matrix = NDArray[np.float64]

LEAST_SHARE = 0.5
"""A pixel of a plan view has a label if that covers so much of its footprint."""
_ANY_SHARE = 1e-6
_ROUNDING_PX = 1e-6


def homography(pixels: ArrayLike, ground_m: ArrayLike) -> Matrix:
    """The matrix (3, 3) from (col, row, 1) to ground (right, ahead, 1) in metres, up to a factor.

    `pixels` (N, 2) as (row, col) and `ground_m` (N, 2) as (right, ahead), N of at least 4. More than four
    points are fitted by least squares. Raises ValueError for fewer, or if three of four lie on a line.
    """
    at, on = np.asarray(pixels, np.float64), np.asarray(ground_m, np.float64)
    if at.shape != on.shape or at.ndim != 2 or at.shape[0] < 4 or at.shape[1] != 2:
        raise ValueError(
            f"{at.shape} pixels and {on.shape} ground points: four or more of each are needed, as (N, 2)"
        )
    fitted = ProjectiveTransform.from_estimate(at[:, ::-1], on)
    if not fitted or not np.isfinite(fitted.params).all() or np.linalg.cond(fitted.params) > 1e12:
        raise ValueError(
            f"the points {at.tolist()} fix no plane: no three of the four may lie on a line, here or there"
        )
    return np.asarray(fitted.params)


def of_camera(
    focal_px: float,
    axis_px: tuple[float, float],
    height_m: float,
    *,
    pitch_deg: float,
    roll_deg: float = 0.0,
    yaw_deg: float = 0.0,
) -> Matrix:
    """The matrix (3, 3) from (col, row, 1) to ground (right, ahead, 1) in metres, of a camera without
    distortion.

    `axis_px` is where its axis goes through the picture, (col, row). `pitch_deg` is below the horizon,
    `roll_deg` clockwise as one sees it who looks ahead, and `yaw_deg` how far it looks to the right of ahead.
    The third row is positive below the horizon (Hartley and Zisserman, chapter 6).
    """
    pitch, roll, yaw = np.radians((pitch_deg, roll_deg, yaw_deg))
    # in (right, ahead, up), with ahead as the camera looks: its axis, its lower and its right edge
    forward = np.array([0.0, np.cos(pitch), -np.sin(pitch)])
    down, right = np.array([0.0, -np.sin(pitch), -np.cos(pitch)]), np.array([1.0, 0.0, 0.0])
    turned = [np.cos(roll) * right + np.sin(roll) * down, np.cos(roll) * down - np.sin(roll) * right]
    rays = np.column_stack([*turned, forward]) @ _per_px(focal_px, axis_px)
    cos, sin = np.cos(yaw), np.sin(yaw)
    return np.asarray(np.vstack([height_m * np.array([[cos, sin], [-sin, cos]]) @ rays[:2], -rays[2:]]))


def angles_of(
    meet_px: tuple[float, float], focal_px: float, axis_px: tuple[float, float], roll_deg: float
) -> tuple[float, float]:
    """(pitch_deg, yaw_deg) of `of_camera`, with ahead along lines of the road that meet at (col, row)."""
    right, down, forward = _per_px(focal_px, axis_px) @ [*meet_px, 1.0]
    cos, sin = np.cos(np.radians(roll_deg)), np.sin(np.radians(roll_deg))
    # the point lies on the horizon: in a camera without roll it would be so far right and down
    aside, below = right * cos - down * sin, right * sin + down * cos
    pitch = np.arctan2(-below, forward)
    yaw = np.arctan2(-aside, np.cos(pitch) * forward - np.sin(pitch) * below)
    return float(np.degrees(pitch)), float(np.degrees(yaw))


def _per_px(focal_px: float, axis_px: tuple[float, float]) -> Matrix:
    """From (col, row, 1) to (right, down, forward) of the camera."""
    col, row = axis_px
    return np.array([[1.0, 0.0, -col], [0.0, 1.0, -row], [0.0, 0.0, focal_px]]) / focal_px


def to_ground(matrix: Matrix, pixels: ArrayLike) -> NDArray[np.float64]:
    """Ground (N, 2) as (right, ahead), metres, of `pixels` (N, 2) as (row, col).

    A pixel at or above the horizon has no place on the ground in front of the camera; the caller asks for
    none.
    """
    return np.asarray(ProjectiveTransform(matrix)(np.asarray(pixels, np.float64)[:, ::-1]))


def to_pixels(matrix: Matrix, ground_m: ArrayLike) -> NDArray[np.float64]:
    """Pixels (N, 2) as (row, col), with fractions, of places on the ground (N, 2) as (right, ahead),
    metres."""
    found = ProjectiveTransform(matrix).inverse(np.asarray(ground_m, np.float64))
    return np.asarray(found, np.float64)[:, ::-1]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A piece of ground and how it is cut into pixels."""

    matrix: Matrix = field(repr=False)
    """(3, 3), from pixels of the camera to the ground (`homography`)."""
    left_m: float
    """Left edge of the first column."""
    far_m: float
    """Upper edge of the first row: how far ahead."""
    shape: tuple[int, int]
    """Rows and columns."""
    gsd_mm: float
    """Millimetres of ground per pixel, both ways."""


def plan_of(
    matrix: Matrix, right_m: tuple[float, float], ahead_m: tuple[float, float], gsd_mm: float
) -> Plan:
    """The plan view of the ground between two values of right and two of ahead, metres, each as (from, to).

    Raises ValueError where no ground lies between them or a side gets more than 32,000 px.
    """
    size = [round((high - low) * 1000 / gsd_mm) for low, high in (ahead_m, right_m)]
    if not all(1 <= side <= 32_000 for side in size):
        raise ValueError(
            f"right {right_m} m and ahead {ahead_m} m at {gsd_mm} mm/px make {size[0]} x {size[1]} px: a "
            "side must have 1 to 32,000"
        )
    return Plan(matrix=matrix, left_m=right_m[0], far_m=ahead_m[1], shape=(size[0], size[1]), gsd_mm=gsd_mm)


def pixels_of_plan(plan: Plan) -> Matrix:
    """The matrix (3, 3) from (col, row, 1) of the plan view to (col, row, 1) of the camera, up to a
    factor."""
    step_m = plan.gsd_mm / 1000
    to_metres = np.array(
        [
            [step_m, 0.0, plan.left_m + step_m / 2],
            [0.0, -step_m, plan.far_m - step_m / 2],
            [0.0, 0.0, 1.0],
        ]
    )
    return np.asarray(np.linalg.inv(plan.matrix) @ to_metres)


def warp_image(image: NDArray[np.uint8], plan: Plan, *, mirrored: bool = False) -> NDArray[np.uint8]:
    """A picture, uint8 (H, W) or (H, W, 3), as plan view, bilinear.

    Where the camera did not look the result is 0, or with `mirrored` the picture's mirror image, so that the
    picture's edge draws no line.
    """
    mapping = ProjectiveTransform(pixels_of_plan(plan))
    beyond = "symmetric" if mirrored else "constant"
    seen = warp(image, mapping, output_shape=plan.shape, order=1, mode=beyond, preserve_range=True)
    return np.asarray(np.clip(np.rint(seen), 0, 255), np.uint8)


def warp_labels(labels: NDArray[np.uint8], plan: Plan, unknown: int) -> NDArray[np.uint8]:
    """Labels, uint8 (H, W), as plan view.

    A pixel gets the value above 0 that covers at least half of its footprint. Else it is `unknown` where that
    covers any of it or where the camera did not look, and 0 in the rest.
    """
    mapping = ProjectiveTransform(pixels_of_plan(plan))
    result = np.zeros(plan.shape, np.uint8)
    result[_share(labels == unknown, mapping, plan) > _ANY_SHARE] = unknown
    for value in np.unique(labels[labels > 0]).tolist():
        if value != unknown:
            result[_share(labels == value, mapping, plan) >= LEAST_SHARE] = value
    result[~inside(plan, (labels.shape[0], labels.shape[1]))] = unknown
    return result


def _share(here: NDArray[np.bool_], mapping: ProjectiveTransform, plan: Plan) -> NDArray[np.float32]:
    return np.asarray(warp(here.astype(np.float32), mapping, output_shape=plan.shape, order=1, cval=0))


def inside(plan: Plan, shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Which pixels of a plan view a picture of `shape` (rows, columns) shows, bool of the plan's shape."""
    rows, cols = np.mgrid[0 : plan.shape[0], 0 : plan.shape[1]]
    matrix = pixels_of_plan(plan)
    col, row, scale = np.tensordot(matrix, np.stack([cols, rows, np.ones_like(cols)]), axes=1)
    # `scale` has the sign of the camera's front; the middle of the plan's last row lies there
    front = np.sign(matrix[2] @ [plan.shape[1] / 2, plan.shape[0] - 1, 1])
    with np.errstate(divide="ignore", invalid="ignore"):
        row, col = row / scale, col / scale
    seen = scale * front > 0
    for at, size in ((row, shape[0]), (col, shape[1])):
        seen &= (at >= -_ROUNDING_PX) & (at <= size - 1 + _ROUNDING_PX)
    return np.asarray(seen)
