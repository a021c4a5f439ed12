"""Real disks that are full, out of inodes or read-only, and writes that fail."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import fault_kit as kit
import pytest
from disks import mounted, remount

from crackpipe.pipeline.config import Config
from crackpipe.pipeline.request import Request
from crackpipe.pipeline.run import run


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    with mounted(tmp_path / "disk", "4m") as folder:
        yield folder


@pytest.mark.parametrize(
    ("starved", "code"),
    [
        ("full", 74),
        pytest.param("out of inodes", 74, marks=pytest.mark.slow),
        ("read-only", 73),
    ],
    ids=str,
)
def test_a_disk_that_takes_no_more_leaves_the_earlier_output_intact(
    frames: Path, finished: Path, small_disk: Path, starved: str, code: int
) -> None:
    """The earlier output has one image less."""
    out = small_disk / "out"
    some = sorted(frames.rglob("*.tif"))
    request = Request((frames,), out, Config(), serial=True)
    hidden = some[-1].rename(some[-1].with_suffix(".away"))
    try:
        run(request)
    finally:
        hidden.rename(some[-1])
    before = kit.published(out)
    use = os.statvfs(small_disk)
    options = {
        "full": f"size={(use.f_blocks - use.f_bfree) * use.f_frsize + 32_768}",
        "out of inodes": f"nr_inodes={use.f_files - use.f_ffree + 12}",
        "read-only": "ro",
    }
    remount(small_disk, options[starved])
    result = subprocess.run(
        [sys.executable, "-m", "crackpipe", "run", frames, "--out", out, "--serial"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert result.returncode == code, result.stderr
    assert "Traceback" not in result.stderr
    now = kit.published(out)
    assert {name: now.get(name) for name in before} == before
    remount(small_disk, "rw,size=4m,nr_inodes=4096")
    run(request)
    assert kit.published(out) == kit.published(finished)
    assert not kit.litter(out)


ENDS_ON_A_FAILING_DISK = """
import os, struct, sys
from pathlib import Path
from crackpipe.pipeline import errors
from crackpipe.pipeline.state import lock
from crackpipe.pipeline.state.output import Output

output = Output(Path(sys.argv[1]))
output.create()
try:
    with lock.locked(output, "run"):
        Path(os.environ["FAULT_STATE"]).open("r+b").write(struct.pack("4q", 0, 1, 5, 1))
except errors.StorageError as error:
    print(error)
"""


def test_a_disk_that_fails_at_the_very_end_is_no_defect(tmp_path: Path) -> None:
    out = tmp_path / "out"
    faults = kit.build_faults(tmp_path, out)
    result = subprocess.run(
        [sys.executable, "-c", ENDS_ON_A_FAILING_DISK, out],
        env=os.environ | faults.environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "owner.json failed: Input/output error" in result.stdout, result.stderr


@pytest.mark.slow
def test_some_failing_writes_end_with_74_and_lose_nothing() -> None:
    bench = Path(kit.__file__).with_name("writes.py")
    result = subprocess.run(
        [sys.executable, bench, "--step", "150"], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert "0 wrong" in result.stdout
