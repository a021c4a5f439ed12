"""The nightly script as a scheduler calls it, and the log of cron's line."""

import gzip
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from paths import ROOT

WORKFLOWS = ROOT / "workflows"


def nightly(surveys: Path, program: Path, *options: str) -> "subprocess.CompletedProcess[str]":
    environment = os.environ | {"CRACKPIPE": str(program)}
    command = ["bash", str(WORKFLOWS / "nightly.sh"), str(surveys), *options]
    return subprocess.run(
        command, env=environment, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
    )


@pytest.fixture
def crackpipe(tmp_path: Path) -> Path:
    """The program, as a file that CRACKPIPE can name."""
    file = tmp_path / "crackpipe"
    file.write_text(f'#!/bin/sh\nexec {sys.executable} -m crackpipe "$@"\n')
    file.chmod(0o755)
    return file


def test_a_folder_without_surveys_is_a_disk_that_is_not_mounted(crackpipe: Path, tmp_path: Path) -> None:
    (tmp_path / "surveys" / "a-cracks" / ".crackpipe").mkdir(parents=True)
    result = nightly(tmp_path / "surveys", crackpipe)
    assert result.returncode == 66
    assert f"no survey in {tmp_path}/surveys. Check that its disk is mounted." in result.stderr


def test_a_survey_that_is_gone_is_named(crackpipe: Path, tmp_path: Path) -> None:
    for name in ("a-cracks/.crackpipe", "b"):
        (tmp_path / "surveys" / name).mkdir(parents=True)
    result = nightly(tmp_path / "surveys", crackpipe)
    assert result.returncode == 66  # b is empty
    assert result.stderr.count(f"{tmp_path}/surveys/a is gone, of which") == 1
    assert f"{tmp_path}/surveys/b exit 66" in result.stderr


def test_removed_images_are_accepted_by_a_person_only(crackpipe: Path, tmp_path: Path) -> None:
    (tmp_path / "surveys" / "a").mkdir(parents=True)
    result = nightly(tmp_path / "surveys", crackpipe, "--serial", "--accept-removed")
    assert result.returncode == 2
    assert "for a person" in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize("surveys", ["nowhere", ""])
def test_missing_folder_is_a_usage_error(surveys: str, crackpipe: Path) -> None:
    environment = os.environ | {"CRACKPIPE": str(crackpipe)}
    command = ["bash", str(WORKFLOWS / "nightly.sh"), surveys]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 2
    assert f"'{surveys}' does not exist" in result.stderr


@pytest.mark.slow
def test_a_real_survey_without_a_terminal(survey: Path, crackpipe: Path, tmp_path: Path) -> None:
    (tmp_path / "surveys").mkdir()
    shutil.copytree(survey, tmp_path / "surveys" / "night")
    result = nightly(tmp_path / "surveys", crackpipe, "--serial")
    assert result.returncode == 3, result.stderr
    out = tmp_path / "surveys" / "night-cracks"
    assert (out / "cracks.parquet").exists()
    assert len(list((out / "logs").glob("*.jsonl"))) == 1
    assert re.search(r"^\d\d:\d\d:\d\d (?:inspecting|tracing): ", result.stderr, re.MULTILINE)
    assert "\r" not in result.stderr
    assert "\x1b" not in result.stderr
    again = nightly(tmp_path / "surveys", crackpipe, "--serial")
    assert again.returncode == 3
    assert "1 surveys unchanged" in again.stdout


ROTATE = (WORKFLOWS / "cron" / "logrotate").read_text(encoding="utf-8")


def test_logrotate_is_given_the_file_that_cron_writes() -> None:
    [written] = re.findall(r">> (\S+) 2>&1", (WORKFLOWS / "cron" / "crontab").read_text(encoding="utf-8"))
    assert re.findall(r"^(/\S+) \{$", ROTATE, re.MULTILINE) == [written]


@pytest.mark.skipif(shutil.which("logrotate") is None, reason="this machine has no logrotate")
def test_logrotate_keeps_what_a_run_that_goes_on_writes(tmp_path: Path) -> None:
    log, rules = tmp_path / "crackpipe.log", tmp_path / "rules"
    rules.write_text(ROTATE.replace("/var/log/crackpipe.log", str(log)))
    rules.chmod(0o644)
    command = ["logrotate", "--force", "--state", str(tmp_path / "state"), str(rules)]
    with log.open("a") as night:  # cron's line opens it once a night
        night.write("first\n")
        night.flush()
        subprocess.run(command, check=True, capture_output=True, text=True)
        night.write("second\n")
    assert (tmp_path / "crackpipe.log.1").read_text() == "first\nsecond\n"
    log.write_text("the next night\n")
    subprocess.run(command, check=True, capture_output=True, text=True)
    assert gzip.decompress((tmp_path / "crackpipe.log.2.gz").read_bytes()) == b"first\nsecond\n"
    assert (tmp_path / "crackpipe.log.1").read_text() == "the next night\n"
