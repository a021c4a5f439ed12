"""Names of objects become a tree of hollow files on this machine, with the names and sizes of the objects.

So everything that looks at a survey on disk looks at this one in the same way. A hollow file needs no space.
Keys are untrusted: what no file here can be called is refused with a row, and nothing is made outside the
tree. A file that an earlier run brought whole stays if its object is the same by size and ETag.
"""

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from crackpipe.pipeline.image import Rejected
from crackpipe.pipeline.storage import sealed
from crackpipe.pipeline.storage.cloud.stores import Entry
from crackpipe.pipeline.storage.durable import remove_tree
from crackpipe.pipeline.storage.reading import HOLLOW_NS, WHOLE_NS
from crackpipe.pipeline.survey.files import formats

_MOST_PART_BYTES = 255  # of a name in Linux's file systems
_STATE_FOLDER, _MASKS_SUFFIX = ".crackpipe", ".zarr"


@dataclass(frozen=True)
class Mirror:
    """A survey in object storage as it lies on this machine."""

    root: Path
    """Folder with the survey's name."""
    entries: dict[Path, Entry] = field(default_factory=dict)
    """By path: the object behind each hollow file."""
    refused: list[Rejected] = field(default_factory=list)
    """Images whose names cannot be files here; the image_id is the name."""


def mirror(entries: Iterable[Entry], root: Path) -> Mirror:
    """Make the tree, and remove what is no longer listed. Raises OSError.

    The note beside it says which ETag a whole file belongs to. It is replaced when no file is left that does
    not fit it, so that a kill in between does no harm.
    """
    made = Mirror(root)
    note = root.parent / "etags.json"
    before = sealed.read_sealed(note) or {}
    root.mkdir(parents=True, exist_ok=True)
    seen: dict[tuple[int, int], str] = {}
    for entry in sorted(entries, key=lambda each: each.name):
        _place(entry, made, before, seen)
    _remove_others(made)
    etags = {path.relative_to(root).as_posix(): entry.etag for path, entry in made.entries.items()}
    sealed.write_sealed(note, etags, indent=None)
    return made


def _place(entry: Entry, made: Mirror, before: dict[str, str], seen: dict[tuple[int, int], str]) -> None:
    parts = entry.name.split("/")
    if entry.name.endswith("/") or not entry.name:
        return  # the mark of a folder
    fault = _fault_of(parts)
    if fault is not None:
        _refuse(made, entry, *fault)
        return
    if _STATE_FOLDER in parts[:-1]:
        parts = parts[: parts.index(_STATE_FOLDER) + 1]  # a result, which is told by this folder
        (made.root.joinpath(*parts)).mkdir(parents=True, exist_ok=True)
        return
    if is_left_out(entry.name):
        return
    path = made.root.joinpath(*parts)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if not (before.get(entry.name) == entry.etag and is_whole(path, entry.size_bytes)):
            hollow(path, entry.size_bytes)
        status = path.stat()
    except (NotADirectoryError, FileExistsError, IsADirectoryError):
        _refuse(made, entry, "name-reserved", "another object is named like a folder of its key")
        return
    twin = seen.setdefault((status.st_dev, status.st_ino), entry.name)
    if twin != entry.name:
        _refuse(made, entry, "name-reserved", f"on this machine's disk it has the same name as {twin}")
        return
    made.entries[path] = entry


def is_left_out(name: str) -> bool:
    """Whether an object is no part of a survey: it or a folder above is hidden, or holds masks."""
    return any(part.startswith(".") or part.endswith(_MASKS_SUFFIX) for part in name.split("/"))


def _fault_of(parts: list[str]) -> tuple[str, str] | None:
    """Why no file of this machine can have a name of these parts: reason code and message."""
    longest = max(len(part.encode("utf-8", "surrogatepass")) for part in parts)
    if longest > _MOST_PART_BYTES:
        return "name-too-long", f"a part of its key has {longest} bytes; at most {_MOST_PART_BYTES} are taken"
    if any(part in ("", ".", "..") or "\0" in part for part in parts):
        return "name-reserved", "a part of its key is empty, . or .., which no file can be called"
    return None


def _refuse(made: Mirror, entry: Entry, reason: str, message: str) -> None:
    name = entry.name.replace("\0", "\\0")
    if not formats.is_image(Path(name)):
        return
    path = made.root.parent / "refused"
    remedy = "Copy the object to another key, and leave this one out."
    made.refused.append(
        Rejected(name, made.root.name, path, reason, message, remedy, size_bytes=entry.size_bytes)
    )


def is_whole(path: Path, size_bytes: int) -> bool:
    """Whether a file holds all bytes of its object."""
    try:
        status = path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    return (status.st_size, status.st_mtime_ns) == (size_bytes, WHOLE_NS)


def hollow(path: Path, size_bytes: int) -> None:
    """Make a file of a size that takes no space, or make a file so. Raises OSError."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW
    descriptor = os.open(path, flags, 0o644)
    try:
        os.ftruncate(descriptor, size_bytes)
    finally:
        os.close(descriptor)
    os.utime(path, ns=(HOLLOW_NS, HOLLOW_NS))


def _remove_others(made: Mirror) -> None:
    """Files of an earlier listing."""
    for folder, _, names in os.walk(made.root):
        for name in names:
            path = Path(folder, name)
            if path not in made.entries:
                path.unlink()


def remove(folder: Path) -> None:
    """Remove the trees of a run that is done. Raises OSError."""
    remove_tree(folder)
