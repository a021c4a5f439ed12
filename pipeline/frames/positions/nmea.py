"""Read the sentences of a GNSS receiver (NMEA 0183): RMC with date and time, GGA and ZDA beside it."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from crackpipe.pipeline.errors import UsageError
from crackpipe.pipeline.frames.positions.table import Fault, Positions, unknown

_DAY = timedelta(days=1)


def read_nmea(file: Path) -> Positions:
    """Every position with a date, once for each time.

    Of the sentences of one time the first with a position counts. A sentence whose checksum is wrong is a
    fault of its line. Raises UsageError.
    """
    faults: list[Fault] = []
    rows: dict[float, tuple[int, float, float]] = {}
    for line, sentence, moment in _dated(file, faults):
        lon, lat = float(sentence.longitude), float(sentence.latitude)
        # the library gives 0 for an empty coordinate
        if sentence.lat and sentence.lon and (lon, lat) != (0.0, 0.0):
            rows.setdefault(moment.timestamp(), (line, lon, lat))
    if not rows:
        said = f" The first fault: line {faults[0].line}: {faults[0].said}." if faults else ""
        raise UsageError(
            f"{file.name} holds no position with a date: RMC sentences have one, GGA alone has not.{said} "
            "Let the receiver write RMC, or give a CSV or GPX."
        )
    values = np.array([(lon, lat) for _, lon, lat in rows.values()])
    return Positions(
        source=file.name,
        lines=[line for line, _, _ in rows.values()],
        xy=values,
        crs="EPSG:4326",
        crs_from="NMEA is WGS 84",
        heading=unknown(len(rows)),
        time_s=np.array(list(rows)),
        faults=faults,
    )


def _dated(file: Path, faults: list[Fault]) -> Iterator[tuple[int, Any, datetime]]:
    """Sentences with a valid position and their time; a GGA takes the date of the RMC or ZDA before it."""
    import pynmea2

    day: date | None = None
    last: time | None = None
    with file.open(encoding="ascii", errors="replace") as lines:
        for line, text in enumerate(lines, start=1):
            words = text.strip()
            if not words.startswith("$"):
                continue
            kind = words[3:6]
            if kind not in {"RMC", "GGA", "ZDA"}:
                continue
            try:
                sentence = pynmea2.parse(words, check=True)
                at = sentence.timestamp
                if kind == "ZDA":
                    day, last = date(int(sentence.year), int(sentence.month), int(sentence.day)), at
                    continue
                if kind == "RMC":
                    day = sentence.datestamp or day
                elif day is not None and at is not None and last is not None and at < last:
                    day += _DAY  # midnight has passed since the last date
            except (pynmea2.ParseError, ValueError, TypeError, AttributeError) as error:
                faults.append(Fault(line=line, said=f"no sound NMEA sentence ({type(error).__name__})"))
                continue
            last = at
            is_valid = (
                sentence.status == "A" if kind == "RMC" else str(sentence.gps_qual) not in {"0", "None"}
            )
            if is_valid and day is not None and at is not None:
                yield line, sentence, datetime.combine(day, at.replace(tzinfo=None), UTC)
