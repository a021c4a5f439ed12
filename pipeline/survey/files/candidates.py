"""Decide which files may be opened: regular files inside the survey with a suffix that is read.

The name and the file system are enough for that; no file is opened.
"""

import os
import stat
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from crackpipe.pipeline.errors import ImageRejectedError
from crackpipe.pipeline.image import FileStamp
from crackpipe.pipeline.storage import reading
from crackpipe.pipeline.storage.links import leaves
from crackpipe.pipeline.survey.files import formats

MAX_ID_BYTES = 2048
"""Longest image_id. The masks lie in a folder of this name, and Linux allows paths of twice this length."""

# Zarr keeps a file of this name in each folder of masks.zarr, so no folder there can have the same name.
_ZARR_FILE = "zarr.json"


@dataclass(frozen=True)
class Candidate:
    """A file that could be meant as an image, found but not yet opened."""

    image_id: str
    survey: str
    path: Path
    root: Path
    """The survey folder; links that lead out of it are not followed."""
    acquired: date | None = None
    """Date that `survey.toml` gives for the survey."""
    travel_deg: float | None = None
    """Direction of travel that `survey.toml` gives, clockwise from true north."""


def regular_file(candidate: Candidate) -> FileStamp:
    """Check name, links, kind and size. Raises ImageRejectedError, OSError."""
    path, name = candidate.path, candidate.path.name
    try:
        str(path).encode()
    except UnicodeEncodeError:
        raise ImageRejectedError(
            "name-not-utf8", f"the name of {candidate.image_id} is not UTF-8", "Rename the file."
        ) from None
    id_bytes = len(candidate.image_id.encode())
    if id_bytes > MAX_ID_BYTES:
        raise ImageRejectedError(
            "name-too-long",
            f"its path in the survey has {id_bytes} bytes; at most {MAX_ID_BYTES} are taken",
            "Move the file out of some of its folders, or run on one of them.",
        )
    if any(part.startswith(_ZARR_FILE) for part in candidate.image_id.split("/")[:-1]):
        raise ImageRejectedError(
            "name-reserved",
            f"it lies in a folder whose name begins with {_ZARR_FILE}, which masks.zarr needs for itself",
            "Rename the folder.",
        )
    if leaves(path, candidate.root):
        raise ImageRejectedError(
            "symlink-outside",
            f"{name} is a link that leaves the survey folder",
            "Copy the file into the survey, or run on the folder it lies in.",
        )
    status = path.stat()
    if stat.S_ISDIR(status.st_mode):
        next(path.iterdir(), None)  # this raises the same error that kept the folder from being searched
    if not stat.S_ISREG(status.st_mode):
        raise ImageRejectedError("not-a-file", f"{name} is not a regular file", "Remove it from the survey.")
    if not formats.is_supported(path):
        what = f"{path.suffix} files" if path.suffix else "files without a suffix"
        raise ImageRejectedError("not-supported", f"{what} are not read", formats.remedy_of(path))
    if status.st_size == 0:
        raise ImageRejectedError("empty-file", "the file has zero bytes", "Copy the file again.")
    return reading.stamp_of(path, status)


def unreadable(path: Path, error: OSError) -> ImageRejectedError:
    """Turn an error of the operating system into a refusal."""
    why = error.strerror or type(error).__name__
    if isinstance(error, FileNotFoundError):
        return ImageRejectedError(
            "file-missing", f"{path.name} does not exist", "Copy the file, or correct the manifest."
        )
    # not `Path.is_dir`, which raises where a folder above may not be searched
    kind = "unreadable-folder" if os.path.isdir(path) else "unreadable-file"  # noqa: PTH112
    return ImageRejectedError(
        kind, f"{path.name} cannot be read: {why}", "Check the permissions and the disk, then run again."
    )
