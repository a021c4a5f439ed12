"""Signals of a terminal: Ctrl-C, and that it was closed.

The first Ctrl-C raises KeyboardInterrupt, so that workers end and locks are freed; one line says so. The
second one ends this process and all below it at once. A terminal sends Ctrl-C to every process of its
foreground group. Processes that are started from a `loop_without_interrupts` never see it: the driver ends
them, and they print nothing.
"""

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any

# Every command imports this file. What takes long to import waits until it is needed.

INTERRUPTED = 130
"""Exit code of a command that Ctrl-C ended: 128 and the number of SIGINT."""

SENTENCE = "Interrupted. Run the same command again to go on where it stopped."

_SHOW_CURSOR = b"\x1b[?25h"


class ToldInterruptError(KeyboardInterrupt):
    """A Ctrl-C of which the person at the terminal was told already."""


class _Heard:
    """What came of Ctrl-C so far."""

    told = False
    """Whether the screen says so."""


def listen() -> None:
    """Let the first Ctrl-C end the command in order and the second one end everything at once.

    Does nothing where SIGINT is ignored, as in a process that a script started in the background.
    """
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _first)
        sys.unraisablehook = _unraisable


def _first(_signal: int, _frame: FrameType | None) -> None:
    signal.signal(signal.SIGINT, _second)
    raise KeyboardInterrupt


def _second(_signal: int, _frame: FrameType | None) -> None:
    import psutil

    below = [process.pid for process in psutil.Process().children(recursive=True)]
    if os.isatty(2):
        os.write(2, _SHOW_CURSOR)  # a progress bar hides it
    if not _Heard.told:
        os.write(2, f"{SENTENCE}\n".encode())
    # From here on nothing waits, so no thread of this process gets its turn to start a worker again.
    for pid in below:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    os._exit(INTERRUPTED)


def _unraisable(lost: "sys.UnraisableHookArgs") -> None:
    """Say Ctrl-C again where Python cannot raise it, as in a callback of the garbage collector."""
    if not issubclass(lost.exc_type, KeyboardInterrupt):
        sys.__unraisablehook__(lost)
        return
    signal.signal(signal.SIGINT, _first)
    again = threading.Timer(0.05, os.kill, [os.getpid(), signal.SIGINT])
    again.daemon = True
    again.start()


@contextmanager
def held_back() -> Iterator[Callable[[], None]]:
    """Ctrl-C waits until the function that this gives is called, which then raises it.

    The second one still ends everything at once, after `listen`. Only the main thread may change signals:
    elsewhere, and where SIGINT raises nothing anyway, this does nothing.
    """
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(before):
        yield lambda: None
        return
    came: list[int] = []

    def note(number: int, _frame: FrameType | None) -> None:
        came.append(number)
        if before is _first:
            signal.signal(signal.SIGINT, _second)

    def let_go() -> None:
        signal.signal(signal.SIGINT, before)
        if came:
            came.clear()
            signal.raise_signal(signal.SIGINT)

    signal.signal(signal.SIGINT, note)
    try:
        yield let_go
    finally:
        if signal.getsignal(signal.SIGINT) is note:
            signal.signal(signal.SIGINT, before)


def tell() -> None:
    """Say on the screen that Ctrl-C came."""
    _Heard.told = True
    print(SENTENCE, file=sys.stderr, flush=True)


@contextmanager
def telling(more: str = "") -> Iterator[None]:
    """Say at once, on the screen and in the log, that Ctrl-C came; `more` is said besides.

    Raises ToldInterruptError in place of KeyboardInterrupt.
    """
    try:
        yield
    except ToldInterruptError:
        raise
    except KeyboardInterrupt as error:
        from crackpipe.pipeline.console.log import log

        _Heard.told = True
        log.warning(f"{SENTENCE}{more}")
        raise ToldInterruptError from error


@contextmanager
def loop_without_interrupts() -> Iterator[Any]:
    """An event loop for Dask, in a thread of its own. Neither it nor processes started from it get SIGINT.

    A process inherits the blocked signals of the thread that starts it, from its first instruction on, while
    anything it did itself would come seconds later, after its imports.
    """
    from multiprocessing import resource_tracker

    from distributed.utils import LoopRunner

    # Python's own helper process would be started from the loop otherwise, which unblocks SIGINT there.
    resource_tracker.ensure_running()
    runner = LoopRunner()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        runner.start()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    try:
        yield runner.loop
    finally:
        runner.stop()


@contextmanager
def outliving_the_terminal() -> Iterator[None]:
    """A closed terminal ends neither this process nor those that it starts meanwhile.

    Afterwards SIGHUP does what it did before. Only the main thread may change signals: elsewhere this does
    nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        yield
    finally:
        # None: whoever embeds Python set it, and Python cannot set it again
        signal.signal(signal.SIGHUP, signal.SIG_DFL if before is None else before)
