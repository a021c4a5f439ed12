"""The end of a night, by the clock of a zone."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from crackpipe.pipeline.errors import OutsideHoursError, UsageError
from crackpipe.pipeline.nightly.facts.budget import Budget, refuse_outside, until

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


def works(begin: str, end: str, at: str) -> bool:
    """Whether a night may begin at `at`, local time in Berlin with its offset."""
    try:
        refuse_outside(begin, end, BERLIN, datetime.fromisoformat(at).astimezone(UTC))
    except OutsideHoursError:
        return False
    return True


@pytest.mark.parametrize(
    ("begin", "end", "at", "expected"),
    [
        ("21:00", "06:00", "2026-11-29T21:00+01:00", True),
        ("21:00", "06:00", "2026-11-29T20:59+01:00", False),
        ("21:00", "06:00", "2026-11-30T00:00+01:00", True),
        ("21:00", "06:00", "2026-11-30T05:59+01:00", True),
        ("21:00", "06:00", "2026-11-30T06:00+01:00", False),  # a try after the night
        ("21:00", "06:00", "2026-11-30T08:00+01:00", False),  # power is back
        ("01:00", "6:00", "2026-11-30T05:00+01:00", True),
        ("01:00", "6:00", "2026-11-30T23:00+01:00", False),
        ("21:00", "06:00", "2026-03-29T05:30+02:00", True),  # the night that loses an hour
        ("21:00", "06:00", "2026-03-29T06:10+02:00", False),
        ("21:00", "06:00", "2026-10-25T05:30+01:00", True),  # the night that has one more
        ("02:30", "06:00", "2026-03-29T03:30+02:00", True),  # 02:30 is left out: it is 03:30 then
        ("02:30", "06:00", "2026-10-25T02:30+02:00", True),  # 02:30 comes twice: from the first
        ("02:30", "06:00", "2026-10-25T02:10+01:00", True),
        ("21:00", "02:30", "2026-10-25T02:45+02:00", False),  # until the first
        ("21:00", "02:30", "2026-10-25T02:15+01:00", False),
    ],
)
def test_a_night_begins_within_its_hours_alone(begin: str, end: str, at: str, expected: bool) -> None:
    assert works(begin, end, at) is expected


def test_a_start_at_another_hour_is_refused_with_its_remedy() -> None:
    now = datetime.fromisoformat("2026-07-01T08:00+02:00")
    with pytest.raises(OutsideHoursError, match=r"08:00 CEST.*from 21:00 until 06:00.*leave --from out"):
        refuse_outside("21:00", "06:00", BERLIN, now)
    refuse_outside(None, "06:00", BERLIN, now)
    with pytest.raises(UsageError, match="--from 21:00 needs --until"):
        refuse_outside("21:00", None, BERLIN, now)
    with pytest.raises(UsageError, match="--from is 'nine'"):
        refuse_outside("nine", "06:00", BERLIN, now)
