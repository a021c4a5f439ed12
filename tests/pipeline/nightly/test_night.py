"""A night without work: sources that cannot be looked at, and who is told of them."""

from pathlib import Path

import pytest

from crackpipe.pipeline.nightly import night
from crackpipe.pipeline.nightly.facts import answering, network
from crackpipe.pipeline.nightly.facts.budget import Budget

NETWORK = """
output = "out"
sources.dead = { folder = "dead" }
sources.good = { folder = "good", complete = "_SUCCESS" }
tell.hooks.file.command = ["tee", "-a", "told.md"]
"""


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
