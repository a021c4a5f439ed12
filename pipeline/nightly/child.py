"""A command of crackpipe as a process of its own: what one survey breaks stays with that survey.

A process gives its memory back, may be killed by the kernel without ending the night, and ends in order when
it is told to (`docs/how/reliability.md`).
"""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from crackpipe.pipeline.console.printable import shown

INTERRUPTED = (130, 143)
_ENDS_WITHIN_S = 30.0
"""A run that is told to end does so within ten seconds; what does not is killed after this."""
_DIES_WITHIN_S = 10.0
_LOOKS_AT_CLOCK_EVERY_S = 20.0


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    said: str
    """Its last sentence on stderr that names an error, or its last line; on one line."""
    seconds: float
    was_cut: bool
    """Whether it was told to end because its time was over, or because of `gives_up`."""
    output: str = ""
    """What it printed on stdout, where that was asked for."""


def crackpipe(
    arguments: Sequence[str],
    *,
    home: Path,
    environment: Mapping[str, str],
    end_s: float | None = None,
    is_read: bool = False,
    gives_up: Callable[[], bool] = lambda: False,
) -> Ended:
    """Run `crackpipe ARGUMENTS` in `home`, until `end_s` at most (seconds since 1970), or `gives_up` says so.

    Its lines on stderr go to ours. Those on stdout too, unless they are read. If this process is told to
    end or is killed, so is the command told. Call it in the main thread: the command ends with its thread.
    """
    began = time.monotonic()
    # -P: a folder named crackpipe in `home` is not the program
    command = [sys.executable, "-P", "-m", "crackpipe.pipeline.nightly.below", str(os.getpid()), *arguments]
    process = subprocess.Popen(
        command,
        cwd=home,
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE if is_read else None,
        stderr=subprocess.PIPE,
        text=True,
        errors="backslashreplace",
    )
    said: list[str] = []
    printed: list[str] = []
    readers = [threading.Thread(target=_pass_on, args=(process.stderr, said, sys.stderr), daemon=True)]
    if is_read:
        readers.append(threading.Thread(target=_pass_on, args=(process.stdout, printed, None), daemon=True))
    for reader in readers:
        reader.start()
    try:
        was_cut = _wait(process, end_s, gives_up)
    except BaseException:
        _end(process, within_s=7.0)  # this process itself has ten seconds
        raise
    for reader in readers:
        # no longer: what it started may live on with the pipe open, or the kernel may hold it
        reader.join(_ENDS_WITHIN_S)
    code = -signal.SIGKILL if process.returncode is None else process.returncode
    was_cut = was_cut and code in (*INTERRUPTED, -signal.SIGKILL, -signal.SIGTERM)
    return Ended(code, _sentence(said), time.monotonic() - began, was_cut, "\n".join(printed))


def _wait(process: "subprocess.Popen[str]", end_s: float | None, gives_up: Callable[[], bool]) -> bool:
    """Wait for a process, and end it at `end_s` or when it is given up; whether that was done."""
    while True:
        left_s = float("inf") if end_s is None else end_s - time.time()
        if left_s <= 0 or gives_up():
            return _end(process, _ENDS_WITHIN_S)
        with suppress(subprocess.TimeoutExpired):
            # in portions, so that the clock counts and not the seconds for which the machine was awake
            process.wait(timeout=min(left_s, _LOOKS_AT_CLOCK_EVERY_S))
            return False


def _end(process: "subprocess.Popen[str]", within_s: float) -> bool:
    """Tell a process to end, and kill it if it does not; False if it had ended before.

    One that waits for a disk that does not answer may outlive even that, and is left.
    """
    if process.poll() is not None:
        return False
    process.terminate()
    try:
        process.wait(timeout=within_s)
    except subprocess.TimeoutExpired:
        process.kill()
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=_DIES_WITHIN_S)
    return True


def _pass_on(stream: IO[str] | None, lines: list[str], to: IO[str] | None) -> None:
    with stream or nullcontext(()) as read:
        for line in read:
            lines.append(line.rstrip("\n"))
            del lines[:-10_000]  # a run that says more says nothing new
            if to is not None:
                print(shown(line.rstrip("\n")), file=to, flush=True)


def _sentence(lines: Sequence[str]) -> str:
    """The last line that names an error, without the program's name; else the last one that is not empty."""
    for start in ("crackpipe: ", "Error: "):
        found = [line.removeprefix(start) for line in lines if line.startswith(start)]
        if found:
            return shown(found[-1])
    full = [line for line in lines if line.strip()]
    return shown(full[-1].strip()) if full else ""


def meaning_of(ended: Ended) -> tuple[int, str]:
    """The exit code that counts for a night, and a sentence, of a command that was not cut by the night.

    Codes that the night's own list does not have become the nearest that it has.
    """
    code, said = ended.code, ended.said
    if code == -signal.SIGKILL:
        return (
            71,
            "the process was killed; most often memory was too short (`dmesg`). The next night goes on.",
        )
    if code < 0:
        return 70, f"the process ended with signal {signal.Signals(-code).name}. {said}"
    if code in INTERRUPTED:
        return 69, f"somebody ended the process ({code}). The next night goes on."
    if code == 2:
        return 78, said
    return (
        (code, said) if code in (0, 3, 66, 69, 70, 71, 73, 74, 75, 78) else (70, f"exit code {code}: {said}")
    )
