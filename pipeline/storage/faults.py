"""Errors of the operating system turned into an exit code and a remedy."""

import errno
import os
import pwd
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
        place = error.filename or path
        owner = _other_owner(Path(str(place))) if error.errno in (errno.EACCES, errno.EPERM) else None
        ours = _name_of(os.geteuid())
        remedy = "Give a writable folder with --out (of a night: `output` or `results` in network.toml)."
        if owner is not None:
            remedy = (
                f"It belongs to {owner}: `chown -R {ours} OUT` lets {ours} go on with the result OUT of "
                "somebody else. Or give a writable folder with --out."
            )
        return OutputNotWritableError(f"{place} cannot be written: {error.strerror}. {remedy}")
    remedy = _REMEDIES.get(error.errno or 0, "free some space or repair the disk")
    return StorageError(
        f"writing {error.filename or path} failed: {error.strerror or error}. Finished images are kept; "
        f"{remedy}, then run the same command again."
    )


def _other_owner(place: Path) -> str | None:
    """To whom a file or, where it is not there yet, its folder belongs; None if that is this user."""
    try:
        owner = (place if place.exists() else place.parent).stat().st_uid
    except OSError:  # that may not be seen either
        return None
    return None if owner == os.geteuid() else _name_of(owner)


def _name_of(user: int) -> str:
    """The name of a user, or the number where there is none, as in a container."""
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return str(user)


@contextmanager
def guarding(path: Path) -> Iterator[None]:
    """Turn an OSError inside into the error that stops the run. Enclose only what touches the output."""
    try:
        yield
    except OSError as error:
        raise storage_error(error, path) from error
