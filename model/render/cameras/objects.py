"""More of what lies on a road: patches, stains, covers, edges, litter, and shadows."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from crackpipe.model.render.cameras.fields import F32, F64, blur, cloud, speckle, step
from crackpipe.model.render.cameras.things import Layers
from crackpipe.model.render.cameras.ways import log_uniform, series, wander


def patch(layers: Layers) -> None:
    """A repair: a piece of other asphalt with straight or wavy sides, perhaps with sealed edges."""
    rng, region = layers.rng, layers.region
    size = np.array([log_uniform(rng, 300, 6000), log_uniform(rng, 300, 2500)])
    at, turn = layers.place(), rng.normal(0, 0.06)
    box = np.array([[-1, -1], [-1, 1], [1, 1], [1, -1], [-1, -1]]) * size / 2
    box = box + rng.normal(0, 0.03, (5, 2)) * size
    box[-1] = box[0]
    box = at + box @ np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    sides = [layers.line(p, q) for p, q in pairwise(box)]
    rim = np.vstack(sides)
    rim = rim + rng.normal(0, min(rng.uniform(1, 12), 2 * region.coarse_mm + 2), rim.shape)
    alpha = layers.cover(rim)
    tone = layers.tone * rng.uniform(0.55, 1.35)
    grain = speckle(rng, alpha.shape, rng.uniform(0.4, 1.2)) * np.float32(tone * rng.uniform(0.03, 0.15))
    for k, channel in enumerate(layers.rgb):
        layers.rgb[k] = channel + alpha * (np.float32(tone) + grain - channel)
    if rng.random() < 0.6:
        layers.over = np.maximum(layers.over, alpha)
    if rng.random() < 0.65:
        width = rng.uniform(4, 60) if rng.random() < 0.5 else rng.uniform(3, 12)
        edges = layers.cover(*(layers.band(side, width, 0.15) for side in sides[: rng.integers(1, 5)]))
        edges = edges * (layers.worn(rng.uniform(0.1, 0.6)) if rng.random() < 0.6 else np.float32(1))
        layers.tint(1 - np.float32(rng.uniform(0.15, 0.6)) * edges)


def stains(layers: Layers) -> None:
    """Oil drips and damp or dusty areas, mostly along the lane's middle."""
    rng, (row_mm, col_mm) = layers.rng, layers.ground.step_mm
    factor = np.ones(layers.ground.shape, np.float32)
    if rng.random() < 0.6:
        drops = layers.canvas()
        line = rng.uniform(-0.4, 0.4) * layers.region.across_mm
        for _ in range(rng.integers(1, 30)):
            at = np.array([rng.uniform(0, 1) * layers.region.along_mm, line + rng.normal(0, 150)])
            radius = log_uniform(rng, 6, 90)
            drops.disc(layers.ground.px(at[None])[0], (radius / row_mm, radius / col_mm), rng.uniform(0.2, 1))
        factor -= (
            np.float32(rng.uniform(0.1, 0.5))
            * blur(drops.cover(), rng.uniform(0.5, 3))
            * np.clip(1 + 0.6 * cloud(rng, factor.shape, (30 / row_mm, 30 / col_mm)), 0, 1.5)
        )
    if rng.random() < 0.5:
        area = step(
            cloud(rng, factor.shape, (600 / row_mm, 300 / col_mm)) - rng.uniform(0.3, 1.3),
            rng.uniform(0.05, 0.6),
        )
        factor *= 1 + np.float32(rng.uniform(-0.25, 0.15)) * area
    layers.tint(factor)


def tyre_marks(layers: Layers) -> None:
    """One or two dark bands of rubber, with the ribs of a tread, fading out."""
    rng, region = layers.rng, layers.region
    at, lean = rng.uniform(-0.45, 0.45) * region.across_mm, rng.normal(0, 0.08)
    start = np.array([rng.uniform(-0.5, 0.5) * region.along_mm, at])
    path = wander(
        rng,
        start,
        lean,
        length_mm=rng.uniform(0.4, 1.6) * region.along_mm,
        step_mm=region.step_mm,
        rough=0.03,
    )
    bands = []
    for side in range(rng.integers(1, 3)):
        for rib in range(rng.integers(1, 5)):
            bands.append(layers.band(path + np.array([0, 1500 * side + 45 * rib]), rng.uniform(12, 40), 0.05))
    alpha = layers.cover(*bands) * layers.worn(rng.uniform(0.1, 0.7))
    layers.tint(1 - np.float32(rng.uniform(0.1, 0.5)) * blur(alpha, 0.6))


