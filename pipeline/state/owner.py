"""Who holds an output: the owner's file, its heartbeat, and whether that process is alive."""

import os
import socket
import time
from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from crackpipe.pipeline.console.log import log
from crackpipe.pipeline.every import repeated
from crackpipe.pipeline.state.output import Output
from crackpipe.pipeline.storage.sealed import read_json

HEARTBEAT_S = 5.0
_LOOK_S = 3 * HEARTBEAT_S


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
    """Start of the process in clock ticks since boot. Another process with the same number has another."""

    @property
    def is_here(self) -> bool:
        """Whether the driver runs, or ran, under this kernel since its last start."""
        return self.boot_id == _boot_id() and (self.boot_id != "" or self.host == socket.gethostname())

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}"


def this_process(run: str) -> Owner:
    """This process as the owner of a run."""
    return Owner(run, socket.gethostname(), os.getpid(), _boot_id(), _start_of(os.getpid()))


def _boot_id() -> str:
    file = Path("/proc/sys/kernel/random/boot_id")
    return file.read_text().strip() if file.exists() else ""


def _start_of(pid: int) -> str:
    """Field 22 of /proc/PID/stat, empty if there is none. Counted behind the name, which may hold spaces."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except (FileNotFoundError, ProcessLookupError):
        return ""


def owner_of(output: Output) -> Owner | None:
    """Who the owner file names, or None."""
    entry = read_json(owner_file(output))
    try:
        return Owner(**entry) if isinstance(entry, dict) else None
    except TypeError:  # of another version
        return None


def owner_file(output: Output) -> Path:
    """The file that names who holds the output."""
    return output.hidden / "owner.json"


class Verdict(Enum):
    """Who holds an output."""

    FREE = "nobody"
    ALIVE = "a process that still works"
    GONE = "a run that ended without giving it back"


def verdict_on(output: Output, owner: Owner | None, *, granted: bool, knows_locks: bool) -> Verdict:
    """Who holds an output, told from its owner and from this process's try to lock it.

    `granted` says whether the lock was granted, `knows_locks` whether the file system has any: one without
    grants everything. Watches the heartbeat for at most three beats, and only of an owner elsewhere.
    """
    if owner is None:
        return Verdict.FREE if granted else Verdict.ALIVE
    if owner.is_here:
        alive = not granted or (not knows_locks and _is_running(owner))
    elif granted and owner.host == socket.gethostname():
        alive = False  # this machine was started anew since
    else:
        alive = beats(output)
    return Verdict.ALIVE if alive else Verdict.GONE


def _is_running(owner: Owner) -> bool:
    """Whether the process of an owner that is here runs; another one may have its number now."""
    return _start_of(owner.pid) == owner.started != ""


def beats(output: Output) -> bool:
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
        # opened, not only asked: opening makes a network file system ask its server
        with owner_file(output).open() as file:
            return os.fstat(file.fileno()).st_mtime_ns
    except FileNotFoundError:
        return None


def beating(output: Output, run: str) -> AbstractContextManager[None]:
    """Touch the owner file every few seconds, as long as it names this run."""

    def beat() -> bool:
        owner = owner_of(output)
        if owner is None or owner.run != run:
            log.warning(f"{owner_file(output)} is no longer of this run: tasks will refuse work")
            return False
        try:
            os.utime(owner_file(output))
        except OSError as error:  # those who write results report a full or failing disk
            log.warning(f"no heartbeat: {error}")
        return True

    return repeated(beat, HEARTBEAT_S, "heartbeat")
