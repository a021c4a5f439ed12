"""What is told of a delivery: why a frame is left out, and on what places rest."""

from dataclasses import dataclass


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
