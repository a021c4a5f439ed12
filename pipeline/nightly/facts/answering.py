"""Whether a share answers, found out by a process of its own.

Where the server of a share is away, the kernel keeps whoever asks waiting, often for ever (NFS, `hard`). So a
night lets a helper ask: a helper that is silent is given up, and the night goes on with the other sources.
"""

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from crackpipe.pipeline.errors import CrackpipeError, NoReadableImageError
from crackpipe.pipeline.nightly.facts.network import Source

HANGS_AFTER_S = 120.0
"""A share that says nothing for so long, not even the next name of a list, does not answer."""
_STARTS_WITHIN_S = 300.0
_LOOKS_EVERY_S = 300.0
"""How often it is asked during a run whether the share still answers."""
_BEATS_EVERY_S = 1.0
_HELPER = (
    "import sys; from crackpipe.pipeline.nightly.facts import answering, listing, outcome; "
    "answering.serve(int(sys.argv[1]))"
)
"""Imports first what it will be asked for: that takes a busy machine seconds, and no share is silent then."""

P = ParamSpec("P")
T = TypeVar("T")


class SilentError(NoReadableImageError):
    """A share does not answer."""


class Asker:
    """Asks shares through a helper that may be lost. Of a source that was silent nothing is asked again.

    A context manager; not for several threads at once.
    """

    def __init__(self) -> None:
        self.silent: dict[str, SilentError] = {}
        """By the source's name."""
        self._helper: tuple[subprocess.Popen[bytes], Connection] | None = None

    def __enter__(self) -> "Asker":
        return self

    def __exit__(self, *_: object) -> None:
        self._give_up(at_once=False)

    def ask(self, source: Source, function: Callable[P, T], *arguments: P.args, **options: P.kwargs) -> T:
        """What a function of a module says of files of a source, raising what it raises.

        It must be known by its name, and it and its arguments be such as pickle takes. Raises SilentError.
        """
        if source.name in self.silent:
            raise self.silent[source.name]
        if self._helper is None:
            self._helper = _begun()
        _, line = self._helper
        try:
            line.send((function, arguments, options))
            while (said := self._heard(source, line, HANGS_AFTER_S)) is None:
                pass  # it works on
        except (EOFError, BrokenPipeError, ConnectionResetError) as error:
            self._give_up(at_once=True)
            raise CrackpipeError(
                f"the process that looks at {source.place} ended. The log says why."
            ) from error
        is_well, answer = said
        if not is_well:
            raise answer
        found: T = answer
        return found

    def _heard(self, source: Source, line: Connection, within_s: float) -> Any:
        if line.poll(within_s):
            return line.recv()
        self._give_up(at_once=True)
        place = source.place if source.results is None else f"{source.place} or {source.results}"
        self.silent[source.name] = SilentError(
            f"{place} does not answer: nothing was heard for {within_s:.0f} s. Its server or the network is "
            "away; the next night asks again."
        )
        raise self.silent[source.name]

    def _give_up(self, *, at_once: bool) -> None:
        """Let the helper go. One that the kernel holds cannot be waited for."""
        if self._helper is None:
            return
        process, line = self._helper
        self._helper = None
        line.close()
        if at_once:
            process.kill()
        for _ in range(2):
            with suppress(subprocess.TimeoutExpired):
                process.wait(timeout=10)
                return
            process.kill()


def _begun() -> tuple["subprocess.Popen[bytes]", Connection]:
    """A helper that is ready, and the line to it. It ends when the line does."""
    ours, theirs = multiprocessing.Pipe()
    number = theirs.fileno()
    process = subprocess.Popen(
        [sys.executable, "-P", "-c", _HELPER, str(number)], pass_fds=[number], stdin=subprocess.DEVNULL
    )
    theirs.close()
    if not ours.poll(_STARTS_WITHIN_S):
        process.kill()
        raise CrackpipeError(f"a helper process did not start within {_STARTS_WITHIN_S:.0f} s")
    with suppress(EOFError):  # it ended; whoever asks it notices
        ours.recv()
    return process, ours


# ---- in the helper


class _Beats:
    """Tells the other end of the line that work goes on."""

    line: Connection | None = None
    said_s = 0.0


def beat() -> None:
    """Say that something was heard from the share. Outside of a helper it does nothing."""
    now_s = time.monotonic()
    if _Beats.line is not None and now_s - _Beats.said_s >= _BEATS_EVERY_S:
        _Beats.said_s = now_s
        _Beats.line.send(None)


def serve(number: int) -> None:
    """Answer what comes over the line with that file number until it ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # of a terminal: the night itself ends this
    line: Any = Connection(number)
    _Beats.line = line
    with suppress(EOFError, BrokenPipeError, ConnectionResetError):
        line.send("ready")
        while True:
            function, arguments, options = line.recv()
            try:
                said = True, function(*arguments, **options)
            except (CrackpipeError, OSError) as error:
                said = False, error
            line.send(said)


# ---- during a run


@contextmanager
def watched(source: Source, *paths: Path) -> Iterator[Callable[[], SilentError | None]]:
    """Ask every five minutes whether paths answer; a function that gives the error if they do not."""
    is_over = threading.Event()
    silent: list[SilentError] = []

    def look() -> None:
        with Asker() as asker:
            while not is_over.wait(_LOOKS_EVERY_S):
                try:
                    asker.ask(source, touch, *paths)
                except SilentError as error:
                    silent.append(error)
                    return
                except CrackpipeError:
                    return  # the run itself goes on, unwatched

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield lambda: silent[0] if silent else None
    finally:
        is_over.set()
        thread.join(10.0)  # longer only where a share is silent, and then nobody waits for it


def touch(*paths: Path) -> None:
    """Ask a server about its disk, which no cache of the kernel answers. What is not there is no matter."""
    for path in paths:
        with suppress(OSError):
            os.statvfs(path)
        beat()
