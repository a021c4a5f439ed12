"""What a night knows of the nights before it, in one file that carries a hash of itself."""

import errno
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from crackpipe.pipeline.console.log import log
from crackpipe.pipeline.storage import faults, sealed

_FORMAT = 1
_RESERVE_BYTES = 1 << 20


@dataclass
class Known:
    """What is known of one survey."""

    source: str
    name: str
    path: str
    out: str
    listing: str = ""
    """Digest of its files as they were seen last."""
    seen_s: float = 0.0
    """Since when that listing is the same, seconds since 1970 by this machine's clock."""
    done: str | None = None
    """What the finished result was made from, as a digest; None while something is left to do."""
    result: str | None = None
    """Digest of the result as the last night left it."""
    unfinished: bool = False
    """A night began with it and did not end it."""
    code: int | None = None
    """Exit code of the last run that came to its end."""
    said: str = ""
    """The sentence of a run that failed."""
    nights_held: int = 0
    """So many nights running it, or its map, was in use by somebody."""
    images_left: int = 0
    is_gone: bool = False
    """It was there before, and is not found any more."""


@dataclass
class Memory:
    """What one night tells the next."""

    surveys: dict[str, Known] = field(default_factory=dict)
    """By key, `source/name`."""
    waited: list[str] = field(default_factory=list)
    """Sources that had work last night and no turn."""
    alarms: dict[str, str] = field(default_factory=dict)
    """What was so at the end of the last night: key -> sentence."""
    told: dict[str, dict[str, str]] = field(default_factory=dict)
    """By hook: the alarms of the last night of which it was told."""
    backlog: list[int] = field(default_factory=list)
    """Images that were left at the end of the last nights, the newest last."""
    untold: list[str] = field(default_factory=list)
    """Hooks and pings that failed last night."""
    last_success_s: float | None = None
    """End of the last night that ended with 0 or 3, seconds since 1970."""
    images_per_s: float | None = None
    """Of the last night that inspected images."""


def read(file: Path) -> Memory:
    """What the last night left; empty before the first. Where it is damaged, all is looked at again."""
    with faults.guarding(file):
        found = sealed.read_sealed(file)
        if found is None and file.exists():
            log.warning(
                f"{file} is damaged, so all surveys are looked at again. Finished images are kept with their "
                "surveys; alarms are told once more."
            )
    if found is None or found.pop("format", None) != _FORMAT:
        return Memory()
    names = {each.name for each in fields(Known)}
    surveys = {
        key: Known(**{name: value for name, value in known.items() if name in names})
        for key, known in found.pop("surveys").items()
    }
    return Memory(surveys=surveys, **found)


def reserve(file: Path) -> None:
    """Set room aside that `write` takes on a full disk, so that what was told is not told again."""
    path = _reserve_of(file)
    try:
        if not path.exists() or path.stat().st_size < _RESERVE_BYTES:
            path.write_bytes(b"\0" * _RESERVE_BYTES)
    except OSError as error:
        log.warning(f"{path} cannot be written: {error.strerror}. On a full disk alarms may be told twice.")


def _reserve_of(file: Path) -> Path:
    return file.with_name("reserve")


def write(file: Path, memory: Memory, *, from_reserve: bool = False) -> None:
    """Keep it for the next night; on a full disk in the room of `reserve`, if that is asked for.

    Raises StorageError, OutputNotWritableError.
    """
    content: dict[str, Any] = {"format": _FORMAT, **asdict(memory)}
    with faults.guarding(file):
        try:
            sealed.write_sealed(file, content)
        except OSError as error:
            if not from_reserve or error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            _reserve_of(file).unlink(missing_ok=True)
            sealed.write_sealed(file, content)
