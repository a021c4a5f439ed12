"""Pictures as survey cameras take them, with exact masks, for training.

Seed and number decide a picture, together with the textures given. Strategy: the bare road and what lies on
it are drawn on a raster of the ground and seen through the camera's homography. Cracks are drawn in the
picture itself, through the same homography, so that their mask lies exactly on them. Then come light, lens,
noise and JPEG.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import maximum_filter, uniform_filter

from crackpipe.model.render.cameras import camera, fillings, objects, openings, surface, things, ways
from crackpipe.model.render.cameras.fields import F32
from crackpipe.model.render.cameras.view import Ground, random_view

SIZE_PX = 640
CRACKED = 0.64
"""Share of pictures with cracks."""
LEAST_GREY = 4.5
"""A crack that changes the picture by fewer grey values is seen by nobody: its mask is 127."""
LEAST_CONTRAST = 1.0
"""The same in deviations of what surrounds it. The eye sums along a line, so that one is enough."""
SOUND, NOT_LABELLED, CRACK = 0, 127, 255

_ON_ASPHALT = (
    (things.lane_line, 0.4),
    (things.stripes, 0.08),
    (things.construction_joint, 0.22),
    (things.saw_cut, 0.08),
    (things.tar_band, 0.2),
    (things.joints, 0.06),
    (objects.patch, 0.3),
    (objects.stains, 0.5),
    (objects.tyre_marks, 0.2),
    (objects.cover, 0.08),
    (objects.studs, 0.06),
    (objects.edge, 0.14),
    (objects.litter, 0.3),
)
"""What lies on asphalt, from the lowest to the highest, each with its probability."""
_LIGHT = (
    (objects.line_shadow, 0.16),
    (objects.tree_shadow, 0.12),
    (objects.wall_shadow, 0.1),
)


def draw_picture(
    rng: np.random.Generator, textures: tuple[Path, ...] = (), size_px: int = SIZE_PX
) -> tuple[NDArray[np.uint8], NDArray[np.uint8], int]:
    """One picture uint8 (size, size, 3), its mask uint8 (size, size) of 0, 127, 255, and its JPEG quality."""
    ground = Ground(random_view(rng, size_px))
    view = ground.view
    middle_mm = float(view.gsd_at(np.array([size_px / 2]))[0])
    row_mm = view.stretch * middle_mm**2 / view.gsd_mm
    region = ways.Region(view.ahead_mm, view.across_mm, max(2.0, 1.2 * view.gsd_mm), middle_mm, row_mm)
    road, grey = surface.bare_road(rng, ground, textures)
    cracked = rng.random() < CRACKED and not road.bricks
    nothing, full = np.zeros(ground.shape, np.float32), np.ones(ground.shape, np.float32)
    layers = things.Layers(rng, ground, region, [grey], nothing, full, road.tone)
    _furnish(layers, concrete=road.concrete, busy=1.0 if cracked else 1.6)
    *rgb, over, light = ground.seen([*layers.rgb, layers.over, layers.light])
    green = rgb[len(rgb) // 2]
    optics = camera.random_optics(rng, road.tone)
    falloff = camera.falloff_of(rng, optics, size_px)
    mask = np.zeros((size_px, size_px), np.uint8)
    if cracked:
        drawn = openings.draw(rng, ground, ways.random_ways(rng, region))
        factor = openings.darken(rng, drawn, over, middle_mm)
        before = camera.expose(optics, green * light, falloff)
        rgb = _filled(
            fillings.random_filling(rng, drawn, over, middle_mm, road.tone), [c * factor for c in rgb]
        )
        after = camera.expose(optics, rgb[len(rgb) // 2] * light, falloff)
        mask = mask_of(drawn, over, before, after, optics.noise)
    seen = [camera.expose(optics, channel * light, falloff) for channel in rgb]
    return camera.develop(rng, optics, seen), mask, optics.quality


def _filled(filling: fillings.Filling | None, rgb: list[F32]) -> list[F32]:
    """The road's one or three layers with what lies in its cracks; three where that has a colour."""
    if filling is None:
        return rgb
    return [filling.over(channel, k) for k, channel in enumerate(rgb * (3 // len(rgb)))]


def _furnish(layers: things.Layers, *, concrete: bool, busy: float) -> None:
    """Lay things on the road at random; `busy` multiplies their odds."""
    on_concrete = {things.construction_joint: 0.08, objects.patch: 0.08, things.joints: 0.65}
    for thing, odds in _ON_ASPHALT + _LIGHT:
        likely = on_concrete.get(thing, odds) if concrete else odds
        if layers.rng.random() < likely * busy:
            thing(layers)


def mask_of(drawn: openings.Openings, over: F32, before: F32, after: F32, noise: float) -> NDArray[np.uint8]:
    """The mask (size, size): 255 crack, 127 where a crack is there but nobody can see it, 0 elsewhere.

    `before` and `after` are the picture without and with cracks, before noise of deviation `noise`. What a
    crack changes beyond what changes beside it is taken as its mean within 12 px, and compared with the
    deviation of its surroundings.
    """
    is_crack = (drawn.mask >= 0.5) & (over < 0.5)
    lines = is_crack.astype(np.float32)
    share = np.clip(uniform_filter(lines, 25), 1e-6, 1 - 1e-6)
    changed = np.abs(before - after)
    inside = uniform_filter(changed * lines, 25) / share
    beside = uniform_filter(changed * (1 - lines), 25) / (1 - share)
    change = (
        inside - beside
    )  # a mesh so fine that the lens has smeared it over its cells is not seen as lines
    rough = before - uniform_filter(before, 7)
    around = np.sqrt(uniform_filter(rough * rough, 25) + np.float32(noise**2))
    hidden = is_crack & ((change < LEAST_GREY) | (change < LEAST_CONTRAST * around))
    mask = np.where(is_crack, CRACK, SOUND).astype(np.uint8)
    unknown = maximum_filter(hidden, 3) & (~is_crack | hidden)
    mask[unknown] = NOT_LABELLED
    mask[(maximum_filter(drawn.lost, 3) > 0.3) & (over < 0.5)] = NOT_LABELLED
    return mask


def write_camera_pairs(out_dir: Path | str, count: int, seed: int, textures: tuple[Path, ...] = ()) -> Path:
    """Write `count` pictures and masks of SIZE_PX and return their folder, out_dir/rendered_cameras.

    images/cameras_SEED_NNNNN.jpg (RGB) and, under the same name, masks/*.png (0 sound, 127 not labelled,
    255 crack). A picture that is there is kept, so an interrupted call goes on where it stopped. `textures`
    are pictures of scanned road surfaces, for three in ten of the roads.
    """
    folder = Path(out_dir) / "rendered_cameras"
    for part in ("images", "masks"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    for index in range(count):
        write_camera_pair(folder, seed, index, textures)
    return folder


def write_camera_pair(folder: Path, seed: int, index: int, textures: tuple[Path, ...] = ()) -> None:
    """Write picture `index` of a seed into folder/images and its mask into folder/masks; both are there."""
    name = f"cameras_{seed}_{index:05d}"
    picture = folder / "images" / f"{name}.jpg"
    if picture.exists():
        return
    rgb, mask, quality = draw_picture(np.random.default_rng((seed, index, 19)), textures, SIZE_PX)
    Image.fromarray(mask).save(folder / "masks" / f"{name}.png", optimize=True)
    part = picture.with_suffix(".part")  # the picture appears last and whole, when its mask is already there
    Image.fromarray(rgb).save(part, format="JPEG", quality=quality)
    part.replace(picture)
