"""The bare road: stones in a binder, worn and ravelled asphalt, concrete, or a scanned texture."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from crackpipe.model.render.cameras.fields import F32, blur, cloud, resized, speckle, step
from crackpipe.model.render.cameras.view import Ground

STONE_PX = 12
"""Size of a stone in a master."""
MASTER_CELLS = 80
MASTERS = 10
TEXTURE_MM = 2.0
"""Millimetres per px assumed of a scanned texture: sets of 1,024 px show about two metres."""


@dataclass(frozen=True)
class Road:
    """What the road is made of."""

    concrete: bool
    bricks: bool
    """Bricks and what looks like them: nothing on it is a crack, so none is drawn."""
    tone: float
    """Grey value 0..255 in full light."""


def bare_road(rng: np.random.Generator, ground: Ground, textures: tuple[Path, ...]) -> tuple[Road, F32]:
    """The road's material and its grey values (rows, cols) on the ground's raster."""
    texture = textures[int(rng.integers(len(textures)))] if textures and rng.random() < 0.3 else None
    name = texture.name if texture else ""
    concrete = "concrete" in name if texture else bool(rng.random() < 0.2)
    tone = float(rng.uniform(105, 185) if concrete else rng.uniform(45, 160))
    road = Road(concrete, any(word in name for word in ("brick", "floor", "slip")), tone)
    spread = rng.uniform(0.03, 0.1) if concrete else np.exp(rng.uniform(np.log(0.07), np.log(0.3)))
    if texture is not None:
        field = _scanned(rng, ground, texture)
    elif concrete:
        field = _concrete(rng, ground)
    else:
        field = _asphalt(rng, ground)
    field = (field - field.mean()) / max(float(field.std()), 1e-6)
    field = np.clip(field, -3.2, 3.5) * np.float32(spread)
    return road, np.asarray(np.float32(tone) * np.maximum(1 + field + _macro(rng, ground), 0.12), np.float32)


def _macro(rng: np.random.Generator, ground: Ground) -> F32:
    """Clouds, wheel paths and streaks: relative change of tone."""
    row_mm, col_mm = ground.step_mm
    strong = rng.uniform(0.005, 0.035)

    def waves(along_mm: float, across_mm: float) -> F32:
        return cloud(rng, ground.shape, (along_mm / row_mm, across_mm / col_mm))

    field = waves(500, 500) + np.float32(0.6) * waves(120, 120) + np.float32(0.4) * waves(40, 40)
    streaks = waves(6000, 300) + np.float32(0.5) * waves(1800, 40)
    return np.asarray(strong * field + rng.uniform(0, 0.07) * streaks, np.float32)


@lru_cache(maxsize=MASTERS)
def _master(kind: int) -> F32:
    """Stones of about STONE_PX, without seams at the edges: unit deviation, (n, n).

    Strategy: one point a cell of a lattice; the two nearest points of each pixel are found among nine cells.
    Where both are equally near lies the gap between two stones.
    """
    rng = np.random.default_rng((9_173, kind))
    n = MASTER_CELLS * STONE_PX
    place = rng.uniform(0.05, 0.95, (2, MASTER_CELLS, MASTER_CELLS)).astype(np.float32)
    at = (np.arange(n, dtype=np.float32) + 0.5) / STONE_PX
    cell = at.astype(np.int64)
    first = np.full((n, n), 9, np.float32)
    second, winner = first.copy(), np.zeros((n, n), np.int32)
    for dr in (-1, 0, 1):
        for dc in (-1, 0, 1):
            i, j = (cell + dr) % MASTER_CELLS, (cell + dc) % MASTER_CELLS
            rows = (cell + dr - at)[:, None] + place[0][i][:, j]
            cols = (cell + dc - at)[None, :] + place[1][i][:, j]
            distance = np.sqrt(rows * rows + cols * cols)
            nearer = distance < first
            second = np.where(nearer, first, np.minimum(second, distance))
            winner = np.where(nearer, i[:, None] * MASTER_CELLS + j[None, :], winner).astype(np.int32)
            first = np.where(nearer, distance, first)
    return _stones(rng, second - first, winner)


def _stones(rng: np.random.Generator, rim: F32, winner: NDArray[np.int32]) -> F32:
    """Tones of stones: light tops, dark gaps, some lost, lit from the side."""
    count = MASTER_CELLS**2
    lost = rng.random(count) < rng.choice([0.05, 0.2, 0.45])
    tops = rng.normal(0, 1, count) * rng.uniform(0.25, 0.9)
    tops = np.where(rng.random(count) < rng.uniform(0, 0.1), tops + 2.0, tops)
    tops = np.where(lost, -rng.uniform(0.3, 1.2), tops)
    gap = rng.uniform(0.12, 0.5)
    height = step(rim - np.float32(gap), gap) * np.where(lost, 0.25, 1.0).astype(np.float32)[winner]
    field = tops.astype(np.float32)[winner] * height - np.float32(rng.uniform(0.6, 2.0)) * (1 - height)
    slope = _slope(rng, blur(height, 1.0))
    field = field + rng.uniform(0, 5) * slope + np.float32(0.35) * speckle(rng, rim.shape, 1.2)
    return np.asarray((field - field.mean()) / field.std(), np.float32)


def _slope(rng: np.random.Generator, height: F32) -> F32:
    """Slope of a height towards a light from any side: what is lit and what lies in its own shade."""
    angle = rng.uniform(0, 2 * np.pi)
    return np.asarray(
        np.cos(angle) * np.gradient(height, axis=0) + np.sin(angle) * np.gradient(height, axis=1), np.float32
    )


def _window(rng: np.random.Generator, source: F32, ground: Ground, px_per_mm: float) -> F32:
    """A part of a texture that repeats, turned and mirrored at random, at the raster's size."""
    if rng.random() < 0.5:
        source = source.T
    if rng.random() < 0.5:
        source = source[::-1]
    rows, cols = (max(8, round(n * s * px_per_mm)) for n, s in zip(ground.shape, ground.step_mm, strict=True))
    while rows > 2 * ground.shape[0] and source.shape[0] % 2 == 0:
        source, rows = np.float32(0.5) * (source[::2] + source[1::2]), rows // 2
    while cols > 2 * ground.shape[1] and source.shape[1] % 2 == 0:
        source, cols = np.float32(0.5) * (source[:, ::2] + source[:, 1::2]), cols // 2
    corner = rng.integers(source.shape)
    i = (corner[0] + np.arange(rows)) % source.shape[0]
    j = (corner[1] + np.arange(cols)) % source.shape[1]
    return resized(source[i][:, j], ground.shape)


