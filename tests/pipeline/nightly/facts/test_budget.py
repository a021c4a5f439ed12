"""The end of a night, by the clock of a zone."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from crackpipe.pipeline.errors import UsageError
from crackpipe.pipeline.nightly.facts.budget import Budget, until

BERLIN = ZoneInfo("Europe/Berlin")


def hours(text: str, began: str) -> float:
    """Length of a night that begins at `began`, local time in Berlin with its offset."""
    now = datetime.fromisoformat(began)
    end_s = until(text, BERLIN, now.astimezone(UTC)).end_s
    assert end_s is not None
    return (end_s - now.timestamp()) / 3600


@pytest.mark.parametrize(
    ("text", "began", "expected"),
    [
        ("06:00", "2026-11-29T21:00+01:00", 9),
        ("6:00", "2026-11-30T05:30+01:00", 0.5),
        ("06:00", "2026-11-30T06:00+01:00", 24),  # the next time, never none at all
        ("06:00", "2026-03-28T21:00+01:00", 8),  # the night that loses an hour
        ("06:00", "2026-10-24T21:00+02:00", 10),  # the night that has one more
        ("02:30", "2026-03-28T21:00+01:00", 5.5),  # 02:30 is left out: it is 03:30 then
        ("02:30", "2026-10-24T21:00+02:00", 5.5),  # 02:30 comes twice: the first
        ("02:30", "2026-10-25T02:45+02:00", 0.75),  # the second, as it is still to come
        ("02:30", "2026-10-25T02:45+01:00", 23.75),
    ],
)
def test_the_next_time_that_the_clock_shows(text: str, began: str, expected: float) -> None:
    assert hours(text, began) == expected


def test_the_zone_is_said() -> None:
    now = datetime.fromisoformat("2026-07-01T21:00+02:00")
    said = until("06:00", BERLIN, now).said
    assert said == "until 06:00 CEST (2026-07-02 06:00 UTC+0200, Europe/Berlin), in 9.0 h"


def test_without_an_end_there_is_time_for_all() -> None:
    assert until(None) == Budget()
    assert Budget().left_s() == float("inf")


@pytest.mark.parametrize("text", ["24:00", "6", "06:60", "noon", "06:00:00"])
def test_what_is_no_time_of_day_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="time of day such as 06:00"):
        until(text)
