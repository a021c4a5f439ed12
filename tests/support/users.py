"""Processes that may do less than the tests: without root's rights, or in a control group with limits."""

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

_ROOT = Path("/sys/fs/cgroup")
_ENTER = 'for group in $GROUPS_TO_ENTER; do echo $$ > "$group/cgroup.procs" || exit 125; done; exec "$0" "$@"'
_PERIOD_US = 100_000


def as_mere_mortal(command: list[str]) -> list[str]:
    """The command without root's right to read everything; skips the test where that cannot be taken away."""
    if os.geteuid() != 0:
        return command
    if shutil.which("setpriv") is None:
        pytest.skip("setpriv (util-linux) is not there to take root's rights away")
    return ["setpriv", "--bounding-set=-dac_override,-dac_read_search", *command]


NOBODY = 65534


@contextmanager
def as_nobody() -> Iterator[None]:
    """Do what is inside as another user, who may enter none of root's folders; skips the test without root.

    Modules that are imported inside may not be readable: have them imported before.
    """
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        pytest.skip("becoming another user needs root")
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@contextmanager
def open_folder() -> Iterator[Path]:
    """A new folder that every user may enter, which pytest's own are not."""
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@contextmanager
def control_group(name: str, *, cores: float, memory_mib: int) -> Iterator[list[str]]:
    """A command prefix that runs what follows it in a group of so many cores and MiB.

    Of version 2, or of version 1 with a group for each of both. Its processes must have ended by the end.
    Skips the test where no such group can be made.
    """
    quota_us, memory = round(cores * _PERIOD_US), memory_mib << 20
    if (_ROOT / "cgroup.controllers").exists():
        group = _ROOT / name
        files = {group / "cpu.max": f"{quota_us} {_PERIOD_US}", group / "memory.max": memory}
    else:
        files = {
            _ROOT / "cpu" / name / "cpu.cfs_period_us": _PERIOD_US,
            _ROOT / "cpu" / name / "cpu.cfs_quota_us": quota_us,
            _ROOT / "memory" / name / "memory.limit_in_bytes": memory,
        }
    groups = sorted({file.parent for file in files})
    made = []
    try:
        try:
            for group in groups:
                group.mkdir()
                made.append(group)
            for file, content in files.items():
                if not file.exists():
                    pytest.skip(f"{file.parent} has no {file.name}")
                file.write_text(str(content))
        except OSError as error:
            pytest.skip(f"no control group can be made here: {error}")
        entering = f"GROUPS_TO_ENTER={' '.join(map(str, groups))}"
        yield ["env", entering, "sh", "-c", _ENTER]
    finally:
        for group in made:
            _remove(group)


def _remove(group: Path) -> None:
    """Remove a group, whose last process may still be on its way out."""
    deadline = time.monotonic() + 10.0
    while (group / "cgroup.procs").read_text() and time.monotonic() < deadline:
        time.sleep(0.05)
    group.rmdir()
