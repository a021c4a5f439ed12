"""Random fields and soft shapes on arrays, drawn from a generator: all float32, (rows, cols) first."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy.ndimage import uniform_filter, uniform_filter1d

F64 = NDArray[np.float64]
F32 = NDArray[np.float32]
I64 = NDArray[np.int64]
Shape = tuple[int, int]


def resized(field: F32, shape: Shape) -> F32:
    """A field at another size; where it gets smaller, each value is the mean of what it stands for."""
    image = Image.fromarray(np.ascontiguousarray(field, np.float32), mode="F")
    return np.array(image.resize((shape[1], shape[0]), Image.Resampling.BICUBIC), np.float32)


def _taps(rng: np.random.Generator, count: int, size_px: float) -> tuple[I64, F32, int]:
    """First lattice point (count,), four weights of a cubic B-spline (4, count), and the lattice's length."""
    at = np.arange(count) / size_px + rng.random()
    first = np.floor(at).astype(np.int64)
    t = (at - first).astype(np.float32)
    s = 1 - t
    weights = np.stack([s**3, 3 * t**3 - 6 * t**2 + 4, 3 * s**3 - 6 * s**2 + 4, t**3]) / 6
    return first, np.asarray(weights, np.float32), int(first[-1]) + 4


def cloud(rng: np.random.Generator, shape: Shape, size_px: tuple[float, float]) -> F32:
    """Smooth noise of about unit deviation, whose blobs have `size_px` (rows, cols) or, if less, 1 px."""
    first_r, w_r, rows = _taps(rng, shape[0], max(1.0, size_px[0]))
    first_c, w_c, cols = _taps(rng, shape[1], max(1.0, size_px[1]))
    lattice = rng.standard_normal((rows, cols), np.float32) * np.float32(315 / 151)
    # plain sums of four products: a matrix product may round in another way with another number of threads
    field = sum(w_r[k][:, None] * lattice[first_r + k] for k in range(4))
    return np.asarray(sum(w_c[k] * np.take(field, first_c + k, axis=1) for k in range(4)), np.float32)


def blur(field: F32, sigma_px: float) -> F32:
    """A field through a kernel close to a Gaussian: three taps where narrow, running means where wide."""
    if sigma_px <= 0.2:
        return field
    if sigma_px > 1.6:
        width = 2 * round(sigma_px) + 1  # twice as long a mean as the deviation, two times: nearly a Gaussian
        once = uniform_filter(field, width, mode="nearest")
        return np.asarray(uniform_filter(once, width, mode="nearest"), np.float32)
    if sigma_px > 0.8:
        return blur(blur(field, sigma_px / 2**0.5), sigma_px / 2**0.5)
    side = np.float32(min(0.3, 0.5 * sigma_px**2))  # the variance of the taps is 2 x side
    for axis in (0, 1):
        padded = np.concatenate([field.take([0], axis), field, field.take([-1], axis)], axis)
        ends = (padded[2:] + padded[:-2]) if axis == 0 else (padded[:, 2:] + padded[:, :-2])
        field = (1 - 2 * side) * field + side * ends
    return field


def speckle(rng: np.random.Generator, shape: Shape, sigma_px: float) -> F32:
    """White noise smoothed by about `sigma_px`, of unit deviation."""
    if sigma_px > 0.85:
        return cloud(rng, shape, (1.7 * sigma_px, 1.7 * sigma_px))
    side = min(0.3, 0.5 * sigma_px**2)
    return blur(rng.standard_normal(shape, np.float32), sigma_px) / np.float32(
        (1 - 2 * side) ** 2 + 2 * side**2
    )


def step(values: F32, soft: float) -> F32:
    """0 below -soft, 1 above soft, smooth between."""
    t = np.clip(values / np.float32(2 * soft) + np.float32(0.5), 0, 1)
    return np.asarray(t * t * (3 - 2 * t), np.float32)


class Canvas:
    """Polygons drawn with sub-pixels, so that an edge covers pixels by their share: (row, col) px."""

    def __init__(self, shape: Shape, fine: int) -> None:
        self._shape, self._fine = shape, fine
        self._image = Image.new("L", (shape[1] * fine, shape[0] * fine))
        self._draw = ImageDraw.Draw(self._image)

    def polygon(self, points: F64, value: float = 1.0) -> None:
        """Fill a polygon (V, 2) with a value 0..1."""
        fine = np.asarray((points[:, ::-1] + 0.5) * self._fine - 0.5)
        self._draw.polygon(fine.ravel().tolist(), fill=round(255 * value))

    def disc(self, centre: F64, radius_px: tuple[float, float], value: float = 1.0) -> None:
        """Fill an upright ellipse of two radii (rows, cols)."""
        r, c = ((np.asarray(centre) + 0.5) * self._fine - 0.5).tolist()
        a, b = radius_px[0] * self._fine, radius_px[1] * self._fine
        self._draw.ellipse((c - b, r - a, c + b, r + a), fill=round(255 * value))

    def cover(self) -> F32:
        """Share of each pixel that is filled, 0..1."""
        small = self._image.reduce(self._fine) if self._fine > 1 else self._image
        return np.asarray(small, np.float32) * np.float32(1 / 255)


def tangents(path: F64) -> F64:
    """Unit directions (V, 2) of a path (V, 2) at its vertices."""
    steps = path[1:] - path[:-1]
    along = np.concatenate([steps[:1], steps[1:] + steps[:-1], steps[-1:]])
    return _unit(along)


def _unit(vectors: F64) -> F64:
    length = np.sqrt(vectors[:, 0] ** 2 + vectors[:, 1] ** 2)
    return np.asarray(vectors / np.maximum(length, 1e-9)[:, None])


def ribbon(path: F64, left: F64, right: F64) -> F64:
    """Outline (2V, 2) of a band that lies `left` and `right` (V,) beside a path (V, 2)."""
    along = tangents(path)
    # beside a wide band the small bends of its path are not seen; its sides would cross each other there
    step = float(np.abs(path[1:] - path[:-1]).sum()) / len(path)
    bends = round(float((left + right).mean()) / max(step, 1e-9))
    if bends > 0:
        along = _unit(uniform_filter1d(along, min(len(path), 1 + 2 * bends), axis=0, mode="nearest"))
    normal = np.stack([-along[:, 1], along[:, 0]], axis=1)
    return np.vstack([path + normal * left[:, None], (path - normal * right[:, None])[::-1]])
