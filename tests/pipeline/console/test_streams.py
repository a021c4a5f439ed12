"""Terminals, pipes and disks that go away while real processes write to them."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from helpers import tree_hash, write_scene

from crackpipe.model.render.picture import clean_scene
from crackpipe.pipeline.config import Config
from crackpipe.pipeline.request import Request
from crackpipe.pipeline.run import run

PROGRAM = f"{sys.executable} -m crackpipe"


@pytest.fixture(scope="module")
def frame(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data") / "survey"
    write_scene(folder / "a.tif", clean_scene(200, 300, seed=1))
    return folder


@pytest.fixture(scope="module")
def undisturbed(frame: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    out = tmp_path_factory.mktemp("undisturbed") / "out"
    run(Request((frame,), out, Config(), serial=True))
    return tree_hash(out)


def shell(command: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False, timeout=280)


def logged(out: Path) -> list[str]:
    (file,) = (out / "logs").glob("*.jsonl")
    return [json.loads(line)["message"] for line in file.read_text().splitlines()]


@pytest.mark.parametrize(
    "stderr",
    [
        "--workers 1 2>&-",
        "--serial 2>/dev/full",
        pytest.param("--serial 2> >(exec true)", marks=pytest.mark.slow),
        pytest.param("--serial <&- 2>&-", marks=pytest.mark.slow),
    ],
)
def test_a_run_goes_on_without_stderr(
    stderr: str, frame: Path, undisturbed: dict[str, str], tmp_path: Path
) -> None:
    result = shell(f"{PROGRAM} run {frame} --out {tmp_path}/out {stderr}")
    assert result.returncode == 0, result
    assert result.stdout.startswith("1 images done (1 in this run), 0 cracks")
    assert tree_hash(tmp_path / "out") == undisturbed
    assert any(line.startswith("1 images to inspect") for line in logged(tmp_path / "out"))


def test_a_run_goes_on_when_its_terminal_is_closed(
    frame: Path, undisturbed: dict[str, str], tmp_path: Path
) -> None:
    screen, terminal = os.openpty()
    name = os.ttyname(terminal)  # becomes the terminal of the session whose first process opens it
    command = f"exec {PROGRAM} run {frame} --out {tmp_path}/out --serial > /dev/null < {name} 2> {name}"
    process = subprocess.Popen(["bash", "-c", command], start_new_session=True)
    said = b""
    while b"images to inspect" not in said:
        said += os.read(screen, 4096)
    os.close(terminal)
    os.close(screen)  # the kernel hangs up: SIGHUP, and writing fails from now on
    assert process.wait(timeout=280) == 0
    assert tree_hash(tmp_path / "out") == undisturbed


def test_results_without_a_reader_end_with_141() -> None:
    result = shell(f"{PROGRAM} run nothing --show-config | exec true; echo ${{PIPESTATUS[0]}}")
    assert result.stdout == "141\n"
    assert result.stderr == ""


def test_results_on_a_full_disk_end_with_74() -> None:
    result = shell(f"{PROGRAM} run nothing --show-config > /dev/full")
    assert result.returncode == 74
    assert "standard output: No space left on device" in result.stderr
    assert "Traceback" not in result.stderr
