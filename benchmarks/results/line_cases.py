"""Cracks whose lines are known: shapes for accuracy, and constellations with their nodes and edges.

All coordinates are (row, col) px in an image of SIDE_PX; every number is drawn from the generator given, so
that angles, widths and sub-pixel places are random.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from crackpipe.model.render.cracks import Crack, Window, crack_mask, darkness

Floats = NDArray[np.float64]
SIDE_PX = 300
MIDDLE = np.array([SIDE_PX / 2, SIDE_PX / 2])
# A mask shows no crack thinner than this (MASK_HALF_WIDTH_PX of the renderer), and so no network does.
THINNEST_PX = 1.2
BLUR_PX = 1.0
NOISE = 0.12
# The least clear space between two cracks that are to stay two: below it the blurred probabilities touch.
CLEAR_PX = 5.0
INPUTS = ("mask", "network")


@dataclass(frozen=True)
class Case:
    """Cracks and what they should become."""

    cracks: list[Crack]
    degrees: tuple[tuple[int, ...], ...]
    """Every acceptable list of node degrees, sorted; a ring without nodes counts as one node of degree 2."""
    networks: int = 1
    bridged_px: float = 0.0


def crack(points: Floats, width_px: float | Floats) -> Crack:
    """A crack along points (V, 2)."""
    return Crack(np.asarray(points, np.float64), np.broadcast_to(np.float64(width_px), len(points)), 1.0)


def seen(
    cracks: list[Crack], kind: str, rng: np.random.Generator
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Mask and probability, uint8 (SIDE_PX, SIDE_PX): the truth itself, or what a network makes of it.

    A network's probability is the cracks' coverage, blurred by BLUR_PX, its peak of a thin line raised to
    0.95, with noise of NOISE (correlated over 1 px) wherever there is something to be unsure about.
    """
    window = Window(0, 0, SIDE_PX, SIDE_PX)
    if kind == "mask":
        coverage, _ = darkness(cracks, window)
        mask = crack_mask(cracks, window, coverage)
        return mask, np.asarray(254 * mask, np.uint8)
    level = np.zeros((SIDE_PX, SIDE_PX))
    for one in cracks:
        width = np.maximum(one.width_px, THINNEST_PX)
        coverage, _ = darkness([Crack(one.centreline, width, 1.0)], window)
        peak = math.erf(float(width.min()) / (2 * math.sqrt(2) * BLUR_PX))
        level = np.maximum(level, 0.95 * gaussian_filter(coverage.astype(np.float64), BLUR_PX) / peak)
    noise = gaussian_filter(rng.normal(size=level.shape), 1.0)
    level += NOISE * noise / noise.std() * np.clip(4 * level, 0, 1)
    probability = np.rint(254 * np.clip(level, 0, 1)).astype(np.uint8)
    return (probability >= 127).astype(np.uint8), probability


def _unit(angle: float) -> Floats:
    return np.array([math.sin(angle), math.cos(angle)])


def _somewhere(rng: np.random.Generator, near_px: float = 8.0) -> Floats:
    return MIDDLE + rng.uniform(-near_px, near_px, 2)


def width_of(rng: np.random.Generator, low: float = 1.0, high: float = 10.0) -> float:
    """Log-uniform."""
    return float(np.exp(rng.uniform(math.log(low), math.log(high))))


# shapes for accuracy: all leave the image at both ends, so that their length inside it is known exactly


def _across(rng: np.random.Generator, aside: Callable[[Floats], Floats]) -> Floats:
    """A path through the image at a random angle, displaced sideways by `aside` of the way along it."""
    along = _unit(rng.uniform(0, 2 * math.pi))
    way = np.arange(-260.0, 260.0, 0.5)
    normal = np.array([-along[1], along[0]])
    return np.asarray(_somewhere(rng, 40.0) + way[:, None] * along + aside(way)[:, None] * normal)


def straight(rng: np.random.Generator, _width_px: float) -> Floats:
    return _across(rng, np.zeros_like)[::1039]


def smooth(rng: np.random.Generator, _width_px: float) -> Floats:
    """A curve with radii down to some 40 px."""
    period, phase = rng.uniform(120, 300), rng.uniform(0, 2 * math.pi)
    bend = period**2 / (4 * math.pi**2) / rng.uniform(40, 120)
    return _across(rng, lambda way: bend * np.sin(2 * math.pi * way / period + phase))


