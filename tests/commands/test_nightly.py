"""`crackpipe nightly` refuses before anything runs what `crackpipe run` would refuse for each survey."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner
from users import as_nobody, open_folder

from crackpipe.cli import cli
from crackpipe.pipeline.errors import ConfigurationError, OutsideHoursError


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


@pytest.mark.parametrize(
    ("sections", "words"),
    [
        ('centerline = "r.gpkg"', "No such option '--centerline'"),
        ('lane_width = "wide"', "'wide' is not a valid float"),
        ('centreline = "away/r.gpkg", lane_width = 3.5, offset = [-1.8, 1.8]', "--until is 'six'"),
    ],
)
def test_options_that_sections_does_not_take(tmp_path: Path, sections: str, words: str) -> None:
    (tmp_path / "share/a").mkdir(parents=True)
    file = tmp_path / "network.toml"
    file.write_text(f'output = "out"\n[sources.s]\nfolder = "share"\nsections = {{ {sections} }}\n')
    raised = (
        CliRunner().invoke(cli, ["nightly", str(file), "--until", "six"], standalone_mode=False).exception
    )
    assert words in str(raised)  # of the last, --until is looked at afterwards
    if "until" not in words:
        assert isinstance(raised, ConfigurationError)
        assert str(raised).startswith(f"{file}: sources.s: sections: ")


def test_files_that_options_name_are_beside_the_network(tmp_path: Path) -> None:
    (tmp_path / "share/a").mkdir(parents=True)
    (tmp_path / "own.toml").write_text("")
    (tmp_path / "network.toml").write_text('output = "out"\n[sources.s]\nfolder = "share"\n')
    options = ["nightly", str(tmp_path / "network.toml"), "--config", "own.toml", "--until", "six"]
    result = CliRunner().invoke(cli, options)
    assert "--until is 'six'" in str(result.exception)  # which is looked at after the options


def test_a_night_at_another_hour_does_nothing_and_tells_nobody(tmp_path: Path) -> None:
    (tmp_path / "share/a").mkdir(parents=True)
    file = tmp_path / "network.toml"
    file.write_text('output = "out"\ntimezone = "UTC"\n[sources.s]\nfolder = "share"\n')
    now = datetime.now(UTC)
    begin, end = (f"{now + timedelta(hours=hours):%H:%M}" for hours in (2, 10))
    result = CliRunner().invoke(cli, ["nightly", str(file), "--from", begin, "--until", end])
    assert isinstance(result.exception, OutsideHoursError)
    assert result.exception.exit_code == 77
    assert f"from {begin} until {end}" in str(result.exception)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["network.toml", "share"]


def raised_as_nobody(arguments: list[str]) -> BaseException | None:
    """What a command raised that root ran as another user."""
    CliRunner().invoke(cli, arguments)  # imports all that it needs, which the other user may not read
    with as_nobody():
        return CliRunner().invoke(cli, arguments, standalone_mode=False).exception


def test_a_night_begins_in_a_folder_that_its_user_may_not_enter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tmp_path.chmod(0o700)
    with open_folder() as home:
        (home / "share/a").mkdir(parents=True)
        (home / "network.toml").write_text('output = "out"\n[sources.s]\nfolder = "share"\n')
        monkeypatch.chdir(tmp_path)
        raised = raised_as_nobody(["nightly", str(home / "network.toml"), "--until", "six"])
        assert "--until is 'six'" in str(raised)  # which is looked at after the options
        monkeypatch.chdir(tmp_path)
        raised = raised_as_nobody(["nightly", str(home / "share"), "--until", "six"])
        assert f"{tmp_path} may not be entered by this user" in str(raised)
