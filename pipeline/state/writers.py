"""Tasks that write hold a shared lock. A new run waits until those of the last run have ended."""

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager

from crackpipe.pipeline.console.log import log
from crackpipe.pipeline.errors import OutputLockedError
from crackpipe.pipeline.state.flock import WITHOUT_LOCKS, flock
from crackpipe.pipeline.state.output import Output
from crackpipe.pipeline.state.owner import owner_of
from crackpipe.pipeline.storage.faults import guarding

_WRITERS_WAIT_S = 60.0  # a unit may go on this long where a scheduler outlives a killed run


@contextmanager
def writing(output: Output, run: str) -> Iterator[None]:
    """Enclose what a task of `run` writes. Raises OutputLockedError if another run holds the output now."""
    with guarding(output.hidden / "writers"):
        handle = (output.hidden / "writers").open("a")
    with handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_SH)
        except OSError as error:
            if error.errno not in WITHOUT_LOCKS:
                raise
        owner = owner_of(output)
        if owner is None or owner.run != run:
            raise OutputLockedError(
                f"{output.root} belongs to {owner or 'no run'} now, this task to a run that is over. "
                f"Run the same command again."
            )
        yield


def wait_for_writers(output: Output) -> None:
    """Wait until no task of an earlier run writes. Tasks that begin later find another owner and refuse."""
    with guarding(output.hidden / "writers"):
        handle = (output.hidden / "writers").open("a")
    with handle:
        deadline = time.monotonic() + _WRITERS_WAIT_S
        said = False
        while not flock(handle, fcntl.LOCK_EX):
            if time.monotonic() > deadline:
                raise OutputLockedError(
                    f"worker processes of an earlier run still write into {output.root} after "
                    f"{_WRITERS_WAIT_S:.0f} s. End them (`fuser {output.hidden / 'writers'}` lists those of "
                    f"this machine), then run the same command again."
                )
            if not said:
                log.info("waiting for worker processes of an earlier run to end")
                said = True
