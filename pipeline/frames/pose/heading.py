"""The vehicle's heading at each position: from the smoothed track, and whether given ones agree with it.

Strategy. A track is cut where it jumps. Places closer together than half a metre are one (a vehicle that
stands has no direction). Through the places within some metres of each a parabola is laid over the way
driven, near ones weighing most (local regression with tricube weights, Cleveland, JASA 1979); its slope is
the heading. So a position that comes later changes headings near the end of a track only.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from crackpipe.pipeline.errors import UsageError
from crackpipe.pipeline.frames.files.camera import HEADING_UNITS, HeadingSource
from crackpipe.pipeline.geometry.arrays import Bools, Floats

SMOOTHED_OVER_M = 15.0
"""Half of the way over which a track is smoothed."""
_APART_M = 0.5
_JUMP_M, _JUMP_STEPS = 30.0, 5.0
_AGREE_DEG, _EXPLAIN_DEG = 20.0, 5.0
_LEAST_TO_JUDGE = 5


def track_headings(steps_m: Floats) -> Floats:
    """Headings (N,) in degrees clockwise from north of a track given by its steps (N - 1, 2) (east, north).

    NaN where no direction is known: for a place alone between two jumps, or where nothing moved.
    """
    count = len(steps_m) + 1
    headings = np.full(count, np.nan)
    places = np.vstack([np.zeros((1, 2)), np.cumsum(steps_m, axis=0)])
    for part in _between_jumps(steps_m):
        headings[part] = _smooth(places[part])
    return headings


def jumps(steps_m: Floats) -> Bools:
    """Which steps (N, 2) are no way that was driven between two neighbours, bool (N,)."""
    length = np.hypot(*steps_m.T)
    moving = length[length > _APART_M]
    usual = float(np.median(moving)) if len(moving) else 0.0
    return np.asarray(~np.isfinite(length) | (length > max(_JUMP_M, _JUMP_STEPS * usual)))


def _between_jumps(steps_m: Floats) -> list[slice]:
    cuts = [0, *(np.nonzero(jumps(steps_m))[0] + 1).tolist(), len(steps_m) + 1]
    return [slice(low, high) for low, high in pairwise(cuts)]


def _smooth(places: Floats) -> Floats:
    """Headings (N,) along one track without jumps, places (N, 2) (east, north) in metres."""
    nodes = [0]
    for number in range(1, len(places)):
        if np.hypot(*(places[number] - places[nodes[-1]])) >= _APART_M:
            nodes.append(number)
    if len(nodes) < 2:
        return np.full(len(places), np.nan)
    at = places[nodes]
    way = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(at, axis=0).T))])
    reach = max(SMOOTHED_OVER_M, 2.5 * float(np.median(np.diff(way))))
    slopes = np.array([_slope(way, at, float(here), reach) for here in way])
    unit = slopes / np.hypot(*slopes.T)[:, None]
    # between nodes the direction goes over evenly; places in front of a node have its direction
    every = np.arange(len(places))
    east, north = (np.interp(every, nodes, unit[:, axis]) for axis in (0, 1))
    return np.asarray(np.degrees(np.arctan2(east, north)) % 360.0)


def _slope(way: Floats, at: Floats, here: float, reach: float) -> Floats:
    """Derivative (2,) at `here` of a parabola through the places within reach."""
    first, near, last = np.searchsorted(way, np.array([here - reach, here, here + reach])).tolist()
    # where places lie far apart, the next ones on both sides are taken whatever their distance
    low, high = min(first, max(near - 1, 0)), max(last, min(near + 2, len(way)))
    offset = way[low:high] - here
    farthest = max(reach, float(np.abs(offset).max()) * 1.001)
    weight = np.sqrt((1 - (np.abs(offset) / farthest) ** 3) ** 3)
    degree = min(2, len(offset) - 1)
    terms = np.vander(offset, degree + 1, increasing=True) * weight[:, None]
    return np.asarray(np.linalg.lstsq(terms, at[low:high] * weight[:, None], rcond=None)[0][1])


# ---- given headings


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """How given headings lie to those of the track."""

    compared: int
    """Number of places where both are known."""
    median_deg: float
    """Median of (given - track), -180 to 180; NaN where nothing can be compared."""
    spread_deg: float
    """Median distance from that median."""


def agreement(given_deg: Floats, track_deg: Floats) -> Agreement:
    """Compare given headings (N,) with those of the track (N,)."""
    off = (given_deg - track_deg + 180.0) % 360.0 - 180.0
    off = off[np.isfinite(off)]
    if len(off) < _LEAST_TO_JUDGE:
        return Agreement(compared=len(off), median_deg=np.nan, spread_deg=np.nan)
    middle = np.degrees(np.angle(np.exp(1j * np.radians(off)).mean()))
    around = (off - middle + 180.0) % 360.0 - 180.0
    median = float(middle + np.median(around))
    return Agreement(
        compared=len(off),
        median_deg=(median + 180.0) % 360.0 - 180.0,
        spread_deg=float(np.median(np.abs(off - median))),
    )


def check_given(heading: Floats, source: str, wanted: HeadingSource) -> None:
    """Raise UsageError where given headings (N,) are `wanted` and some are NaN."""
    empty = int(np.isnan(heading).sum())
    if wanted == "given" and empty:
        raise UsageError(
            f'heading is "given" in camera.toml, but {empty} of {len(heading)} positions of {source} have no '
            "heading. Fill them in, or leave heading out: a frame without one then looks the way that was "
            "driven."
        )


def about_empty(heading: Floats, source: str, wanted: HeadingSource) -> list[str]:
    """What to say of a track's headings (N,), of which none is taken where one is NaN.

    Raises UsageError where given ones are `wanted`.
    """
    check_given(heading, source, wanted)
    empty = int(np.isnan(heading).sum())
    if wanted == "track" or empty in {0, len(heading)}:
        return []
    return [
        f"{empty} of {len(heading)} positions of {source} have no heading, so none of its headings was taken "
        "and frames look the way that was driven"
    ]


def in_degrees(given: Floats, track_deg: Floats, unit: str, source: str) -> tuple[Floats, Agreement]:
    """Given headings (N,) in degrees, if they agree with the track at least roughly.

    Raises UsageError where they do not, with the unit or the turn that would explain them.
    """
    degrees = given * HEADING_UNITS[unit]
    found = agreement(degrees, track_deg)
    if not np.isfinite(found.median_deg) or _off(found) <= _AGREE_DEG:
        return degrees, found
    said = f"headings of {source} as {unit} are {_off(found):.0f} degrees off the way driven"
    for other, factor in HEADING_UNITS.items():
        if other != unit and _off(agreement(given * factor, track_deg)) <= _EXPLAIN_DEG:
            raise UsageError(f'{said}, but fit as {other}: write heading_unit = "{other}" into camera.toml.')
    if found.spread_deg <= _EXPLAIN_DEG:
        raise UsageError(
            f"{said}, all by {found.median_deg:.0f}: the camera looks elsewhere, or the order of frames is "
            f"the wrong way round. Write heading_add_deg = {-found.median_deg:.0f} into camera.toml if the "
            "positions "
            'are right, or heading = "track" to do without these headings.'
        )
    raise UsageError(
        f"{said}, and no unit explains it: they may be of another column, another day, or counted the other "
        "way "
        'round. Say which column with --columns heading=NAME, or write heading = "track" into camera.toml.'
    )


def _off(found: Agreement) -> float:
    """How far headings are off the track, both by a turn and by chance."""
    return abs(found.median_deg) + found.spread_deg
