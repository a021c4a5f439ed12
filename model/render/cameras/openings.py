"""How cracks look: ragged edges, grit inside, a tone that changes along them; and their exact mask."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import shift

from crackpipe.model.render.cameras.fields import (
    F32,
    F64,
    Canvas,
    blur,
    cloud,
    ribbon,
    speckle,
    step,
    tangents,
)
from crackpipe.model.render.cameras.view import Ground
from crackpipe.model.render.cameras.ways import Way, series

FINE = 4
THINNEST_PX = 0.3
"""A thinner crack is drawn as wide as this and as much fainter."""
MASK_HALF_PX = 0.65
"""Half the width of the mask of a thinner crack, so that its mask is connected."""


@dataclass(frozen=True, eq=False)
class Openings:
    """Cracks in the picture's frame, (size, size) each."""

    cover: F32
    """Share of each pixel that lies in a crack, 0..1."""
    mask: F32
    """The same of the mask, where no crack is thinner than 2 x MASK_HALF_PX."""
    lost: F32
    """The same of holes where the mesh has lost a piece: neither crack nor sound."""


def draw(rng: np.random.Generator, ground: Ground, ways: list[Way]) -> Openings:
    """Draw cracks as polygons, whose two edges are ragged each for itself.

    Strategy: both edges are made on the ground in mm and seen through the camera's homography, so that
    foreshortening does to widths what it does to the picture. Thinner ones come first: at a crossing the
    wider wins.
    """
    size = ground.view.size_px
    cover, mask, lost = Canvas((size, size), FINE), Canvas((size, size), FINE), Canvas((size, size), 2)
    raggedness = rng.uniform(0.2, 0.55)
    for way in sorted(ways, key=lambda w: float(w.width_mm.mean())):
        near, far = _edges(rng, ground, way, raggedness)
        if not _touches(near, size):
            continue
        _fill(cover, mask, near, far)
    if len(ways) > 60 and rng.random() < 0.5:
        for index in rng.integers(0, len(ways), rng.integers(1, 9)).tolist():
            _hole(rng, ground, ways[index], lost)
    return Openings(cover.cover(), mask.cover(), lost.cover())


def _edges(rng: np.random.Generator, ground: Ground, way: Way, ragged: float) -> tuple[F64, F64]:
    """Both edges of a crack in the picture, (V, 2) each."""
    count = len(way.path)
    half = way.width_mm / 2
    step_mm = float(np.hypot(*(way.path[1] - way.path[0])))
    jag = [series(rng, count, 5 / step_mm) + 0.6 * series(rng, count, 1.5 / step_mm) for _ in range(2)]
    # stones decide how far an edge strays, so a wide crack's does not stray by more than they are large
    amount = np.minimum(ragged * half, rng.uniform(0.8, 2.0))
    spall = [np.clip(series(rng, count, 10 / step_mm) - 1.6, 0, 1.5) for _ in range(2)]
    left, right = (
        np.maximum(0.2 * half, half + amount * (j + 1.5 * s)) for j, s in zip(jag, spall, strict=True)
    )
    outline = ribbon(way.path, left, right)
    seen = ground.view.picture(ground.turned(outline))
    return seen[:count], seen[count:][::-1]


def _touches(points: F64, size: int) -> bool:
    low, high = points.min(axis=0), points.max(axis=0)
    return bool(low[0] < size + 8 and low[1] < size + 8 and high[0] > -8 and high[1] > -8)


def _fill(cover: Canvas, mask: Canvas, near: F64, far: F64) -> None:
    middle, half = (near + far) / 2, (near - far) / 2
    reach = np.maximum(np.hypot(half[:, 0], half[:, 1]), 1e-6)
    # a polygon's own rim is filled too, about half a sub-pixel on each side
    thin = np.maximum(reach - 0.5 / FINE, THINNEST_PX / 2 - 0.5 / FINE + 0.05)
    faint = min(1.0, 2 * float(reach.mean()) / THINNEST_PX)
    along = tangents(middle)
    sideways = half / reach[:, None]
    # where the camera looks along the surface, a crack's edges would fall together: its own normal then
    flat = np.abs(sideways[:, 0] * along[:, 1] - sideways[:, 1] * along[:, 0]) < 0.3
    sideways[flat] = np.stack([-along[:, 1], along[:, 0]], axis=1)[flat]
    arm = sideways * thin[:, None]
    cover.polygon(np.vstack([middle + arm, (middle - arm)[::-1]]), faint)
    arm = sideways * np.maximum(reach, MASK_HALF_PX)[:, None]
    mask.polygon(np.vstack([middle + arm, (middle - arm)[::-1]]))


def _hole(rng: np.random.Generator, ground: Ground, way: Way, lost: Canvas) -> None:
    """A piece of 20 to 120 mm that traffic has taken out beside a crack."""
    angle = np.sort(rng.uniform(0, 2 * np.pi, 11))
    radius = rng.uniform(10, 60) * rng.uniform(0.6, 1.2, 11)
    rim = way.path[len(way.path) // 2] + np.stack(
        [1.4 * radius * np.cos(angle), radius * np.sin(angle)], axis=1
    )
    lost.polygon(ground.view.picture(ground.turned(rim)))


def darken(rng: np.random.Generator, openings: Openings, over: F32, gsd_mm: float) -> F32:
    """The factor, (size, size), by which cracks change the road's light; `over` is what lies above them.

    A crack's floor is lighter where dirt lies in it: slowly along it and grain by grain. Its rim is worn
    round, and lit on one side. Some cracks hold bright dust, some have a stain or a pale band around them.
    """
    shape = openings.cover.shape
    cover = openings.cover * (1 - over)
    deep = np.float32(rng.uniform(0.5, 0.95))
    dirt = cloud(rng, shape, (60 / gsd_mm + 3, 60 / gsd_mm + 3))
    depth = deep * np.clip(1 - np.float32(rng.uniform(0.05, 0.3)) * (1 + dirt), 0.25, 1)
    if rng.random() < 0.6:
        grit = step(speckle(rng, shape, float(np.clip(1.5 / gsd_mm, 0.5, 2.0))) - rng.uniform(0.4, 1.5), 0.4)
        depth = depth * (1 - np.float32(rng.uniform(0.2, 0.9)) * grit)
    if rng.random() < 0.05:
        depth = -np.float32(0.35) * depth
    factor = 1 - cover * depth
    worn = blur(cover, float(np.clip(2.0 / gsd_mm, 0.7, 2.5)))
    factor *= 1 - np.float32(rng.uniform(0.0, 0.25)) * np.minimum(1, worn) * (1 - cover)
    if rng.random() < 0.4 and gsd_mm < 2.5:
        lit = shift(cover, rng.normal(0, 1.0, 2), order=1, prefilter=False) * (1 - cover)
        factor *= 1 + np.float32(rng.uniform(0.05, 0.3)) * lit
    if rng.random() < 0.25:
        band = blur(np.minimum(1, cover * 2), float(np.clip(rng.uniform(8, 30) / gsd_mm, 1, 25)))
        band /= max(float(np.percentile(band, 99.5)), 1e-3)
        factor *= 1 + np.float32(rng.uniform(-0.28, 0.1)) * np.minimum(1, band)
    hole = blur(openings.lost, 0.8) * (1 - over)
    dark = np.float32(rng.uniform(0.25, 0.75)) * (1 + np.float32(0.3) * speckle(rng, shape, 1.0))
    return np.asarray(factor * (1 - hole * np.clip(dark, 0, 0.9)), np.float32)
