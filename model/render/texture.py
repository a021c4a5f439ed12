"""What bare pavement looks like from above: stones in a binder, lit from the side.

Stones are octagons, one candidate per lattice cell, each with a tone and a height of its own, in layers
from small to large. Light from the side brightens slopes that face it: that relief, as much as tone, makes
a picture look like a rough surface. All fields are functions of (key, row, col) alone (see `noise`).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
from scipy.special import ndtri

from crackpipe.model.render.noise import F32, I64, grain, key_of, normal, smooth, uniform

Surface = Literal["plain", "asphalt", "concrete"]


@dataclass(frozen=True, kw_only=True)
class Texture:
    """How a surface looks before cracks, paint and light.

    `tone_sd`, `relief` and `fines` are weights relative to each other: their sum is scaled to `sd_grey`.
    """

    surface: Surface = "asphalt"
    """`plain` is Gaussian noise only, for measuring widths; the others have stones."""
    sd_grey: float = 14.0
    """Standard deviation of the texture before the camera's blur, grey values."""
    corr_px: float = 1.0
    """Of `plain` only: standard deviation of the Gaussian that smoothed the noise."""
    stones_mm: tuple[float, ...] = (2.5, 5.0, 9.0)
    """Size of the stones of each layer, from small to large."""
    cover: float = 0.6
    """Share of cells that hold a stone, 0..1."""
    tone_sd: float = 1.0
    """How much the stones' own tones differ."""
    relief: float = 0.6
    """Weight of the side light."""
    fines: float = 0.5
    """Weight of the binder's grain."""
    sparkle: float = 0.02
    """Share of stones that are much brighter than the others."""
    pits: float = 0.02
    """Share of stones that are much darker than the others."""
    light_deg: float = 40.0
    """Direction from which the side light comes, clockwise from +row."""
    grooves_mm: float = 0.0
    """Mean distance of the grooves of brushed or tined concrete; 0 for none."""
    specks: float = 0.0
    """Share of pixels that glitter."""


def texture_field(texture: Texture, seed: int, gsd_mm: float, rows: I64, cols: I64) -> tuple[F32, F32]:
    """Texture in grey values, and the warmth of stones, which is their tint; both float32 (h, w).

    The texture has the mean 0 and the standard deviation `sd_grey`, measured on one fixed patch of the
    surface. Warmth is about unit normal.
    """
    if texture.surface == "plain":
        field = grain(key_of(seed, 1), rows, cols, texture.corr_px)
        return field * np.float32(texture.sd_grey), np.zeros_like(field)
    mean, deviation = _statistics(texture, seed, gsd_mm)
    raw, warmth = _raw(texture, seed, gsd_mm, rows, cols)
    return (raw - np.float32(mean)) * np.float32(texture.sd_grey / deviation), warmth


@lru_cache(maxsize=16)
def _statistics(texture: Texture, seed: int, gsd_mm: float) -> tuple[float, float]:
    """Mean and deviation of the unscaled texture, from one fixed patch."""
    probe = np.arange(192, dtype=np.int64) - 50_000
    reference, _ = _raw(texture, seed, gsd_mm, probe, probe)
    return float(reference.mean(dtype=np.float64)), float(reference.std(dtype=np.float64))