def cover(layers: Layers) -> None:
    """A manhole, a valve's cover or a drain: a rim, a gap, and a pattern of its own."""
    rng, (row_mm, col_mm) = layers.rng, layers.ground.step_mm
    at, radius = layers.place(), rng.uniform(80, 340)
    centre = layers.ground.px(at[None])[0]
    level = layers.tone * rng.uniform(0.4, 1.2)

    def disc(share: float) -> F32:
        canvas = layers.canvas()
        canvas.disc(centre, (share * radius / row_mm, share * radius / col_mm))
        return canvas.cover()

    def square(share: float) -> F32:
        half = share * radius * np.array([[-1, -1], [-1, 1], [1, 1], [1, -1]])
        return layers.cover(at + half)

    shape = disc if rng.random() < 0.7 else square
    outer, gap, inner = shape(1.25), shape(1.04), shape(1.0)
    layers.lay(outer * np.float32(0.8), (layers.tone * rng.uniform(0.7, 1.15),) * 3, 0.3)
    layers.lay(gap, (layers.tone * 0.25,) * 3)
    layers.lay(inner, (level, level * 0.98, level * 0.95))
    pitch = rng.uniform(25, 60)
    bars = [
        layers.band(
            layers.line((at[0] + x, at[1] - 2 * radius), (at[0] + x, at[1] + 2 * radius)), 0.35 * pitch
        )
        for x in np.arange(-radius, radius, pitch).tolist()
    ]
    layers.tint(1 - np.float32(rng.uniform(0.1, 0.5)) * inner * layers.cover(*bars))
    layers.over = np.maximum(layers.over, outer)


def studs(layers: Layers) -> None:
    """Road studs in a row, each with its shadow."""
    rng, region = layers.rng, layers.region
    at, pitch = rng.uniform(-0.45, 0.45) * region.across_mm, rng.uniform(1000, 6000)
    size, level = rng.uniform(80, 130), rng.choice([layers.tone * 0.4, 220.0])
    for along in np.arange(rng.uniform(0, pitch), region.along_mm, pitch).tolist():
        box = np.array([along, at]) + size / 2 * np.array([[-1, -1], [-1, 1], [1, 1], [1, -1]])
        shade = layers.cover(box + size * np.array([-0.2, 0.25]))
        layers.tint(1 - np.float32(0.45) * shade)
        top = layers.cover(box)
        layers.lay(top, (level,) * 3)
        layers.over = np.maximum(layers.over, top)


def edge(layers: Layers) -> None:
    """The road's side: a kerb, a shoulder of gravel or soil, or grass."""
    rng, region, shape = layers.rng, layers.region, layers.ground.shape
    side = rng.choice([-1, 1])
    at = side * rng.uniform(0.2, 0.46) * region.across_mm
    path = layers.seam(at, 0.1)
    kind = rng.choice(["kerb", "grass", "soil"])
    if kind == "kerb":
        width, level = rng.uniform(100, 250), rng.uniform(110, 190)
        stone = layers.cover(layers.band(path, width))
        layers.lay(stone, (level, level, 0.97 * level), 0.4)
        layers.over = np.maximum(layers.over, stone)
        for along in np.arange(rng.uniform(0, 1000), region.along_mm, rng.uniform(500, 1000)).tolist():
            gap = layers.band(
                layers.line((along, at - width / 2), (along, at + width / 2)), rng.uniform(4, 12)
            )
            layers.tint(1 - np.float32(0.55) * layers.cover(gap))
        layers.tint(
            1
            - np.float32(rng.uniform(0.1, 0.6))
            * layers.cover(layers.band(path - [0, side * width / 2], rng.uniform(8, 40), 0.3))
        )
        path = path + np.array([0, side * width / 2])
    ragged = path + np.stack(
        [np.zeros(len(path)), rng.uniform(2, 40) * series(rng, len(path), 60 / region.step_mm)], axis=1
    )
    beyond = layers.cover(np.vstack([ragged, [ragged[-1, 0], side * 9e4], [ragged[0, 0], side * 9e4]]))
    grain = speckle(rng, shape, max(0.7, 4 / layers.ground.step_mm[1])) + cloud(rng, shape, (12, 12))
    level = layers.tone * rng.uniform(0.6, 1.3)
    colour = (0.8, 1.0, 0.45) if kind == "grass" else (1.1, 0.95, 0.78)
    if len(layers.rgb) == 1:
        layers.rgb += [layers.rgb[0].copy(), layers.rgb[0].copy()]
    for k, channel in enumerate(layers.rgb):
        shade = np.float32(level * colour[k]) * (1 + np.float32(0.16) * grain)
        layers.rgb[k] = channel + beyond * (shade - channel)
    layers.over = np.maximum(layers.over, beyond)


