"""Write a frame into the survey: a hard link, its world file and its `.prj`. What is the same stays
untouched."""

import os
import shutil
from pathlib import Path

from crackpipe.pipeline.errors import OutputNotWritableError
from crackpipe.pipeline.geometry.arrays import Floats
from crackpipe.pipeline.survey.sidecars.names import world_file_names


def link(source: Path, target: Path) -> bool:
    """Make `target` the same file as `source`, or a copy where they are on two file systems.

    A copy keeps the time of its original, and is known by time and size. Returns whether something was
    written. Raises OutputNotWritableError.
    """
    if target.exists() and _is_same(source, target):
        return False
    partial = target.with_name(f"{target.name}.partial")
    try:
        partial.unlink(missing_ok=True)
        try:
            os.link(source.resolve(), partial)
        except OSError:
            # another file system, or one without links
            shutil.copy2(source, partial)
        partial.replace(target)
    except OSError as error:
        raise OutputNotWritableError(f"cannot write {target}: {error}. Check space and rights.") from error
    return True


def _is_same(source: Path, target: Path) -> bool:
    ours, theirs = source.stat(), target.stat()
    if (ours.st_dev, ours.st_ino) == (theirs.st_dev, theirs.st_ino):
        return True
    return (ours.st_size, ours.st_mtime_ns) == (theirs.st_size, theirs.st_mtime_ns)


def remove(target: Path) -> None:
    """Remove a file that may be there. Raises OutputNotWritableError."""
    try:
        target.unlink(missing_ok=True)
    except OSError as error:
        raise OutputNotWritableError(f"cannot remove {target}: {error}. Check rights.") from error


def write_text(target: Path, text: str) -> bool:
    """Write a small file whole or not at all, unless it holds this text already. Returns whether it wrote.

    Nothing is flushed here: 20,000 flushes take minutes. Who writes many calls `os.sync` once at the end; a
    file that a power cut left damaged is noticed by its content and written again. Raises
    OutputNotWritableError.
    """
    content = text.encode()
    try:
        if target.is_file() and target.stat().st_size == len(content) and target.read_bytes() == content:
            return False
        partial = target.with_name(f"{target.name}.partial")
        partial.write_bytes(content)
        partial.replace(target)
    except OSError as error:
        raise OutputNotWritableError(f"cannot write {target}: {error}. Check space and rights.") from error
    return True


def world_file(transform: Floats) -> str:
    """The six lines of a world file: a, d, b, e and the centre of the first pixel. `transform` is (6,)."""
    a, b, c, d, e, f = transform.tolist()
    return "".join(f"{value!r}\n" for value in (a, d, b, e, c + (a + b) / 2, f + (d + e) / 2))


def world_file_of(image: Path, *, is_alone: bool) -> Path:
    """Where the world file of an image lies: `a.jgw`, or `a.jpg.jgw` where another image has the same
    stem.
    """
    names = world_file_names(image)
    return image.with_name(names[1] if is_alone else names[0])
