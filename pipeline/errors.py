"""What can go wrong, each with the exit code an operator's scheduler sees.

Every message names the file, the value, the limit and the remedy.
"""

import traceback
from collections.abc import Iterator
from contextlib import contextmanager


class CrackpipeError(Exception):
    """Base of all errors that a person can act on. `exit_code` is the code of the process."""

    exit_code = 70


class UsageError(CrackpipeError):
    """The command line asks for something that cannot be (wrong option, too many GPUs)."""

    exit_code = 2


class NoReadableImageError(CrackpipeError):
    """No image is found, or none that the command could use."""

    exit_code = 66


class ImagesMissingError(CrackpipeError):
    """Images that were finished before are not found any more, so the tables were left as they were."""

    exit_code = 66


class SchedulerLostError(CrackpipeError):
    """The Dask scheduler cannot be reached or went away; the run can be resumed."""

    exit_code = 69


class ObjectStorageError(CrackpipeError):
    """The store of a survey does not answer or refuses; the run can be resumed."""

    exit_code = 69


class OutputNotWritableError(CrackpipeError):
    """The output folder cannot be made or written."""

    exit_code = 73


class StorageError(CrackpipeError):
    """Disk full or failing I/O on the output; the run can be resumed."""

    exit_code = 74


class OutputDamagedError(CrackpipeError):
    """Published files are missing or are not what was written."""

    exit_code = 74


class OutputLockedError(CrackpipeError):
    """Another run holds the output folder."""

    exit_code = 75


class OutsideHoursError(CrackpipeError):
    """A night was started at an hour at which it may not work."""

    exit_code = 77


class ConfigurationError(CrackpipeError):
    """A configuration file, a value in it, or the weights are unusable."""

    exit_code = 78


class MemoryShortError(CrackpipeError):
    """A run does not fit into memory, or a task got none.

    The images of such a task are tried again one at a time before they are given up.
    """

    exit_code = 71


class ImageRejectedError(CrackpipeError):
    """One image cannot be inspected; it goes to quarantine and the run goes on.

    `reason` is a short stable code for filters (`no-crs`), the message a sentence for a person,
    `remedy` what that person can do.
    """

    exit_code = 3

    def __init__(self, reason: str, message: str, remedy: str, details: str = "") -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.remedy = remedy
        self.details = details
        """For the log only, such as a traceback."""

    def __reduce__(self) -> tuple[type["ImageRejectedError"], tuple[str, str, str, str]]:
        """Pickle with all its parts: the error crosses process borders."""
        return type(self), (self.reason, self.message, self.remedy, self.details)


@contextmanager
def rejecting(image_id: str) -> Iterator[None]:
    """Turn any defect inside into the quarantine of this image, so that the run goes on.

    This is the only place that makes another thing of every exception. Wherever else all are caught, what is
    wrong is told or asked for again, and not lost.
    """
    try:
        yield
    except (CrackpipeError, OSError):
        raise
    except Exception as error:  # a bad image, or a defect that it met, must not end the run
        if is_short_of_memory(error):
            raise MemoryShortError(f"{image_id}: {str(error) or 'no memory'}") from error
        raise ImageRejectedError(
            "internal-error",
            f"{image_id}: {type(error).__name__}: {error}",
            "This is a defect of crackpipe: please report it with the traceback in the log.",
            details=traceback.format_exc(),
        ) from error


@contextmanager
def noticing_short_memory() -> Iterator[None]:
    """Raise MemoryShortError for what NumPy, torch and the system say where memory is short."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not is_short_of_memory(error):
            raise
        raise MemoryShortError(f"no memory: {str(error) or 'allocation failed'}") from error


def is_short_of_memory(error: BaseException) -> bool:
    """Whether an error is about memory. torch and threads raise RuntimeError for it, so the words decide."""
    words = ("allocate memory", "can't start new thread", "out of memory", "could not create a memory")
    return isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError) and any(word in str(error).lower() for word in words)
    )
