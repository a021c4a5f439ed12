"""What a camera that looks ahead and down sees of a road that is drawn from above.

Frame: pixels of the camera are (row, col), those of the road too, centres at whole numbers. Ground is
(right, ahead) of the camera in metres.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from crackpipe.model.data.plane import Matrix, of_camera, to_ground
from crackpipe.model.render.marks import Mark
from crackpipe.model.render.picture import Scene
from crackpipe.pipeline.geometry.arrays import Floats

_LINE_M = 0.12
_DASH_M, _GAP_M = 4.0, 2.0
_PAINT_GREY, _VERGE_GREY = 215.0, 70.0
_SAMPLES = (4, 2)
"""Places within a pixel, down and to the right, whose mean it is."""


@dataclass(frozen=True, kw_only=True)
class Ahead:
    """How the camera stands, and the lane that it looks along."""

    size_px: tuple[int, int] = (576, 1024)
    focal_px: float = 800.0
    height_m: float = 2.2
    pitch_deg: float = 35.0
    roll_deg: float = 0.0
    yaw_deg: float = 2.0
    """To the right of the road."""
    lane_m: float = 3.6
    """From the middle of the left lane line to that of the right one."""
    road_m: float = 4.8
    """Width of what is drawn; beside it is a plain verge."""
    step_m: float = 1.5
    """From frame to frame."""

    @property
    def matrix(self) -> Matrix:
        """From (col, row, 1) to the ground."""
        height, width = self.size_px
        axis_px = (width - 1) / 2, (height - 1) / 2
        angles = {"pitch_deg": self.pitch_deg, "roll_deg": self.roll_deg, "yaw_deg": self.yaw_deg}
        return of_camera(self.focal_px, axis_px, self.height_m, **angles)

    @property
    def reach_m(self) -> tuple[float, float]:
        """The nearest and the farthest ground ahead that a frame shows."""
        height, width = self.size_px
        corners = [(row, col) for row in (-0.5, height - 0.5) for col in (-0.5, width - 0.5)]
        ahead = to_ground(self.matrix, corners)[:, 1]
        return float(ahead.min()), float(ahead.max())


def with_lane(scene: Scene, lane_m: float) -> Scene:
    """The road with a broken line to the left of its middle and a whole one to the right, along its rows."""
    per_m = 1000 / scene.gsd_mm
    left, right = (scene.width_px / 2 + side * lane_m / 2 * per_m for side in (-1, 1))
    end = scene.height_px + 10.0
    rows = np.arange(-10.0, end, (_DASH_M + _GAP_M) * per_m)
    spans = [(top, min(top + _DASH_M * per_m, end), left) for top in rows] + [(-10.0, end, right)]
    lines = [
        Mark(
            np.array([[top, col], [low, col]]),
            "cover",
            _PAINT_GREY,
            width_px=_LINE_M * per_m,
            wear=0.15,
            texture=0.3,
            seed=number,
            what="lane_paint",
        )
        for number, (top, low, col) in enumerate(spans)
    ]
    others = [mark for mark in scene.marks if mark.what != "lane_paint"]
    return replace(scene, marks=(*others, *lines))


def seen_ahead(
    ahead: Ahead, road: NDArray[np.uint8], foot: tuple[float, float], gsd_mm: float, seed: int
) -> NDArray[np.uint8]:
    """A frame, uint8 (height, width, 3), of a camera that stands over `foot`, (row, col) of `road` (H, W, 3).

    Each pixel is the mean of the places within it, so that far ground does not glitter. Verge and road get
    the same faint noise.
    """
    from scipy.ndimage import map_coordinates

    height, width = ahead.size_px
    down, right = _SAMPLES
    rows = (np.arange(height * down) + 0.5) / down - 0.5
    cols = (np.arange(width * right) + 0.5) / right - 0.5
    at = np.stack(np.meshgrid(rows, cols, indexing="ij"), axis=-1).reshape(-1, 2)
    ground: Floats = to_ground(ahead.matrix, at) * 1000 / gsd_mm
    where = np.stack([foot[0] - ground[:, 1], foot[1] + ground[:, 0]])
    bands: list[NDArray[np.float32]] = []
    for band in range(3):
        if band and np.array_equal(road[..., band], road[..., 0]):
            bands.append(bands[0])
            continue
        fine = map_coordinates(
            road[..., band].astype(np.float32), where, order=1, mode="constant", cval=_VERGE_GREY
        )
        bands.append(fine.reshape(height, down, width, right).mean(axis=(1, 3)))
    noise = np.random.default_rng(seed).normal(0, 1.0, (height, width, 1))
    return np.clip(np.rint(np.stack(bands, axis=-1) + noise), 0, 255).astype(np.uint8)
