"""Who is writing into an output folder: one run at a time, and no worker of a run that is over.

    lock         held with `flock` by the driver; the kernel frees it however the driver ends
    owner.json   the driver's host, process, boot and run; its modification time beats every few seconds
    writers      held shared with `flock` by every task that writes, so that a run waits until the workers of
                 a killed one are gone

On one machine the kernel's lock is the truth, and an owner file that is left over means nothing. An owner on
another machine, or on a file system without locks, is judged by whether its heartbeat moves while one looks:
no clock is compared, so that clocks may differ or be set back.
"""

import errno
import fcntl
import os
import socket
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

from crackpipe.pipeline.console import log
from crackpipe.pipeline.durable import guarding, read_json, write_json
from crackpipe.pipeline.errors import OutputLockedError
from crackpipe.pipeline.every import repeated
from crackpipe.pipeline.state import Output

HEARTBEAT_S = 5.0
_LOOK_S = 3 * HEARTBEAT_S
_WRITERS_WAIT_S = 60.0  # a unit of a killed run on a foreign scheduler may take about this long
_TRIES, _TRY_EVERY_S = 5, 0.1  # `crackpipe status` holds the lock for an instant
_WITHOUT_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL}


@dataclass(frozen=True)
class Owner:
    """The driver of a run."""

    run: str
    """Unique for each run."""
    host: str
    pid: int
    boot_id: str
    """Of the kernel; empty where the system has none."""
    started: str
    """Start of the process in clock ticks since boot: tells a reused process number from the process."""

    @property
    def is_here(self) -> bool:
        """Whether the driver runs, or ran, under this kernel since its last start."""
        return self.boot_id == _boot_id() and (self.boot_id != "" or self.host == socket.gethostname())

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}"


def _this_process(run: str) -> Owner:
    return Owner(run, socket.gethostname(), os.getpid(), _boot_id(), _start_of(os.getpid()))


def _boot_id() -> str:
    file = Path("/proc/sys/kernel/random/boot_id")
    return file.read_text().strip() if file.exists() else ""


def _start_of(pid: int) -> str:
    """Field 22 of /proc/PID/stat, counted behind the name, which may hold anything; empty without one."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except (FileNotFoundError, ProcessLookupError):
        return ""


def owner_of(output: Output) -> Owner | None:
    """Who the owner file names, or None."""
    entry = read_json(_owner_file(output))
    try:
        return Owner(**entry) if isinstance(entry, dict) else None
    except TypeError:  # of another version
        return None


def _owner_file(output: Output) -> Path:
    return output.hidden / "owner.json"


# ---- holding


@contextmanager
def locked(output: Output, run: str) -> Iterator[None]:
    """Hold the output folder for this process, under the name `run`.

    Raises OutputLockedError naming the holder, OutputNotWritableError or StorageError.
    """
    with guarding(output.hidden / "lock"):
        handle = _open_lock(output)
    with handle:
        if not _flock(handle, fcntl.LOCK_EX):
            raise _in_use(output, owner_of(output))
        before = owner_of(output)
        if before is not None and _is_alive(output, before, kernel_says_free=_has_locks(handle)):
            raise _in_use(output, before)
        if before is not None:
            log.log.info(f"an earlier run, {before}, ended before it was finished; going on from there")
        with guarding(output.hidden):
            write_json(_owner_file(output), asdict(_this_process(run)))
        try:
            _wait_for_writers(output)
            with _beating(output, run):
                yield
        finally:
            owner = owner_of(output)
            if owner is not None and owner.run == run:
                with guarding(output.hidden):
                    _owner_file(output).unlink(missing_ok=True)


def _open_lock(output: Output) -> IO[str]:
    """The lock file, opened; again where `unlock` replaced it in between."""
    path = output.hidden / "lock"
    while True:
        handle = path.open("a+")
        if path.exists() and os.fstat(handle.fileno()).st_ino == path.stat().st_ino:
            return handle
        handle.close()


def _flock(handle: IO[str], kind: int) -> bool:
    """Try to lock; False if another process holds it. A file system without locks grants everything."""
    for attempt in range(_TRIES):
        try:
            fcntl.flock(handle, kind | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            if attempt < _TRIES - 1:
                time.sleep(_TRY_EVERY_S)
        except OSError as error:
            if error.errno not in _WITHOUT_LOCKS:
                raise
            log.log.warning(
                f"{handle.name} is on a file system without locks ({error.strerror}): two runs that start "
                f"within {HEARTBEAT_S:.0f} s would not see each other"
            )
            return True
    return False


def _has_locks(handle: IO[str]) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _is_alive(output: Output, owner: Owner, *, kernel_says_free: bool) -> bool:
    """Whether the owner still works, where this process could lock."""
    if owner.is_here:
        return not kernel_says_free and _start_of(owner.pid) == owner.started != ""
    if owner.host == socket.gethostname():
        return False  # started anew since
    return _beats(output)


def _beats(output: Output) -> bool:
    """Watch the heartbeat for three beats."""
    first = _beat(output)
    deadline = time.monotonic() + _LOOK_S
    while time.monotonic() < deadline:
        time.sleep(min(1.0, _LOOK_S / 5))
        if _beat(output) != first:
            return True
    return False


def _beat(output: Output) -> int | None:
    try:
        with _owner_file(output).open() as file:  # opening makes a network file system ask its server
            return os.fstat(file.fileno()).st_mtime_ns
    except FileNotFoundError:
        return None


def _in_use(output: Output, owner: Owner | None) -> OutputLockedError:
    who = owner or "another process"
    end = f"end it with `kill {owner.pid}` on {owner.host}" if owner else "end it"
    return OutputLockedError(
        f"{output.root} is in use by {who}. Wait, {end}, or give another folder with --out. "
        f"`crackpipe unlock {output.root}` frees it if that machine is gone."
    )


def _beating(output: Output, run: str) -> AbstractContextManager[None]:
    """Touch the owner file now and then, as long as it is this run's."""

    def beat() -> bool:
        owner = owner_of(output)
        if owner is None or owner.run != run:
            log.log.warning(f"{_owner_file(output)} is no longer of this run: tasks will refuse work")
            return False
        try:
            os.utime(_owner_file(output))
        except OSError as error:  # a full or failing disk is reported by those who write
            log.log.warning(f"no heartbeat: {error}")
        return True

    return repeated(beat, HEARTBEAT_S, "heartbeat")


