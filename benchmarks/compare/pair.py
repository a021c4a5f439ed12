"""One rendered road in two years: what grew is known; light, noise, texture and place are others.

The older year is drawn as it is. For the newer one each family of cracks (a crack with its branches, or
a pattern) has a fate. The camera drove another line, so that no pixel is the same. Its georeference is
moved and turned as a whole, each frame a little more by itself.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from pyproj import CRS

from crackpipe.model.render.cracks import Crack
from crackpipe.model.render.paths import branching, log_uniform, pattern
from crackpipe.model.render.picture import Camera, Light, Scene
from crackpipe.model.render.scenes import random_scene
from crackpipe.pipeline.geometry.grid import Window
from crackpipe.pipeline.geometry.ground import world_of_pixel
from crackpipe.pipeline.sample.files import write_image

Floats = NDArray[np.float64]

GSD_MM = 1.0
FRAME_PX = 2048
MARGIN_PX = 96
"""Of the newer scene around the older one."""
FATES = ("unchanged", "wider", "longer", "gone", "new")
SHARES = (0.4, 0.22, 0.14, 0.1, 0.14)
WIDER = 1.5
"""So many times as wide are the cracks of a wider family."""
SLAB_PX = 1500
TONE = 120.0
CRS_OF_ROAD = CRS.from_epsg(25832)
ORIGIN = np.array([500_000.0, 5_900_000.0])


@dataclass(frozen=True)
class Family:
    """Cracks with one fate, as each year has them."""

    fate: str
    older: tuple[Crack, ...]
    newer: tuple[Crack, ...]


@dataclass(frozen=True)
class Place:
    """Where a year's scene lies: pixel (row, col) -> world (x, y), by its true and its stated transform."""

    true: Affine
    stated: Affine
    left_px: int = 0
    """Columns of the scene beside the road on either side, which the frames do not show."""


def families(seed: int, height_px: int, width_px: int) -> list[Family]:
    """Families of cracks of a road, in pixels of the older scene."""
    rng = np.random.default_rng((seed, 1))
    found = []
    for top in range(0, height_px, SLAB_PX):
        for _ in range(3):
            fate = str(rng.choice(FATES, p=SHARES))
            found.append(_family(rng, fate, top, min(SLAB_PX, height_px - top), width_px))
    return found


def _family(rng: np.random.Generator, fate: str, top: int, height: int, width: int) -> Family:
    looks = {"contrast_grey": TONE * float(np.clip(rng.normal(0.55, 0.1), 0.35, 0.8)), "least_px": 1.2}
    start = np.array([top + rng.uniform(0.15, 0.85) * height, rng.uniform(0.15, 0.85) * width])
    thick = log_uniform(rng, 1.6, 5.0)
    if rng.random() < 0.2:
        radius = (rng.uniform(150, 350), rng.uniform(150, 300))
        cracks = pattern(
            rng, start, radius, rng.uniform(70, 130), width_px=min(thick, 3.0), rough=1.0, **looks
        )
    else:
        heading = rng.choice([0.0, np.pi / 2, rng.uniform(0, np.pi)]) + rng.normal(0, 0.2)
        length = rng.uniform(500, 1400)
        cracks = branching(rng, start, heading, length, width_px=thick, rough=rng.uniform(0.6, 1.4), **looks)
    if fate == "longer" and len(cracks[0].centreline) < 150:
        fate = "unchanged"  # a pattern's edge is too short to have been shorter
    older = {"new": (), "longer": (_shorter(rng, cracks[0]),)}.get(fate, tuple(cracks))
    newer = {
        "gone": (),
        "longer": (cracks[0],),
        "wider": tuple(replace(each, width_px=each.width_px * WIDER) for each in cracks),
    }.get(fate, tuple(cracks))
    return Family(fate, older, newer)


def _shorter(rng: np.random.Generator, crack: Crack) -> Crack:
    """The first part of a crack, run out at its end."""
    count = int(len(crack.centreline) * rng.uniform(0.45, 0.75))
    width = crack.width_px[:count] * np.minimum(1, np.arange(count)[::-1] / 20) ** 0.7
    return replace(crack, centreline=crack.centreline[:count], width_px=width)