def meander(rng: np.random.Generator, width_px: float) -> Floats:
    """0.7 px to and fro within 12 to 24 px, or two to four widths: edges of a crack show nothing shorter."""
    period, phase = rng.uniform(1, 2) * max(12, 2 * width_px), rng.uniform(0, 2 * math.pi)
    return _across(rng, lambda way: 0.7 * np.sin(2 * math.pi * way / period + phase))


def rough(rng: np.random.Generator, _width_px: float) -> Floats:
    """A random walk of the heading, as around stones: bends of a few px everywhere."""
    noise = gaussian_filter(rng.normal(size=1040), 16.0, mode="nearest")
    aside = np.cumsum(0.35 * noise / noise.std()) * 0.5
    return _across(rng, lambda _: aside)


SHAPES = {"straight": straight, "smooth": smooth, "meander": meander, "rough": rough}


# constellations


def _wavy(rng: np.random.Generator, start: Floats, stop: Floats) -> Floats:
    """From start to stop, bowed and wavy by a few hundredths of its length, straight near both ends."""
    gap = stop - start
    share = np.linspace(0, 1, max(int(np.hypot(*gap)), 2))
    bow = rng.uniform(-0.05, 0.05) * np.sin(math.pi * share) ** 2
    wave = rng.uniform(-0.01, 0.01) * np.sin(3 * math.pi * share) ** 2
    return np.asarray(start + share[:, None] * gap + ((bow + wave)[:, None] * np.array([-gap[1], gap[0]])))


def _arms(
    rng: np.random.Generator, centre: Floats, angles: list[float], reach: tuple[float, float] = (60, 120)
) -> list[Floats]:
    return [_wavy(rng, centre, centre + rng.uniform(*reach) * _unit(angle)) for angle in angles]


def y_junction(rng: np.random.Generator) -> Case:
    """Three arms of any widths, no two nearer than 50 degrees."""
    turn = rng.uniform(0, 2 * math.pi)
    first, second = rng.uniform(math.radians(50), math.radians(130), 2)
    widths = [width_of(rng) for _ in range(3)]
    arms = _arms(rng, _somewhere(rng), [turn, turn + first, turn - second])
    return Case([crack(*each) for each in zip(arms, widths, strict=True)], ((1, 1, 1, 3),))


def t_junction(rng: np.random.Generator) -> Case:
    turn, centre = rng.uniform(0, 2 * math.pi), _somewhere(rng)
    aside = turn + rng.choice([-1, 1]) * math.radians(rng.uniform(60, 120))
    back, on, branch = _arms(rng, centre, [turn + math.pi, turn, aside])
    trunk = np.concatenate([back[::-1], on[1:]])
    return Case([crack(trunk, width_of(rng)), crack(branch, width_of(rng))], ((1, 1, 1, 3),))


def crossing(rng: np.random.Generator, reach: tuple[float, float] = (60, 120)) -> Case:
    """Two lines at 30 to 90 degrees."""
    turn, centre = rng.uniform(0, 2 * math.pi), _somewhere(rng)
    angle = math.radians(rng.uniform(30, 90))
    cracks = []
    for each in (turn, turn + angle):
        back, on = _arms(rng, centre, [each + math.pi, each], reach)
        cracks.append(crack(np.concatenate([back[::-1], on[1:]]), width_of(rng)))
    return Case(cracks, ((1, 1, 1, 1, 4),))


def two_crossings(rng: np.random.Generator) -> Case:
    """A line crossed twice, the crossings as near as they can be told apart."""
    turn, centre, widths = (
        rng.uniform(0, 2 * math.pi),
        _somewhere(rng),
        [width_of(rng, 1, 6) for _ in range(3)],
    )
    angle = math.radians(rng.uniform(50, 130))
    apart = 2.5 * max(widths) / math.sin(angle) + rng.uniform(10, 40)
    along = _unit(turn)
    cracks = [crack(_wavy(rng, centre - 110 * along, centre + 110 * along), widths[0])]
    for side, width in zip((-1, 1), widths[1:], strict=True):
        across, foot = _unit(turn + angle), centre + side * apart / 2 * along
        reach = rng.uniform(50, 90, 2)
        cracks.append(crack(np.stack([foot - reach[0] * across, foot + reach[1] * across]), width))
    return Case(cracks, ((1, 1, 1, 1, 1, 1, 4, 4),))


