"""The files in logs/, and how many of them stay."""

import json
from pathlib import Path

import pytest

from crackpipe.pipeline.console.log import log, logging_to


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    """Five logs of earlier runs, the last of a machine whose clock was ahead, and files of others."""
    names = [f"2026010{day}T210000.000000.jsonl" for day in (1, 2, 3, 4)]
    for name in (*names, "20990101T210000.000000.jsonl", "notes.txt", "mine.jsonl"):
        (tmp_path / name).write_text("")
    return tmp_path


def kept(logs: Path, keep: int) -> list[str]:
    """Of the logs of earlier runs, by the day and month of their names; the current one must stay."""
    with logging_to(logs, keep) as current:
        log.warning("a line")
    assert "a line" in current.read_text()
    assert {"notes.txt", "mine.jsonl"} <= {file.name for file in logs.iterdir()}
    return [file.name[:8] for file in sorted(logs.glob("2*.jsonl")) if file != current]


@pytest.mark.parametrize(
    ("keep", "earlier"),
    [
        (1, []),
        (2, ["20990101"]),
        (4, ["20260103", "20260104", "20990101"]),
        (6, ["20260101", "20260102", "20260103", "20260104", "20990101"]),
        (30, ["20260101", "20260102", "20260103", "20260104", "20990101"]),
    ],
)
def test_the_oldest_logs_go_and_never_that_of_the_run(logs: Path, keep: int, earlier: list[str]) -> None:
    assert kept(logs, keep) == earlier


def test_a_log_that_cannot_be_removed_is_named_and_the_run_goes_on(tmp_path: Path) -> None:
    stuck = tmp_path / "20260101T210000.000000.jsonl"
    stuck.mkdir()  # a folder cannot be removed as a file is, whoever tries
    with logging_to(tmp_path, keep=1) as current:
        log.warning("a line")
    first, second = (json.loads(line) for line in current.read_text().splitlines())
    assert first["message"] == f"the old log {stuck} cannot be removed: Is a directory. Remove it by hand."
    assert second["message"] == "a line"