def camera_line(points: Floats, height_px: int, width_px: int) -> Floats:
    """Pixels (N, 2) of the older scene in the newer one: the vehicle drove another line."""
    angle = np.radians(0.15)
    middle = np.array([height_px, width_px]) / 2
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return np.asarray((points - middle) @ turn.T + middle + MARGIN_PX + [11.37, -17.71])


def scenes(seed: int, height_px: int, width_px: int, *, grown: bool) -> tuple[Scene, Scene, list[Family]]:
    """The road in the older and in the newer year; without `grown` no crack changed."""
    road = families(seed, height_px, width_px)
    if not grown:
        road = [Family("unchanged", each.older, each.older) for each in road]
    base = random_scene(seed, height_px, width_px, gsd_mm=GSD_MM, look="old asphalt", with_cracks=False)
    older = replace(
        base,
        tone_grey=TONE,
        marks=(),
        cracks=tuple(crack for each in road for crack in each.older),
        camera=Camera(blur_px=0.7, read_noise_grey=1.5, photon_noise=0.02),
        light=Light(gradient=0.1, gradient_deg=40.0, fade=0.02),
    )
    newer = replace(
        older,
        height_px=height_px + 2 * MARGIN_PX,
        width_px=width_px + 2 * MARGIN_PX,
        seed=seed + 5000,
        tone_grey=0.8 * TONE,
        cracks=tuple(
            replace(
                crack,
                centreline=camera_line(crack.centreline, height_px, width_px),
                contrast_grey=0.8 * crack.contrast_grey,
            )
            for each in road
            for crack in each.newer
        ),
        camera=Camera(blur_px=0.75, read_noise_grey=2.5, photon_noise=0.04),
        light=Light(gradient=-0.15, gradient_deg=200.0, fade=0.04),
    )
    return older, newer, road


def places(
    height_px: int, width_px: int, moved_m: tuple[float, float], turned_deg: float
) -> tuple[Place, Place]:
    """Where both scenes lie. The newer one is said to lie elsewhere: moved, and turned about its middle."""
    step = GSD_MM / 1000
    older = Affine(step, 0, float(ORIGIN[0]), 0, -step, float(ORIGIN[1]))
    corners = np.array(
        [[-0.5, -0.5], [-0.5, 1e4 - 0.5], [1e4 - 0.5, -0.5]]
    )  # first pixel's corner, right, down
    there = camera_line(corners, height_px, width_px)
    world = world_of_pixel(older, corners)
    # the affine that takes (col, row) of the newer scene to the world of the same ground
    matrix = np.column_stack([there[:, 1] + 0.5, there[:, 0] + 0.5, np.ones(3)])
    (a, b, c), (d, e, f) = np.linalg.solve(matrix, world).T
    newer = Affine(a, b, c, d, e, f)
    middle = newer @ (width_px / 2, height_px / 2)
    wrong = Affine.translation(*moved_m) @ Affine.rotation(turned_deg, middle)
    return Place(older, older), Place(newer, wrong @ newer, MARGIN_PX)


def write(scene: Scene, place: Place, survey: Path, *, acquired: str, jitter_mm: float, seed: int) -> None:
    """Write a scene as frames of 2048 rows, each off by a little more.

    The margins beside the newer road are left out, so that the frames of both years have one size.
    """
    rng = np.random.default_rng((seed, 2))
    for number, top in enumerate(range(0, scene.height_px, FRAME_PX)):
        height = min(FRAME_PX, scene.height_px - top)
        jitter = rng.normal(0, jitter_mm / 1000, 2)
        transform = Affine.translation(*jitter) @ place.stated @ Affine.translation(place.left_px, top)
        write_image(
            survey / f"{number:04}.tif",
            scene,
            crs=CRS_OF_ROAD,
            transform=transform,
            window=Window(top, place.left_px, height, scene.width_px - 2 * place.left_px),
            compression="jpeg",
            quality=90,
            acquired=acquired,
        )
