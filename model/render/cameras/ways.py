"""The ways that cracks take on a road: along it, across it, in blocks and in fields of fine mesh.

Points are (along, across) in mm of the road's own frame, where 0 across is the picture's middle.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.signal import lfilter
from scipy.spatial import Voronoi

from crackpipe.model.render.cameras.fields import F64

MOST_EDGES = 1600
"""Of a mesh; a finer one covers a smaller field."""


@dataclass(frozen=True, eq=False)
class Way:
    """One crack without branches."""

    path: F64
    """(V, 2) mm."""
    width_mm: F64
    """(V,) full width."""


@dataclass(frozen=True)
class Region:
    """The ground that the picture shows: 0 to `along_mm`, and half of `across_mm` to either side."""

    along_mm: float
    across_mm: float
    step_mm: float
    """Distance between the vertices of a path: about a pixel."""
    coarse_mm: float
    """Millimetres per px in the picture's middle, across the road."""
    row_mm: float
    """The same along the road, where a view forward makes things short."""


def log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    """One number whose logarithm is uniform between those of the limits."""
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def series(rng: np.random.Generator, count: int, length: float) -> F64:
    """Gauss-Markov noise (count,), correlated over `length` samples; below one, as a camera averages it."""
    if length < 0.7 or count < 12:
        return np.asarray(rng.standard_normal(count) * np.sqrt(min(length, 1.0)))
    keep = np.exp(-1.0 / length)
    noise = rng.standard_normal(count) * np.sqrt(1 - keep**2)
    noise[0] = rng.standard_normal()
    return np.asarray(lfilter([1.0], [1.0, -keep], noise))


def wander(
    rng: np.random.Generator, start: F64, heading: float, *, length_mm: float, step_mm: float, rough: float
) -> F64:
    """A path (V, 2) that keeps its heading (0 along the road) but goes around stones."""
    count = int(np.clip(length_mm / step_mm, 4, 3000))
    turn = rough * (
        0.22 * series(rng, count, 300 / step_mm)
        + 0.30 * series(rng, count, 45 / step_mm)
        + 0.5 * series(rng, count, 9 / step_mm)
    )
    steps = step_mm * np.stack([np.cos(heading + turn), np.sin(heading + turn)], axis=1)
    return np.asarray(np.vstack([start, start + np.cumsum(steps, axis=0)]))


def uneven(
    rng: np.random.Generator, count: int, width_mm: float, step_mm: float, ends: tuple[bool, bool]
) -> F64:
    """Full width (count,) mm: uneven, closed in places, running out at open ends."""
    log = 0.3 * series(rng, count, 40 / step_mm) + 0.35 * series(rng, count, 250 / step_mm)
    width = width_mm * np.exp(log)
    closed = series(rng, count, 120 / step_mm) > rng.uniform(1.0, 3.0)
    width = np.where(closed, 0.35 * width, width)
    width = np.convolve(np.pad(width, 1, mode="edge"), [0.25, 0.5, 0.25], mode="valid")
    place = np.arange(count, dtype=np.float64)
    out = max(2.0, min(count / 2, rng.uniform(60, 400) / step_mm))
    if ends[0]:
        width *= np.minimum(1, (place + 0.3) / out) ** 0.7
    if ends[1]:
        width *= np.minimum(1, (place[::-1] + 0.3) / out) ** 0.7
    return width


def _branching(
    rng: np.random.Generator, region: Region, start: F64, heading: float, *, length_mm: float, width_mm: float
) -> list[Way]:
    rough = rng.uniform(0.6, 1.5)
    path = wander(rng, start, heading, length_mm=length_mm, step_mm=region.step_mm, rough=rough)
    ways = [Way(path, uneven(rng, len(path), width_mm, region.step_mm, (True, True)))]
    for _ in range(min(6, rng.poisson(length_mm / (250 * region.coarse_mm + 500)))):
        at = int(rng.integers(len(path)))
        away = heading + rng.choice([-1, 1]) * rng.uniform(0.3, 1.3)
        side = wander(
            rng,
            path[at],
            away,
            length_mm=length_mm * rng.uniform(0.05, 0.4),
            step_mm=region.step_mm,
            rough=rough,
        )
        thin = width_mm * rng.uniform(0.4, 0.9)
        ways.append(Way(side, uneven(rng, len(side), thin, region.step_mm, (False, True))))
    return ways


