"""File locks of the operating system, and file systems that have none."""

import errno
import fcntl
import os
import time
from pathlib import Path
from typing import IO

from crackpipe.pipeline.console.log import log
from crackpipe.pipeline.state.output import Output
from crackpipe.pipeline.state.owner import HEARTBEAT_S

_TRIES, _TRY_EVERY_S = 5, 0.1  # several tries, since `crackpipe status` holds the lock for an instant
WITHOUT_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL}


def open_lock(output: Output) -> tuple[IO[str], bool]:
    """The lock file, opened, and whether it is locked for this process alone; False if another holds it.

    Where `unlock` removed the file before it was locked, the new one is opened: who holds a removed file
    keeps nobody out.
    """
    path = output.hidden / "lock"
    while True:
        handle = path.open("a+")
        granted = flock(handle, fcntl.LOCK_EX)
        if _is_at(handle, path):
            return handle, granted
        handle.close()


def _is_at(handle: IO[str], path: Path) -> bool:
    """Whether the open file still has that path."""
    try:
        return os.path.samestat(os.fstat(handle.fileno()), path.stat())
    except FileNotFoundError:
        return False


def flock(handle: IO[str], kind: int) -> bool:
    """Try to lock; False if another process holds it. A file system without locks grants everything."""
    for attempt in range(_TRIES):
        try:
            fcntl.flock(handle, kind | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            if attempt < _TRIES - 1:
                time.sleep(_TRY_EVERY_S)
        except OSError as error:
            if error.errno not in WITHOUT_LOCKS:
                raise
            log.warning(
                f"{handle.name} is on a file system without locks ({error.strerror}): two runs that start "
                f"within {HEARTBEAT_S:.0f} s would not see each other"
            )
            return True
    return False


def has_locks(handle: IO[str]) -> bool:
    """Whether the file system of an open file knows locks. A lock that is held can be taken again."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
