"""Where a survey camera looks: a homography between the picture and the road's plane.

Ground is (ahead, right) in mm, with 0 ahead at the picture's lowest row and 0 right in its middle. The ground
is drawn first, as a raster whose rows and columns have lengths of their own, and then seen in perspective.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import map_coordinates

from crackpipe.model.render.cameras.fields import F32, F64, blur


@dataclass(frozen=True)
class View:
    """A camera over a flat road, that looks down or forward and down."""

    size_px: int
    """Rows and columns of the picture."""
    gsd_mm: float
    """Across the road, at the lowest row."""
    far: float
    """GSD at the highest row over that at the lowest; above 1."""
    stretch: float
    """Millimetres per row over those per column, at the lowest row: 1 in plan view, 3 at 20 degrees."""
    heading: float
    """Direction of the road, radians clockwise from straight ahead."""

    @property
    def depth_px(self) -> float:
        """How many px below the horizon the lowest row lies."""
        return self.size_px * self.far / (self.far - 1)

    @property
    def ahead_mm(self) -> float:
        """Length of road in the picture."""
        return self.stretch * self.depth_px * self.gsd_mm * (self.far - 1)

    @property
    def across_mm(self) -> float:
        """Width of road along the highest row."""
        return self.size_px * self.gsd_mm * self.far

    def gsd_at(self, rows: F64) -> F64:
        """GSD across the road, mm, at picture rows."""
        return np.asarray(self.gsd_mm * self.depth_px / (self.depth_px - self.size_px + rows))

    def ground(self, rows: F64, cols: F64) -> tuple[F64, F64]:
        """(ahead, right) mm of picture rows (H,) and columns (W,): arrays (H, 1) and (H, W)."""
        gsd = self.gsd_at(rows)[:, None]
        ahead = self.stretch * self.depth_px * (gsd - self.gsd_mm)
        return ahead, (cols[None, :] - (self.size_px - 1) / 2) * gsd

    def picture(self, points: F64) -> F64:
        """(row, col) px of ground points (V, 2); points behind the camera end far below the picture."""
        gsd = self.gsd_mm + points[:, 0] / (self.stretch * self.depth_px)
        gsd = np.maximum(gsd, 0.2 * self.gsd_mm)
        row = self.depth_px * (self.gsd_mm / gsd - 1) + self.size_px
        return np.stack([row, points[:, 1] / gsd + (self.size_px - 1) / 2], axis=1)


@dataclass(frozen=True)
class Ground:
    """The raster on which the road is drawn before it is seen. Row 0 is farthest ahead."""

    view: View

    @property
    def step_mm(self) -> tuple[float, float]:
        """Millimetres per row and per column."""
        fine = self.view.far**0.4 * self.view.gsd_mm
        return fine * self.view.stretch, fine

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        row_mm, col_mm = self.step_mm
        return int(self.view.ahead_mm / row_mm) + 2, int(self.view.across_mm / col_mm) + 2

    def turned(self, points: F64) -> F64:
        """Points of the road's own frame (along, across) mm as ground (ahead, right) mm."""
        middle = np.array([self.view.ahead_mm / 2, 0.0])
        cos, sin = np.cos(self.view.heading), np.sin(self.view.heading)
        return np.asarray((points - middle) @ np.array([[cos, sin], [-sin, cos]]) + middle)

    def px(self, points: F64) -> F64:
        """(row, col) of the raster for points (V, 2) of the road's frame, mm."""
        at = self.turned(points)
        row_mm, col_mm = self.step_mm
        return np.stack(
            [(self.view.ahead_mm - at[:, 0]) / row_mm, at[:, 1] / col_mm + (self.shape[1] - 1) / 2], axis=1
        )

    def seen(self, layers: list[F32]) -> list[F32]:
        """Layers of the raster as the camera sees them, each (size_px, size_px).

        Far ahead a picture's pixel takes in several of the raster: there it takes a smoothed copy.
        """
        size, row_mm, col_mm = self.view.size_px, *self.step_mm
        at = np.arange(size, dtype=np.float64)
        ahead, right = self.view.ground(at, at)
        rows = np.broadcast_to((self.view.ahead_mm - ahead) / row_mm, (size, size))
        cols = right / col_mm + (self.shape[1] - 1) / 2
        where = np.stack([rows, cols]).astype(np.float32)
        behind = self.view.ahead_mm - np.arange(self.shape[0]) * row_mm
        ratio = (self.view.gsd_mm + behind / (self.view.stretch * self.view.depth_px)) / col_mm
        share = np.clip((ratio - 1.0) / 0.9, 0, 1).astype(np.float32)[:, None]
        out = []
        for layer in layers:
            if layer.min() == layer.max():  # nothing of its kind is on this road
                out.append(np.full((size, size), layer[0, 0], np.float32))
                continue
            soft = layer + share * (blur(layer, 0.7) - layer) if self.view.far > 1.25 else layer
            seen = map_coordinates(soft, where, order=1, mode="nearest", prefilter=False)
            out.append(np.asarray(seen, np.float32))
        return out


def random_view(rng: np.random.Generator, size_px: int) -> View:
    """A view as survey cameras have: half of them in plan, half forward and down, 0.5 to 6 mm per px."""
    gsd_mm = float(np.exp(rng.uniform(np.log(0.5), np.log(6.0))))
    if rng.random() < 0.5:
        far, stretch = 1.0 + rng.choice([0.002, rng.uniform(0.01, 0.2)]), rng.uniform(1.0, 1.25)
    else:
        far, stretch = rng.uniform(1.2, 2.4), rng.uniform(1.3, 3.2)
        gsd_mm = max(0.5, gsd_mm / far**0.5)  # the range holds for the middle of the picture
    heading = rng.normal(0, 0.04)
    if rng.random() < 0.12:
        heading += rng.uniform(-np.pi / 2, np.pi / 2)
    return View(size_px, gsd_mm, float(far), float(stretch), float(heading))
