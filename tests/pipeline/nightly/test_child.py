"""A command of crackpipe as a process: its end, its sentence, its time."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from helpers import is_group_gone

from crackpipe.pipeline.nightly import child
from crackpipe.pipeline.nightly.child import Ended, crackpipe, meaning_of


@pytest.mark.parametrize(
    ("code", "meant"),
    [(0, 0), (3, 3), (75, 75), (2, 78), (-9, 71), (-11, 70), (143, 69), (130, 69), (1, 70), (141, 70)],
)
def test_each_code_becomes_one_that_a_night_knows(code: int, meant: int) -> None:
    assert meaning_of(Ended(code, "said", 1.0, False))[0] == meant


def test_what_a_killed_process_means_is_said() -> None:
    assert "memory was too short" in meaning_of(Ended(-9, "", 1.0, False))[1]
    assert "SIGSEGV" in meaning_of(Ended(-11, "", 1.0, False))[1]


def test_the_sentence_of_an_error_is_kept(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    ended = crackpipe(["status", "."], home=tmp_path, environment={})
    assert (ended.code, ended.was_cut) == (2, False)
    assert ended.said == ". is no output of crackpipe run: it has no .crackpipe folder"
    assert f"crackpipe: {ended.said}" in capfd.readouterr().err


def test_what_a_command_prints_can_be_read(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "crackpipe").mkdir()  # a folder of that name is not the program
    (tmp_path / "crackpipe/__main__.py").write_text("raise SystemExit(99)")
    ended = crackpipe(["--version"], home=tmp_path, environment={}, is_read=True)
    assert ended.code == 0
    assert ended.output.startswith("crackpipe, version ")
    assert capfd.readouterr().out == ""


def test_settings_are_variables(tmp_path: Path) -> None:
    command = ["run", ".", "--show-config"]
    ended = crackpipe(command, home=tmp_path, environment={"CRACKPIPE_HALO_PX": "16"}, is_read=True)
    assert "halo_px = 16" in ended.output.splitlines()


def test_a_command_is_told_to_end_in_time(survey: Path, tmp_path: Path) -> None:
    command = ["run", str(survey), "--out", str(tmp_path / "out"), "--serial"]
    ended = crackpipe(command, home=tmp_path, environment={}, end_s=time.time() + 1.0)
    assert ended.was_cut
    assert ended.code in (143, -15)  # -15: it had not yet begun to listen
    assert ended.seconds < 60


def test_what_a_command_left_running_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(child, "_ENDS_WITHIN_S", 0.5)
    (tmp_path / "sitecustomize.py").write_text(
        "import pathlib, subprocess\n"
        "process = subprocess.Popen(['sh', '-c', 'sleep 60; touch over'], process_group=0)\n"
        "pathlib.Path('pid').write_text(str(process.pid))\n"
    )
    ended = crackpipe(["status", "."], home=tmp_path, environment={"PYTHONPATH": str(tmp_path)})
    is_waited_for = (tmp_path / "over").exists()
    os.killpg(int((tmp_path / "pid").read_text()), signal.SIGKILL)
    assert not is_waited_for
    assert ended.said == ". is no output of crackpipe run: it has no .crackpipe folder"


@pytest.mark.skipif(
    sys.platform != "linux", reason="the kernel of Linux tells a command that its night is gone"
)
def test_a_command_ends_with_a_night_that_is_killed(survey: Path, tmp_path: Path) -> None:
    command = ["run", str(survey), "--out", str(tmp_path / "out"), "--serial"]
    text = (
        "from pathlib import Path; from crackpipe.pipeline.nightly.child import crackpipe; "
        f"crackpipe({command!r}, home=Path('.'), environment={{}})"
    )
    night = subprocess.Popen([sys.executable, "-c", text], cwd=tmp_path, start_new_session=True)
    while not (tmp_path / "out").exists():
        assert night.poll() is None
        time.sleep(0.02)
    night.kill()
    night.wait()
    assert is_group_gone(night.pid, within_s=30)
    assert not (tmp_path / "out/run.json").exists()  # it was ended and did not come to its end


def test_a_command_whose_night_is_gone_does_not_begin(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "crackpipe.pipeline.nightly.below", "1", "--version"]
    ended = subprocess.run(command, cwd=tmp_path, check=False, capture_output=True)
    assert (ended.returncode, ended.stdout) == (143, b"")
