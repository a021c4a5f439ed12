"""A file beside an image may be a link. It is followed inside the survey only, as the image itself is."""

from pathlib import Path

from crackpipe.pipeline.errors import ImageRejectedError
from crackpipe.pipeline.storage.links import leaves


def inside(file: Path, root: Path) -> Path:
    """A file beside an image, if it lies in the survey folder `root`.

    Raises ImageRejectedError `symlink-outside`.
    """
    if leaves(file, root):
        raise ImageRejectedError(
            "symlink-outside",
            f"{file.name} beside it is a link that leaves the survey folder",
            f"Put a copy of the file in the place of the link {file.name}.",
        )
    return file