def _raw(texture: Texture, seed: int, gsd_mm: float, rows: I64, cols: I64) -> tuple[F32, F32]:
    """Unscaled texture and warmth, float32 (h, w)."""
    # the slope needs one more pixel on every side
    wide_r = np.arange(rows[0] - 1, rows[-1] + 2, dtype=np.int64)
    wide_c = np.arange(cols[0] - 1, cols[-1] + 2, dtype=np.int64)
    height, tone, warmth = _stone_layers(texture, seed, gsd_mm, wide_r, wide_c)
    grit = grain(key_of(seed, 2), wide_r, wide_c, 0.4)
    sand = grain(key_of(seed, 3), wide_r, wide_c, 1.1)
    fines = np.float32(texture.fines) * (grit + np.float32(0.5) * sand)
    height = height + fines
    angle = np.deg2rad(texture.light_deg)
    down = height[2:, 1:-1] - height[:-2, 1:-1]
    right = height[1:-1, 2:] - height[1:-1, :-2]
    slope = np.clip(np.float32(np.cos(angle)) * down + np.float32(np.sin(angle)) * right, -3, 3)
    hollow = np.minimum(height[1:-1, 1:-1], 2)  # between stones less of the sky is seen
    raw = np.float32(texture.tone_sd) * tone[1:-1, 1:-1] + np.float32(0.8) * fines[1:-1, 1:-1]
    raw = raw + np.float32(texture.relief) * (slope + np.float32(0.3) * hollow)
    if texture.specks > 0:
        glitter = grain(key_of(seed, 31), rows, cols, 0.5) - np.float32(ndtri(1 - texture.specks))
        raw = raw + 6 * np.clip(glitter, 0, 1)
    if texture.grooves_mm > 0:
        raw = raw + _grooves(seed, texture.grooves_mm / gsd_mm, gsd_mm, rows, cols)
    return np.asarray(raw, np.float32), warmth[1:-1, 1:-1]


def _stone_layers(texture: Texture, seed: int, gsd_mm: float, rows: I64, cols: I64) -> tuple[F32, F32, F32]:
    """Height in about px, tone and warmth of all stones, larger ones on top, float32 (h, w)."""
    shape = (len(rows), len(cols))
    height, tone, warmth = (np.zeros(shape, np.float32) for _ in range(3))
    for layer, size_mm in enumerate(texture.stones_mm):
        cell_px = 1.25 * size_mm / gsd_mm
        if cell_px < 1.6:  # too small for the lattice; the grain of the binder stands for it
            continue
        largest = layer == len(texture.stones_mm) - 1
        stones = _stones(
            key_of(seed, 10 + layer), rows, cols, cell_px, texture.cover * (0.4 if largest else 1)
        )
        dome, bright, chroma, odd = stones
        present = dome > 0
        bright = np.where(odd < texture.sparkle, 2.5 + np.abs(bright), bright)
        bright = np.where(odd > 1 - texture.pits, -2 - np.abs(bright), bright)
        height = np.where(
            present, np.float32(0.3) * height + dome * np.float32(min(0.5 * cell_px, 2.5)), height
        )
        tone = np.where(present, bright, tone)
        warmth = np.where(present, chroma, warmth)
    return height, np.asarray(tone, np.float32), warmth


