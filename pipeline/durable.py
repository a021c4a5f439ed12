"""Files that survive a crash, and the errors of a disk that does not take them.

Everything is written beside its final name, flushed to disk, renamed, and the parent folder flushed: a reader
sees the old file or the new one. What must be trusted later is sealed: the file carries a hash of its own
content, so that a flipped bit reads as "not done", never as another value.
"""

import errno
import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from crackpipe.pipeline.errors import OutputNotWritableError, StorageError

PARTIAL_SUFFIXES = (".staged", ".partial")
"""Of files that were being written; a killed process leaves them behind."""

_UNWRITABLE_ERRNOS = {
    *(errno.EROFS, errno.EACCES, errno.EPERM),
    *(errno.ENOTDIR, errno.EEXIST, errno.EISDIR, errno.ENAMETOOLONG, errno.ELOOP),
}
_REMEDIES = {
    errno.ENOSPC: "free some space (`df -h`) or inodes (`df -i`)",
    errno.EDQUOT: "raise the quota or free some space",
    errno.EIO: "look for disk errors in the system log (`dmesg`)",
}
_SEAL = "sealed"


def storage_error(error: OSError, path: Path | str) -> StorageError | OutputNotWritableError:
    """The error that stops the run for a failed write below the output folder."""
    if error.errno in _UNWRITABLE_ERRNOS:
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
    """Turn an OSError inside into the error that stops the run; only the output is touched there."""
    try:
        yield
    except OSError as error:
        raise storage_error(error, path) from error


# ---- hashes


def digest(value: Any) -> str:
    """Short stable hash of any JSON value."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=True)
    return hashlib.blake2b(text.encode(), digest_size=12).hexdigest()


def file_hash(path: Path) -> str:
    """BLAKE2b, 128 bits in hex, of a file's content. Raises OSError."""
    with path.open("rb", buffering=0) as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()


# ---- flushing and replacing


def fsync_path(path: Path) -> None:
    """Flush one file or folder to disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def fsync_tree(folder: Path) -> None:
    """Flush every file and folder below and including `folder`, deepest first."""
    for root, _, names in os.walk(folder, topdown=False):
        for name in names:
            fsync_path(Path(root, name))
        fsync_path(Path(root))


def publish_file(staged: Path, final: Path) -> None:
    """Flush `staged`, rename it over `final`, flush the folder. Readers see the old file or the new one."""
    fsync_path(staged)
    staged.replace(final)
    fsync_path(final.parent)


def remove_tree(folder: Path) -> None:
    """Remove a folder if it is there. A failing removal is an error: litter must not be silent."""
    if folder.exists():
        shutil.rmtree(folder)


def files_below(folder: Path) -> list[Path]:
    """Every file in a folder and the folders in it, sorted."""
    return sorted(Path(root, name) for root, _, names in os.walk(folder) for name in names)


def remove_partials(folder: Path) -> list[Path]:
    """Remove what killed writers left below `folder`, and return it, sorted. No writer may be at work."""
    found = [path for path in files_below(folder) if path.suffix in PARTIAL_SUFFIXES]
    for path in found:
        path.unlink()
    return found


# ---- JSON


def write_json(path: Path, value: Any, indent: int | None = 1) -> None:
    """Replace a JSON file atomically and durably; without indent ten times as fast, for large ones."""
    staged = path.with_name(f"{path.name}.staged")
    staged.write_text(json.dumps(value, sort_keys=True, indent=indent) + "\n", encoding="utf-8")
    publish_file(staged, path)


def read_json(path: Path) -> Any | None:
    """A JSON file, or None if it is missing or was damaged (which means: not done)."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, UnicodeDecodeError, json.JSONDecodeError):
        return None


def write_sealed(path: Path, value: Mapping[str, Any], indent: int | None = 1) -> None:
    """Replace a JSON object with a hash of itself in it, atomically and durably; `indent` as `write_json`."""
    write_json(path, {**value, _SEAL: digest(value)}, indent)


def read_sealed(path: Path) -> dict[str, Any] | None:
    """A sealed JSON object, or None if it is missing or any of its bytes was changed."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    try:
        value = json.loads(content)
    except (UnicodeDecodeError, json.JSONDecodeError):
        return None
    if not isinstance(value, dict):
        return None
    seal = value.pop(_SEAL, None)
    return value if seal == digest(value) else None
