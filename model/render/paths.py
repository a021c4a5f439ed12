"""Random crack shapes: how cracks wander, branch, taper and form patterns.

All functions draw from the generator they are given; lengths in px, directions in radians clockwise from +row
(0 = along the rows, the travel direction; pi/2 = across), points (row, col).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter
from scipy.spatial import Voronoi

from crackpipe.model.render.cracks import Crack

F64 = NDArray[np.float64]
STEP_PX = 2.0


def _correlated(rng: np.random.Generator, count: int, corr: float) -> F64:
    """A stationary Gauss-Markov series of unit deviation, correlated over `corr` samples, (count,)."""
    keep = np.exp(-1.0 / corr)
    noise = rng.standard_normal(count) * np.sqrt(1 - keep**2)
    noise[0] = rng.standard_normal()
    return np.asarray(lfilter([1.0], [1.0, -keep], noise))


def wander(rng: np.random.Generator, start: F64, direction: float, length_px: float, rough: float) -> F64:
    """A path that keeps its general direction but goes around stones, (V, 2).

    `rough` is 0 for a straight path, 1 for one like cracks in asphalt, 2 for a ragged one.
    """
    count = max(3, round(length_px / STEP_PX))
    turn = rough * (
        0.25 * _correlated(rng, count, 60.0) + 0.28 * _correlated(rng, count, 12.0)
        + 0.40 * _correlated(rng, count, 2.5)
    )  # fmt: skip
    angle = direction + turn
    steps = STEP_PX * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return np.asarray(np.vstack([start, start + np.cumsum(steps, axis=0)]))


def between(rng: np.random.Generator, start: F64, end: F64, rough: float) -> F64:
    """A path from `start` to `end` that strays like `wander`, (V, 2)."""
    # draw a path that ends somewhere, then bend it linearly to the end that it shall have
    gap = end - start
    length = float(np.hypot(*gap))
    direction = float(np.arctan2(gap[1], gap[0]))
    path = wander(rng, start, direction, length, rough)
    share = np.linspace(0, 1, len(path))[:, None]
    return np.asarray(path + share * (end - path[-1]))


def width_profile(
    rng: np.random.Generator, count: int, width_px: float, taper_start: bool, taper_end: bool
) -> F64:
    """Full width at each of `count` vertices, px: uneven, narrow where dirt fills it, 0 at tapered ends."""
    uneven = 0.36 * _correlated(rng, count, 5.0) + 0.3 * _correlated(rng, count, 35.0)
    uneven += 0.2 * rng.standard_normal(count)
    width = width_px * np.exp(uneven - 0.13)
    filled = _correlated(rng, count, 14.0) > rng.uniform(0.8, 2.5)
    width = np.where(filled, np.minimum(width, 0.3 * width_px), width)
    spalled = _correlated(rng, count, 3.0) > rng.uniform(1.7, 3.5)
    width = np.where(spalled, width * 1.7 + 0.5, width)
    width = np.convolve(np.pad(width, 1, mode="edge"), [0.25, 0.5, 0.25], mode="valid")
    place = np.arange(count, dtype=np.float64)
    run_out = min(count / 2, rng.uniform(6, 40))
    if taper_start:
        width = width * np.minimum(1, place / run_out) ** 0.7
    if taper_end:
        width = width * np.minimum(1, place[::-1] / run_out) ** 0.7
    return np.asarray(width)


def log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    """One number whose logarithm is uniform between those of the limits."""
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def branching(
    rng: np.random.Generator,
    start: F64,
    direction: float,
    length_px: float,
    *,
    width_px: float,
    contrast_grey: float,
    rough: float,
    least_px: float = 0.3,
) -> list[Crack]:
    """A crack with side branches of `least_px` or more, each starting at a vertex of its parent."""
    path = wander(rng, start, direction, length_px, rough)
    cracks = [Crack(path, width_profile(rng, len(path), width_px, True, True), contrast_grey)]
    for _ in range(rng.poisson(length_px / 450)):
        at = int(rng.integers(len(path) // 10, max(len(path) // 10 + 1, len(path) * 9 // 10)))
        away = direction + rng.choice([-1, 1]) * rng.uniform(0.3, 1.2)
        branch = wander(rng, path[at], away, length_px * rng.uniform(0.08, 0.45), rough)
        thin = width_px * rng.uniform(0.3, 0.8)
        widths = width_profile(rng, len(branch), max(least_px, thin), False, True)
        cracks.append(Crack(branch, widths, contrast_grey))
    return cracks


def pattern(
    rng: np.random.Generator,
    centre: F64,
    radius_px: tuple[float, float],
    cell_px: float,
    *,
    width_px: float,
    contrast_grey: float,
    rough: float,
    least_px: float = 0.3,
) -> list[Crack]:
    """Alligator or block cracking inside an ellipse with the radii (row, col).

    The cells of a jittered lattice give the pattern: each edge between two of them becomes a rough crack.
    """
    reach = np.array(radius_px)
    lattice = np.stack(
        np.meshgrid(*(np.arange(-r - 2 * cell_px, r + 2 * cell_px, cell_px) for r in reach)), -1
    )
    points = lattice.reshape(-1, 2) + rng.normal(0, 0.33 * cell_px, (lattice.size // 2, 2))
    cells = Voronoi(points)
    cracks = []
    for a, b in cells.ridge_vertices:
        ends = cells.vertices[[a, b]]
        if a < 0 or np.any(np.sum((ends / reach) ** 2, axis=1) > 1) or rng.random() < 0.15:
            continue
        if np.hypot(*(ends[1] - ends[0])) < 5:
            continue
        path = between(rng, centre + ends[0], centre + ends[1], rough)
        outer = float(np.max(np.sum((ends / reach) ** 2, axis=1)))
        width = width_px * np.exp(rng.normal(0, 0.35)) * (1 - 0.6 * outer)
        open_end = bool(rng.random() < 0.15)
        cracks.append(
            Crack(path, width_profile(rng, len(path), max(least_px, width), False, open_end), contrast_grey)
        )
    return cracks