def litter(layers: Layers) -> None:
    """Leaves, twigs, pebbles, scratches: short things, dark or bright."""
    rng = layers.rng
    bright: list[F64] = []
    dark: list[F64] = []
    for _ in range(rng.integers(1, 20)):
        at, turn = layers.place(), rng.uniform(0, 2 * np.pi)
        long = log_uniform(rng, 6, 100)
        path = wander(rng, at, turn, length_mm=long, step_mm=max(2.0, long / 8), rough=rng.uniform(0, 0.6))
        half = np.sin(np.linspace(0.1, np.pi - 0.1, len(path)))
        outline = layers.band(path, long * rng.choice([0.08, 0.5]) * half)
        (bright if rng.random() < 0.5 else dark).append(outline)
    level = rng.uniform(150, 240)
    layers.lay(layers.cover(*bright), (level, level * rng.uniform(0.75, 1), level * rng.uniform(0.4, 0.75)))
    layers.lay(layers.cover(*dark), (layers.tone * 0.35,) * 3)


def line_shadow(layers: Layers) -> None:
    """Shadows of poles, masts and wires: straight, soft, one to six of them."""
    rng, region = layers.rng, layers.region
    heading, soft = rng.uniform(0, np.pi), rng.uniform(0.4, 2.5)
    width, outlines = log_uniform(rng, 8, 350), []
    reach = 1.5 * (region.along_mm + region.across_mm)
    direction = np.array([np.cos(heading), np.sin(heading)])
    for _ in range(rng.integers(1, 7) if width < 60 else 1):
        at = layers.place()
        end = at + direction * (reach if rng.random() < 0.8 else rng.uniform(0, 1500))
        outlines.append(layers.band(layers.line(at - direction * reach, end), width * rng.uniform(0.8, 1.2)))
    shade = blur(layers.cover(*outlines), soft)
    layers.light *= 1 - np.float32(rng.uniform(0.15, 0.65)) * shade


def tree_shadow(layers: Layers) -> None:
    """Shadow of a tree: branches that fork and thin out, and leaves in clusters."""
    rng, region = layers.rng, layers.region
    outlines: list[F64] = []
    ends = [
        (
            layers.place(),
            rng.uniform(0, 2 * np.pi),
            rng.uniform(0.3, 0.8) * region.along_mm,
            rng.uniform(15, 90),
        )
    ]
    while ends and len(outlines) < 60:
        at, turn, length, width = ends.pop(0)
        path = wander(rng, at, turn, length_mm=length, step_mm=max(region.step_mm, length / 60), rough=0.35)
        outlines.append(layers.band(path, np.linspace(width, 0.5 * width, len(path))))
        if width > 4:
            for _ in range(rng.integers(2, 4)):
                begin = path[int(rng.integers(len(path) // 3, len(path)))]
                ends.append(
                    (
                        begin,
                        turn + rng.normal(0, 0.6),
                        length * rng.uniform(0.4, 0.8),
                        width * rng.uniform(0.4, 0.7),
                    )
                )
    shade = layers.cover(*outlines)
    if rng.random() < 0.5:
        row_mm, col_mm = layers.ground.step_mm
        size = rng.uniform(25, 90)
        fine = cloud(rng, shade.shape, (0.4 * size / row_mm, 0.4 * size / col_mm))
        leaves = cloud(rng, shade.shape, (size / row_mm, size / col_mm)) + np.float32(0.7) * fine
        leaves = step(leaves - np.float32(rng.uniform(0, 0.9)), 0.35)
        crown = step(cloud(rng, shade.shape, (900 / row_mm, 900 / col_mm)), 0.4)
        shade = np.maximum(shade, leaves * crown)
    shade = blur(shade, rng.uniform(1.0, 4.0))
    layers.light *= 1 - np.float32(rng.uniform(0.2, 0.65)) * shade


def wall_shadow(layers: Layers) -> None:
    """A large shadow with one straight edge, of a wall, a bridge or a vehicle."""
    rng = layers.rng
    at, turn = layers.place(), rng.uniform(0, 2 * np.pi)
    u, v = np.array([np.cos(turn), np.sin(turn)]), np.array([-np.sin(turn), np.cos(turn)])
    half = layers.cover(
        np.stack([at + 9e4 * u, at - 9e4 * u, at - 9e4 * u + 9e4 * v, at + 9e4 * u + 9e4 * v])
    )
    layers.light *= 1 - np.float32(rng.uniform(0.25, 0.65)) * blur(half, rng.uniform(0.5, 4))