def _asphalt(rng: np.random.Generator, ground: Ground) -> F32:
    stone_mm = float(np.exp(rng.uniform(np.log(4), np.log(14))))
    pixel_mm = float(np.sqrt(ground.step_mm[0] * ground.step_mm[1]))
    shape = ground.shape
    clumps = cloud(rng, shape, (15 / ground.step_mm[0] + 2, 15 / ground.step_mm[1] + 2))
    if stone_mm / pixel_mm >= 2.0:
        stones = _window(rng, _master(int(rng.integers(MASTERS))), ground, STONE_PX / stone_mm)
        stones /= max(float(stones.std()), 1e-6)
        fine = _window(rng, _master(int(rng.integers(MASTERS))), ground, STONE_PX / max(2.0, stone_mm / 2.5))
        fine /= max(float(fine.std()), 1e-6)
        field = stones + np.float32(rng.uniform(0.1, 0.6)) * fine
    else:
        field = speckle(rng, shape, rng.uniform(0.35, 0.7)) + np.float32(0.5) * speckle(rng, shape, 1.2)
        skew = rng.uniform(-0.35, 0.35)
        field = (np.exp(np.float32(skew) * field) - 1) / np.float32(skew if abs(skew) > 0.02 else 0.02)
    if rng.random() < 0.3 and pixel_mm < 3:
        field = _pitted(rng, ground, field)
    if rng.random() < 0.3:  # ravelled in areas: stones are lost, and dark pits stay
        worn = step(cloud(rng, shape, (400 / ground.step_mm[0], 250 / ground.step_mm[1])), 0.5)
        pits = speckle(rng, shape, max(0.6, 0.35 * stone_mm / pixel_mm))
        field = field * (1 + np.float32(0.5) * worn) - np.float32(1.6) * worn * np.clip(pits - 0.7, 0, 2)
    return np.asarray(field + np.float32(rng.uniform(0, 0.35)) * clumps, np.float32)


