"""The program `crackpipe` as a process: its lines, its progress, and how it is cancelled.

Nothing here knows of QGIS, so that it can be tested without it.
"""

import os
import queue
import re
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

NAME = "crackpipe"
QUARANTINE = 3
"""Exit code of a run that is done, with images in quarantine."""

# QGIS sets these for itself, and some of them would lead another Python or another GDAL astray.
_OF_QGIS = (
    "PYTHONHOME",
    "PYTHONPATH",
    "GDAL_DATA",
    "GDAL_DRIVER_PATH",
    "PROJ_LIB",
    "PROJ_DATA",
    "VIRTUAL_ENV",
)
# The first Ctrl-C lets workers end and locks be freed; the second ends everything at once.
_FIRST_WAIT_S, _SECOND_WAIT_S = 60.0, 10.0
_LOOK_EVERY_S = 0.2
# A line such as "19:21:19 inspecting: 32/156 tiles, 0/7 images, 0.00 km, 1.5 tiles/s, 83 s left"
_PROGRESS = re.compile(r"^(?:\d\d:\d\d:\d\d )?(inspecting|tracing): (\d+)/(\d+) tiles, (\d+)/(\d+) images")
_LAST_LINES = 12


class ProgramError(Exception):
    """The program cannot be started, or it ended with an error. The message is for a person."""


class CancelledError(Exception):
    """A person cancelled, and the program has ended."""


@dataclass(frozen=True)
class Ended:
    """A process that did what it should."""

    exit_code: int
    """0, or `QUARANTINE`."""
    results: list[str]
    """Lines of its standard output."""


def crs_word(authid: str, wkt: str) -> str:
    """A CRS as the program understands it: its code, or its WKT where it has none that others know.

    A CRS that a person defined in QGIS is called USER:100000 there, and means nothing elsewhere.
    """
    return wkt if not authid or authid.startswith("USER:") else authid


def program(given: str | None) -> str:
    """Path of the program: what a person gave, else CRACKPIPE, else from the PATH. Raises ProgramError."""
    wanted = given or os.environ.get("CRACKPIPE") or NAME
    found = shutil.which(os.path.expanduser(wanted))  # noqa: PTH111
    if found is None:
        raise ProgramError(
            f"The program {wanted!r} is not found. Install crackpipe in an environment of its own, and name "
            "its path under Settings > Options > Processing > Providers > crackpipe, such as "
            "/opt/crackpipe/bin/crackpipe."
        )
    return found


def environment(outside: Mapping[str, str]) -> dict[str, str]:
    """The environment for the program: that of QGIS, without what QGIS set for itself."""
    return {name: value for name, value in outside.items() if name not in _OF_QGIS} | {
        "PYTHONUNBUFFERED": "1"
    }


def share_of(line: str) -> float | None:
    """Finished share of a run, 0..1, if the line tells it."""
    match = _PROGRESS.match(line)
    if match is None:
        return None
    tiles, tiles_total, images, images_total = (int(each) for each in match.groups()[1:])
    # tracing is quick: nine tenths are for tiles, one for images
    return 0.9 * tiles / max(tiles_total, 1) + 0.1 * images / max(images_total, 1)


def call(
    command: Sequence[str],
    *,
    on_line: Callable[[str, bool], None],
    on_share: Callable[[float], None],
    is_cancelled: Callable[[], bool],
) -> Ended:
    """Run the program to its end.

    `on_line` gets each line, and whether it is a result (standard output). Raises ProgramError with the last
    words of the program where it fails, and CancelledError.
    """
    process = _start(command)
    said: queue.Queue[tuple[str, bool]] = queue.Queue()
    readers = [
        threading.Thread(target=_read, args=(stream, said, is_result), daemon=True)
        for stream, is_result in ((process.stdout, True), (process.stderr, False))
    ]
    for reader in readers:
        reader.start()
    results, last = [], []
    cancelled = False
    while any(reader.is_alive() for reader in readers) or not said.empty():
        if not cancelled and is_cancelled():
            cancelled = True
            threading.Thread(target=_end, args=(process,), daemon=True).start()
        try:
            line, is_result = said.get(timeout=_LOOK_EVERY_S)
        except queue.Empty:
            continue
        on_line(line, is_result)
        (results if is_result else last).append(line)
        share = None if is_result else share_of(line)
        if share is not None:
            on_share(share)
    code = process.wait()
    if cancelled:
        raise CancelledError
    if code not in (0, QUARANTINE):
        raise ProgramError("\n".join([f"{NAME} ended with exit code {code}.", *last[-_LAST_LINES:]]))
    return Ended(code, results)


def _start(command: Sequence[str]) -> "subprocess.Popen[bytes]":
    try:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment(os.environ),
            start_new_session=True,  # what a terminal sends to QGIS is not for the program
        )
    except OSError as error:
        raise ProgramError(f"{command[0]} cannot be started: {error.strerror}.") from error


def _read(stream, said, is_result):
    with stream:
        for line in stream:
            said.put((line.decode("utf-8", "replace").rstrip("\r\n"), is_result))


def _end(process: "subprocess.Popen[bytes]") -> None:
    """Interrupt the program as Ctrl-C does, and if it does not end, tell it to terminate.

    Where QGIS was started in the background of a script, programs that it starts ignore the first signal.
    """
    for each, wait_s in ((signal.SIGINT, _FIRST_WAIT_S), (signal.SIGTERM, _SECOND_WAIT_S)):
        if process.poll() is not None:
            return
        process.send_signal(each)
        deadline = time.monotonic() + wait_s
        while time.monotonic() < deadline:
            if process.poll() is not None:
                return
            time.sleep(_LOOK_EVERY_S)
    process.kill()