def single(rng: np.random.Generator, region: Region, width_mm: float) -> list[Way]:
    """A crack along the road, across it or slanting, with its branches."""
    heading = float(rng.choice([0.0, np.pi / 2, rng.uniform(-1.4, 1.4)], p=[0.42, 0.4, 0.18]))
    heading += rng.normal(0, 0.1)
    extent = abs(np.cos(heading)) * region.along_mm + abs(np.sin(heading)) * region.across_mm
    length = extent * rng.uniform(0.35, 1.3)
    middle = np.array(
        [rng.uniform(0.08, 0.92) * region.along_mm, rng.uniform(-0.42, 0.42) * region.across_mm]
    )
    start = middle - 0.5 * length * np.array([np.cos(heading), np.sin(heading)])
    return _branching(rng, region, start, heading, length_mm=length, width_mm=width_mm)


def blocks(rng: np.random.Generator, region: Region, width_mm: float) -> list[Way]:
    """Block cracking: cells of 0.3 to 2 m over the whole ground."""
    cell = log_uniform(rng, 300, 2000)
    cell = max(cell, np.sqrt(region.along_mm * region.across_mm) / 14)
    radius = np.array([region.along_mm, region.across_mm])
    return mesh(
        rng, region, np.array([region.along_mm / 2, 0.0]), radius, cell=(cell, cell), width_mm=width_mm
    )


def alligator(rng: np.random.Generator, region: Region, width_mm: float) -> list[Way]:
    """A field of fine mesh, mostly in a wheel path, with wider cracks through it."""
    cell = max(log_uniform(rng, 50, 300), 9 * region.coarse_mm)
    across = max(rng.uniform(250, 700) if rng.random() < 0.6 else rng.uniform(700, 2000), 2.5 * cell)
    along = max(rng.uniform(0.4, 1.6) * region.along_mm, 4 * cell)
    along = min(along, MOST_EDGES / 3 * cell * cell * 1.3 / (2 * across) * 0.9)
    middle = np.array([rng.uniform(0, 1) * region.along_mm, rng.uniform(-0.4, 0.4) * region.across_mm])
    cells = (max(cell * rng.uniform(1.0, 1.6), 5 * region.row_mm), cell)
    ways = mesh(rng, region, middle, np.array([along, across]), cell=cells, width_mm=width_mm)
    for _ in range(rng.integers(0, 3)):
        start = middle + np.array([-0.8 * along, rng.uniform(-0.6, 0.6) * across])
        path = wander(
            rng, start, rng.normal(0, 0.05), length_mm=1.6 * along, step_mm=region.step_mm, rough=1.2
        )
        ways.append(Way(path, uneven(rng, len(path), 1.4 * width_mm, region.step_mm, (True, True))))
    if rng.random() < 0.5:
        ways += broken_corners(rng, region, ways)
    return ways


def crumbled(rng: np.random.Generator, region: Region) -> list[Way]:
    """Alligator cracking of high severity: patches of small pieces that work loose under traffic.

    Many of their cracks are closed. Others are wide, and where they meet, corners are gone. So a coarse
    camera sees short dark marks close together.
    """
    cell = max(log_uniform(rng, 20, 70), log_uniform(rng, 8, 20) * region.coarse_mm)
    cells = (max(cell * rng.uniform(0.7, 1.3), rng.uniform(5, 10) * region.row_mm), cell)
    lane = rng.uniform(-0.4, 0.4) * region.across_mm
    ways: list[Way] = []
    for _ in range(rng.integers(1, 4)):
        across = max(log_uniform(rng, 250, 1200), 4 * cell)
        most = MOST_EDGES / 3 * cells[0] * cells[1] / across  # half of the length that so many edges fill
        along = min(max(rng.uniform(0.1, 0.6) * region.along_mm, 3 * cells[0]), most)
        middle = np.array([rng.uniform(0, 1) * region.along_mm, lane + rng.normal(0, 0.3) * across])
        width_mm = min(0.3 * cell, (region.coarse_mm * region.row_mm) ** 0.5 * log_uniform(rng, 0.5, 1.5))
        closed = rng.uniform(0.2, 0.7)
        patch = mesh(
            rng, region, middle, np.array([along, across]), cell=cells, width_mm=width_mm, closed=closed
        )
        ways += patch + broken_corners(rng, region, patch, min(4.0, 0.5 * cell / region.coarse_mm))
    return ways


def broken_corners(
    rng: np.random.Generator, region: Region, ways: list[Way], most_px: float = 6.0
) -> list[Way]:
    """Corners that have broken out where cracks of a mesh meet: short and wide, 1.5 to `most_px` px."""
    found = []
    for index in np.flatnonzero(rng.random(len(ways)) < rng.uniform(0.05, 0.4)).tolist():
        wide = min(60.0, region.coarse_mm * log_uniform(rng, 1.5, most_px))
        heading = rng.uniform(0, np.pi)
        along = wide * np.array([-0.8, -0.3, 0.3, 0.8])[:, None] * rng.uniform(0.7, 1.8)
        stray = rng.normal(0, 0.15 * wide, (4, 2))
        path = ways[index].path[0] + along * np.array([np.cos(heading), np.sin(heading)]) + stray
        found.append(Way(path, wide * np.array([0.4, 1.0, 1.0, 0.4]) * np.exp(rng.normal(0, 0.2, 4))))
    return found


