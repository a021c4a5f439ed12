"""Read `survey.toml` in the survey's folder: facts about the images that no image holds.

acquired = 2025-05-01
travel_deg = 37.5           # the vehicle's direction, clockwise from true north

[travel]                    # for some of the images; the first pattern that fits counts
"lane1/*" = 37.5
"ramp/*" = 110
"""

import math
import tomllib
from dataclasses import dataclass
from datetime import date, datetime
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from crackpipe.pipeline.errors import ConfigurationError
from crackpipe.pipeline.storage import reading


@dataclass(frozen=True)
class SurveyFacts:
    """What `survey.toml` says."""

    acquired: date | None = None
    travel_deg: float | None = None
    """Direction of travel of all images, clockwise from true north."""
    travel: tuple[tuple[str, float], ...] = ()
    """(pattern, direction of travel), in the order of the file."""

    def travel_deg_of(self, path: str) -> float | None:
        """The direction of travel of an image by its path relative to the survey."""
        fitting = (degrees for pattern, degrees in self.travel if fnmatchcase(path, pattern))
        return next(fitting, self.travel_deg)


def read_facts(root: Path) -> SurveyFacts:
    """Read `survey.toml` in `root`. Without that file, nothing is known. Raises ConfigurationError."""
    file = root / "survey.toml"
    try:
        # with or without a byte order mark, which editors on Windows write
        with reading.opened(file) as opened:
            values = tomllib.loads(opened.read().decode("utf-8-sig"))
    except FileNotFoundError:
        return SurveyFacts()
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigurationError(f"{file} cannot be read as TOML: {error}. Correct the file.") from error
    travel = values.get("travel", {})
    if not isinstance(travel, dict):
        raise ConfigurationError(
            f'{file}: travel is {travel!r}, but must be a table such as [travel] with "lane1/*" = 37.5'
        )
    for_all = values.get("travel_deg")
    return SurveyFacts(
        _date(values.get("acquired"), file),
        None if for_all is None else _degrees(for_all, "travel_deg", file),
        tuple(
            (pattern, _degrees(value, f"travel of {pattern!r}", file)) for pattern, value in travel.items()
        ),
    )


def _date(value: Any, file: Path) -> date | None:
    if isinstance(value, datetime):
        return value.date()
    if value is not None and not isinstance(value, date):
        raise ConfigurationError(f"{file}: acquired is {value!r}, but must be a date such as 2025-05-01")
    return value


def _degrees(value: Any, name: str, file: Path) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ConfigurationError(
            f"{file}: {name} is {value!r}, but must be a number of degrees, clockwise from true north, "
            "such as 37.5"
        )
    return float(value)
