"""How objects on a road look: paint, sealant, patches, joints, stains, tyre marks, shadows, litter.

Each function draws from the generator that it is given, and returns one object as marks in the scene's px.
`top` and `size` are the first row and the (height, width) px of the slab where the object lies somewhere;
`s` is px per mm.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from crackpipe.model.render.cracks import Crack
from crackpipe.model.render.marks import Mark
from crackpipe.model.render.paths import branching, log_uniform, wander
from crackpipe.model.render.picture import Scene

F64 = NDArray[np.float64]
Size = tuple[int, int]


def _seed(rng: np.random.Generator) -> int:
    return int(rng.integers(2**31))


def _somewhere(rng: np.random.Generator, top: int, size: Size) -> F64:
    return np.array([top + rng.uniform(0, size[0]), rng.uniform(0, size[1])])


def _box(centre: F64, along: float, half_long: float, half_wide: float) -> F64:
    """Corners of a rectangle whose long side points in direction `along` (radians clockwise from +row)."""
    u = np.array([np.cos(along), np.sin(along)]) * half_long
    v = np.array([-np.sin(along), np.cos(along)]) * half_wide
    return np.array([centre + u + v, centre + u - v, centre - u - v, centre - u + v])


def _paint(rng: np.random.Generator, outline: F64) -> Mark:
    return Mark(
        outline, "cover", rng.uniform(175, 245), edge_px=rng.uniform(1, 3), rough_px=rng.uniform(0.3, 1.6),
        rough_scale_px=rng.uniform(4, 14), wear=float(np.clip(rng.normal(0.2, 0.25), 0, 0.8)),
        texture=rng.uniform(0.1, 0.5), seed=_seed(rng), what="lane_paint",
    )  # fmt: skip


def lane_line(rng: np.random.Generator, scene: Scene) -> list[Mark]:
    """A solid or broken lane line along the rows, with a darker border now and then."""
    s = 1 / scene.gsd_mm
    half = rng.uniform(50, 100) * s
    col = rng.uniform(-0.05, 1.05) * scene.width_px
    lean = rng.normal(0, 0.02)
    dash, gap = rng.uniform(600, 4000) * s, rng.uniform(400, 6000) * s
    if rng.random() < 0.4:
        dash, gap = scene.height_px + 200.0, 0.0
    row = -rng.uniform(0, dash + gap)
    marks: list[Mark] = []
    looks = _paint(rng, np.zeros((4, 2)))
    border = rng.random() < 0.3
    while row < scene.height_px + 10:
        centre = np.array([row + dash / 2, col + lean * (row + dash / 2)])
        if border:
            around = _box(centre, lean, dash / 2 + half, half * 1.35)
            marks.append(Mark(around, "stain", 0.82, edge_px=4.0, rough_px=2.0, seed=_seed(rng)))
        outline = _box(centre, lean, dash / 2, half)
        marks.append(Mark(
            outline, "cover", looks.level, edge_px=looks.edge_px, rough_px=looks.rough_px,
            rough_scale_px=looks.rough_scale_px, wear=looks.wear, texture=looks.texture, seed=_seed(rng),
            what="lane_paint",
        ))  # fmt: skip
        row += dash + gap + 1
    return marks


def worn_lane_edge(rng: np.random.Generator, scene: Scene) -> list[Mark]:
    """A lane line, mostly worn off, with a dark line of dirt or a shallow groove along it, which is no crack.

    Networks trained without it found false cracks along such lines on the asphalt of NHA12D.
    """
    s = 1 / scene.gsd_mm
    half = rng.uniform(50, 100) * s
    col, lean = rng.uniform(0.1, 0.9) * scene.width_px, rng.normal(0, 0.04)
    rows = np.arange(-20.0, scene.height_px + 21.0, 40.0)
    middle = np.stack([rows, col + lean * rows], axis=1)
    marks = [
        Mark(middle, "cover", rng.uniform(150, 235), width_px=2 * half, edge_px=rng.uniform(1, 3),
             rough_px=rng.uniform(0.5, 2.5), rough_scale_px=rng.uniform(4, 14), wear=rng.uniform(0.3, 0.95),
             texture=rng.uniform(0.2, 0.6), seed=_seed(rng), what="lane_paint")
    ]  # fmt: skip
    for side in (-1, 1):
        if rng.random() < 0.7:
            aside = middle + np.array([0.0, side * (half + rng.uniform(-6, 12) * s)])
            aside[:, 1] += rng.normal(0, 0.8, len(aside)).cumsum()
            marks.append(
                Mark(aside, "stain", rng.uniform(0.5, 0.88), width_px=rng.uniform(3, 22) * s,
                     edge_px=rng.uniform(1.5, 5), rough_px=rng.uniform(0.6, 2.0), rough_scale_px=9.0,
                     wear=rng.uniform(0, 0.6), seed=_seed(rng))
            )  # fmt: skip
    return marks


def symbol(rng: np.random.Generator, scene: Scene, top: int, size: Size) -> list[Mark]:
    """A piece of some other marking: a stop bar, part of an arrow or a letter."""
    s = 1 / scene.gsd_mm
    half_long, half_wide = rng.uniform(150, 700) * s, rng.uniform(40, 150) * s
    outline = _box(_somewhere(rng, top, size), rng.uniform(0, np.pi), half_long, half_wide)
    return [_paint(rng, outline)]


def tyre_track(rng: np.random.Generator, scene: Scene) -> Mark:
    """A broad dark track of rubber along the rows."""
    start = np.array([-50.0, rng.uniform(0, 1) * scene.width_px])
    path = wander(rng, start, rng.normal(0, 0.05), scene.height_px + 100, 0.04)[::20]
    return Mark(
        path, "stain", rng.uniform(0.75, 0.95), width_px=rng.uniform(60, 200) / scene.gsd_mm,
        edge_px=rng.uniform(10, 40), rough_px=3.0, wear=rng.uniform(0, 0.5), seed=_seed(rng),
    )  # fmt: skip


def longitudinal_joint(rng: np.random.Generator, scene: Scene) -> Mark:
    """The straight seam between two paved lanes."""
    col = rng.uniform(0.1, 0.9) * scene.width_px
    path = np.array([[-20.0, col], [scene.height_px + 20.0, col + rng.normal(0, 0.02) * scene.height_px]])
    return Mark(
        path, "stain", rng.uniform(0.6, 0.85), width_px=rng.uniform(3, 10) / scene.gsd_mm,
        edge_px=3.0, rough_px=1.2, wear=rng.uniform(0, 0.4), seed=_seed(rng), what="joint",
    )  # fmt: skip


def slab_joint(rng: np.random.Generator, scene: Scene, top: int, size: Size) -> list[Mark]:
    """Sawn joint between concrete slabs: straight, of even width, filled with sealant; along or across."""
    s = 1 / scene.gsd_mm
    across = rng.random() < 0.75
    tilt = rng.normal(0, 0.03)
    centre = _somewhere(rng, top, size)
    direction = (np.pi / 2 if across else 0.0) + tilt
    reach = float(np.hypot(*size)) + 100
    ends = centre + np.outer([-reach, reach], [np.cos(direction), np.sin(direction)])
    width = rng.uniform(4, 18) * s
    level = rng.uniform(35, 80)
    joint = Mark(
        ends, "cover", level, width_px=width, edge_px=1.2, rough_px=rng.uniform(0.1, 0.6),
        rough_scale_px=12.0, texture=0.25, wear=max(0.0, rng.uniform(-0.6, 0.08)), seed=_seed(rng),
        what="joint",
    )  # fmt: skip
    marks = [joint]
    if rng.random() < 0.3:  # dust or a repair along it
        marks.insert(0, Mark(ends, "stain", rng.uniform(0.8, 1.2), width_px=width + rng.uniform(30, 120) * s,
                             edge_px=20.0, rough_px=4.0, seed=_seed(rng)))  # fmt: skip
    return marks


def sealed_crack(rng: np.random.Generator, scene: Scene, top: int, size: Size) -> list[Mark]:
    """Bitumen poured over cracks: wide, dark and smooth."""
    width = rng.uniform(12, 42) / scene.gsd_mm
    level = rng.uniform(0.35, 0.75) * scene.tone_grey
    texture, rough = rng.uniform(0.15, 0.6), rng.uniform(0.8, 3.5)
    direction = rng.uniform(0, np.pi)
    start = _somewhere(rng, top, size) - 0.4 * size[0] * np.array([np.cos(direction), np.sin(direction)])
    length = rng.uniform(0.5, 1.2) * float(np.hypot(*size))
    return [
        Mark(crack.centreline[::4], "cover", level, width_px=width * rng.uniform(0.8, 1.2), edge_px=1.5,
             rough_px=rough, rough_scale_px=18.0, texture=texture, wear=0.0, seed=_seed(rng),
             what="sealed_crack")
        for crack in _branches(rng, start, direction, length)
        if len(crack.centreline) > 8
    ]  # fmt: skip


def _branches(rng: np.random.Generator, start: F64, direction: float, length_px: float) -> list[Crack]:
    rough = rng.uniform(0.2, 0.7)
    return branching(rng, start, direction, length_px, width_px=1.0, contrast_grey=0.0, rough=rough)


def patch(rng: np.random.Generator, scene: Scene, top: int, size: Size) -> list[Mark]:
    """A repaired rectangle of another tone, its edge open, sealed or invisible."""
    s = 1 / scene.gsd_mm
    along = rng.normal(0, 0.06) + (np.pi / 2 if rng.random() < 0.5 else 0)
    outline = _box(_somewhere(rng, top, size), along, rng.uniform(150, 900) * s, rng.uniform(100, 500) * s)
    level = scene.tone_grey * rng.choice([rng.uniform(0.7, 0.93), rng.uniform(1.05, 1.18)], p=[0.7, 0.3])
    marks = [Mark(outline, "cover", level, edge_px=2.0, rough_px=rng.uniform(0.5, 3), opacity=0.9,
                  texture=rng.uniform(0.5, 1.1), seed=_seed(rng))]  # fmt: skip
    if rng.random() < 0.5:
        ring = np.vstack([outline, outline[:1]])
        sealed = rng.random() < 0.5
        marks.append(Mark(
            ring, "cover", rng.uniform(0.35, 0.7) * scene.tone_grey,
            width_px=(rng.uniform(20, 60) if sealed else rng.uniform(3, 10)) * s, edge_px=2.0, rough_px=1.0,
            texture=0.3, wear=0.0 if sealed else rng.uniform(0.2, 0.6), seed=_seed(rng),
            what="sealed_crack" if sealed else "joint",
        ))  # fmt: skip
    return marks


def _blob(rng: np.random.Generator, centre: F64, radius: float) -> F64:
    angles = np.linspace(0, 2 * np.pi, 13)[:-1]
    radii = radius * np.exp(rng.normal(0, 0.2, 12))
    stretch = np.exp(rng.normal(0, 0.3))
    return np.asarray(
        centre + np.stack([np.cos(angles) * radii * stretch, np.sin(angles) * radii / stretch], axis=1)
    )


def stain(rng: np.random.Generator, scene: Scene, top: int, size: Size) -> list[Mark]:
    """Oil, water, dust or chewing gum."""
    s = 1 / scene.gsd_mm
    centre = _somewhere(rng, top, size)
    kind = rng.choice(["oil", "dust", "gum"], p=[0.4, 0.35, 0.25])
    if kind == "gum":
        return [Mark(_blob(rng, _somewhere(rng, top, size), rng.uniform(5, 16) * s), "stain",
                     rng.choice([rng.uniform(0.5, 0.8), rng.uniform(1.15, 1.4)]), edge_px=2.0, rough_px=1.0,
                     seed=_seed(rng)) for _ in range(rng.integers(1, 5))]  # fmt: skip
    factor = rng.uniform(0.55, 0.9) if kind == "oil" else rng.uniform(1.08, 1.4)
    radius = log_uniform(rng, 15, 220) * s
    return [Mark(_blob(rng, centre, radius), "stain", factor, edge_px=rng.uniform(0.2, 1.0) * radius + 2,
                 rough_px=0.12 * radius, rough_scale_px=max(6.0, radius / 4), wear=rng.uniform(0, 0.7),
                 seed=_seed(rng))]  # fmt: skip


def weathering(rng: np.random.Generator, crack: Crack) -> Mark:
    """The soft rim of an old crack: dirt that has washed out of it, or stones lost along it."""
    width_px = float(np.median(crack.width_px)) + rng.uniform(3, 10)
    level = rng.choice([rng.uniform(0.8, 0.94), rng.uniform(1.04, 1.15)], p=[0.75, 0.25])
    return Mark(
        crack.centreline[::3], "stain", level, width_px=width_px, edge_px=0.6 * width_px,
        rough_px=rng.uniform(0.8, 2.0), rough_scale_px=6.0,
        wear=rng.uniform(0.2, 0.6), seed=_seed(rng),
    )  # fmt: skip


def litter(rng: np.random.Generator, scene: Scene, top: int, size: Size, busy: float) -> list[Mark]:
    """Loose stones and flecks; twigs, straws and wires, which are as thin as cracks but lie on the road."""
    s = 1 / scene.gsd_mm
    marks = [
        Mark(_blob(rng, _somewhere(rng, top, size), rng.uniform(1.5, 5) * s), "cover",
             rng.choice([rng.uniform(190, 245), rng.uniform(30, 60)], p=[0.8, 0.2]), edge_px=1.0,
             rough_px=0.4, texture=0.2, seed=_seed(rng))
        for _ in range(rng.poisson(2.5 * busy))
    ]  # fmt: skip
    for _ in range(rng.poisson(0.1 * busy)):
        path = wander(
            rng, _somewhere(rng, top, size), rng.uniform(0, 2 * np.pi), rng.uniform(30, 200) * s, 0.15
        )
        level = scene.tone_grey * rng.choice([rng.uniform(0.5, 0.7), rng.uniform(1.2, 1.6)], p=[0.3, 0.7])
        marks.append(Mark(path, "cover", level, width_px=rng.uniform(1.5, 4) * s, edge_px=1.0, texture=0.1,
                          seed=_seed(rng)))  # fmt: skip
    return marks


def shadow(rng: np.random.Generator, top: int, size: Size) -> list[Mark]:
    """Shadow of a vehicle or wall (one straight edge), a pole or wire (a band), or a tree (blobs)."""
    factor, soft = rng.uniform(0.3, 0.75), log_uniform(rng, 1, 12)
    direction = rng.uniform(0, np.pi)
    reach = 2.0 * float(np.hypot(*size))
    centre = _somewhere(rng, top, size)
    kind = rng.choice(["edge", "pole", "tree"])
    if kind == "edge":
        side = centre + rng.choice([-1, 1]) * reach / 2 * np.array([-np.sin(direction), np.cos(direction)])
        return [
            Mark(_box(side, direction, reach, reach / 2), "shadow", factor, edge_px=soft, seed=_seed(rng))
        ]
    if kind == "pole":
        ends = centre + np.outer([-reach, reach], [np.cos(direction), np.sin(direction)])
        width = log_uniform(rng, 4, 80)
        return [Mark(ends, "shadow", factor, width_px=width, edge_px=soft + 1, seed=_seed(rng))]
    return [
        Mark(_blob(rng, centre + rng.normal(0, 70, 2), rng.uniform(15, 80)), "shadow", factor,
             edge_px=soft + 3, rough_px=rng.uniform(3, 10), rough_scale_px=16.0, opacity=0.8, seed=_seed(rng))
        for _ in range(rng.integers(4, 14))
    ]  # fmt: skip
