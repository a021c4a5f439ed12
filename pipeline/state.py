"""What survives a kill: the lock, the staging area, and one marker per image that alone means done.

Layout of `OUT/.crackpipe/`, where KEY is a hash of the image_id:

    lock, owner.json          who is writing here
    staging/KEY/              an image in the making; key.json names what it is made from
    staging/KEY/blocks/R-C    one small file per finished block, written after its chunks are on disk
    cracks/KEY.parquet        the rows of a finished image
    markers/KEY.json          the image is done or quarantined, and what it was made from
    tables.json               digest of what the published tables were made from, and their counts

Everything is written beside its final name, flushed to disk, renamed, and the parent folder flushed; the
marker comes last. A crash at any point leaves either the old state or a staging folder that the next run
continues (same key) or throws away (another key).
"""

import errno
import fcntl
import hashlib
import json
import os
import shutil
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crackpipe.pipeline.errors import OutputLockedError, OutputNotWritableError, StorageError

Marker = dict[str, Any]
"""Plain JSON: `image_id`, `status`, `fingerprint`, and what the tables need to know of this image alone."""

_STORAGE_ERRNOS = {errno.ENOSPC, errno.EDQUOT, errno.EIO}
_UNWRITABLE_ERRNOS = {errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOTDIR, errno.EEXIST, errno.ENAMETOOLONG}


def storage_error(error: OSError, path: Path | str) -> StorageError | OutputNotWritableError:
    """The error that stops the run for a failed write below the output folder."""
    if error.errno in _UNWRITABLE_ERRNOS:
        return OutputNotWritableError(
            f"{path} cannot be written: {error.strerror}. Give a writable folder with --out."
        )
    return StorageError(
        f"writing {error.filename or path} failed: {error.strerror or error}. Finished images are kept; "
        f"free some space or repair the disk, then run the same command again."
    )


@contextmanager
def guarding(path: Path) -> Iterator[None]:
    """Turn an OSError inside into the error that stops the run; only the output is touched there."""
    try:
        yield
    except OSError as error:
        raise storage_error(error, path) from error


def file_key(image_id: str) -> str:
    """File name for an image: a hash, since image_ids may hold any character and be any length."""
    return hashlib.blake2b(image_id.encode("utf-8", "surrogateescape"), digest_size=12).hexdigest()


def digest(value: Any) -> str:
    """Short stable hash of any JSON value."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=True)
    return hashlib.blake2b(text.encode(), digest_size=12).hexdigest()


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


def fsync_chunks(group: Path, block_row: int, block_col: int) -> None:
    """Flush the chunk files of one block of a staged Zarr group, and their folders."""
    for array in ("mask", "probability"):
        chunk = group / array / "c" / str(block_row) / str(block_col)
        fsync_path(chunk)
        fsync_path(chunk.parent)


def publish_file(staged: Path, final: Path) -> None:
    """Flush `staged`, rename it over `final`, flush the folder. Readers see the old file or the new one."""
    fsync_path(staged)
    staged.replace(final)
    fsync_path(final.parent)


def write_json(path: Path, value: Any) -> None:
    """Replace a JSON file atomically and durably."""
    staged = path.with_name(f"{path.name}.staged")
    staged.write_text(json.dumps(value, sort_keys=True, indent=1) + "\n", encoding="utf-8")
    publish_file(staged, path)


def read_json(path: Path) -> Any | None:
    """A JSON file, or None if it is missing or was damaged (which means: not done)."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, UnicodeDecodeError, json.JSONDecodeError):
        return None


@dataclass(frozen=True)
class Output:
    """The folder of a run's results and the paths inside it."""

    root: Path

    @property
    def hidden(self) -> Path:
        """Everything that is not for readers."""
        return self.root / ".crackpipe"

    @property
    def masks(self) -> Path:
        """The Zarr root."""
        return self.root / "masks.zarr"

    @property
    def logs(self) -> Path:
        """JSON lines, one file per run."""
        return self.root / "logs"

    def masks_of(self, image_id: str) -> Path:
        """The published Zarr group of an image."""
        return self.masks / image_id

    def staging(self, image_id: str) -> Path:
        """The folder in which an image is made."""
        return self.hidden / "staging" / file_key(image_id)

    def rows(self, image_id: str) -> Path:
        """The crack rows of a finished image."""
        return self.hidden / "cracks" / f"{file_key(image_id)}.parquet"

    def marker(self, image_id: str) -> Path:
        """The marker of an image."""
        return self.hidden / "markers" / f"{file_key(image_id)}.json"

    def create(self) -> None:
        """Make the folders. Raises OutputNotWritableError or StorageError."""
        try:
            for folder in (
                self.logs,
                self.hidden / "staging",
                self.hidden / "cracks",
                self.hidden / "markers",
            ):
                folder.mkdir(parents=True, exist_ok=True)
            write_json(self.hidden / "version.json", {"layout": 1})
        except OSError as error:
            raise storage_error(error, self.root) from error


