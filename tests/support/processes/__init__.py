"""crackpipe as a process of its own."""

import os
import subprocess
import sys
import time
from pathlib import Path

# a test run that was started in the background would hand down an ignored SIGINT
_START = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); import crackpipe.__main__"


def begun(*arguments: object, **environment: str) -> "subprocess.Popen[str]":
    """`crackpipe ARGUMENTS` in a session of its own, its talk in one stream."""
    return subprocess.Popen(
        [sys.executable, "-c", _START, *map(str, arguments)],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=os.environ | environment,
        start_new_session=True,
    )  # fmt: skip


def ended(process: "subprocess.Popen[str]", timeout_s: float = 240) -> tuple[int, str]:
    """Its exit code, and all that it said."""
    talk, _ = process.communicate(timeout=timeout_s)
    return process.returncode, talk


def wait_for_a_block(out: Path, process: "subprocess.Popen[str]") -> None:
    """Until a run is at work on an image, of which a part is done."""
    deadline = time.monotonic() + 280
    while not list((out / ".crackpipe" / "staging").glob("*/blocks/*-*")):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.01)