@contextmanager
def reading(output: Output) -> Iterator[None]:
    """Keep runs away while the output is read; also where nothing can be written.

    Raises OutputLockedError if a run is at work.
    """
    file = output.hidden / "lock"
    if not file.exists():
        yield
        return
    with file.open() as handle:
        if not _flock(handle, fcntl.LOCK_SH):
            raise _in_use(output, owner_of(output))
        yield


# ---- tasks that write


@contextmanager
def writing(output: Output, run: str) -> Iterator[None]:
    """Enclose what a task of `run` writes. Raises OutputLockedError if another run holds the output now."""
    with guarding(output.hidden / "writers"):
        handle = (output.hidden / "writers").open("a")
    with handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_SH)
        except OSError as error:
            if error.errno not in _WITHOUT_LOCKS:
                raise
        owner = owner_of(output)
        if owner is None or owner.run != run:
            raise OutputLockedError(
                f"{output.root} belongs to {owner or 'no run'} now, this task to a run that is over. "
                f"Run the same command again."
            )
        yield


def _wait_for_writers(output: Output) -> None:
    """Wait until no task of an earlier run writes. New ones find another owner."""
    with guarding(output.hidden / "writers"):
        handle = (output.hidden / "writers").open("a")
    with handle:
        deadline = time.monotonic() + _WRITERS_WAIT_S
        said = False
        while not _flock(handle, fcntl.LOCK_EX):
            if time.monotonic() > deadline:
                raise OutputLockedError(
                    f"worker processes of an earlier run still write into {output.root} after "
                    f"{_WRITERS_WAIT_S:.0f} s. End them (`fuser {output.hidden / 'writers'}` lists those of "
                    f"this machine), then run the same command again."
                )
            if not said:
                log.log.info("waiting for worker processes of an earlier run to end")
                said = True


# ---- looking and freeing


def holder_of(output: Output) -> str | None:
    """`process PID on HOST` of the run that holds the output, or None if nobody does."""
    file = output.hidden / "lock"
    if not file.exists():
        return None
    with file.open() as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return str(owner_of(output) or "another process")
        except OSError as error:
            if error.errno not in _WITHOUT_LOCKS:
                raise
    owner = owner_of(output)
    return f"{owner} (by its heartbeat)" if owner and not owner.is_here and _beats(output) else None


def unlock(output: Output) -> str:
    """Free an output whose run is gone; what was done, in words.

    Raises OutputLockedError if the run is alive: a process of this machine that holds the lock, or a
    heartbeat that moves.
    """
    file = output.hidden / "lock"
    if not file.exists():
        return f"{output.root} is not locked"
    with guarding(file), _open_lock(output) as handle:
        owner = owner_of(output)
        free = _flock(handle, fcntl.LOCK_EX)
        if owner is None:
            if not free:
                raise _in_use(output, None)
            return f"{output.root} is not locked"
        alive = owner.is_here if not free else _is_alive(output, owner, kernel_says_free=_has_locks(handle))
        if alive or (not owner.is_here and _beats(output)):
            raise _in_use(output, owner)
        _owner_file(output).unlink()
        file.unlink()
        return f"{output.root} is free: {owner} is gone"