@contextmanager
def locked(output: Output) -> Iterator[None]:
    """Hold the output folder for this process; freed by the kernel however the process ends.

    Raises OutputLockedError naming the holder.
    """
    try:
        handle = (output.hidden / "lock").open("a+")
    except OSError as error:
        raise storage_error(error, output.hidden / "lock") from error
    with handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            owner = read_json(output.hidden / "owner.json") or {}
            raise OutputLockedError(
                f"{output.root} is in use by process {owner.get('pid', '?')} on {owner.get('host', '?')}. "
                f"Wait for it to end, or give another folder with --out."
            ) from error
        owner_file = output.hidden / "owner.json"
        write_json(owner_file, {"pid": os.getpid(), "host": socket.gethostname()})
        try:
            yield
        finally:
            owner_file.unlink(missing_ok=True)


def holder_of(output: Output) -> str | None:
    """`PID on HOST` of the process that holds the output, or None if nobody does."""
    file = output.hidden / "lock"
    if not file.exists():
        return None
    with file.open() as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = read_json(output.hidden / "owner.json") or {}
            return f"{owner.get('pid', '?')} on {owner.get('host', '?')}"
    return None


def read_marker(output: Output, image_id: str) -> Marker | None:
    """The marker of an image, or None if it is not done."""
    marker: Marker | None = read_json(output.marker(image_id))
    return marker


# ---- an image in the making


def open_staging(output: Output, image_id: str, fingerprint: Mapping[str, Any]) -> Path:
    """The staging folder of an image: continued if made from the same things, else made anew."""
    folder = output.staging(image_id)
    if read_json(folder / "key.json") != dict(fingerprint):
        remove_tree(folder)
        (folder / "blocks").mkdir(parents=True)
        write_json(folder / "key.json", dict(fingerprint))
    return folder


def mark_block(staging: Path, row: int, col: int, figures: Mapping[str, Any]) -> None:
    """Note that a block's chunks are on disk, with its small figures."""
    write_json(staging / "blocks" / f"{row}-{col}", dict(figures))


def block_figures(staging: Path, row: int, col: int) -> dict[str, Any] | None:
    """The figures of a finished block, or None if it is not finished."""
    figures: dict[str, Any] | None = read_json(staging / "blocks" / f"{row}-{col}")
    return figures


def publish_image(output: Output, image_id: str, marker: Marker) -> None:
    """Move a finished image from staging to its place; its marker comes last.

    The old marker goes first, so that a crash in between means "not done", never a marker beside another
    image's masks.
    """
    staging = output.staging(image_id)
    final = output.masks_of(image_id)
    unmark(output, image_id)
    fsync_tree(staging / "masks")
    if final.exists():
        final.rename(staging / "replaced")
    final.parent.mkdir(parents=True, exist_ok=True)
    (staging / "masks").replace(final)
    fsync_path(final.parent)
    publish_file(staging / "rows.parquet", output.rows(image_id))
    write_json(output.marker(image_id), marker)
    remove_tree(staging)


def publish_quarantine(output: Output, image_id: str, marker: Marker) -> None:
    """Mark an image as quarantined and remove what an earlier run made of it: it must not pass for sound."""
    unmark(output, image_id)
    remove_tree(output.masks_of(image_id))
    output.rows(image_id).unlink(missing_ok=True)
    remove_tree(output.staging(image_id))
    write_json(output.marker(image_id), marker)


def unmark(output: Output, image_id: str) -> None:
    """Remove an image's marker durably."""
    marker = output.marker(image_id)
    if marker.exists():
        marker.unlink()
        fsync_path(marker.parent)


def remove_tree(folder: Path) -> None:
    """Remove a folder if it is there. A failing removal is an error: litter must not be silent."""
    if folder.exists():
        shutil.rmtree(folder)


def clear_staging(output: Output, keep: set[str]) -> None:
    """Remove staging folders of images that are not in `keep` (file keys)."""
    for folder in sorted((output.hidden / "staging").iterdir()):
        if folder.name not in keep:
            remove_tree(folder)


def reasons_to_run(marker: Marker | None, fingerprint: Mapping[str, Any]) -> list[str]:
    """Why an image must run, in words; empty if its marker was made from exactly these things."""
    if marker is None:
        return ["not done yet"]
    old = marker.get("fingerprint", {})
    names = sorted(set(old) | set(fingerprint))
    return [f"{name} changed" for name in names if old.get(name) != fingerprint.get(name)]
