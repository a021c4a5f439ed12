"""File locks of the operating system, and file systems that have none."""

import errno
import fcntl
import os
import time
from typing import IO

from crackpipe.pipeline.console.log import log
from crackpipe.pipeline.state.output import Output
from crackpipe.pipeline.state.owner import HEARTBEAT_S

_TRIES, _TRY_EVERY_S = 5, 0.1  # several tries, since `crackpipe status` holds the lock for an instant
WITHOUT_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL}


def open_lock(output: Output) -> IO[str]:
    """The lock file, opened. Where `unlock` removed it in between, the new one is opened."""
    path = output.hidden / "lock"
    while True:
        handle = path.open("a+")
        if path.exists() and os.fstat(handle.fileno()).st_ino == path.stat().st_ino:
            return handle
        handle.close()


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
