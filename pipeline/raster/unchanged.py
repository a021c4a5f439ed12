"""A file that changes after it was looked at is not read: half of it would be of another picture."""

from pathlib import Path

from crackpipe.pipeline.errors import ImageRejectedError
from crackpipe.pipeline.image import FileStamp


def check_unchanged(stamp: FileStamp) -> None:
    """Raise ImageRejectedError `changed-while-read` if a file is no longer what it was."""
    try:
        now = FileStamp.of(stamp.path)
    except OSError as error:
        raise _changed(stamp.path, f"cannot be found any more ({error.strerror})") from error
    if now != stamp:
        raise _changed(stamp.path, "changed after the run began")


def _changed(path: Path, what: str) -> ImageRejectedError:
    return ImageRejectedError(
        "changed-while-read",
        f"{path.name} {what}",
        "Run again when nothing writes to the survey any more.",
    )
