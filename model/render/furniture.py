"""Which objects stand on a road, and how many: `objects` says how each of them looks."""

from __future__ import annotations

import numpy as np

from crackpipe.model.render import objects
from crackpipe.model.render.marks import Mark
from crackpipe.model.render.objects import Size
from crackpipe.model.render.picture import Scene


def along_the_road(rng: np.random.Generator, scene: Scene) -> list[Mark]:
    """Marks that run the whole length of the scene: lane lines, construction joints, tyre tracks."""
    marks: list[Mark] = []
    if rng.random() < 0.3:
        marks += objects.lane_line(rng, scene)
    for _ in range(rng.poisson(0.25)):
        marks.append(objects.tyre_track(rng, scene))
    if rng.random() < 0.08:
        marks.append(objects.longitudinal_joint(rng, scene))
    return marks


def in_slab(rng: np.random.Generator, scene: Scene, top: int, size: Size, *, concrete: bool) -> list[Mark]:
    """Marks of one slab of (height, width) px whose first row is `top`, lowest first."""
    marks: list[Mark] = []
    busy = float(np.clip(size[0] * size[1] / 512**2, 0.3, 2.5))
    if not concrete:
        marks += [m for _ in range(rng.poisson(0.1 * busy)) for m in objects.patch(rng, scene, top, size)]
    for _ in range(rng.poisson(0.5 * busy)):
        marks += objects.stain(rng, scene, top, size)
    if concrete and rng.random() < 0.6:
        marks += objects.slab_joint(rng, scene, top, size)
    for _ in range(rng.poisson(0.09 * busy)):
        marks += objects.sealed_crack(rng, scene, top, size)
    if rng.random() < 0.12:
        marks += objects.symbol(rng, scene, top, size)
    marks += objects.litter(rng, scene, top, size, busy)
    if rng.random() < 0.16:
        marks += objects.shadow(rng, top, size)
    return marks


def mistakable(rng: np.random.Generator, scene: Scene) -> list[Mark]:
    """What a network takes for cracks, more of it than roads have: sealed cracks, joints, lane paint.

    For pairs that teach these classes; lowest first.
    """
    size = scene.height_px, scene.width_px
    busy = float(np.clip(size[0] * size[1] / 512**2, 0.3, 4.0)) ** 0.5
    marks: list[Mark] = []
    if rng.random() < 0.35:
        marks += objects.lane_line(rng, scene)
    for _ in range(rng.poisson(0.15 * busy)):
        marks += objects.symbol(rng, scene, 0, size)
    for _ in range(rng.poisson(0.6 * busy)):
        marks += objects.slab_joint(rng, scene, 0, size)
    if rng.random() < 0.25:
        marks.append(objects.longitudinal_joint(rng, scene))
    for _ in range(rng.poisson(0.8 * busy)):
        marks += objects.sealed_crack(rng, scene, 0, size)
    return marks