def _circle(centre: Floats, radius: float, start: float, turn: float = 2 * math.pi) -> Floats:
    way = start + np.linspace(0, turn, max(int(turn * radius), 16))
    return np.asarray(centre + radius * np.column_stack([np.sin(way), np.cos(way)]))


def ring(rng: np.random.Generator) -> Case:
    width = width_of(rng)
    radius = width + rng.uniform(10, 60)
    return Case([crack(_circle(_somewhere(rng), radius, rng.uniform(0, 6)), width)], ((2,),))


def lollipop(rng: np.random.Generator) -> Case:
    widths, centre, angle = [width_of(rng) for _ in range(2)], _somewhere(rng), rng.uniform(0, 2 * math.pi)
    radius = widths[0] + rng.uniform(12, 50)
    stick = _wavy(rng, centre + radius * _unit(angle), centre + (radius + rng.uniform(40, 70)) * _unit(angle))
    return Case([crack(_circle(centre, radius, angle), widths[0]), crack(stick, widths[1])], ((1, 3),))


def ring_on_line(rng: np.random.Generator) -> Case:
    """A line through a ring, not far from its middle."""
    widths, centre, turn = (
        [width_of(rng, 1, 6) for _ in range(2)],
        _somewhere(rng),
        rng.uniform(0, 2 * math.pi),
    )
    radius = 2 * max(widths) + rng.uniform(16, 40)
    aside = rng.uniform(-0.5, 0.5) * radius * _unit(turn + math.pi / 2)
    line = np.stack([centre + aside - 120 * _unit(turn), centre + aside + 120 * _unit(turn)])
    return Case([crack(_circle(centre, radius, turn), widths[0]), crack(line, widths[1])], ((1, 1, 4, 4),))


def ring_touching(rng: np.random.Generator) -> Case:
    """A ring that only touches a line: one place where four lines meet, or a short stretch in common."""
    widths, centre, turn = (
        [width_of(rng, 1, 6) for _ in range(2)],
        _somewhere(rng),
        rng.uniform(0, 2 * math.pi),
    )
    radius = 2 * max(widths) + rng.uniform(16, 40)
    foot = centre + (radius + 0.25 * sum(widths)) * _unit(turn + math.pi / 2)
    line = np.stack([foot - 110 * _unit(turn), foot + 110 * _unit(turn)])
    both = [crack(_circle(centre, radius, turn), widths[0]), crack(line, widths[1])]
    return Case(both, ((1, 1, 4), (1, 1, 3, 3)))


def side_by_side(rng: np.random.Generator) -> Case:
    """Two lines with little more than CLEAR_PX between their edges."""
    widths, turn, centre = [width_of(rng) for _ in range(2)], rng.uniform(0, 2 * math.pi), _somewhere(rng)
    away = (sum(max(w, THINNEST_PX) for w in widths) / 2 + CLEAR_PX + rng.uniform(0, 4)) * _unit(
        turn + math.pi / 2
    )
    path = _wavy(rng, centre - 100 * _unit(turn), centre + 100 * _unit(turn))
    return Case([crack(path, widths[0]), crack(path + away, widths[1])], ((1, 1, 1, 1),), networks=2)


def island(rng: np.random.Generator) -> Case:
    """Two lines between the same two nodes."""
    widths, turn, centre = (
        [width_of(rng, 1, 6) for _ in range(2)],
        rng.uniform(0, 2 * math.pi),
        _somewhere(rng),
    )
    along, aside = _unit(turn), _unit(turn + math.pi / 2)
    half = rng.uniform(35, 55)
    share = np.linspace(-1, 1, 120)[:, None]
    high = (max(widths) + rng.uniform(10, 22)) * np.cos(math.pi / 2 * share) * aside
    tails = [_wavy(rng, centre + side * half * along, centre + side * 120 * along) for side in (-1, 1)]
    first = np.concatenate([tails[0][::-1], centre + share * half * along + high, tails[1]])
    second = centre + share * half * along - high
    return Case([crack(first, widths[0]), crack(second, widths[1])], ((1, 1, 3, 3),))


