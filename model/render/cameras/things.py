"""What lies on a road, in layers on the ground's raster, and what is taken for a crack: lines and joints."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy.ndimage import uniform_filter1d

from crackpipe.model.render.cameras.fields import F32, F64, Canvas, blur, cloud, ribbon, speckle, step
from crackpipe.model.render.cameras.view import Ground
from crackpipe.model.render.cameras.ways import Region, log_uniform, series, uneven, wander

RGB = tuple[float, float, float]


@dataclass(eq=False)
class Layers:
    """The road on the ground's raster, changed in place by what is laid on it."""

    rng: np.random.Generator
    ground: Ground
    region: Region
    rgb: list[F32]
    """Grey values in full light, 0..255 and above: one layer, or three once something has a colour."""
    over: F32
    """How far things lie above cracks and hide them, 0..1."""
    light: F32
    """Factor of the light: shadows are below 1."""
    tone: float
    """Of the bare road."""

    def canvas(self) -> Canvas:
        """An empty canvas of the raster's shape."""
        return Canvas(self.ground.shape, 2)

    def cover(self, *outlines: F64) -> F32:
        """Share of each pixel of the raster that lies in polygons (V, 2), mm of the road's frame."""
        canvas = self.canvas()
        for outline in outlines:
            canvas.polygon(self.ground.px(outline))
        return canvas.cover()

    def lay(self, alpha: F32, colour: RGB, keep: float = 0.0) -> None:
        """Cover the road with a colour; a share `keep` of the road's own texture shows through."""
        if len(self.rgb) == 1 and len(set(colour)) > 1:
            self.rgb += [self.rgb[0].copy(), self.rgb[0].copy()]
        for k, channel in enumerate(self.rgb):
            base = colour[k] if keep == 0 else colour[k] + keep * (channel - channel.mean())
            self.rgb[k] = channel + alpha * (base - channel)

    def tint(self, factor: F32) -> None:
        """Multiply the road by a factor: stains, wear."""
        self.rgb = [channel * factor for channel in self.rgb]

    def worn(self, wear: float) -> F32:
        """What is left of a thin coat: 1 whole, 0 gone; flecks of the size of stones, more in areas."""
        row_mm, col_mm = self.ground.step_mm
        areas = cloud(self.rng, self.ground.shape, (300 / row_mm, 120 / col_mm))
        flecks = speckle(self.rng, self.ground.shape, max(0.6, 2.5 / col_mm))
        fine = speckle(self.rng, self.ground.shape, max(0.5, 0.8 / col_mm))
        stones = (self.rgb[0] - blur(self.rgb[0], 1.5)) * np.float32(8 / self.tone)  # their tops wear first
        gone = 0.5 * flecks + 0.4 * fine + 0.8 * areas + np.clip(stones, -2, 2)
        return 1 - step(np.asarray(gone, np.float32) - np.float32(2.2 - 3.2 * wear), 0.5)

    def place(self) -> F64:
        """A point (along, across) in the picture, mm."""
        along = self.rng.uniform(0.0, 1.0) * self.region.along_mm
        return np.array([along, self.rng.uniform(-0.45, 0.45) * self.region.across_mm])

    def band(self, path: F64, width_mm: float | F64, ragged: float = 0.0) -> F64:
        """Outline of a band along a path, whose edges stray by a share `ragged` of its width."""
        half = np.broadcast_to(np.asarray(width_mm, np.float64) / 2, len(path))
        left, right = half * np.exp(ragged * self.rng.standard_normal((2, len(path))))
        return ribbon(path, left, right)

    def line(self, start: F64 | Sequence[float], end: F64 | Sequence[float]) -> F64:
        """A straight path with vertices about a pixel apart, (V, 2)."""
        p, q = np.asarray(start, np.float64), np.asarray(end, np.float64)
        count = int(np.clip(np.hypot(*(q - p)) / self.region.step_mm, 2, 1500))
        return np.asarray(p + np.linspace(0, 1, count)[:, None] * (q - p))

    def seam(self, across_mm: float, rough: float) -> F64:
        """A path along the whole road, `across_mm` from the picture's middle, (V, 2)."""
        start, length = np.array([-300.0, across_mm]), self.region.along_mm + 600
        return wander(self.rng, start, 0.0, length_mm=length, step_mm=self.region.step_mm, rough=rough)


