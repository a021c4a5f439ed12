"""What is told of a delivery: why a frame is left out, and on what places rest."""

from dataclasses import dataclass
from datetime import UTC, datetime


@dataclass(frozen=True, kw_only=True)
class SetAside:
    """A frame that is not in the survey, and why."""

    name: str
    reason: str
    """A short code that stays the same, such as `no-position`."""
    said: str
    remedy: str


@dataclass(frozen=True, kw_only=True)
class Assumption:
    """Something on which the places or lengths of the survey rest."""

    what: str
    value: str | float
    source: str
    """From where it is known; `assumed` where nobody said it."""
    ten_percent: str
    """What an error of 10 % in it does."""


def moment(time_s: float) -> str:
    """POSIX seconds as ISO 8601 in UTC; plain seconds where they are no time of day of this age."""
    if not 1e8 <= time_s <= 1e11:
        return f"{time_s:.3f}"
    return datetime.fromtimestamp(time_s, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
