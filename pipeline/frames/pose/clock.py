"""By how much the camera's clock is off that of the positions.

A camera that a wheel's sensor triggers takes a frame each so many metres. If its clock is off, frames seem to
be too close together where the vehicle brakes and too far apart where it speeds up.

Strategy. For every offset of a grid, each frame's place is read from the track; the offset is the one for
which the ways between frames vary least. Its uncertainty follows from what is left of that variation and from
how much speed changes from frame to frame. At constant speed every offset fits as well, and none is found.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from crackpipe.pipeline.geometry.arrays import Floats

SEARCHED_S = 30.0
_GRID_S = 0.05
# the first frames of a long drive hold stops and starts enough
_MOST_FRAMES = 3000
_MOST_SIGMA_S = 0.1
_APART_S = 0.5
# another offset must be this many times less likely (in units of chi squared) to be told apart
_CLEARLY_WORSE = 20.0
_LARGEST_OFF = 0.5
_LEAST_PAIRS = 6
# intervals between frames that differ less than this, as a share, are even
_EVEN = 0.02


@dataclass(frozen=True, kw_only=True)
class Offset:
    """The clock offset that fits best, and whether it can be told from others."""

    seconds: float
    """Added to a frame's time it gives the time of the positions. NaN where it cannot be determined."""
    sigma_s: float
    """Standard deviation; infinite where it cannot be determined."""
    why_not: str = ""
    """Why it cannot be determined; empty where it can."""


def estimate(frame_s: Floats, place_at: Callable[[Floats], Floats]) -> Offset:
    """The offset of frames taken at `frame_s` (N,), rising, by the camera's clock.

    `place_at` gives places (M, 2) in metres at times (M,) of the positions, NaN where there are none.
    """
    frame_s = frame_s[:_MOST_FRAMES]
    gaps = np.diff(frame_s)
    if len(gaps) and np.quantile(np.abs(gaps - np.median(gaps)), 0.9) < _EVEN * np.median(gaps):
        return _cannot("frames follow each other evenly: by time, or because the speed hardly changes")
    offsets = np.arange(-SEARCHED_S, SEARCHED_S + _GRID_S / 2, _GRID_S)
    ways = np.array([_ways(frame_s, place_at, offset) for offset in offsets])
    known = np.isfinite(ways)
    enough = known.sum(axis=1) >= max(_LEAST_PAIRS, known.sum(axis=1).max() * 0.8)
    if not enough.any():
        return Offset(seconds=np.nan, sigma_s=np.inf, why_not="too few frames lie within the track")
    costs = np.full(len(offsets), np.inf)
    costs[enough] = [_cost(each) for each in ways[enough]]
    best = int(np.argmin(costs))
    seconds = _refined(offsets, costs, best)
    left = _ways(frame_s, place_at, seconds)
    return _judged(seconds, left, _speed_changes(frame_s, place_at, seconds), costs, offsets)


def _ways(frame_s: Floats, place_at: Callable[[Floats], Floats], offset_s: float) -> Floats:
    """Straight ways (N - 1,) between frames, in metres; NaN where the track has a gap."""
    steps = np.diff(place_at(frame_s + offset_s), axis=0)
    return np.asarray(np.hypot(steps[:, 0], steps[:, 1]), np.float64)


def _relative(ways: Floats) -> Floats:
    """How far each way is off the usual one, as a share of that, no more than a half: frames may be
    missing.
    """
    ways = ways[np.isfinite(ways)]
    usual = max(float(np.median(ways)), 1e-6)
    return np.minimum(np.abs(ways / usual - 1.0), _LARGEST_OFF)


def _cost(ways: Floats) -> float:
    return float((_relative(ways) ** 2).mean())


def _refined(offsets: Floats, costs: Floats, best: int) -> float:
    """The bottom of the parabola through the best offset of the grid and its neighbours."""
    if not 0 < best < len(costs) - 1 or not np.isfinite(costs[best - 1 : best + 2]).all():
        return float(offsets[best])
    before, here, after = costs[best - 1 : best + 2]
    bend = before - 2 * here + after
    return float(offsets[best] + (0.5 * (before - after) / bend * _GRID_S if bend > 0 else 0.0))


def _speed_changes(frame_s: Floats, place_at: Callable[[Floats], Floats], seconds: float) -> Floats:
    """By how much each way grows per second of offset, (N - 1,), m/s."""
    later = _ways(frame_s, place_at, seconds + 0.25)
    return (later - _ways(frame_s, place_at, seconds - 0.25)) / 0.5


def _judged(seconds: float, left: Floats, changes: Floats, costs: Floats, offsets: Floats) -> Offset:
    """The offset with its standard deviation, or why it cannot be determined."""
    sound = np.isfinite(left) & np.isfinite(changes)
    usual = float(np.median(left[sound]))
    off = left[sound] - usual
    near = np.abs(off) < _LARGEST_OFF * usual
    spread_m = max(1.4826 * float(np.median(np.abs(off))), 1e-4)
    leverage = float((changes[sound][near] ** 2).sum())
    sigma = spread_m / np.sqrt(leverage) if leverage > 0 else np.inf
    if spread_m > 0.25 * usual:
        return _cannot(
            "the ways between frames vary at every offset: the camera is triggered by time, not by way"
        )
    if sigma > _MOST_SIGMA_S:
        return _cannot("the vehicle's speed hardly changes, so every offset fits as well")
    apart = np.abs(offsets - seconds) > _APART_S
    least = min(float(costs[~apart].min()), float(costs.min()))
    scale = len(left[sound]) / max((spread_m / usual) ** 2, least, 1e-12)
    if apart.any() and (float(costs[apart].min()) - least) * scale < _CLEARLY_WORSE:
        other = float(offsets[apart][np.argmin(costs[apart])])
        return _cannot(f"offsets of {seconds:.1f} s and {other:.1f} s fit as well")
    return Offset(seconds=seconds, sigma_s=float(sigma))


def _cannot(why: str) -> Offset:
    return Offset(seconds=np.nan, sigma_s=np.inf, why_not=why)
