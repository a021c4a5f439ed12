"""A run where memory is limited: it takes fewer workers and ends well, or it is refused with 71."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from helpers import tree_hash
from users import control_group


def crackpipe(*arguments: object, prefix: list[str]) -> "subprocess.CompletedProcess[str]":
    command = [*prefix, sys.executable, "-m", "crackpipe", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)


def group(name: str, memory_mib: int) -> Iterator[list[str]]:
    with control_group(f"crackpipe-{name}-{os.getpid()}", cores=0.9, memory_mib=memory_mib) as prefix:
        yield prefix


@pytest.fixture
def small_group() -> Iterator[list[str]]:
    """Runs a command with 0.9 cores and 1,800 MiB."""
    yield from group("small", 1800)


@pytest.fixture
def tiny_group() -> Iterator[list[str]]:
    """Runs a command with 0.9 cores and 600 MiB."""
    yield from group("tiny", 600)


@pytest.mark.slow
def test_doctor_says_what_a_container_may_use(small_group: list[str]) -> None:
    said = crackpipe("doctor", prefix=small_group).stdout
    assert re.search(rf"cores +0\.9 of {os.cpu_count()} cores \(cgroup cpu\.", said)
    assert re.search(r"memory +1\.\d of 1\.8 GiB free \(cgroup memory\.", said)


@pytest.mark.slow
@pytest.mark.dask
def test_a_run_in_a_container_takes_what_fits(
    small_group: list[str], survey: Path, finished: Path, tmp_path: Path
) -> None:
    """The workers that were asked for do not fit; those that do end the run as without a limit."""
    ended = crackpipe("run", survey, "--out", tmp_path / "out", "--workers", 3, prefix=small_group)
    assert ended.returncode == 3, ended.stderr
    assert re.search(r"[12] instead of 3 workers: .* may be used \(cgroup memory\.", ended.stderr)
    assert "died" not in ended.stderr
    assert tree_hash(tmp_path / "out") == tree_hash(finished)
    record = json.loads((tmp_path / "out" / "run.json").read_text())
    assert record["machine"]["cores"] == 1


@pytest.mark.slow
def test_a_run_that_does_not_fit_is_refused_before_it_starts(
    tiny_group: list[str], survey: Path, tmp_path: Path
) -> None:
    ended = crackpipe("run", survey, "--out", tmp_path / "out", prefix=tiny_group)
    assert ended.returncode == 71, ended.stderr
    assert re.search(r"needs? [\d,]+ MiB .* but [\d,]+ MiB may be used \(cgroup memory\.", ended.stderr)


def test_with_too_little_address_space_a_run_is_refused(survey: Path, tmp_path: Path) -> None:
    limited = ["sh", "-c", 'ulimit -v 2000000; exec "$0" "$@"']
    ended = crackpipe("run", survey, "--out", tmp_path / "out", prefix=limited)
    assert ended.returncode == 71, ended.stderr
    # the libraries of a torch for GPUs do not fit at all; else the projection says it
    projected = r"a worker is projected to reserve [\d,]+ MiB of address space, but each process may"
    why = projected if torch.version.cuda is None else "failed to map segment.*Each process may"
    assert re.search(rf"{why} reserve 1,953 MiB of address space \(ulimit -v\)\. Allow it more", ended.stderr)
