"""Pictures of pavement with cracks whose shape is known. A scene has the same pixels in any window.

Strategy. A scene is drawn in blocks of BLOCK_PX x BLOCK_PX pixels on a lattice fixed to the scene, each block
with a margin for the camera's blur. A window is cut out of the blocks that it touches. So a window's pixels
do not depend on how it was cut, and memory holds one block and the window, however long the strip is. Every
random value is a hash of the pixel's place (`noise`).

A block is drawn in the order of the light: reflectance of the surface (texture, stains, paint), cracks in it,
light and shadow on it, the camera's blur, photon and read noise, 8 bits. Grey values are linear in light.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import KW_ONLY, dataclass, field

import numpy as np
from scipy.ndimage import gaussian_filter1d

from crackpipe.model.render.cracks import F32, U8, Crack, Window, crack_mask, darkness
from crackpipe.model.render.marks import Mark, mark_alpha
from crackpipe.model.render.noise import grain, key_of, normal, smooth
from crackpipe.model.render.texture import Texture, texture_field

BLOCK_PX = 512
FLOOR_TEXTURE = 0.3
"""Share of the pavement's texture that a crack's floor shows."""
DARKEST_GREY = 3.0
"""No floor reflects less than this, grey values: a crack in very dark tar loses contrast."""


@dataclass(frozen=True, kw_only=True)
class Light:
    """Light on the surface, as a factor of its grey values."""

    gradient: float = 0.0
    """Change of the factor across 1,000 px."""
    gradient_deg: float = 0.0
    """Direction of that change, clockwise from +row."""
    fade: float = 0.0
    """Standard deviation of slow, irregular changes of the light."""


@dataclass(frozen=True, kw_only=True)
class Camera:
    """What the camera does to the picture."""

    blur_px: float = 0.7
    """Standard deviation of its point spread."""
    read_noise_grey: float = 1.0
    """Standard deviation of the noise at black, grey values."""
    photon_noise: float = 0.02
    """Variance per grey value: deviation^2 = read_noise_grey^2 + photon_noise x grey."""
    noise_corr_px: float = 0.0
    """Standard deviation of the Gaussian by which demosaicing and denoising smear noise; 0 for none."""
    grey: bool = False
    """One channel, repeated three times."""
    tint: tuple[float, float, float] = (1.0, 1.0, 1.0)
    """Red, green and blue over grey."""
    warmth: float = 0.02
    """How much single stones differ in colour."""


@dataclass(frozen=True)
class Scene:
    """A piece of road as the camera sees it."""

    height_px: int
    width_px: int
    _: KW_ONLY
    gsd_mm: float
    """Millimetres per px; decides the size of stones in px."""
    seed: int
    """Of all texture and noise."""
    tone_grey: float = 120.0
    """The pavement's mean grey value in full light."""
    macro: float = 0.03
    """Relative standard deviation of its tone over 20 to 400 mm."""
    lanes: float = 0.02
    """Relative depth of wheel paths and other streaks along the rows."""
    texture: Texture = field(default_factory=Texture)
    light: Light = field(default_factory=Light)
    camera: Camera = field(default_factory=Camera)
    cracks: tuple[Crack, ...] = ()
    """In px of this scene."""
    marks: tuple[Mark, ...] = ()
    """In px of this scene; later ones lie above earlier ones."""


def clean_scene(height_px: int, width_px: int, seed: int, cracks: tuple[Crack, ...] = ()) -> Scene:
    """The plain scene for measuring widths: nothing on the road, even light, GSD 1 mm.

    Its grey value is 140. In the picture, after the camera's blur of 0.7 px, its texture has the standard
    deviation 10 and is smooth as after a Gaussian of 1 px. The noise has the standard deviation 3.
    """
    before_px = (1.0 - 0.7**2) ** 0.5  # Gaussians add in squares: 0.714 px and then the blur make 1 px
    texture = Texture(surface="plain", sd_grey=10.0 / before_px, corr_px=before_px)
    camera = Camera(blur_px=0.7, read_noise_grey=3.0, photon_noise=0.0, grey=True, warmth=0.0)
    return Scene(
        height_px,
        width_px,
        gsd_mm=1.0,
        seed=seed,
        tone_grey=140.0,
        macro=0.0,
        lanes=0.0,
        texture=texture,
        camera=camera,
        cracks=cracks,
    )


def render_window(scene: Scene, row0: int, col0: int, height: int, width: int) -> tuple[U8, U8]:
    """Pixels and truth of a window that lies inside the scene.

    Returns RGB uint8 (height, width, 3) and mask uint8 (height, width), 1 = crack. Any two windows agree
    where they overlap, bit for bit. Raises ValueError for a window that reaches outside.
    """
    if row0 < 0 or col0 < 0 or row0 + height > scene.height_px or col0 + width > scene.width_px:
        raise ValueError(
            f"window rows {row0}..{row0 + height}, columns {col0}..{col0 + width} is not inside the scene of "
            f"{scene.height_px} x {scene.width_px} px; clip it first"
        )
    rgb = np.empty((height, width, 3), np.uint8)
    mask = np.empty((height, width), np.uint8)
    for block in _blocks(scene, Window(row0, col0, height, width)):
        top, bottom = max(row0, block.row0), min(row0 + height, block.row0 + block.height)
        left, right = max(col0, block.col0), min(col0 + width, block.col0 + block.width)
        here = slice(top - row0, bottom - row0), slice(left - col0, right - col0)
        there = slice(top - block.row0, bottom - block.row0), slice(left - block.col0, right - block.col0)
        block_rgb, block_mask = _render_block(scene, block)
        rgb[here], mask[here] = block_rgb[there], block_mask[there]
    return rgb, mask


