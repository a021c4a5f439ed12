"""From pixels of a camera that looks ahead and down to the ground, and which part of a frame is fine enough.

Frames: a pixel of the camera is (col, row), its centre at whole numbers. Ground is (right, ahead) in metres
from the position. A plan view has ahead at its top.
"""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import binary_dilation

from crackpipe.model.data.plane import Matrix, Plan, homography, of_camera, pixels_of_plan, plan_of
from crackpipe.pipeline.errors import ConfigurationError
from crackpipe.pipeline.frames.files.oblique import Oblique
from crackpipe.pipeline.geometry.arrays import Floats
from crackpipe.pipeline.geometry.plan_view import COARSEST, MOST_FINE, PlanView, extremes

_MOST_PX = 200_000_000
_SAMPLES = 240


@dataclass(frozen=True, kw_only=True)
class View:
    """The plan view of a steady camera, the same for all of its frames."""

    plan: Plan
    view: PlanView
    """From the plan view to the camera."""
    worst_mm: float
    """The coarsest of the camera's own pixels within, along its worse direction, in mm on the ground."""
    middle_m: tuple[float, float]
    """Middle of the plan view, (right, ahead) of the position."""


def view_of(oblique: Oblique, size_px: tuple[int, int], source: str) -> View:
    """The plan view of frames of `size_px` (height, width). Raises ConfigurationError where none is
    possible.
    """
    try:
        matrix = camera_to_ground(oblique, size_px)
        plan = _fine_ground(matrix, oblique.gsd_mm, size_px)
    except ValueError as error:
        raise ConfigurationError(f"{source}: [oblique] {error}") from error
    numbers = pixels_of_plan(plan)
    # its factor has no meaning, but must be positive: the sign of the third coordinate tells the sky
    view = PlanView(tuple((numbers / np.abs(numbers).max()).ravel().tolist()), size_px, plan.shape)
    found = extremes(view)
    if found is None:
        raise ConfigurationError(
            f"{source}: [oblique] no part of a frame is as fine as {COARSEST} x gsd_mm = "
            f"{COARSEST * oblique.gsd_mm:g} mm. Raise gsd_mm, or correct points, height or pitch."
        )
    if found[0] * MOST_FINE < 1:
        raise ConfigurationError(
            f"{source}: [oblique] a frame shows ground {1 / found[0]:.0f} times as fine as gsd_mm = "
            f"{oblique.gsd_mm:g} mm; at most {MOST_FINE:g} times can be meant. Lower gsd_mm, or correct "
            "points, height or pitch."
        )
    height, width = plan.shape
    step_m = plan.gsd_mm / 1000
    return View(
        plan=plan,
        view=view,
        worst_mm=found[1] * plan.gsd_mm,
        middle_m=(plan.left_m + width * step_m / 2, plan.far_m - height * step_m / 2),
    )


def camera_to_ground(oblique: Oblique, size_px: tuple[int, int]) -> Matrix:
    """The matrix (3, 3) from (col, row, 1) to ground (right, ahead, 1). Raises ValueError.

    From points by least squares; else from a camera without distortion whose axis goes through the middle of
    the frame unless the table says where. Its third row is positive below the horizon.
    """
    height, width = size_px
    if oblique.points:
        points = np.array(oblique.points)
        matrix = homography(points[:, 1::-1], points[:, 2:])
        depth = np.column_stack([points[:, :2], np.ones(len(points))]) @ matrix[2]
        if not ((depth > 0).all() or (depth < 0).all()):
            raise ValueError(
                "the points lie on both sides of the horizon that they fix. Look for two that are swapped, "
                "and for rows in the place of columns."
            )
        return np.asarray(matrix * np.sign(depth[0]), np.float64)
    return of_camera(
        oblique.focal_px,
        oblique.axis_px or ((width - 1) / 2, (height - 1) / 2),
        oblique.height_m,
        pitch_deg=oblique.pitch_deg,
        roll_deg=oblique.roll_deg,
        yaw_deg=oblique.yaw_deg,
    )


def _fine_ground(matrix: Matrix, gsd_mm: float, size_px: tuple[int, int]) -> Plan:
    """The smallest plan view that holds all ground which a frame shows finely enough. Raises ValueError."""
    height, width = size_px
    row, col = np.meshgrid(
        np.linspace(0, height - 1, _SAMPLES), np.linspace(0, width - 1, _SAMPLES), indexing="ij"
    )
    ground, worst = _on_ground(matrix, col.ravel(), row.ravel())
    is_fine = (worst <= COARSEST * gsd_mm).reshape(row.shape)
    if not is_fine.any():
        raise ValueError(
            f"no pixel of a frame is as fine as {COARSEST} x gsd_mm = {COARSEST * gsd_mm:g} mm. Raise "
            "gsd_mm, or correct points, height or pitch."
        )
    # with the samples beside them, since what is fine enough ends between two
    beside = binary_dilation(is_fine, np.ones((3, 3))) & np.isfinite(worst).reshape(row.shape)
    fine = ground[beside.ravel()]
    low, high = fine.min(axis=0), fine.max(axis=0)
    sides = (high - low) * 1000 / gsd_mm
    if sides.prod() > _MOST_PX:
        raise ValueError(
            f"a plan view of {sides[0]:.0f} x {sides[1]:.0f} px is more than {_MOST_PX} px. Raise gsd_mm, or "
            "correct points, height or pitch."
        )
    return plan_of(matrix, (float(low[0]), float(high[0])), (float(low[1]), float(high[1])), gsd_mm)


def _on_ground(matrix: Matrix, col: Floats, row: Floats) -> tuple[Floats, Floats]:
    """Ground (N, 2) in metres of pixels (N,), and the longer side of a pixel there in mm; infinite in the
    sky.
    """
    x, y, scale = matrix @ np.stack([col, row, np.ones_like(col)])
    with np.errstate(divide="ignore", invalid="ignore"):
        ground = np.column_stack([x / scale, y / scale])
        # derivatives of a quotient
        steps = [(matrix[:2, axis] - ground * matrix[2, axis]) / scale[:, None] for axis in (0, 1)]
    worst = 1000 * _longest(steps[0], steps[1])
    return ground, np.where(scale > 0, worst, np.inf)


def _longest(first: Floats, second: Floats) -> Floats:
    """The larger singular value of 2 x 2 matrices with these columns (N, 2)."""
    squares = (first**2).sum(axis=-1) + (second**2).sum(axis=-1)
    area = first[..., 0] * second[..., 1] - first[..., 1] * second[..., 0]
    with np.errstate(invalid="ignore"):
        return np.asarray(np.sqrt((squares + np.sqrt(np.maximum(squares**2 - 4 * area**2, 0.0))) / 2))