def _pitted(rng: np.random.Generator, ground: Ground, stones: F32) -> F32:
    """Worn smooth, with pits of all shapes where stones and mortar are lost: lit from the side, no crack."""
    row_mm, col_mm = ground.step_mm
    shape = ground.shape

    def waves(size_mm: float) -> F32:
        return cloud(rng, shape, (size_mm / row_mm, size_mm / col_mm))

    size_mm = float(np.exp(rng.uniform(np.log(2.5), np.log(12))))
    depth = waves(size_mm) + np.float32(0.6) * waves(0.4 * size_mm) + np.float32(0.3) * waves(8 * size_mm)
    pits = step(depth - np.float32(rng.uniform(0.9, 2.0)), rng.uniform(0.15, 0.5))
    slope = _slope(rng, blur(pits, 0.7))
    ground_tone = np.float32(rng.uniform(0.2, 0.7)) * stones * (1 - pits)
    return np.asarray(ground_tone - rng.uniform(1, 4) * pits + rng.uniform(0, 5) * slope, np.float32)


def _concrete(rng: np.random.Generator, ground: Ground) -> F32:
    """Fine grain and pores, brushed or tined across or along the road."""
    shape, (row_mm, col_mm) = ground.shape, ground.step_mm
    field = np.float32(0.8) * speckle(rng, shape, 0.5) + np.float32(0.6) * speckle(rng, shape, 1.5)
    field += cloud(rng, shape, (8 / row_mm, 8 / col_mm)) * np.float32(0.4)
    field -= np.float32(1.5) * np.clip(speckle(rng, shape, 0.8) - 2.3, 0, 1)
    if rng.random() < 0.6:
        field = field + _grooves(rng, ground) * np.float32(rng.uniform(0.8, 2.6))
    return np.asarray(field, np.float32)


def _grooves(rng: np.random.Generator, ground: Ground) -> F32:
    """Grooves 12 to 30 mm apart, or a brush's streaks, uneven in depth and worn in areas, -1..0."""
    shape, along = ground.shape, int(rng.random() < 0.3)
    pitch = rng.uniform(12, 30) / ground.step_mm[along]
    if pitch < 2.2 or rng.random() < 0.3:  # the camera does not tell them apart
        size = (1.2, 400.0 / ground.step_mm[1]) if along == 0 else (400.0 / ground.step_mm[0], 1.2)
        return np.asarray(0.4 * cloud(rng, shape, size), np.float32)
    at = np.arange(shape[along], dtype=np.float32)
    wave = (cloud(rng, shape, (shape[0] / 2, shape[1] / 2)) * np.float32(rng.uniform(0, 2.0))).astype(
        np.float32
    )
    phase = ((at[:, None] if along == 0 else at[None, :]) + wave) / np.float32(pitch)
    number = np.floor(phase).astype(np.int64)
    number -= number.min()
    middle, depth = rng.uniform(0.3, 0.7, number.max() + 1), rng.uniform(0.2, 1, number.max() + 1)
    away = np.abs(phase - np.floor(phase) - middle.astype(np.float32)[number]) * np.float32(pitch)
    line = np.exp(-0.5 * (away / max(0.5, 1.3 / ground.step_mm[along])) ** 2)
    worn = np.clip(0.6 + 0.5 * cloud(rng, shape, (90, 90)), 0, 1) + 0.2 * speckle(rng, shape, 2.0)
    return np.asarray(-line * depth.astype(np.float32)[number] * np.clip(worn, 0, 1.2), np.float32)


@lru_cache(maxsize=24)
def _texture(path: Path) -> F32:
    """A scanned texture as grey values of unit deviation, without its slow changes of tone."""
    grey = np.asarray(Image.open(path).convert("L"), np.float32)
    grey = grey - blur(grey, 60)
    return np.asarray(grey / max(float(grey.std()), 1e-6), np.float32)


def _scanned(rng: np.random.Generator, ground: Ground, path: Path) -> F32:
    field = _window(rng, _texture(path), ground, 1 / (TEXTURE_MM * rng.uniform(0.6, 1.6)))
    return field + np.float32(0.25) * speckle(rng, ground.shape, 0.6) * np.float32(field.std())


def usable_textures(folder: Path) -> tuple[Path, ...]:
    """Textures of a folder, `images/*.jpg|png`, without those whose mask is not all sound.

    Raises FileNotFoundError if there are none.
    """
    found = []
    for path in sorted((folder / "images").glob("*")):
        mask = folder / "masks" / f"{path.stem}.png"
        if path.suffix.lower() in {".jpg", ".jpeg", ".png"} and not (
            mask.is_file() and np.asarray(Image.open(mask)).any()
        ):
            found.append(path)
    if not found:
        raise FileNotFoundError(f"no texture {folder}/images/*.jpg|png whose mask is all sound")
    return tuple(found)
