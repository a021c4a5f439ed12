"""Random scenes: which road, which light, which cracks; and pairs of picture and mask for training.

`random_scene(seed, ...)` is a function of its arguments alone. A scene is populated slab by slab along its
rows, so that a strip of any length is as busy everywhere.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from crackpipe.model.render import furniture, objects
from crackpipe.model.render.cracks import Crack, Window
from crackpipe.model.render.labels import LABELS, class_labels
from crackpipe.model.render.marks import Mark
from crackpipe.model.render.paths import branching, log_uniform, pattern
from crackpipe.model.render.picture import Camera, Light, Scene, render_window
from crackpipe.model.render.texture import Texture

F64 = NDArray[np.float64]
Look = Literal["new asphalt", "old asphalt", "coarse asphalt", "laser", "concrete"]
LOOKS: tuple[Look, ...] = ("new asphalt", "old asphalt", "coarse asphalt", "laser", "concrete")
LOOK_SHARES = (0.12, 0.38, 0.15, 0.1, 0.25)
SLAB_PX = 1024


def random_scene(
    seed: int,
    height_px: int,
    width_px: int,
    *,
    gsd_mm: float | None = None,
    look: Look | None = None,
    with_cracks: bool | None = None,
    weathered: bool = False,
    furnished: bool = False,
) -> Scene:
    """A scene drawn from `seed`. What is not given is drawn too; three scenes of four have cracks.

    In a `weathered` scene half of the cracks get a soft rim, and one road of asphalt in four gets a worn lane
    line with dirt along it. This darkness is not part of a crack's width and contrast, so such a scene is not
    for measuring widths. A `furnished` scene has more of what looks like a crack (`furniture.mistakable`).
    """
    rng = np.random.default_rng((seed, 7))
    gsd = gsd_mm or log_uniform(rng, 0.8, 2.6)
    chosen: Look = look or LOOKS[rng.choice(len(LOOKS), p=LOOK_SHARES)]
    cracked = rng.random() < 0.75 if with_cracks is None else with_cracks
    scene = replace(_bare(rng, chosen, gsd), height_px=height_px, width_px=width_px, seed=seed)
    slabs = range(0, height_px, SLAB_PX)
    marks: list[Mark] = furniture.along_the_road(rng, scene)
    cracks: list[Crack] = []
    for top in slabs:
        size = (min(SLAB_PX, height_px - top), width_px)
        marks += furniture.in_slab(rng, scene, top, size, concrete=chosen == "concrete")
        if cracked and (len(slabs) == 1 or rng.random() < 0.6):
            found = _cracks(rng, scene, top, size, concrete=chosen == "concrete")
            cracks += found
            if weathered and rng.random() < 0.5:
                marks += [objects.weathering(rng, crack) for crack in found if len(crack.centreline) > 6]
    if weathered:
        apart = np.random.default_rng(
            (seed, 9)
        )  # a generator of its own leaves everything else as it is without weathering
        if chosen != "concrete" and apart.random() < 0.25:
            marks += objects.worn_lane_edge(apart, scene)
    if furnished:
        marks += furniture.mistakable(np.random.default_rng((seed, 11)), scene)
    return replace(scene, marks=tuple(marks), cracks=tuple(cracks))


def _bare(rng: np.random.Generator, look: Look, gsd_mm: float) -> Scene:
    """Surface, light and camera of one look, without size, seed or anything on the road."""
    draw = rng.uniform
    stones = (2.0, draw(3.5, 5.5), draw(7, 11))
    common: dict[str, Any] = {
        "light_deg": draw(0, 360),
        "relief": draw(0.1, 0.7),
        "fines": draw(0.6, 2.2),
        "pits": draw(0.0, 0.06),
        "specks": float(np.clip(rng.normal(0.002, 0.004), 0, 0.02)) + (0.01 if look == "concrete" else 0.0),
    }
    own: dict[str, Any]
    # every look draws tone and deviation first, then the cover: the order decides what a seed means
    if look == "new asphalt":
        tone, sd = draw(60, 100), draw(7, 16)
        own = {"stones_mm": stones, "cover": draw(0.6, 0.9), "tone_sd": 0.7, "sparkle": 0.015}
    elif look == "old asphalt":
        tone, sd = draw(100, 155), draw(9, 23)
        own = {"stones_mm": stones, "cover": draw(0.5, 0.9), "tone_sd": 0.8, "sparkle": 0.01}
    elif look == "coarse asphalt":
        tone, sd = draw(110, 180), draw(16, 38)
        coarse = (3.0, 6.0, draw(9, 14))
        own = {"stones_mm": coarse, "cover": draw(0.7, 1.0), "tone_sd": 0.7, "sparkle": 0.02}
    elif look == "laser":
        tone, sd = draw(75, 130), draw(15, 30)
        own = {"stones_mm": stones, "cover": draw(0.7, 1.0), "tone_sd": 1.0, "sparkle": 0.06}
    else:
        tone, sd = draw(110, 175), draw(11, 24)
        grooves_mm = float(rng.choice([0.0, draw(8, 14), draw(14, 26)], p=[0.35, 0.4, 0.25]))
        fine = (1.8, 3.0, draw(5, 9))
        own = {"stones_mm": fine, "cover": draw(0.15, 0.45), "tone_sd": 0.9, "sparkle": 0.15}
        own |= {"surface": "concrete", "grooves_mm": grooves_mm}
    texture = Texture(**{"sd_grey": sd} | common | own)
    camera = _camera(rng, look)
    light = Light(gradient=rng.normal(0, 0.12), gradient_deg=draw(0, 360), fade=abs(rng.normal(0, 0.03)))
    return Scene(
        0,
        0,
        gsd_mm=gsd_mm,
        seed=0,
        tone_grey=tone,
        macro=draw(0.01, 0.06),
        lanes=draw(0.0, 0.05),
        texture=texture,
        light=light,
        camera=camera,
    )


def _camera(rng: np.random.Generator, look: Look) -> Camera:
    warm, green = rng.normal(0, 0.015), rng.normal(0, 0.008)
    if rng.random() < 0.12:  # white balance missed
        warm = rng.normal(0, 0.05)
    return Camera(
        blur_px=float(np.clip(rng.lognormal(np.log(0.6), 0.22), 0.42, 1.3)),
        read_noise_grey=rng.uniform(0.5, 3.0),
        photon_noise=rng.uniform(0.0, 0.06),
        noise_corr_px=float(rng.choice([0.0, 0.6])),
        grey=look == "laser" or rng.random() < 0.12,
        tint=(1 + warm, 1 + green, 1 - warm),
        warmth=abs(rng.normal(0.0, 0.02)),
    )


def _cracks(
    rng: np.random.Generator, scene: Scene, top: int, size: tuple[int, int], *, concrete: bool
) -> list[Crack]:
    """One to three families of cracks in a slab of (height, width) px whose first row is `top`."""
    cracks: list[Crack] = []
    long_px = float(np.hypot(*size))
    for _ in range(rng.choice([1, 2, 3], p=[0.6, 0.27, 0.13])):
        width_px = log_uniform(rng, 0.5, 6.0) if rng.random() < 0.85 else log_uniform(rng, 0.3, 12.0)
        contrast = scene.tone_grey * float(np.clip(rng.normal(0.55, 0.15), 0.2, 0.85))
        # nobody finds a crack among the stones that takes less light away, so its label would mislead
        least_px = max(0.3, 1.2 * scene.texture.sd_grey / contrast)
        width_px = max(width_px, 1.6 * least_px)
        looks = {"contrast_grey": contrast, "least_px": least_px}
        rough = rng.uniform(0.4, 1.1) if concrete else rng.uniform(0.6, 1.7)
        kind = rng.choice(["transverse", "longitudinal", "diagonal", "pattern"], p=[0.33, 0.33, 0.16, 0.18])
        if kind == "pattern":
            centre = np.array([top + rng.uniform(0, size[0]), rng.uniform(0, size[1])])
            radius = (rng.uniform(0.2, 0.5) * size[0], rng.uniform(0.15, 0.4) * min(size))
            cell = rng.uniform(35, 110)
            cracks += pattern(rng, centre, radius, cell, width_px=min(width_px, 3.5), rough=rough, **looks)
            continue
        heading = {"transverse": np.pi / 2, "longitudinal": 0.0, "diagonal": rng.uniform(-1.2, 1.2)}[
            str(kind)
        ]
        heading += rng.normal(0, 0.15)
        length = long_px * rng.uniform(0.25, 1.2)
        middle = np.array([top + rng.uniform(0.1, 0.9) * size[0], rng.uniform(0.1, 0.9) * size[1]])
        start = middle - 0.5 * length * np.array([np.cos(heading), np.sin(heading)])
        cracks += branching(rng, start, heading, length, width_px=width_px, rough=rough, **looks)
    return cracks


def write_pairs(
    out_dir: Path | str, count: int, seed: int, size_px: int = 512, *, with_classes: bool = False
) -> None:
    """Write `count` random pictures and masks of size_px x size_px.

    They are out_dir/images/rendered_SEED_NNNNN.jpg (RGB, quality 70 to 96) and, under the same name,
    out_dir/masks/*.png (0 sound, 255 crack). Three of four have cracks. A picture that is there is kept, so
    an interrupted call goes on where it stopped. With `with_classes`, scenes are furnished, masks hold
    class indices, and classes.txt their names.
    """
    images, masks = Path(out_dir) / "images", Path(out_dir) / "masks"
    images.mkdir(parents=True, exist_ok=True)
    masks.mkdir(parents=True, exist_ok=True)
    if with_classes:
        (Path(out_dir) / "classes.txt").write_text("\n".join(LABELS) + "\n", encoding="utf-8")
    for index in range(count):
        name = f"rendered_{seed}_{index:05d}"
        if (images / f"{name}.jpg").exists():
            continue
        one = seed * 1_000_003 + index
        scene = random_scene(one, size_px, size_px, weathered=True, furnished=with_classes)
        rgb, mask = render_window(scene, 0, 0, size_px, size_px)
        if with_classes:
            label = class_labels(scene, Window(0, 0, size_px, size_px), mask)
        else:
            label = mask * np.uint8(255)
        Image.fromarray(label).save(masks / f"{name}.png", optimize=True)
        quality = int(np.random.default_rng((one, 8)).integers(70, 97))
        part = images / f"{name}.part"  # the picture appears last and whole, when its mask is already there
        Image.fromarray(rgb).save(part, format="JPEG", quality=quality)
        part.replace(images / f"{name}.jpg")
