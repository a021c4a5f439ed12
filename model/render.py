"""Pictures of pavement with cracks whose shape is known, any window of any size, always the same pixels.

Strategy. A scene is drawn in blocks of BLOCK_PX x BLOCK_PX pixels on a lattice fixed to the scene, each block
with a margin for the camera's blur. A window is cut out of the blocks it touches. So a window's pixels cannot
depend on how it was cut, and memory is that of one block and the window, however long the strip. Every random
value is a hash of the pixel's place (`render_noise`).

The order is that of the light: reflectance of the surface (texture, stains, paint), cracks in it, light and
shadow on it, the camera's blur, photon and read noise, 8 bits. Grey values are linear in light.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from crackpipe.model.render_cracks import Crack, F32, U8, Window, crack_mask, darkness
from crackpipe.model.render_marks import Mark, mark_alpha
from crackpipe.model.render_noise import I64, grain, key_of, normal, smooth
from crackpipe.model.render_texture import Texture, texture_field

BLOCK_PX = 512
FLOOR_TEXTURE = 0.3
"""Share of the pavement's texture that a crack's floor shows."""
DARKEST_GREY = 3.0
"""No floor reflects less than this, grey values: a crack in very dark tar loses contrast."""


@dataclass(frozen=True)
class Light:
    """Light on the surface, as factors.

    gradient: change of the factor across 1,000 px; gradient_deg: its direction, clockwise from +row.
    fade: deviation of the slow unevenness of the light.
    """

    gradient: float = 0.0
    gradient_deg: float = 0.0
    fade: float = 0.0


@dataclass(frozen=True)
class Camera:
    """What the camera does to the picture.

    blur_px: sigma of its point spread. read_noise_grey: deviation at black. photon_noise: variance per grey value,
    so that deviation^2 = read_noise_grey^2 + photon_noise x grey. noise_corr_px: sigma the noise is smeared with
    by demosaicing and denoising, 0 for none. grey: one channel, repeated three times.
    tint: red, green and blue over grey; warmth: how strongly single stones differ in colour.
    """

    blur_px: float = 0.7
    read_noise_grey: float = 1.0
    photon_noise: float = 0.02
    noise_corr_px: float = 0.0
    grey: bool = False
    tint: tuple[float, float, float] = (1.0, 1.0, 1.0)
    warmth: float = 0.02


@dataclass(frozen=True)
class Scene:
    """A piece of road as the camera sees it.

    height_px, width_px: size. gsd_mm: mm per px, sets the size of stones. seed: of all texture and noise.
    tone_grey: the pavement's mean grey value in full light. macro: relative deviation of its tone over 60-400 px.
    lanes: relative depth of wheel paths and other streaks along the rows. cracks and marks in px of this scene.
    """

    height_px: int
    width_px: int
    gsd_mm: float
    seed: int
    tone_grey: float = 120.0
    macro: float = 0.05
    lanes: float = 0.02
    texture: Texture = field(default_factory=Texture)
    light: Light = field(default_factory=Light)
    camera: Camera = field(default_factory=Camera)
    cracks: tuple[Crack, ...] = ()
    marks: tuple[Mark, ...] = ()


def clean_scene(height_px: int, width_px: int, seed: int, cracks: tuple[Crack, ...] = ()) -> Scene:
    """The plain scene for measuring widths: grey 140, texture of 10 grey values correlated over 1 px (after the
    camera's blur of 0.7 px), noise of 3 grey values, no marks, even light, GSD 1 mm."""  # noqa: D205, D209
    before = (1.0 - 0.7**2) ** 0.5  # Gaussians add in squares: 0.714 px and the blur of 0.7 px give 1 px
    texture = Texture(surface="plain", sd_grey=10.0 / before, corr_px=before)
    camera = Camera(blur_px=0.7, read_noise_grey=3.0, photon_noise=0.0, grey=True, warmth=0.0)
    return Scene(height_px, width_px, 1.0, seed, 140.0, 0.0, 0.0, texture, Light(), camera, cracks)


def render_window(scene: Scene, row0: int, col0: int, height: int, width: int) -> tuple[U8, U8]:
    """Pixels and truth of a window that lies inside the scene.

    Returns RGB uint8 (height, width, 3) and mask uint8 (height, width), 1 = crack. Any two windows agree where
    they overlap, bit for bit.
    """
    if row0 < 0 or col0 < 0 or row0 + height > scene.height_px or col0 + width > scene.width_px:
        raise ValueError(
            f"window rows {row0}..{row0 + height}, columns {col0}..{col0 + width} is not inside the scene of "
            f"{scene.height_px} x {scene.width_px} px; clip it first"
        )
    rgb = np.empty((height, width, 3), np.uint8)
    mask = np.empty((height, width), np.uint8)
    for block in _blocks(scene, row0, col0, height, width):
        top, bottom = max(row0, block.row0), min(row0 + height, block.row0 + block.height)
        left, right = max(col0, block.col0), min(col0 + width, block.col0 + block.width)
        here = slice(top - row0, bottom - row0), slice(left - col0, right - col0)
        there = slice(top - block.row0, bottom - block.row0), slice(left - block.col0, right - block.col0)
        block_rgb, block_mask = _render_block(scene, block)
        rgb[here], mask[here] = block_rgb[there], block_mask[there]
    return rgb, mask


def _blocks(scene: Scene, row0: int, col0: int, height: int, width: int) -> Iterator[Window]:
    """The blocks of the scene's own lattice that the window touches."""
    for row in range(row0 // BLOCK_PX * BLOCK_PX, row0 + height, BLOCK_PX):
        for col in range(col0 // BLOCK_PX * BLOCK_PX, col0 + width, BLOCK_PX):
            yield Window(row, col, min(BLOCK_PX, scene.height_px - row), min(BLOCK_PX, scene.width_px - col))


def _render_block(scene: Scene, block: Window) -> tuple[U8, U8]:
    camera = scene.camera
    margin = int(4 * camera.blur_px + 1)
    wide = Window(
        block.row0 - margin, block.col0 - margin, block.height + 2 * margin, block.width + 2 * margin
    )
    rows = np.arange(wide.row0, wide.row0 + wide.height, dtype=np.int64)
    cols = np.arange(wide.col0, wide.col0 + wide.width, dtype=np.int64)
    near = tuple(c for c in scene.cracks if _reaches(c, wide))
    coverage, dark = darkness(near, wide) if near else (np.zeros((wide.height, wide.width), np.float32),) * 2
    reflectance, warmth = _reflectance(scene, wide, rows, cols, coverage, dark)
    grey = reflectance * _light(scene, wide, rows, cols)
    inner = slice(margin, -margin), slice(margin, -margin)
    rgb = _photograph(camera, scene.seed, grey, warmth, rows, cols, margin)
    mask = (
        crack_mask(near, block, coverage[inner]) if near else np.zeros((block.height, block.width), np.uint8)
    )
    return rgb, mask


def _reaches(crack: Crack, window: Window) -> bool:
    reach = float(crack.width_px.max()) / 2 + 1
    low, high = crack.centreline.min(axis=0) - reach, crack.centreline.max(axis=0) + reach
    return bool(
        high[0] >= window.row0
        and low[0] <= window.row0 + window.height
        and high[1] >= window.col0
        and low[1] <= window.col0 + window.width
    )


def _reflectance(
    scene: Scene, window: Window, rows: I64, cols: I64, coverage: F32, dark: F32
) -> tuple[F32, F32]:
    """Grey values in full light with marks and cracks, and the stones' warmth, float32 (h, w)."""
    texture, warmth = texture_field(scene.texture, scene.seed, scene.gsd_mm, rows, cols)
    plain = _pavement_tone(scene, rows, cols)
    tone = plain.copy()
    for mark in scene.marks:
        if mark.effect == "shadow" or (found := mark_alpha(mark, window)) is None:
            continue
        r, c, alpha = found
        if mark.effect == "cover":
            tone[r, c] += alpha * (np.float32(mark.level) - tone[r, c])
            texture[r, c] *= 1 - alpha * np.float32(1 - mark.texture)
            warmth[r, c] *= 1 - alpha
        else:
            tone[r, c] *= 1 + alpha * np.float32(mark.level - 1)
    # the floor is `contrast` below the plain pavement, whatever lies on top of it, and shows little of the stones
    floor_share = (np.minimum(plain, tone) + np.float32(FLOOR_TEXTURE) * texture) * coverage - dark
    mixed = (tone + texture) * (1 - coverage) + np.maximum(floor_share, DARKEST_GREY * coverage)
    return np.maximum(mixed, np.float32(DARKEST_GREY)), warmth * (1 - coverage)


def _pavement_tone(scene: Scene, rows: I64, cols: I64) -> F32:
    """Tone of the pavement without texture, grey values, float32 (h, w)."""
    if scene.macro == 0 and scene.lanes == 0:
        return np.full((len(rows), len(cols)), scene.tone_grey, np.float32)
    seed, mm = scene.seed, scene.gsd_mm
    wide = smooth(key_of(seed, 20), rows, cols, 350.0 / mm)
    middle = smooth(key_of(seed, 21), rows, cols, 90.0 / mm)
    small = smooth(key_of(seed, 22), rows, cols, 22.0 / mm)
    streak = smooth(key_of(seed, 23), rows, cols, 1800.0 / mm, 160.0 / mm)
    thin = smooth(key_of(seed, 24), rows, cols, 500.0 / mm, 18.0 / mm)
    relative = scene.macro * (0.7 * wide + 0.5 * middle + 0.35 * small)
    relative = relative + scene.lanes * (streak + 0.4 * thin)
    return np.asarray(scene.tone_grey * np.clip(1 + relative, 0.4, 1.8), np.float32)


def _light(scene: Scene, window: Window, rows: I64, cols: I64) -> F32:
    """Light factor, float32 (h, w)."""
    light = scene.light
    angle = np.deg2rad(light.gradient_deg)
    slope_r, slope_c = light.gradient * np.cos(angle) / 1000, light.gradient * np.sin(angle) / 1000
    # a wave rather than a ramp, so that a long strip never runs out of range
    across = (rows - scene.height_px / 2)[:, None] * slope_r + (cols - scene.width_px / 2)[None, :] * slope_c
    factor = 1 + 0.35 * np.sin(across / 0.35)
    if light.fade > 0:
        factor = factor + light.fade * smooth(key_of(scene.seed, 30), rows, cols, 500.0)
    factor = np.clip(factor, 0.2, 1.8).astype(np.float32)
    for mark in scene.marks:
        if mark.effect == "shadow" and (found := mark_alpha(mark, window)) is not None:
            r, c, alpha = found
            factor[r, c] *= 1 + alpha * np.float32(mark.level - 1)
    return factor


def _photograph(camera: Camera, seed: int, grey: F32, warmth: F32, rows: I64, cols: I64, margin: int) -> U8:
    """Blur, noise and rounding; the margin is cut off. uint8 (h, w, 3)."""
    inner = slice(margin, -margin)
    rows, cols = rows[inner], cols[inner]
    warm = warmth * np.float32(camera.warmth)
    channels: list[NDArray[np.uint8]] = []
    for k, lean in enumerate((1.0, 0.25, -1.0)):
        if k and camera.grey:
            channels.append(channels[0])
            continue
        seen = grey if camera.grey else grey * (1 + np.float32(lean) * warm)
        seen = _blur(seen, camera.blur_px)[inner, inner]
        if not camera.grey:
            seen = seen * np.float32(camera.tint[k])
        deviation = np.sqrt(np.float32(camera.read_noise_grey**2) + np.float32(camera.photon_noise) * seen)
        seen = seen + deviation * _sensor_noise(camera, key_of(seed, 40 + k), rows, cols)
        channels.append(np.clip(np.rint(seen), 0, 255).astype(np.uint8))
    return np.stack(channels, axis=-1)


def _sensor_noise(camera: Camera, key: int, rows: I64, cols: I64) -> F32:
    if camera.noise_corr_px > 0:
        return grain(key, rows, cols, camera.noise_corr_px)
    return normal(key, rows, cols)


def _blur(field: F32, sigma_px: float) -> F32:
    if sigma_px == 0:
        return field
    for axis in (0, 1):
        field = gaussian_filter1d(field, sigma_px, axis=axis, truncate=4.0)
    return field
