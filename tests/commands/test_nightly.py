"""`crackpipe nightly` refuses before anything runs what `crackpipe run` would refuse for each survey."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from crackpipe.cli import cli


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--haloo", "3"], "No such option '--haloo'"),
        (["--unil", "06:00"], "No such option '--unil'"),
        (["--halo", "wide"], "'wide' is not a valid integer"),
        (["other"], "'other' is no option of `crackpipe run`. Name surveys in network.toml."),
        (["--config", "none.toml"], "'none.toml' does not exist"),
        (["--dry-run"], "--dry-run is for `crackpipe run`"),
    ],
)
def test_options_that_run_does_not_take(tmp_path: Path, options: list[str], words: str) -> None:
    (tmp_path / "surveys/a").mkdir(parents=True)
    result = CliRunner().invoke(cli, ["nightly", str(tmp_path / "surveys"), *options])
    assert result.exit_code == 2
    assert words in result.output
    assert [each.name for each in (tmp_path / "surveys").iterdir()] == ["a"]


def test_files_that_options_name_are_beside_the_network(tmp_path: Path) -> None:
    (tmp_path / "share/a").mkdir(parents=True)
    (tmp_path / "own.toml").write_text("")
    (tmp_path / "network.toml").write_text('output = "out"\n[sources.s]\nfolder = "share"\n')
    options = ["nightly", str(tmp_path / "network.toml"), "--config", "own.toml", "--until", "six"]
    result = CliRunner().invoke(cli, options)
    assert "--until is 'six'" in str(result.exception)  # which is looked at after the options


NOBODY = 65534


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user may enter, which pytest's own are not."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        pytest.skip("becoming another user needs root")
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        Path(name).chmod(0o755)
        yield Path(name)


def as_nobody(arguments: list[str]) -> BaseException | None:
    """What a command raised that root ran as another user."""
    CliRunner().invoke(cli, arguments)  # imports all that it needs, which the other user may not read
    os.seteuid(NOBODY)
    try:
        return CliRunner().invoke(cli, arguments, standalone_mode=False).exception
    finally:
        os.seteuid(0)


def test_a_night_begins_in_a_folder_that_its_user_may_not_enter(
    open_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (open_folder / "share/a").mkdir(parents=True)
    (open_folder / "network.toml").write_text('output = "out"\n[sources.s]\nfolder = "share"\n')
    tmp_path.chmod(0o700)
    monkeypatch.chdir(tmp_path)
    raised = as_nobody(["nightly", str(open_folder / "network.toml"), "--until", "six"])
    assert "--until is 'six'" in str(raised)  # which is looked at after the options
    monkeypatch.chdir(tmp_path)
    raised = as_nobody(["nightly", str(open_folder / "share"), "--until", "six"])
    assert f"{tmp_path} may not be entered by this user" in str(raised)
