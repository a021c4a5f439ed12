"""What the EXIF of a frame says of time, place and camera. Everything else in it is left alone."""

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

_EXIF_IFD, _GPS_IFD = 0x8769, 0x8825
_TIME, _OFFSET, _SUBSECONDS = 0x9003, 0x9011, 0x9291
_MAKE, _MODEL, _ORIENTATION, _SERIAL = 0x010F, 0x0110, 0x0112, 0xA431
_LAT_REF, _LAT, _LON_REF, _LON, _GPS_TIME, _DIR_REF, _DIR, _GPS_DATE = 1, 2, 3, 4, 7, 16, 17, 29


@dataclass(frozen=True, kw_only=True)
class Exif:
    """What is taken from EXIF. NaN: not said."""

    time_s: float = math.nan
    """When it was taken, POSIX seconds; on the camera's own clock, as if that were UTC, where no zone is
    said."""
    zoned: bool = False
    """Whether the time names its zone."""
    longitude_deg: float = math.nan
    latitude_deg: float = math.nan
    direction_deg: float = math.nan
    """Where the camera looks, clockwise from north."""
    magnetic: bool = False
    """Whether that north is the magnetic one."""
    gps_time_s: float = math.nan
    """Time of the position, POSIX seconds."""
    orientation: int = 1
    """1: as stored."""
    camera: str = ""
    """Maker, model and serial number."""


def exif_of(tags: Any) -> Exif:
    """Take what is used from `PIL.Image.Exif`. Values that make no sense count as not said."""
    main, gps = dict(tags.get_ifd(_EXIF_IFD)), dict(tags.get_ifd(_GPS_IFD))
    time_s, zoned = _time(main)
    camera = " ".join(_text(each) for each in (tags.get(_MAKE), tags.get(_MODEL), main.get(_SERIAL)))
    orientation = tags.get(_ORIENTATION, 1)
    return Exif(
        time_s=time_s,
        zoned=zoned,
        longitude_deg=_angle(gps.get(_LON), gps.get(_LON_REF), "W", 180),
        latitude_deg=_angle(gps.get(_LAT), gps.get(_LAT_REF), "S", 90),
        direction_deg=_number(gps.get(_DIR)),
        magnetic=_text(gps.get(_DIR_REF)).upper() == "M",
        gps_time_s=_gps_time(gps),
        orientation=orientation if orientation in range(1, 9) else 1,
        camera=" ".join(camera.split()),
    )


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        value = value.decode("ascii", "replace")
    return "" if value is None else str(value).strip("\0 ")


def _number(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError, ZeroDivisionError):
        return math.nan


def _time(main: dict[int, Any]) -> tuple[float, bool]:
    """Time of exposure with fractions, and whether its zone is said."""
    try:
        moment = datetime.strptime(_text(main.get(_TIME))[:19], "%Y:%m:%d %H:%M:%S").replace(tzinfo=UTC)
    except ValueError:
        return math.nan, False
    digits = _text(main.get(_SUBSECONDS))
    fraction = float(f"0.{digits}") if digits.isdecimal() else 0.0
    offset = _text(main.get(_OFFSET))
    if len(offset) == 6 and offset[0] in "+-" and offset[1:3].isdecimal() and offset[4:].isdecimal():
        minutes = 60 * int(offset[1:3]) + int(offset[4:])
        ahead = timedelta(minutes=minutes if offset[0] == "+" else -minutes)
        return (moment - ahead).timestamp() + fraction, True
    return moment.timestamp() + fraction, False


def _gps_time(gps: dict[int, Any]) -> float:
    parts = gps.get(_GPS_TIME)
    try:
        day = datetime.strptime(_text(gps.get(_GPS_DATE)), "%Y:%m:%d").replace(tzinfo=UTC)
        hours, minutes, seconds = (float(part) for part in parts or ())
    except (TypeError, ValueError, ZeroDivisionError):
        return math.nan
    return day.timestamp() + 3600 * hours + 60 * minutes + seconds


def _angle(parts: Any, reference: Any, negative: str, most: float) -> float:
    """Degrees of an angle that is written as degrees, minutes and seconds."""
    try:
        degrees, minutes, seconds = (float(part) for part in parts)
    except (TypeError, ValueError, ZeroDivisionError):
        return math.nan
    angle = degrees + minutes / 60 + seconds / 3600
    if not 0 <= angle <= most:
        return math.nan
    return -angle if _text(reference).upper() == negative else angle
