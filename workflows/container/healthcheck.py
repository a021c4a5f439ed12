#!/opt/crackpipe/bin/python -I
"""Is the night in this container alive: does its heartbeat, which comes every five seconds, move?

For other commands than `crackpipe nightly network.toml` it is enough that the process lives. No clock of a
share is compared with ours: the file is looked at until its time changes.
"""

import sys
import time
import tomllib
from pathlib import Path

LOOKS_FOR_S = 20.0


def output_of(command: list[str]) -> Path | None:
    """The network's output that a command line names, or None where it is no night of a file."""
    files = [Path(word) for word in command if word.endswith(".toml")]
    if "nightly" not in command or not files:
        return None
    table = tomllib.loads(files[0].read_text(encoding="utf-8-sig"))
    return files[0].parent / table["output"]


def beats(file: Path, looks_for_s: float) -> bool:
    """Whether the heartbeat moves while one looks."""
    before = file.stat().st_mtime_ns if file.exists() else None
    end = time.monotonic() + looks_for_s
    while time.monotonic() < end:
        time.sleep(0.5)
        if file.exists() and file.stat().st_mtime_ns != before:
            return True
    return False


def main() -> int:
    """0: alive; 1: not. The command is that of process 1."""
    command = Path("/proc/1/cmdline").read_text(encoding="utf-8").split("\0")
    output = output_of(command)
    if output is None or beats(output / ".crackpipe" / "owner.json", LOOKS_FOR_S):
        return 0
    print(f"the night's heartbeat in {output} does not move", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
