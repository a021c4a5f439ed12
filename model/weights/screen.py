"""What a weights file knows for `--screen`: a limit for each share of the cracks that is to be kept.

A limit is the suspicion (`predict.suspicion`) in the coarse look from which a core gets a close one. It is
chosen on pictures of several cameras, so that the worst of them keeps that share of the length of lines.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from crackpipe.model.weights.metadata import WeightsError, is_number

REMEDY = "measure them with `python benchmarks/speed/screen.py`, or leave --screen out"


@dataclass(frozen=True)
class Screen:
    """The limits, each for a recall."""

    limits: tuple[tuple[float, float], ...]
    """(recall, suspicion): recalls over 0 and below 1, ascending, and limits that fall."""
    cameras: tuple[str, ...]
    """On whose pictures they were chosen."""

    def at_least(self, recall: float) -> tuple[float, float] | None:
        """The lowest recall of the limits that is not below `recall`, with its limit; None: all are below."""
        return next((each for each in self.limits if each[0] >= recall), None)

    def as_entry(self) -> dict[str, Any]:
        """The entry of the metadata, plain JSON."""
        return {"limits": [list(each) for each in self.limits], "cameras": list(self.cameras)}


def from_entry(path: Path, entry: Mapping[str, Any]) -> Screen:
    """The limits in the metadata of the file `path`. Raises WeightsError if they make no sense."""
    limits, cameras = entry.get("limits"), entry.get("cameras")
    if _are_limits(limits) and isinstance(cameras, list) and all(isinstance(each, str) for each in cameras):
        pairs = tuple((float(recall), float(limit)) for recall, limit in limits or [])
        return Screen(pairs, tuple(cameras))
    raise WeightsError(f"{path}: the limits of the screen in its metadata make no sense; {REMEDY}")


def _are_limits(value: Any) -> bool:
    """Whether these are pairs of numbers: recalls over 0 and below 1 that rise, and limits that do not."""
    if not isinstance(value, list) or not value:
        return False
    if not all(isinstance(pair, list) and len(pair) == 2 and all(map(is_number, pair)) for pair in value):
        return False
    rise = all(one[0] < other[0] and one[1] >= other[1] for one, other in pairwise(value))
    return rise and value[0][0] > 0 and value[-1][0] < 1
