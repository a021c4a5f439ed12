"""Files that survive a crash.

A file is written beside its final name, flushed to disk and renamed; then the parent folder is flushed. A
reader sees the old file or the new one.
"""

import hashlib
import os
import shutil
from pathlib import Path

PARTIAL_SUFFIXES = (".staged", ".partial")
"""Of files that were being written; a killed process leaves them behind."""


# ---- hashes


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


def replace_file(staged: Path, final: Path) -> None:
    """Flush `staged`, rename it over `final`, flush the folder. Readers see the old file or the new one."""
    fsync_path(staged)
    staged.replace(final)
    fsync_path(final.parent)


def remove_tree(folder: Path) -> None:
    """Remove a folder if it is there. Raises OSError where that fails, so that nothing is left unnoticed."""
    if folder.exists():
        shutil.rmtree(folder)


def files_below(folder: Path) -> list[Path]:
    """Every file in a folder and the folders in it, sorted."""
    return sorted(Path(root, name) for root, _, names in os.walk(folder) for name in names)


def remove_partials(folder: Path) -> list[Path]:
    """Remove the partial files that killed writers left below `folder`; their paths, sorted.

    Call it only while nobody writes there.
    """
    found = [path for path in files_below(folder) if path.suffix in PARTIAL_SUFFIXES]
    for path in found:
        path.unlink()
    return found
