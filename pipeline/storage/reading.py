"""The one door through which files of a survey are opened while it is planned.

Rooms are given paths. Behind a path is a file of this machine, or, where a survey lies in object storage, a
hollow file: it has the name and the size of an object, and its bytes come when they are asked for
(`storage/cloud/`). Without the door those bytes would read as zeros.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Protocol, cast

from crackpipe.pipeline.image import FileStamp

WHOLE_NS = 2_000_000_000
"""Time of change of a file that holds all bytes of its object. Nobody else gives a file this time."""
HOLLOW_NS = 1_000_000_000
"""Time of change of a hollow file, so that a task that found one would not take it for the image."""


class Door(Protocol):
    """Knows the hollow files."""

    def etag_of(self, path: Path) -> str | None:
        """The ETag of the object behind a path; None where the path is no hollow file."""

    def opened(self, path: Path) -> BinaryIO:
        """Open a hollow file for reading: what is read is brought first."""


_door: list[Door] = []
"""The door that is open now, at most one. All threads of the driver use it; workers have none."""


@contextmanager
def through(door: Door) -> Iterator[None]:
    """Open files through this door within the block, in all threads of this process."""
    _door.append(door)
    try:
        yield
    finally:
        _door.remove(door)


def etag_of(path: Path) -> str | None:
    """The ETag of the object behind a path; None for a file of this machine."""
    return _door[-1].etag_of(path) if _door else None


def opened(path: Path) -> BinaryIO:
    """Open a file of the survey for reading in bytes. Raises OSError."""
    if etag_of(path) is None:
        return path.open("rb")
    return _door[-1].opened(path)


def opened_by_name(path: str, mode: str = "rb", **_: object) -> BinaryIO:
    """As `opened`, in the form that rasterio asks for. Raises OSError."""
    if mode != "rb":
        raise PermissionError(path)
    return opened(Path(path))


def stamp_of(path: Path, status: os.stat_result) -> FileStamp:
    """The stamp of a file; that of a hollow file is the one it has when all of its bytes are there."""
    etag = etag_of(path)
    return FileStamp(path, status.st_size, status.st_mtime_ns if etag is None else WHOLE_NS, etag)


def state_of(path: Path) -> list[int | str]:
    """All that tells whether a file changed: size and times and inode, or size and ETag. Raises OSError."""
    status = path.stat()
    etag = etag_of(path)
    if etag is not None:
        return [status.st_size, etag]
    return cast("list[int | str]", [status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino])