def mesh(
    rng: np.random.Generator,
    region: Region,
    middle: F64,
    radius: F64,
    *,
    cell: tuple[float, float],
    width_mm: float,
    closed: float | None = None,
) -> list[Way]:
    """Edges between the cells of a jittered lattice within an ellipse; finer and rarer towards its rim.

    `closed` is the share of edges that are no crack, 0..1; None: at random, up to a quarter.
    """
    reach = [np.arange(-r - 2 * c, r + 2 * c, c) for r, c in zip(radius, cell, strict=True)]
    points = np.stack(np.meshgrid(*reach, indexing="ij"), -1).reshape(-1, 2)
    points = points + rng.normal(0, 1, points.shape) * np.array(cell) * rng.uniform(0.25, 0.42)
    cells = Voronoi(points)
    pairs = np.array([pair for pair in cells.ridge_vertices if pair[0] >= 0])
    ends = cells.vertices[pairs]
    outer = np.sum((ends / radius) ** 2, axis=2).max(axis=1)
    length = np.hypot(*(ends[:, 1] - ends[:, 0]).T)
    kept = (outer < rng.uniform(0.5, 1, len(outer))) & (length > region.step_mm)
    kept &= rng.random(len(outer)) > (rng.uniform(0.02, 0.25) if closed is None else closed)
    inside = np.abs(ends + middle - np.array([region.along_mm / 2, 0])).min(axis=1)
    kept &= np.all(inside < 0.6 * np.array([region.along_mm, region.across_mm]), axis=1)
    rough = rng.uniform(0.06, 0.14)
    ways = []
    for index in np.flatnonzero(kept)[: 2 * MOST_EDGES].tolist():
        count = int(np.clip(length[index] / region.step_mm, 3, 60))
        share = np.linspace(0, 1, count + 1)[:, None]
        stray = rng.standard_normal((count + 1, 2)) * min(0.6 * region.step_mm + 2, 6.0)
        stray += np.sin(np.pi * share) * rng.normal(0, rough * length[index], (1, 2))
        bend = np.minimum(1, 4 * share * (1 - share))
        path = middle + ends[index, 0] + share * (ends[index, 1] - ends[index, 0]) + stray * bend
        wide = width_mm * np.exp(rng.normal(0, 0.45)) * (1.15 - 0.65 * min(1.0, outer[index]))
        ways.append(Way(path, wide * np.exp(0.3 * rng.standard_normal(count + 1))))
    return ways


def _width_mm(rng: np.random.Generator, narrow_mm: float, px_mm: float) -> float:
    """Width of a crack, mm: mostly that of real cracks, for four in ten one that is wide in the picture.

    Few cracks are wide, so that a fine camera would hardly ever show one of 4 to 18 px.
    """
    if rng.random() < 0.4:
        return min(45.0, px_mm * log_uniform(rng, 4.0, 18.0))
    return log_uniform(rng, narrow_mm, 12.0)


def random_ways(rng: np.random.Generator, region: Region) -> list[Way]:
    """The cracks of one picture; none where no edge of a mesh happens to lie in it."""
    ways: list[Way] = []
    narrow = max(0.5, 0.45 * region.coarse_mm)
    for _ in range(rng.choice([1, 2, 3, 4], p=[0.45, 0.3, 0.15, 0.1])):
        width_mm = _width_mm(rng, narrow, region.coarse_mm)
        kind = rng.random()
        # what a coarse camera sees of cracks is above all fields of them
        if kind < (0.42 if region.coarse_mm > 2 else 0.62):
            ways += single(rng, region, width_mm)
        elif kind < (0.52 if region.coarse_mm > 2 else 0.72):
            ways += blocks(rng, region, min(width_mm, max(6.0, 2 * region.coarse_mm)))
        elif region.across_mm > 500 and rng.random() < 0.5:
            ways += crumbled(rng, region)
        elif region.across_mm > 500:
            fine_mm = log_uniform(rng, max(1.0, 0.9 * region.coarse_mm), max(4.0, 2.2 * region.coarse_mm))
            ways += alligator(rng, region, fine_mm)
        else:
            ways += single(rng, region, width_mm)
    return ways