def leaving(rng: np.random.Generator) -> Case:
    """A crossing or a junction whose arms all leave the image."""
    case = crossing(rng, (230, 260)) if rng.random() < 0.5 else y_junction(rng)
    if case.degrees[0] == (1, 1, 1, 3):
        start = case.cracks[0].centreline[0]
        longer = [
            start + 230 / np.hypot(*(c.centreline[-1] - start)) * (c.centreline - start) for c in case.cracks
        ]
        case = Case(
            [crack(path, c.width_px[0]) for path, c in zip(longer, case.cracks, strict=True)], case.degrees
        )
    return case


def end_near(rng: np.random.Generator) -> Case:
    """A crack that ends before another, as near as can be told apart, at 45 to 90 degrees."""
    widths, turn, foot = [width_of(rng) for _ in range(2)], rng.uniform(0, 2 * math.pi), _somewhere(rng)
    line = _wavy(rng, foot - 100 * _unit(turn), foot + 100 * _unit(turn))
    angle = turn + math.radians(rng.uniform(45, 135))
    near = (sum(max(w, THINNEST_PX) for w in widths) / 2 + CLEAR_PX + rng.uniform(0, 8)) / abs(
        math.sin(angle - turn)
    )
    end = line[len(line) // 2] + near * _unit(angle)
    other = _wavy(rng, end, end + rng.uniform(50, 90) * _unit(angle))
    return Case([crack(line, widths[0]), crack(other, widths[1])], ((1, 1, 1, 1),), networks=2)


def gap(rng: np.random.Generator) -> Case:
    """One line with a gap."""
    width, turn, centre = width_of(rng), rng.uniform(0, 2 * math.pi), _somewhere(rng)
    wide = rng.uniform(5, 25)
    path = _wavy(rng, centre - 110 * _unit(turn), centre + 110 * _unit(turn))
    way = (path - centre) @ _unit(turn)
    half = (wide + max(width, THINNEST_PX)) / 2
    parts = [path[way < -half], path[way > half]]
    return Case([crack(part, width) for part in parts], ((1, 1),), bridged_px=wide)


def two_gaps(rng: np.random.Generator) -> Case:
    """Two lines side by side, gaps in both: each must find its own continuation."""
    width, turn, centre = width_of(rng, 1, 6), rng.uniform(0, 2 * math.pi), _somewhere(rng)
    along, aside = _unit(turn), _unit(turn + math.pi / 2)
    away = max(width, THINNEST_PX) + CLEAR_PX + rng.uniform(0, 10)
    parts = []
    for side in (-0.5, 0.5):
        place, wide = rng.uniform(-20, 20), rng.uniform(5, 20)
        half = (wide + max(width, THINNEST_PX)) / 2
        base = centre + side * away * aside + place * along
        parts += [
            np.stack([base - 100 * along, base - half * along]),
            np.stack([base + half * along, base + 100 * along]),
        ]
    return Case([crack(part, width) for part in parts], ((1, 1, 1, 1),), networks=2)


def turned_away(rng: np.random.Generator) -> Case:
    """Two ends near each other that do not point at each other: they stay two."""
    widths, turn, centre = [width_of(rng) for _ in range(2)], rng.uniform(0, 2 * math.pi), _somewhere(rng)
    other = turn + rng.choice([-1, 1]) * math.radians(rng.uniform(60, 120))
    near = sum(max(w, THINNEST_PX) for w in widths) / 2 + CLEAR_PX + rng.uniform(0, 8)
    start = centre + near * _unit(turn)
    first = np.stack([centre - 90 * _unit(turn), centre])
    second = np.stack([start, start + 90 * _unit(other)])
    return Case([crack(first, widths[0]), crack(second, widths[1])], ((1, 1, 1, 1),), networks=2)


CASES = {
    "Y": y_junction, "T": t_junction, "X": crossing, "two X near": two_crossings, "ring": ring,
    "lollipop": lollipop, "line through ring": ring_on_line, "ring touching": ring_touching,
    "side by side": side_by_side, "two ways (island)": island, "leaving the image": leaving,
    "end near a line": end_near, "gap": gap, "two gaps": two_gaps, "turned away": turned_away,
}  # fmt: skip
