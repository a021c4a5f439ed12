"""Until when a night works: a time of day in a zone, right across a change of clocks.

The end is fixed once, as an instant. It is compared with the machine's clock, not with a counter of seconds,
so that a machine that slept for an hour does not work an hour longer.
"""

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

from crackpipe.pipeline.errors import OutsideHoursError, UsageError

_TIME = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)")


@dataclass(frozen=True)
class Budget:
    """The end of a night."""

    end_s: float | None = None
    """Seconds since 1970 in UTC; None: no end."""
    said: str = "until all is done"
    """For a person, with the zone."""

    def left_s(self) -> float:
        """Seconds until the end, infinite without one."""
        return float("inf") if self.end_s is None else self.end_s - time.time()


def until(text: str | None, zone: ZoneInfo | None = None, now: datetime | None = None) -> Budget:
    """The budget until the next time the clock shows `text`, `HH:MM`; None: no end.

    `zone` None is the machine's. Of a time that the clock shows twice, the first that is still to come
    counts. A time that it leaves out is as long after midnight as on other days. Raises UsageError.
    """
    if text is None:
        return Budget()
    now = now or datetime.now(UTC)
    end = min(each for each in _shown("--until", text, zone, now) if each > now)
    hours = (end - now).total_seconds() / 3600
    there = end.astimezone(zone)
    name = zone.key if zone is not None else "this machine's zone"
    said = f"until {there:%H:%M %Z} ({there:%Y-%m-%d %H:%M} UTC{there:%z}, {name}), in {hours:.1f} h"
    return Budget(end.timestamp(), said)


def refuse_outside(
    begin: str | None, end: str | None, zone: ZoneInfo | None = None, now: datetime | None = None
) -> None:
    """Refuse to begin a night while the clock is not between `begin` and `end`, `HH:MM` both.

    Without a `begin` none is refused. A start that comes too late, such as another try after the end, would
    else work until the end of the next night. Of a time that the clock shows twice, the first counts. Raises
    OutsideHoursError, UsageError.
    """
    if begin is None:
        return
    if end is None:
        raise UsageError(f"--from {begin} needs --until, the time at which the night is over")
    now = now or datetime.now(UTC)
    began = max(each for each in _shown("--from", begin, zone, now) if each <= now)
    ended = max(each for each in _shown("--until", end, zone, now) if each <= now)
    if ended > began:
        raise OutsideHoursError(
            f"it is {now.astimezone(zone):%H:%M %Z}, and this night may only work from {begin} until {end}. "
            f"Nothing was done; the next night goes on. To work now, leave --from out."
        )


def _shown(option: str, text: str, zone: tzinfo | None, now: datetime) -> Iterator[datetime]:
    """The instants of the days around `now` at which the clock shows `text`; in UTC. Raises UsageError."""
    found = _TIME.fullmatch(text)
    if found is None:
        raise UsageError(f"{option} is {text!r}, but must be a time of day such as 06:00")
    hour, minute = int(found[1]), int(found[2])
    today = now.astimezone(zone)
    for days in range(-2, 3):
        day = today + timedelta(days=days)
        for fold in (0, 1):
            shown = datetime(day.year, day.month, day.day, hour, minute, fold=fold)
            there = shown.astimezone() if zone is None else shown.replace(tzinfo=zone)
            instant = there.astimezone(UTC)
            back = instant.astimezone(zone)
            is_left_out = (back.hour, back.minute) != (hour, minute)
            if not (is_left_out and fold == 1):
                yield instant


def hours_said(seconds: float) -> str:
    """A length of time for a person: minutes below two hours, hours above."""
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