def _stones(key: int, rows: I64, cols: I64, cell_px: float, share: float) -> tuple[F32, F32, F32, F32]:
    """Height 0..1 of the stone under each pixel (0 is none), its tone and warmth (unit normal), a lot 0..1.

    All are float32 (h, w); a `share` of the cells, 0..1, holds a stone.

    Strategy: the plane is divided into square cells of `cell_px`. Each holds at most one stone, an octagonal
    dome whose place, size and turn are hashes of the cell. A pixel can lie under the stones of four cells,
    two by two. The four are computed one after the other for all pixels, and the highest wins.
    """
    near_r = np.floor(rows / cell_px - 0.5).astype(np.int64)
    near_c = np.floor(cols / cell_px - 0.5).astype(np.int64)
    cells_r = np.arange(near_r[0], near_r[-1] + 2, dtype=np.int64)
    cells_c = np.arange(near_c[0], near_c[-1] + 2, dtype=np.int64)
    draw = [uniform(key + k, cells_r, cells_c) for k in range(6)]
    tone = normal(key + 6, cells_r, cells_c)
    turn = draw[3] * np.float32(np.pi)
    long_axis = np.float32(cell_px) * (np.float32(0.36) + np.float32(0.2) * draw[2])
    wide_axis = long_axis * (np.float32(0.6) + np.float32(0.4) * draw[4])
    wide_axis = np.where(uniform(key + 7, cells_r, cells_c) < share, wide_axis, np.float32(1e-6))
    # centres in px, and the axes of the domes divided by their lengths: at 1 from the centre a dome ends
    params = {
        "row": (cells_r[:, None] + draw[0] - rows[0] / cell_px).astype(np.float32) * np.float32(cell_px),
        "col": (cells_c[None, :] + draw[1] - cols[0] / cell_px).astype(np.float32) * np.float32(cell_px),
        "ur": np.cos(turn) / long_axis,
        "uc": np.sin(turn) / long_axis,
        "vr": -np.sin(turn) / wide_axis,
        "vc": np.cos(turn) / wide_axis,
    }
    at_row = (rows - rows[0]).astype(np.float32)[:, None]
    at_col = (cols - cols[0]).astype(np.float32)[None, :]
    dome = np.zeros((len(rows), len(cols)), np.float32)
    winner = np.zeros(dome.shape, np.int32)
    for step_r, step_c in ((0, 0), (0, 1), (1, 0), (1, 1)):
        i = near_r - cells_r[0] + step_r
        j = near_c - cells_c[0] + step_c
        here = {name: np.take(np.take(value, i, axis=0), j, axis=1) for name, value in params.items()}
        d_row, d_col = at_row - here["row"], at_col - here["col"]
        u = np.abs(d_row * here["ur"] + d_col * here["uc"])
        v = np.abs(d_row * here["vr"] + d_col * here["vc"])
        octagon = np.maximum(np.maximum(u, v), (u + v) * np.float32(0.72))
        candidate = np.minimum(np.float32(2.4) * (1 - octagon), np.float32(1.0))
        higher = candidate > dome
        dome = np.where(higher, candidate, dome)
        index = (i[:, None] * len(cells_c) + j[None, :]).astype(np.int32)
        winner = np.where(higher, index, winner)
    flat_warmth = normal(key + 8, cells_r, cells_c).ravel()
    return dome, tone.ravel()[winner], flat_warmth[winner], draw[5].ravel()[winner]


def _grooves(seed: int, spacing_px: float, gsd_mm: float, rows: I64, cols: I64) -> F32:
    """Transverse grooves (h, w): dark lines of 2 to 3 mm along the columns, uneven in depth, worn in places.

    Strategy: a pixel's row over the spacing, moved by smooth noise, is its phase. The whole part numbers the
    groove, whose depth and place are hashes of the number; the rest tells the distance from its middle.
    """
    wander = smooth(key_of(seed, 4), rows, cols, 40.0 * spacing_px, 400.0) * np.float32(spacing_px)
    phase = (rows[:, None] + wander) / np.float32(spacing_px)
    which = np.floor(phase).astype(np.int64)
    first = int(which.min())
    span = np.arange(first, int(which.max()) + 1, dtype=np.int64)
    jitter = uniform(key_of(seed, 5), span, np.zeros(1, np.int64))[:, 0]
    depth = uniform(key_of(seed, 6), span, np.zeros(1, np.int64))[:, 0] ** 2
    middle = which + np.float32(0.2) + np.float32(0.6) * jitter[which - first]
    half_px = np.float32(max(0.45, 0.9 / gsd_mm))
    line = np.exp(np.float32(-0.5) * ((phase - middle) * np.float32(spacing_px) / half_px) ** 2)
    worn = np.float32(0.55) + np.float32(0.5) * smooth(key_of(seed, 7), rows, cols, 60.0, 90.0)
    broken = np.float32(0.35) * smooth(key_of(seed, 8), rows, cols, 3.0, 9.0)
    left = np.clip(worn + broken, 0, 1.2)
    streaks = np.float32(0.35) * smooth(key_of(seed, 9), rows, cols, max(1.5, 2.0 / gsd_mm), 150.0 / gsd_mm)
    dark = np.float32(2.6) * (np.float32(0.3) + depth[which - first]) * line
    return np.asarray(left * (streaks - dark), np.float32)
