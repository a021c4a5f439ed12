"""Nights without work: a source or a result that cannot be had, a night that is told to end; who is told."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
from paths import ROOT

from crackpipe.pipeline.errors import OutputLockedError
from crackpipe.pipeline.nightly import night
from crackpipe.pipeline.nightly.facts import answering, network
from crackpipe.pipeline.nightly.facts.budget import Budget
from crackpipe.pipeline.state import lock
from crackpipe.pipeline.state.output import Output

NETWORK = """
output = "out"
sources.dead = { folder = "dead" }
sources.good = { folder = "good", complete = "_SUCCESS" }
tell.hooks.file.command = ["tee", "-a", "told.md"]
"""


@pytest.fixture
def share(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a night runs: beside a share with one survey, whose image is empty."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "good/s").mkdir(parents=True)
    (tmp_path / "good/s/a.tif").write_text("")
    return tmp_path


def told(home: Path) -> str:
    """What the hook was told since this was asked last."""
    file = home / "told.md"
    found = file.read_text() if file.exists() else ""
    file.unlink(missing_ok=True)
    return found


def test_a_share_that_does_not_answer_is_told_once_and_the_others_go_on(
    dead_share: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = dead_share.parent
    monkeypatch.chdir(home)
    monkeypatch.setattr(answering, "HANGS_AFTER_S", 3.0)
    (home / "good/s").mkdir(parents=True)
    (home / "good/s/a.tif").write_text("")
    (home / "network.toml").write_text(NETWORK)
    read = network.read(home / "network.toml")
    first = night.night(read, Budget())
    assert first.code == 66
    assert first.code_by_source() == {"dead": 66, "good": 0}
    assert first.outcomes["good/s"].state == "not complete"
    assert "source dead:" in (said := told(home)) and "does not answer" in said
    assert night.night(read, Budget()).code == 66
    assert told(home) == ""


UNREADABLE = """
output = "out"
sources.away = { folder = "LONG", results = "results" }
sources.bad = { folder = "bad", quiet_minutes = 0 }
sources.good = { folder = "good", complete = "_SUCCESS" }
"""


def test_a_share_and_a_result_that_cannot_be_read_keep_nothing_else_from_its_turn(share: Path) -> None:
    (share / "network.toml").write_text(UNREADABLE.replace("LONG", "x" * 300))  # too long to be looked for
    (share / "results/old-cracks/.crackpipe").mkdir(parents=True)
    (share / "bad/s").mkdir(parents=True)
    (share / "bad/s/a.tif").write_text("")
    markers = share / "out/surveys/bad/s-cracks/.crackpipe/markers"
    markers.parent.mkdir(parents=True)
    markers.symlink_to(markers)  # a loop, which the system refuses to list
    for _ in range(2):
        done = night.night(network.read(share / "network.toml"), Budget())
        assert done.code_by_source() == {"away": 66, "bad": 74, "good": 0}
        assert done.outcomes["bad/s"].said.startswith(f"{markers} cannot be read: ")
        assert done.outcomes["good/s"].state == "not complete"


RESTS = """
output = "out"
sources.good = { folder = "good", quiet_minutes = 30 }
tell.metrics = "crackpipe.prom"
tell.hooks.file.command = ["tee", "-a", "told.md"]
"""


def waiting() -> "subprocess.Popen[str]":
    """A night by `RESTS` that waits for its survey to come to rest."""
    command = [sys.executable, "-m", "crackpipe", "nightly", "network.toml"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    assert any("for 1 surveys to come to rest" in line for line in process.stderr)
    return process


def test_a_night_that_is_told_to_end_says_what_is_left_before_it_ends(share: Path) -> None:
    (share / "network.toml").write_text(RESTS)
    with waiting() as process:
        process.send_signal(signal.SIGTERM)
        process.communicate()
    assert process.returncode == 143
    summary = json.loads((share / "out/summary.json").read_text())
    jsonschema.validate(summary, json.loads((ROOT / "docs/use/nightly.schema.json").read_text()))
    assert summary["exit_code"] == 143
    assert [each["state"] for each in summary["surveys"]] == ["not complete"]
    assert "crackpipe_nightly_exit_code 143\n" in (share / "crackpipe.prom").read_text()
    assert "## New\n\n- the night was told to end" in told(share)

    (share / "network.toml").write_text(RESTS.replace("quiet_minutes = 30", 'complete = "_SUCCESS"'))
    assert night.night(network.read(share / "network.toml"), Budget()).code == 0
    assert "## Over\n\n- the night was told to end" in told(share)

    always = 'tell.hooks.each = { command = ["tee", "each.md"], always = true }\n'
    (share / "network.toml").write_text((share / "network.toml").read_text() + always)
    assert night.night(network.read(share / "network.toml"), Budget()).code == 0
    assert told(share) == ""  # all is well
    assert "Exit code 0" in (share / "each.md").read_text()


def test_a_survey_that_is_forgotten_stays_away_once_its_result_is_moved_as_is_said(share: Path) -> None:
    (share / "network.toml").write_text(RESTS.replace("quiet_minutes = 30", 'complete = "_SUCCESS"'))
    read = network.read(share / "network.toml")
    out = share / "out/surveys/good/old-cracks"
    (out / ".crackpipe").mkdir(parents=True)

    def states() -> dict[str, str]:
        return {key: each.state for key, each in night.night(read, Budget()).outcomes.items()}

    both = {"good/old": "gone", "good/s": "not complete"}
    assert states() == both
    assert f"Move its result {out} and its survey {share}/good/old elsewhere" in night.forget(
        read, "good/old"
    )
    assert states() == both  # it was still there
    night.forget(read, "good/old")
    out.rename(share / "elsewhere")
    assert states() == {"good/s": "not complete"}


HELD = """
output = "out"
sources.good = { folder = "good", quiet_minutes = 0 }
tell.hooks.file.command = ["tee", "-a", "told.md"]
"""


def test_a_survey_that_somebody_uses_three_nights_running_is_told_in_the_third(share: Path) -> None:
    (share / "network.toml").write_text(HELD)
    read = network.read(share / "network.toml")
    output = Output(share / "out/surveys/good/s-cracks")
    output.create()
    heard = []
    with lock.locked(output, "by hand"):
        for _ in range(3):
            assert night.night(read, Budget()).code == 75
            heard.append(told(share))
    assert heard[:2] == ["", ""]
    assert "good/s is in use night after night" in heard[2]


def test_nights_that_are_due_while_one_is_at_work_or_asleep_do_not_pile_up(share: Path) -> None:
    (share / "network.toml").write_text(RESTS)
    read = network.read(share / "network.toml")

    def is_refused() -> bool:
        with pytest.raises(OutputLockedError, match="another night is at work") as refused:
            night.night(read, Budget())
        return refused.value.exit_code == 75

    with waiting() as first:
        assert is_refused()
        first.send_signal(signal.SIGSTOP)  # as on a machine that sleeps
        assert is_refused()
        first.send_signal(signal.SIGCONT)
        assert is_refused()
        assert not (share / "out/summary.json").exists()
        assert told(share) == ""
        first.send_signal(signal.SIGTERM)
        first.communicate()
    assert first.returncode == 143
    assert len(list((share / "out/nights").iterdir())) == 1  # none of those that were due came after it
