"""How vendors name columns, and how they write numbers, times and `no position`."""

import math
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from crackpipe.pipeline.errors import UsageError

_NAMES = {
    "filename": "filename file file_name image image_name imagename img frame frame_name picture photo name "
    "path image_file imagefile sourcefile label bild bilddatei datei dateiname archivo imagem",
    "latitude": "latitude lat gpslatitude gps_latitude gps_lat lat_deg latitud breite breitengrad",
    "longitude": "longitude lon long lng gpslongitude gps_longitude gps_lon lon_deg longitud laenge "
    "laengengrad",
    "x": "x easting east e x_m utm_x utm_e coord_x rechtswert",
    "y": "y northing north n y_m utm_y utm_n coord_y hochwert",
    "heading": "heading yaw azimuth course bearing track direction cog hdg heading_deg yaw_deg azimuth_deg"
    " gpsimgdirection trackangle kurs richtung rumbo heading_rad yaw_rad heading_gon azimuth_gon",
    "time": "time timestamp datetime date_time utc gpstime gps_time time_s utc_time datetimeoriginal zeit"
    " time_utc epoch fecha_hora",
}
_KNOWN = {word: column for column, words in _NAMES.items() for word in words.split()}
COLUMNS = tuple(_NAMES)
_PIECES = re.compile(r"[^a-z0-9]+")
_UNIT = re.compile(r"[\[(].*?[\])]")
_MOST_S = 1e11
"""A larger time is of the year 5138 or later."""
_LEAP = re.compile(r"(\d\d:\d\d):60")
_NUMBER = re.compile(r"[+-]?(?:\d+(?:[.,]\d*)?|[.,]\d+)(?:[eE][+-]?\d+)?", re.ASCII)


def plain(name: str) -> str:
    """A column's name in lower case, without its unit in brackets, with `_` between its parts."""
    return _PIECES.sub("_", _UNIT.sub("", name.strip().lower().replace("ä", "ae"))).strip("_")


def columns_of(header: Sequence[str], said: Mapping[str, str], where: str) -> dict[str, int]:
    """Which column of a table holds what: by what the user said, else by name.

    `said` is such as {"latitude": "GPS_B"}. Raises UsageError where a column that was said is not there, or
    where two columns could be the same.
    """
    found: dict[str, int] = {}
    for meant, name in said.items():
        if meant not in COLUMNS:
            raise UsageError(f"--columns: {meant!r} is none of {', '.join(COLUMNS)}")
        if name not in header:
            raise UsageError(f"{where}: no column is named {name!r}. It has {', '.join(map(repr, header))}.")
        found[meant] = header.index(name)
    for number, name in enumerate(header):
        word = _KNOWN.get(plain(name))
        if word is None or word in said or number in found.values():
            continue
        if word in found:
            raise UsageError(
                f"{where}: {header[found[word]]!r} and {name!r} could both be the {word}. Say which with "
                f"--columns {word}={name!r}."
            )
        found[word] = number
    return found


def number_of(text: str) -> float:
    """A number with decimal point or comma; NaN for an empty word. Raises ValueError for anything else."""
    word = text.strip()
    if not word or word.lower() in {"nan", "null", "none", "n/a", "na", "-"}:
        return math.nan
    if not _NUMBER.fullmatch(word):
        raise ValueError(f"{word!r} is no number")
    value = float(word.replace(",", "."))
    if math.isinf(value):
        raise ValueError(f"{word!r} is no number")
    return value


def is_no_position(x: float, y: float) -> bool:
    """Whether a pair is what receivers write without a fix: nothing, 0 and 0, or -1 and -1."""
    return not (math.isfinite(x) and math.isfinite(y)) or (x, y) in {(0.0, 0.0), (-1.0, -1.0)}


def time_of(text: str) -> tuple[float, bool]:
    """A time as POSIX seconds, and whether it names its zone; without a zone it is taken as UTC.

    Taken are ISO 8601, EXIF's `2025:05:20 10:00:00.25` and plain seconds. A leap second (23:59:60) is the
    first of the next day, as POSIX has it. Empty is NaN. Raises ValueError.
    """
    word = text.strip()
    if not word:
        return math.nan, True
    if _NUMBER.fullmatch(word):
        seconds = number_of(word)
        if abs(seconds) >= _MOST_S:
            raise ValueError(
                f"{word!r} is no time: seconds since 1970 have ten digits. Are these milliseconds? Divide "
                "them by 1000"
            )
        return seconds, True
    if re.match(r"\d{4}:\d\d:\d\d", word):
        word = word.replace(":", "-", 2)
    plain_word, leap = _LEAP.subn(r"\1:59", word.replace(",", "."))
    try:
        moment = datetime.fromisoformat(plain_word) + timedelta(seconds=leap)
    except ValueError:
        raise ValueError(f"{word!r} is no time, such as 2025-05-20T10:00:00.25Z") from None
    zoned = moment.tzinfo is not None
    return (moment if zoned else moment.replace(tzinfo=UTC)).timestamp(), zoned
