"""Frames of a camera that looks ahead, drawn of a flat road on which everything is known.

Cracks and spots are drawn on the ground, sampled finer than the camera's pixels, and seen through the
camera's blur and its pixels' area. The road's texture is that of grains of about 10 mm.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, map_coordinates

from crackpipe.model.data.plane import Plan, to_ground, to_pixels
from crackpipe.pipeline.frames.files.oblique import Oblique
from crackpipe.pipeline.frames.oblique.view import camera_to_ground

Points = NDArray[np.float64]

BLUR_PX, CONTRAST, PAVEMENT = 0.7, 60.0, 128.0
_FINE = 4
_MARGIN_PX = 6
_GRAIN_M = 0.004


@dataclass(frozen=True)
class Slot:
    """A crack: an evenly dark slot of constant width along a line, with square ends."""

    line: Points
    """(V, 2) metres (right, ahead)."""
    width_m: float

    @property
    def length_m(self) -> float:
        return float(np.hypot(*np.diff(self.line, axis=0).T).sum())


@dataclass(frozen=True)
class Spot:
    """A bright disk of paint."""

    middle: Points
    """(2,) metres (right, ahead)."""
    radius_m: float


def frame_of(
    camera: Oblique,
    size_px: tuple[int, int],
    things: Sequence[Slot | Spot],
    *,
    texture: float = 6.0,
    noise: float = 2.0,
    seed: int = 0,
) -> NDArray[np.uint8]:
    """The frame (H, W) of a camera. Slots are CONTRAST darker than the pavement, spots as much brighter.

    `texture` and `noise` are standard deviations in grey values.
    """
    matrix = camera_to_ground(camera, size_px)
    grey = PAVEMENT + _texture(matrix, size_px, texture, seed)
    for each in things:
        place, cover = _seen(each, matrix, size_px)
        grey[place] += cover * (CONTRAST if isinstance(each, Spot) else -CONTRAST)
    grey += np.random.default_rng(seed + 1).normal(0.0, noise, size_px)
    return np.clip(np.rint(grey), 0, 255).astype(np.uint8)


def in_plan(points: Points, plan: Plan) -> Points:
    """Pixels (N, 2) (row, col) of a plan view of ground (N, 2) (right, ahead)."""
    step_m = plan.gsd_mm / 1000
    return np.column_stack([plan.far_m - points[:, 1], points[:, 0] - plan.left_m]) / step_m - 0.5


def _texture(matrix: Points, size_px: tuple[int, int], sd: float, seed: int) -> Points:
    row, col = np.mgrid[0 : size_px[0], 0 : size_px[1]]
    ground = to_ground(matrix, np.column_stack([row.ravel(), col.ravel()])) / _GRAIN_M
    grains = gaussian_filter(np.random.default_rng(seed).standard_normal((1500, 1500)), 1.0, mode="wrap")
    grains *= sd / grains.std()
    seen = map_coordinates(grains, ground.T % 1500, order=1, mode="grid-wrap").reshape(size_px)
    return np.asarray(gaussian_filter(seen, BLUR_PX), np.float64)


def _seen(thing: Slot | Spot, matrix: Points, size_px: tuple[int, int]) -> tuple[tuple[slice, slice], Points]:
    """The part of the frame in which a thing lies, and how much of each of its pixels it covers."""
    if isinstance(thing, Slot):
        reach, middle = thing.width_m, thing.line
    else:
        reach, middle = thing.radius_m, thing.middle[None]
    corners = (middle[:, None] + reach * np.array([[-1, -1], [-1, 1], [1, -1], [1, 1]])).reshape(-1, 2)
    pixels = to_pixels(matrix, corners)
    low = np.maximum(np.floor(pixels.min(axis=0)).astype(int) - _MARGIN_PX, 0)
    high = np.minimum(np.ceil(pixels.max(axis=0)).astype(int) + _MARGIN_PX, np.array(size_px))
    if (high <= low).any():
        return (slice(0, 0), slice(0, 0)), np.zeros((0, 0))
    sides = high - low
    row, col = (
        (np.arange(side * _FINE) + 0.5) / _FINE - 0.5 + start for side, start in zip(sides, low, strict=True)
    )
    shape = (len(row), len(col))
    at = np.column_stack([each.ravel() for each in np.meshgrid(row, col, indexing="ij")])
    inside = _depth(thing, to_ground(matrix, at)).reshape(shape)
    # soft over one sample, so that samples count by the part of them that is covered
    soft = np.abs(np.gradient(inside, axis=0)) + np.abs(np.gradient(inside, axis=1))
    cover = gaussian_filter(np.clip(inside / np.maximum(soft, 1e-12) + 0.5, 0.0, 1.0), BLUR_PX * _FINE)
    cover = cover.reshape(sides[0], _FINE, sides[1], _FINE).mean(axis=(1, 3))
    return (slice(low[0], high[0]), slice(low[1], high[1])), cover


def _depth(thing: Slot | Spot, ground: Points) -> Points:
    """How far inside a thing ground (N, 2) lies, m; negative outside."""
    if isinstance(thing, Spot):
        return np.asarray(thing.radius_m - np.hypot(*(ground - thing.middle).T))
    found = np.full(len(ground), -np.inf)
    last = len(thing.line) - 2
    for number, (start, end) in enumerate(zip(thing.line, thing.line[1:], strict=False)):
        length = float(np.hypot(*(end - start)))
        way = (end - start) / length
        along = (ground - start) @ way
        across = (ground - start) @ np.array([way[1], -way[0]])
        inner = np.clip(along, 0.0, length)
        depth = thing.width_m / 2 - np.hypot(across, along - inner)
        # no round ends beyond the first and the last vertex
        depth = np.where((number == 0) & (along < 0), -np.abs(along), depth)
        depth = np.where((number == last) & (along > length), length - along, depth)
        found = np.maximum(found, depth)
    return found
