"""Who is writing into an output folder: one run at a time, and no worker of a run that is over.

    lock         held with `flock` by the driver; the kernel frees it however the driver ends
    owner.json   the driver's host, process, boot and run; its modification time beats every few seconds
    writers      held shared with `flock` by every task that writes, so that a run waits until the workers of
                 a killed one are gone

On one machine the kernel's lock decides, whatever owner file is left over. An owner on another machine is
alive if its heartbeat moves while one looks. No clocks are compared, so they may differ or be set back. On a
file system without locks, an owner on this machine is alive if its process runs.
"""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict

from crackpipe.pipeline.console.log import log
from crackpipe.pipeline.errors import OutputLockedError
from crackpipe.pipeline.state.flock import WITHOUT_LOCKS, flock, has_locks, open_lock
from crackpipe.pipeline.state.output import Output
from crackpipe.pipeline.state.owner import (
    Owner,
    Verdict,
    beating,
    owner_file,
    owner_of,
    this_process,
    verdict_on,
)
from crackpipe.pipeline.state.writers import wait_for_writers
from crackpipe.pipeline.storage.faults import guarding
from crackpipe.pipeline.storage.sealed import write_json

# ---- holding


@contextmanager
def locked(output: Output, run: str) -> Iterator[None]:
    """Hold the output folder for this process, under the name `run`.

    Raises OutputLockedError naming the holder, OutputNotWritableError or StorageError.
    """
    with guarding(output.hidden / "lock"):
        handle, granted = open_lock(output)
    with handle:
        if not granted:
            raise _in_use(output, owner_of(output))
        before = owner_of(output)
        verdict = verdict_on(output, before, granted=True, knows_locks=has_locks(handle))
        if verdict is Verdict.ALIVE:
            raise _in_use(output, before)
        if verdict is Verdict.GONE:
            log.info(f"an earlier run, {before}, ended before it was finished; going on from there")
        with guarding(output.hidden):
            write_json(owner_file(output), asdict(this_process(run)))
        try:
            wait_for_writers(output)
            with beating(output, run):
                yield
        finally:
            owner = owner_of(output)
            if owner is not None and owner.run == run:
                with guarding(output.hidden):
                    owner_file(output).unlink(missing_ok=True)


def _in_use(output: Output, owner: Owner | None) -> OutputLockedError:
    who = owner or "another process"
    end = f"end it with `kill {owner.pid}` on {owner.host}" if owner else "end it"
    return OutputLockedError(
        f"{output.root} is in use by {who}. Wait, {end}, or give another folder with --out. "
        f"`crackpipe unlock {output.root}` frees it if that machine is gone."
    )


@contextmanager
def reading(output: Output) -> Iterator[None]:
    """Keep runs away while the output is read. Works on a disk that cannot be written too.

    Raises OutputLockedError if a run is at work.
    """
    file = output.hidden / "lock"
    if not file.exists():
        yield
        return
    with file.open() as handle:
        if not flock(handle, fcntl.LOCK_SH):
            raise _in_use(output, owner_of(output))
        yield


# ---- looking and freeing


def holder_of(output: Output) -> str | None:
    """`process PID on HOST` of the run that holds the output, or None if nobody does."""
    file = output.hidden / "lock"
    if not file.exists():
        return None
    with file.open() as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
            knows_locks = True
        except BlockingIOError:
            return str(owner_of(output) or "another process")
        except OSError as error:
            if error.errno not in WITHOUT_LOCKS:
                raise
            knows_locks = False
    owner = owner_of(output)
    if owner is None or verdict_on(output, owner, granted=True, knows_locks=knows_locks) is not Verdict.ALIVE:
        return None
    return str(owner) if owner.is_here else f"{owner} (by its heartbeat)"


def unlock(output: Output) -> str:
    """Free an output whose run is gone; what was done, in words.

    Raises OutputLockedError if the run is alive: a process of this machine that holds the lock, or a
    heartbeat that moves.
    """
    file = output.hidden / "lock"
    if not file.exists():
        return f"{output.root} is not locked"
    with guarding(file):
        handle, granted = open_lock(output)
    with guarding(file), handle:
        owner = owner_of(output)
        verdict = verdict_on(output, owner, granted=granted, knows_locks=has_locks(handle))
        if verdict is Verdict.ALIVE:
            raise _in_use(output, owner)
        if verdict is Verdict.FREE:
            return f"{output.root} is not locked"
        owner_file(output).unlink()
        file.unlink()
        return f"{output.root} is free: {owner} is gone"
