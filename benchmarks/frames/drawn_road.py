"""A drawn drive as a benchmark sees it: the road under each of its images, and what was drawn there."""

import sys
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "accuracy"))
from sample_score import resampled

from crackpipe.model.data.plane import to_ground, to_pixels
from crackpipe.model.render.cracks import Window as SceneWindow
from crackpipe.model.render.cracks import darkness
from crackpipe.model.render.picture import Scene, render_window
from crackpipe.pipeline.frames.oblique.decode import packed
from crackpipe.pipeline.frames.oblique.rectify import rectified
from crackpipe.pipeline.geometry.grid import Window
from crackpipe.pipeline.image import SurveyImage
from crackpipe.pipeline.sample.ahead import seen_ahead
from crackpipe.pipeline.sample.drive import Drive, sway_m

Floats = NDArray[np.float64]
Pixels = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Road:
    """The road of a drive, with and without its cracks."""

    drive: Drive
    scene: Scene
    seed: int

    @lru_cache(maxsize=4)  # noqa: B019  a road lives as long as the program
    def part(self, top: int, height: int, *, cracks: bool = True) -> Pixels:
        scene = self.scene if cracks else replace(self.scene, cracks=())
        return render_window(scene, top, 0, height, scene.width_px)[0]


@dataclass(frozen=True)
class Seen:
    """What one frame shows of the road: rows top .. top + height - 1."""

    road: Road
    number: int
    image: SurveyImage

    @property
    def span(self) -> tuple[int, int]:
        drive = self.road.drive
        height = drive.size_px[0]
        if drive.ahead is not None:
            near_m, far_m = drive.ahead.reach_m
            height = round((far_m - near_m) * 1000 / drive.gsd_mm)
        return drive.road_px[0] - height - self.number * drive.step_px, height

    @property
    def foot(self) -> Floats:
        """(row, col) of the road under a camera that looks ahead."""
        drive, way_m = self.road.drive, self.number * self.road.drive.step_px * self.road.drive.gsd_mm / 1000
        right_px = float(sway_m(drive, np.array([way_m]))[0]) * 1000 / drive.gsd_mm
        row = drive.start_px - self.number * drive.step_px - 0.5
        return np.array([row, drive.road_px[1] / 2 - 0.5 + right_px])

    def to_road(self, points: Floats) -> Floats:
        """(N, 2) (row, col) of the image -> of the road."""
        if self.image.view is None or self.road.drive.ahead is None:
            return points + np.array([self.span[0], 0])
        x, y, depth = self.image.view.matrix @ np.stack([points[:, 1], points[:, 0], np.ones(len(points))])
        ground = to_ground(self.road.drive.ahead.matrix, np.column_stack([y / depth, x / depth]))
        return self.foot + ground[:, ::-1] * [-1, 1] * 1000 / self.road.drive.gsd_mm

    def to_image(self, points: Floats) -> Floats:
        """(N, 2) (row, col) of the road -> of the image."""
        if self.image.view is None or self.road.drive.ahead is None:
            return points - np.array([self.span[0], 0])
        ground = ((points - self.foot) * [-1, 1])[:, ::-1] * self.road.drive.gsd_mm / 1000
        frame = to_pixels(self.road.drive.ahead.matrix, ground)
        x, y, depth = np.linalg.inv(self.image.view.matrix) @ np.vstack([frame.T[::-1], np.ones(len(frame))])
        return np.column_stack([y / depth, x / depth])

    def without_jpeg(self) -> Pixels:
        """The image as it would be of a frame that was never compressed."""
        (top, height), ahead = self.span, self.road.drive.ahead
        shown = self.road.part(top, height)
        if ahead is None or self.image.view is None:
            return shown
        foot = float(self.foot[0] - top), float(self.foot[1])
        frame = seen_ahead(ahead, shown, foot, self.road.drive.gsd_mm, self.road.seed + self.number)
        window = Window(0, 0, self.image.height_px, self.image.width_px)
        bands, _ = rectified(packed(frame.transpose(2, 0, 1)), self.image.view, window, bands=3)
        return np.ascontiguousarray(np.moveaxis(bands, 0, -1))


@dataclass(frozen=True)
class Truth:
    """What was drawn in the part of the road that a frame shows, in px of the road."""

    lines: list[tuple[Floats, Floats]]
    """Vertices (V, 2) and widths (V,) of each crack."""
    points: Floats
    """(N, 2) every 0.5 px along them."""
    width_px: Floats
    """(N,)."""
    pixels: Floats
    """(M, 2) pixels that cracks cover or darken."""
    covered: Floats
    """(M,) how much of each is covered, over 0 to 1."""
    missing: Floats
    """(M,) light that is missing there, grey values: the road without its cracks less that with them."""


def truth_of(seen: Seen) -> Truth:
    road, (top, height) = seen.road, seen.span
    window = SceneWindow(top, 0, height, road.scene.width_px)
    near = [crack for crack in road.scene.cracks if window.meets(crack.bounds)]
    lines = [(crack.centreline, crack.width_px) for crack in near]
    parts = [resampled(*line) for line in lines] or [(np.zeros((0, 2)), np.zeros(0))]
    coverage, _ = darkness(near, window)
    whole, cracked = (
        each.mean(axis=2) for each in (road.part(top, height, cracks=False), road.part(top, height))
    )
    there = (coverage > 0) | (whole != cracked)
    points, width_px = (np.concatenate([part[k] for part in parts]) for k in (0, 1))
    at = np.argwhere(there) + np.array([top, 0])
    return Truth(lines, points, width_px, at, coverage[there].astype(float), (whole - cracked)[there])
