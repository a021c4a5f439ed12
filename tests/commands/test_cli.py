"""The commands as a user types them."""

import re
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result
from paths import ROOT

from crackpipe import __version__
from crackpipe.cli import cli
from crackpipe.pipeline.errors import ConfigurationError

COMMANDS = sorted(cli.commands)


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(cli, arguments)


def test_version() -> None:
    assert invoke("--version").output.strip() == f"crackpipe, version {__version__}"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_with_an_example(name: str) -> None:
    result = invoke(name, "--help")
    assert result.exit_code == 0
    assert "Example:" in result.output
    assert f"crackpipe {name}" in result.output


def test_a_dataset_from_a_run_needs_no_further_word() -> None:
    for arguments in (["from-run", "pairs"], ["pairs"]):
        result = invoke("dataset", *arguments)
        assert result.exit_code == 2
        assert "Usage: cli dataset from-run" in result.output
        assert "Missing option '--run'" in result.output


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_in_the_readme(name: str) -> None:
    assert f"crackpipe {name}" in (ROOT / "README.md").read_text()


def test_every_option_named_in_the_docs_exists() -> None:
    groups = [command for command in cli.commands.values() if isinstance(command, click.Group)]
    commands = [*cli.commands.values(), *(each for group in groups for each in group.commands.values())]
    known = {option for command in commands for p in command.params for option in p.opts}
    known |= {"--help", "--version", "--cov", "--import-mode"}
    pages = sorted((ROOT / "docs").rglob("*.md"))
    assert pages
    for file in [ROOT / "README.md", ROOT / "workflows" / "README.md", *pages]:
        for line in re.findall(
            r"crackpipe (?:run|sample|dataset|adapt|train|evaluate|calibrate|status|weights|doctor|sections)"
            r"[^`\n|]*",
            file.read_text(),
        ):
            for option in re.findall(r"(?<!\S)--[a-z][a-z-]+", line):
                assert option in known, f"{file.name}: {line}"


def test_show_config_prints_what_applies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "crackpipe.toml").write_text("halo_px = 16\nbatch = 4\n")
    monkeypatch.setenv("CRACKPIPE_BATCH", "2")
    shown = invoke("run", "survey", "--show-config", "--gpus", "1").output.splitlines()
    assert {"halo_px = 16", "batch = 2", "gpus = 1", 'precision = "auto"'} <= set(shown)


def run_process(*arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "crackpipe", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["run", "nowhere", "--serial"], 2, "does not exist"),
        (["run", "a", "b"], 2, "--out"),
        (["run", ".", "--halo", "300"], 78, "halo_px is 300"),
        (["run", ".", "--weights", "nothing"], 78, "nothing"),
        (["run", ".", "--graph", "g.svg"], 2, "--graph g.svg draws what a dry run shows: add --dry-run"),
        (["run", ".", "--gpus", "1", "--device", "cpu"], 2, "give only one of them"),
        (["status", "."], 2, "no output of crackpipe run"),
    ],
)
def test_errors_become_sentences_and_exit_codes(
    arguments: list[str], code: int, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = run_process(*arguments)
    assert result.returncode == code, result.stderr
    assert words in result.stderr
    assert "Traceback" not in result.stderr


def test_dry_run_tells_why_and_changes_nothing(survey: Path, tmp_path: Path) -> None:
    result = run_process("run", str(survey), "--out", str(tmp_path / "out"), "--dry-run")
    assert result.returncode == 0, result.stderr
    assert "lane1/a.tif\trun: not done yet" in result.stdout
    assert "no-crs.tif\tquarantine: no-crs" in result.stdout
    assert not (tmp_path / "out").exists()


def test_weights_info_names_the_licence() -> None:
    unknown = invoke("weights", "info", "nosuch")
    assert isinstance(unknown.exception, ConfigurationError)
    assert "nosuch" in str(unknown.exception)
    free, old = invoke("weights", "info", "lite"), invoke("weights", "info", "lite-2025")
    assert free.exit_code == old.exit_code == 0, free.output + old.output
    assert "licence: Usable by anyone for any purpose" in free.output
    assert "non-commercial" in old.output


def test_doctor_looks_at_this_machine() -> None:
    result = invoke("doctor")
    assert "torch" in result.output
    assert "network runs on" in result.output