def lane_line(layers: Layers) -> None:
    """A lane line along the road, whole or dashed, one or two, white or yellow, worn or fresh."""
    rng, region = layers.rng, layers.region
    middle = rng.uniform(-0.5, 0.5) * region.across_mm
    width = rng.uniform(90, 220)
    yellow = rng.random() < 0.35
    level = rng.uniform(150, 250)
    colour = (
        (level, level * rng.uniform(0.68, 0.85), level * rng.uniform(0.15, 0.5)) if yellow else (level,) * 3
    )
    outlines = []
    for side in range(2 if rng.random() < 0.25 else 1):
        at = middle + 2.2 * side * width
        start, end = -0.5 * region.along_mm, 1.5 * region.along_mm
        if rng.random() < 0.35:
            start, end = sorted(rng.uniform(-0.3, 1.3, 2) * region.along_mm)
        outlines.append(layers.band(layers.line((start, at), (end, at)), width, 0.02))
    wear = rng.uniform(0, 0.35) if rng.random() < 0.55 else rng.uniform(0.35, 0.9)
    layers.lay(layers.cover(*outlines) * layers.worn(wear) * np.float32(rng.uniform(0.75, 1)), colour, 0.25)


def stripes(layers: Layers) -> None:
    """A crossing's stripes, an arrow's shaft or a block of paint, mostly worn."""
    rng = layers.rng
    at, turn = layers.place(), rng.choice([0.0, np.pi / 2, rng.uniform(-1, 1)])
    long, wide = rng.uniform(800, 4000), rng.uniform(150, 600)
    direction, across = np.array([np.cos(turn), np.sin(turn)]), np.array([-np.sin(turn), np.cos(turn)])
    outlines = []
    for k in range(rng.integers(1, 7)):
        middle = at + 2.0 * k * wide * across
        path = layers.line(middle - direction * long / 2, middle + direction * long / 2)
        outlines.append(layers.band(path, wide, 0.01))
    level = rng.uniform(150, 250)
    layers.lay(layers.cover(*outlines) * layers.worn(rng.uniform(0.1, 0.9)), (level,) * 3, 0.25)


def joints(layers: Layers) -> None:
    """Joints of concrete slabs, across and along, open or sealed, straight, with broken edges."""
    rng, region = layers.rng, layers.region
    width = log_uniform(rng, max(3.0, 0.5 * region.coarse_mm), max(12.0, 2.5 * region.coarse_mm))
    spacing = rng.uniform(3000, 6000)
    outlines = []
    first = rng.uniform(0, min(spacing, region.along_mm))
    for along in np.arange(first, region.along_mm * 1.2, spacing).tolist():
        lean = rng.normal(0, 0.01) * region.across_mm
        path = layers.line((along, -region.across_mm), (along + lean, region.across_mm))
        outlines.append(layers.band(path, width, rng.uniform(0.02, 0.2)))
    if rng.random() < 0.6:
        at = rng.uniform(-0.45, 0.45) * region.across_mm
        path = layers.line((-region.along_mm, at), (2 * region.along_mm, at + rng.normal(0, 10)))
        outlines.append(layers.band(path, width, rng.uniform(0.02, 0.15)))
    dark = layers.tone * rng.uniform(0.2, 0.75)
    whole = layers.worn(rng.uniform(0, 0.45)) if rng.random() < 0.6 else np.float32(1)
    layers.lay(np.asarray(layers.cover(*outlines) * whole, np.float32), (dark,) * 3, 0.3)
    if rng.random() < 0.3:  # the sawn band beside a sealed joint
        path = layers.line((first, -region.across_mm), (first, region.across_mm))
        layers.tint(
            1 + np.float32(rng.uniform(-0.12, 0.1)) * layers.cover(layers.band(path, 5 * width, 0.03))
        )


