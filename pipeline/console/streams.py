"""The two streams of the command, made so that a run outlives whoever reads what it says.

Talk goes to stderr. If that can no longer be written (a closed terminal, a pipe without a reader, a full
disk), the run goes on and its log in `logs/` has all of it. Results go to stdout. If these can no longer be
written, the command ends: 141 where the reader went away, as a shell says it, and 74 where a disk is full.
"""

import contextlib
import errno
import io
import os
import stat
import sys
from typing import TYPE_CHECKING

from crackpipe.pipeline.errors import StorageError

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer as Buffer

READER_GONE = 141
"""Exit code of a command whose reader of results went away: 128 and the number of SIGPIPE."""


class _Talk(io.FileIO):
    """Writes to stderr until that fails, and from then on to nowhere."""

    def write(self, data: "Buffer") -> int:
        everything = memoryview(data).nbytes
        try:
            written: int | None = super().write(data)
        except OSError:
            _to_nowhere(self.fileno())
            return everything
        return everything if written is None else written  # None: a pipe that is full and does not wait


class _Results(io.FileIO):
    """Writes to stdout and ends the command where that fails."""

    def write(self, data: "Buffer") -> int:
        try:
            return super().write(data)
        except BrokenPipeError:
            _to_nowhere(self.fileno())
            sys.exit(READER_GONE)
        except OSError as error:
            on_a_terminal = stat.S_ISCHR(os.fstat(self.fileno()).st_mode)
            _to_nowhere(self.fileno())
            if on_a_terminal and error.errno == errno.EIO:  # it was closed
                sys.exit(READER_GONE)
            raise StorageError(
                f"the results cannot be written to standard output: {error.strerror}. Free some space or "
                f"write them elsewhere, then run the same command again."
            ) from error


def outlive_readers() -> None:
    """Replace `sys.stderr` and `sys.stdout` as the module says. To be called once, before the first word."""
    _open_what_is_closed()
    sys.stderr = _text(
        _Talk(2, "wb", closefd=False), getattr(sys.stderr, "encoding", "utf-8"), "backslashreplace"
    )
    errors = getattr(sys.stdout, "errors", "surrogateescape")
    sys.stdout = _text(_Results(1, "wb", closefd=False), getattr(sys.stdout, "encoding", "utf-8"), errors)


def _text(file: io.FileIO, encoding: str, errors: str) -> io.TextIOWrapper:
    buffered = io.BufferedWriter(file)
    return io.TextIOWrapper(buffered, encoding=encoding, errors=errors, line_buffering=True)


def _open_what_is_closed() -> None:
    """Open the standard streams that the caller closed.

    Otherwise the next file that is opened would get such a number, and what libraries print would land in it.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest free number, which is this one


def _to_nowhere(number: int) -> None:
    """Lead an open file to the null device, for this process and for the workers that it starts later."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    with contextlib.closing(os.fdopen(nowhere, "wb")):
        os.dup2(nowhere, number)