def _blocks(scene: Scene, window: Window) -> Iterator[Window]:
    """The blocks of the scene's own lattice that the window touches."""
    first_row = window.row0 // BLOCK_PX * BLOCK_PX
    first_col = window.col0 // BLOCK_PX * BLOCK_PX
    for row in range(first_row, window.row0 + window.height, BLOCK_PX):
        for col in range(first_col, window.col0 + window.width, BLOCK_PX):
            yield Window(row, col, min(BLOCK_PX, scene.height_px - row), min(BLOCK_PX, scene.width_px - col))


def _render_block(scene: Scene, block: Window) -> tuple[U8, U8]:
    margin = int(4 * scene.camera.blur_px + 1)
    wide = block.padded(margin)
    near = [crack for crack in scene.cracks if wide.meets(crack.bounds)]
    coverage, dark = darkness(near, wide)
    reflectance, warmth = _reflectance(scene, wide, coverage, dark)
    rgb = _photograph(scene, block, reflectance * _light(scene, wide), warmth)
    return rgb, crack_mask(near, block, coverage[margin:-margin, margin:-margin])


def _reflectance(scene: Scene, window: Window, coverage: F32, dark: F32) -> tuple[F32, F32]:
    """Grey values in full light with marks and cracks, and the stones' warmth, float32 (h, w)."""
    texture, warmth = texture_field(scene.texture, scene.seed, scene.gsd_mm, window.rows, window.cols)
    plain = _pavement_tone(scene, window)
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
    # a crack's floor is darker than the plain pavement, whatever lies on that, and shows little of the stones
    floor = (np.minimum(plain, tone) + np.float32(FLOOR_TEXTURE) * texture) * coverage - dark
    mixed = (tone + texture) * (1 - coverage) + np.maximum(floor, np.float32(DARKEST_GREY) * coverage)
    return np.maximum(mixed, np.float32(DARKEST_GREY)), warmth * (1 - coverage)


def _pavement_tone(scene: Scene, window: Window) -> F32:
    """Tone of the pavement without texture, grey values, float32 (h, w)."""
    if scene.macro == 0 and scene.lanes == 0:
        return np.full((window.height, window.width), scene.tone_grey, np.float32)

    def waves(layer: int, along_mm: float, across_mm: float) -> F32:
        key, mm = key_of(scene.seed, layer), scene.gsd_mm
        return smooth(key, window.rows, window.cols, along_mm / mm, across_mm / mm)

    clouds = 0.7 * waves(20, 350.0, 350.0) + 0.5 * waves(21, 90.0, 90.0) + 0.35 * waves(22, 22.0, 22.0)
    streaks = waves(23, 1800.0, 160.0) + 0.4 * waves(24, 500.0, 18.0)
    relative = np.clip(1 + scene.macro * clouds + scene.lanes * streaks, 0.4, 1.8)
    return np.asarray(scene.tone_grey * relative, np.float32)


def _light(scene: Scene, window: Window) -> F32:
    """Light factor, float32 (h, w)."""
    light, rows, cols = scene.light, window.rows, window.cols
    angle = np.deg2rad(light.gradient_deg)
    down = (rows - scene.height_px / 2)[:, None] * np.cos(angle)
    right = (cols - scene.width_px / 2)[None, :] * np.sin(angle)
    # a wave and not a ramp, which would leave the range of grey values on a long strip
    factor = 1 + 0.35 * np.sin(light.gradient / 1000 * (down + right) / 0.35)
    if light.fade > 0:
        factor = factor + light.fade * smooth(key_of(scene.seed, 30), rows, cols, 500.0)
    shaded = np.zeros((window.height, window.width), np.float32)
    for mark in scene.marks:
        if mark.effect == "shadow" and (found := mark_alpha(mark, window)) is not None:
            r, c, alpha = found
            np.maximum(shaded[r, c], alpha * np.float32(1 - mark.level), out=shaded[r, c])
    return np.asarray(np.clip(factor, 0.2, 1.8) * (1 - shaded), np.float32)


def _photograph(scene: Scene, block: Window, grey: F32, warmth: F32) -> U8:
    """Blur, noise and rounding, uint8 (h, w, 3). `grey` and `warmth` have a margin around the block."""
    camera = scene.camera
    margin = (grey.shape[0] - block.height) // 2
    inner = slice(margin, -margin)
    channels: list[U8] = []
    for k, lean in enumerate((1.0, 0.25, -1.0)):
        if k and camera.grey:
            channels.append(channels[0])
            continue
        seen = grey if camera.grey else grey * (1 + np.float32(lean * camera.warmth) * warmth)
        seen = _blur(seen, camera.blur_px)[inner, inner]
        if not camera.grey:
            seen = seen * np.float32(camera.tint[k])
        variance = np.float32(camera.read_noise_grey**2) + np.float32(camera.photon_noise) * seen
        seen = seen + np.sqrt(variance) * _sensor_noise(camera, key_of(scene.seed, 40 + k), block)
        channels.append(np.clip(np.rint(seen), 0, 255).astype(np.uint8))
    return np.stack(channels, axis=-1)


def _sensor_noise(camera: Camera, key: int, block: Window) -> F32:
    if camera.noise_corr_px > 0:
        return grain(key, block.rows, block.cols, camera.noise_corr_px)
    return normal(key, block.rows, block.cols)


def _blur(picture: F32, sigma_px: float) -> F32:
    if sigma_px == 0:
        return picture
    for axis in (0, 1):
        picture = gaussian_filter1d(picture, sigma_px, axis=axis, truncate=4.0)
    return picture
