"""What is odd about the way a delivery went: gaps, jumps, doubles, standstills, wrong direction."""

from dataclasses import dataclass, field

import numpy as np

from crackpipe.pipeline.frames.pose.heading import jumps
from crackpipe.pipeline.geometry.arrays import Floats, Ints

_STOOD_M = 0.05
_FROM_FRAMES = 3
_BACK_DEG = 120.0
_MOVED_M = 0.3
_GAP_STEPS = 1.5
# frames this many places apart that lie within a quarter of a frame were taken on another pass
_PASSES_APART = 10


@dataclass(frozen=True, kw_only=True)
class TrackFaults:
    """Numbers of frames, in the order driven, at which something is odd; metres where they say more."""

    way_m: float
    """From the first frame to the last, without jumps."""
    step_m: float
    """Usual way from frame to frame."""
    overlap: float
    """Usual share of a frame's length that the next one shows too; negative: ground that none shows."""
    gaps: list[tuple[int, float]] = field(default_factory=list)
    """Frame after which ground is not shown, and how many metres of it."""
    jumps: list[tuple[int, float]] = field(default_factory=list)
    """Frame after which the position jumps, and how far."""
    standstills: list[tuple[int, int]] = field(default_factory=list)
    """First frame of some with one position, and how many they are."""
    backwards: list[int] = field(default_factory=list)
    """Frames that look against the way to the next one."""
    passes: list[tuple[int, int]] = field(default_factory=list)
    """Frames that lie on one of an earlier pass, each with the first of these."""


def faults_of(steps_m: Floats, heading_deg: Floats, frame_m: float) -> TrackFaults:
    """What is odd about frames of `frame_m` metres along the road.

    `steps_m` (N - 1, 2) (east, north) are the ways between the middles of frames, in the order driven, and
    `heading_deg` (N,) where the vehicle looks, clockwise from north.
    """
    length = np.hypot(*steps_m.T)
    jumped = jumps(steps_m)
    moving = length[~jumped & (length > _STOOD_M)]
    usual = float(np.median(moving)) if len(moving) else 0.0
    gap_from = max(frame_m, _GAP_STEPS * usual)
    azimuth = np.degrees(np.arctan2(steps_m[:, 0], steps_m[:, 1]))
    off = np.abs((azimuth - heading_deg[:-1] + 180.0) % 360.0 - 180.0)
    return TrackFaults(
        way_m=float(length[~jumped].sum()),
        step_m=usual,
        overlap=1.0 - usual / frame_m,
        gaps=[
            (int(each), float(length[each] - frame_m))
            for each in np.nonzero(~jumped & (length > gap_from))[0]
        ],
        jumps=[(int(each), float(length[each])) for each in np.nonzero(jumped)[0]],
        standstills=_standstills(length),
        backwards=np.nonzero(~jumped & (length > _MOVED_M) & (off > _BACK_DEG))[0].tolist(),
        passes=_passes(steps_m, frame_m),
    )


def _standstills(length: Floats) -> list[tuple[int, int]]:
    """Runs of frames whose position hardly moves."""
    still = np.concatenate([[0], (length < _STOOD_M).astype(int), [0]])
    begins, ends = np.nonzero(np.diff(still) == 1)[0], np.nonzero(np.diff(still) == -1)[0]
    runs = [(int(begin), int(end - begin + 1)) for begin, end in zip(begins, ends, strict=True)]
    return [(begin, count) for begin, count in runs if count >= _FROM_FRAMES]


def _passes(steps_m: Floats, frame_m: float) -> list[tuple[int, int]]:
    """Pairs (late, early) of frames of different passes at one place."""
    from scipy.spatial import KDTree

    places = np.vstack([np.zeros((1, 2)), np.cumsum(np.nan_to_num(steps_m), axis=0)])
    way = np.concatenate([[0.0], np.cumsum(np.hypot(*np.nan_to_num(steps_m).T))])
    # a vehicle that stands takes thousands of frames of one place, and each would be paired with each
    nodes = _apart(places, frame_m / 8)
    pairs: Ints = nodes[KDTree(places[nodes]).query_pairs(frame_m / 4, output_type="ndarray")]
    apart = pairs[pairs[:, 1] - pairs[:, 0] > _PASSES_APART]
    driven = way[apart[:, 1]] - way[apart[:, 0]] > 4 * frame_m
    first: dict[int, int] = {}
    for early, late in sorted(map(tuple, apart[driven].tolist())):
        first.setdefault(late, early)
    return sorted(first.items())


def _apart(places: Floats, least_m: float) -> Ints:
    """Numbers of places (N, 2) that lie at least so far from the one taken before."""
    taken = [0]
    for number, (x, y) in enumerate(places.tolist()):
        before = places[taken[-1]]
        if np.hypot(x - before[0], y - before[1]) >= least_m:
            taken.append(number)
    return np.array(taken, np.int64)
