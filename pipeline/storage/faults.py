"""Errors of the operating system turned into an exit code and a remedy."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from crackpipe.pipeline.errors import OutputNotWritableError, StorageError

UNWRITABLE_ERRNOS = {
    *(errno.EROFS, errno.EACCES, errno.EPERM),
    *(errno.ENOTDIR, errno.EEXIST, errno.EISDIR, errno.ENAMETOOLONG, errno.ELOOP),
}
"""What no free space mends: a place that may not be written, or is not what its path says."""
_REMEDIES = {
    errno.ENOSPC: "free some space (`df -h`) or inodes (`df -i`)",
    errno.EDQUOT: "raise the quota or free some space",
    errno.EIO: "look for disk errors in the system log (`dmesg`)",
}


def storage_error(error: OSError, path: Path | str) -> StorageError | OutputNotWritableError:
    """The error that stops the run for a failed write below the output folder."""
    if error.errno in UNWRITABLE_ERRNOS:
        return OutputNotWritableError(
            f"{error.filename or path} cannot be written: {error.strerror}. "
            f"Give a writable folder with --out."
        )
    remedy = _REMEDIES.get(error.errno or 0, "free some space or repair the disk")
    return StorageError(
        f"writing {error.filename or path} failed: {error.strerror or error}. Finished images are kept; "
        f"{remedy}, then run the same command again."
    )


@contextmanager
def guarding(path: Path) -> Iterator[None]:
    """Turn an OSError inside into the error that stops the run. Enclose only what touches the output."""
    try:
        yield
    except OSError as error:
        raise storage_error(error, path) from error
