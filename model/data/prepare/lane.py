"""Where the lane of a road section lies in its frames, and the plan view that follows from it.

Strategy. In DNIT's frames everything outside the vehicle's lane is 127. The camera is steady, so over the
frames of a section the median of the lane's edges is two straight lines that meet at the horizon. They fix
how wide a pixel is on the ground at every row, if the lane is 3.6 m wide. How *long* it is depends on the
focal length, which nobody states: 700 px is assumed (about 72 degrees across 1,024 px, and a camera 2.2 m
above the road). If it were 550 or 900 px, lengths along the road would be a quarter shorter or longer; lines
stay lines. Frame: pixels are (row, col); ground is (right, ahead) in metres, as in `plane`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from crackpipe.model.data.pairs import NOT_LABELLED_GREY
from crackpipe.model.data.pictures import open_mask
from crackpipe.model.data.plane import Plan, homography, plan_of

LANE_M = 3.6
"""Assumed width of a lane."""
FOCAL_PX = 700.0
"""Assumed focal length of the camera, in its pixels."""
GSD_MM = 4.0
"""Of the plan view."""

_BESIDE_M = 0.3
"""Ground to either side of the lane that the plan view shows too."""
_FEWEST_ROWS = 60
"""An edge that shows in fewer rows is not measured."""
_FRAME_PX = 4
"""Rows and columns at the frame's border that tell nothing: there the lane ends because the picture does."""


@dataclass(frozen=True)
class Lane:
    """Two edges as straight lines, col = at_top + slope * row."""

    left: tuple[float, float]
    """(at_top, slope), px and px per row."""
    right: tuple[float, float]

    @property
    def horizon_row(self) -> float:
        """The row at which the edges meet, px; above the picture it is negative."""
        return -(self.right[0] - self.left[0]) / (self.right[1] - self.left[1])


def lane_of(masks: Iterable[NDArray[np.uint8]]) -> Lane:
    """The lane of a section from the masks of its frames, uint8 (H, W), 127 outside the lane.

    Raises ValueError if no frame shows both of its edges, or if they do not meet above the picture.
    """
    lefts, rights = [], []
    for mask in masks:
        edges = _edges(mask != NOT_LABELLED_GREY)
        if edges is not None:
            lefts.append(edges[0])
            rights.append(edges[1])
    if not lefts:
        raise ValueError("no frame of the section shows both edges of the lane: 127 is needed on either side")
    left, right = (tuple(np.median(each, axis=0).tolist()) for each in (lefts, rights))
    lane = Lane((left[0], left[1]), (right[0], right[1]))
    if lane.right[1] <= lane.left[1] or lane.right[0] <= lane.left[0]:
        raise ValueError(f"the edges {lane} do not meet above the picture: this is no road that leads ahead")
    return lane


def _edges(lane: NDArray[np.bool_]) -> tuple[tuple[float, float], tuple[float, float]] | None:
    """(at_top, slope) of the left and of the right edge of a lane (H, W); None where one does not show."""
    rows = np.arange(_FRAME_PX, lane.shape[0] - 2 * _FRAME_PX)
    shown = lane[rows]
    first, last = shown.argmax(axis=1), lane.shape[1] - 1 - shown[:, ::-1].argmax(axis=1)
    found = []
    for cols, within in ((first, first >= _FRAME_PX), (last, last < lane.shape[1] - _FRAME_PX)):
        inside = within & shown.any(axis=1)
        if inside.sum() < _FEWEST_ROWS:
            return None
        slope, at_top = np.polyfit(rows[inside], cols[inside], 1)
        found.append((float(at_top), float(slope)))
    return found[0], found[1]


def plan_view(lane: Lane, shape: tuple[int, int]) -> Plan:
    """The plan view of a lane in frames of `shape` (rows, columns), 4 mm per px.

    Rows are counted from the middle of the camera's picture, of which DNIT's frames are the lower half, so
    that row 0 is on the optical axis. The camera is pitched by the angle of the horizon above it.
    """
    pitch = np.arctan(-lane.horizon_row / FOCAL_PX)
    bottom = shape[0] - 1

    def ahead(row: float) -> float:  # in heights of the camera
        return float(1 / np.tan(pitch + np.arctan(row / FOCAL_PX)))

    def per_px(row: float) -> float:  # metres of ground per px across
        return LANE_M / (lane.right[0] - lane.left[0] + row * (lane.right[1] - lane.left[1]))

    # at row 0 a pixel is height / (focal length * sin(pitch)) wide
    height_m = per_px(0) * FOCAL_PX * np.sin(pitch)
    corners = [
        ((row, edge[0] + row * edge[1]), (side * LANE_M / 2, height_m * ahead(row)))
        for row in (0, bottom)
        for edge, side in ((lane.left, -1), (lane.right, 1))
    ]
    matrix = homography([pixel for pixel, _ in corners], [ground for _, ground in corners])
    half_m = LANE_M / 2 + _BESIDE_M
    return plan_of(matrix, (-half_m, half_m), (height_m * ahead(bottom), height_m * ahead(0)), GSD_MM)


def plan_views(sections: Mapping[str, Sequence[Path]]) -> dict[str, Plan]:
    """The plan view of every section, from the mask files of its frames. Errors as of `lane_of`."""
    views = {}
    for section, files in sections.items():
        masks = [open_mask(file) for file in files]
        try:
            lane = lane_of(masks)
        except ValueError as error:
            raise ValueError(f"section {section}: {error}") from error
        views[section] = plan_view(lane, (masks[0].shape[0], masks[0].shape[1]))
    return views
