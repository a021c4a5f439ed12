"""What lies in cracks: sand, dust and moss, mostly brighter than the road or of another colour."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import shift

from crackpipe.model.render.cameras.fields import F32, blur, cloud, speckle, step
from crackpipe.model.render.cameras.openings import Openings

FILLED = 0.3
"""Share of cracked pictures in which something lies in the cracks."""


@dataclass(frozen=True, eq=False)
class Filling:
    """What lies in the cracks of one picture, in its frame."""

    cover: F32
    """Share of each pixel that it hides, (size, size), 0..1."""
    rgb: tuple[F32, F32, F32]
    """Its grey values in full light, (size, size) each."""

    def over(self, channel: F32, index: int) -> F32:
        """One channel of the road (0 red, 1 green, 2 blue) with the filling on it, grey values."""
        return np.asarray(channel + self.cover * (self.rgb[index] - channel), np.float32)


def random_filling(
    rng: np.random.Generator, openings: Openings, over: F32, gsd_mm: float, tone: float
) -> Filling | None:
    """Fill the cracks of a picture, or leave them open (None). `over` is what lies above them, 0..1.

    Cracks are filled along some of their length or along all of it, and mostly less at one of their edges,
    where a shadow stays. Some of what fills them lies beside them too. `tone` is the road's grey value.
    """
    if rng.random() >= FILLED:
        return None
    shape = openings.cover.shape
    inside = openings.cover * (1 - over)
    areas = cloud(rng, shape, (150 / gsd_mm + 12, 150 / gsd_mm + 12))
    bits = cloud(rng, shape, (25 / gsd_mm + 4, 25 / gsd_mm + 4))
    share = step(areas + np.float32(0.5) * bits + np.float32(rng.uniform(-1.0, 2.5)), 0.5)
    if rng.random() < 0.7:
        off = shift(inside, rng.normal(0, 0.5 + 0.6 / gsd_mm, 2), order=1, prefilter=False)
        inside = inside * (1 - np.float32(rng.uniform(0.3, 0.9)) * (1 - np.clip(off, 0, 1)))
    cover = np.asarray(inside * share * np.float32(rng.uniform(0.7, 1.0)), np.float32)
    if rng.random() < 0.5:
        spilt = blur(cover, float(np.clip(rng.uniform(3, 15) / gsd_mm, 1.0, 8.0)))
        grains = step(speckle(rng, shape, 0.8) - np.float32(rng.uniform(0.0, 1.5)), 0.6)
        cover = np.maximum(cover, np.minimum(np.float32(0.8), np.float32(1.5) * spilt) * grains * (1 - over))
    grain_px = float(np.clip(1.5 / gsd_mm, 0.5, 1.5))
    grain = 1 + np.float32(rng.uniform(0.04, 0.2)) * speckle(rng, shape, grain_px)
    tint = np.float32(0.08) * areas + np.float32(0.08) * bits
    grey = _grey(rng, tone) * grain * (1 + tint)
    red, green, blue = (np.asarray(grey * np.float32(lean), np.float32) for lean in _colour(rng))
    return Filling(cover, (red, green, blue))


def _grey(rng: np.random.Generator, tone: float) -> np.float32:
    """Mostly brighter than the road, but never brighter than dry sand in the sun."""
    return np.float32(min(tone * rng.uniform(0.9, 2.1), rng.uniform(120, 210)))


def _colour(rng: np.random.Generator) -> tuple[float, float, float]:
    """Red, green and blue over grey: sand, pale dust or moss."""
    kind, much = rng.random(), rng.uniform(0.3, 1.2)
    if kind < 0.55:
        lean = (0.13, 0.0, -0.22)
    elif kind < 0.85:
        lean = (0.02, 0.0, -0.04)
    else:
        lean = (-0.12, 0.06, -0.3)
    return 1 + much * lean[0], 1 + much * lean[1], 1 + much * lean[2]