def construction_joint(layers: Layers) -> None:
    """The seam between two courses along the road: a step of tone, and a line that is dark in parts."""
    rng, region = layers.rng, layers.region
    at = rng.uniform(-0.4, 0.4) * region.across_mm
    path = layers.seam(at, 0.12)
    side = np.vstack([path, [path[-1, 0], 9e4], [path[0, 0], 9e4]])
    layers.tint(1 + np.float32(rng.uniform(-0.22, 0.22)) * layers.cover(side))
    if rng.random() < 0.6:
        width = uneven(rng, len(path), rng.uniform(4, 14), region.step_mm, (False, False))
        dark = layers.cover(layers.band(path, width, 0.2)) * layers.worn(rng.uniform(0.2, 0.7))
        layers.tint(1 - np.float32(rng.uniform(0.1, 0.45)) * dark)


def saw_cut(layers: Layers) -> None:
    """The sealed slot of a loop detector or of a cable: straight, with corners."""
    rng = layers.rng
    corner, size = layers.place(), rng.uniform(400, 2500, 2)
    cut = rng.uniform(0.1, 0.3) * size.min()
    box = np.array(
        [[0, cut], [0, size[1] - cut], [cut, size[1]], [size[0], size[1]], [size[0], 0], [cut, 0], [0, cut]]
    )
    turn = rng.normal(0, 0.1)
    box = corner + (box - size / 2) @ np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    width = rng.uniform(6, 16)
    sides = [layers.band(layers.line(p, q), width, 0.04) for p, q in pairwise(box)]
    level = layers.tone * rng.uniform(0.35, 0.8)
    layers.lay(layers.cover(*sides[: rng.integers(1, len(sides) + 1)]), (level,) * 3, 0.2)


def tar_band(layers: Layers) -> None:
    """A sealed crack: a smooth dark band that wanders, 15 to 120 mm wide, with drips; where old, worn."""
    rng, region = layers.rng, layers.region
    width = log_uniform(rng, 15, 120)
    outlines = []
    for _ in range(rng.integers(1, 4)):
        heading = rng.choice([0.0, np.pi / 2, rng.uniform(-1.4, 1.4)]) + rng.normal(0, 0.1)
        length = rng.uniform(0.3, 1.5) * region.along_mm
        start = layers.place() - 0.5 * length * np.array([np.cos(heading), np.sin(heading)])
        path = wander(
            rng, start, heading, length_mm=length, step_mm=region.step_mm, rough=rng.uniform(0.3, 0.8)
        )
        bends = 1 + 2 * round(0.5 * width / region.step_mm)
        path = uniform_filter1d(path, min(len(path), bends), axis=0, mode="nearest")
        # A tool lays tar, so but for drips it has one width. A crack opens and closes.
        drips = np.exp(0.12 * series(rng, len(path), 150 / region.step_mm))
        outlines.append(layers.band(path, width * drips, 0.03))
    # Fresh tar is black and hides the stones. Old tar is grey and worn. What is black and gritty is a crack.
    fresh = rng.random() < 0.5
    level = layers.tone * (rng.uniform(0.25, 0.6) if fresh else rng.uniform(0.6, 0.88))
    alpha = layers.cover(*outlines) * (np.float32(1) if fresh else layers.worn(rng.uniform(0, 0.6)))
    layers.lay(
        np.asarray(alpha * np.float32(rng.uniform(0.9 if fresh else 0.6, 1)), np.float32),
        (level, level, 1.03 * level),
        rng.uniform(0, 0.12) if fresh else rng.uniform(0.1, 0.5),
    )
    if rng.random() < 0.6:  # a sealed crack is closed
        layers.over = np.maximum(layers.over, step(alpha - 0.5, 0.3))
