"""The QGIS plugin without QGIS: its zip, and how it starts, watches and ends the real program."""

import configparser
import importlib
import re
import stat
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from helpers import tree_hash
from paths import ROOT
from pyproj import CRS

from crackpipe import __version__
from crackpipe.cli import cli
from crackpipe.commands.run import run as run_command
from crackpipe.pipeline.config import EXPORT_FORMATS
from crackpipe.pipeline.console.progress import Progress, sentence
from crackpipe.pipeline.errors import UsageError
from crackpipe.pipeline.operate.status import status
from crackpipe.pipeline.survey.place import assumed_crs

PLUGIN = ROOT / "workflows" / "qgis" / "crackpipe_processing"


@pytest.fixture
def process(plugins: Path) -> Any:
    module = importlib.import_module("crackpipe_processing.process")
    assert module.__file__ is not None and Path(module.__file__).is_relative_to(plugins)
    return module


class Told:
    """What a person would see."""

    def __init__(self, cancel: Callable[[str], bool] = lambda _: False) -> None:
        self.lines: list[tuple[str, bool]] = []
        self.shares: list[float] = []
        self.cancelled = False
        self.cancel = cancel

    def on_line(self, line: str, is_result: bool) -> None:
        self.lines.append((line, is_result))
        self.cancelled |= self.cancel(line)

    def call(self, process: Any, *command: str) -> Any:
        return process.call(
            command, on_line=self.on_line, on_share=self.shares.append, is_cancelled=lambda: self.cancelled
        )


@pytest.fixture
def program(tmp_path: Path) -> str:
    """The program of this environment; Ctrl-C reaches it also where what started the tests ignores it."""
    file = tmp_path / "bin" / "crackpipe"
    file.parent.mkdir()
    start = (
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); import crackpipe.__main__"
    )
    file.write_text(f'#!/bin/sh\nexec "{sys.executable}" -c "{start}" "$@"\n')
    file.chmod(file.stat().st_mode | stat.S_IXUSR)
    return str(file)


# ---- the zip


def test_the_zip_is_a_plugin_and_the_same_each_time(plugins: Path, tmp_path: Path) -> None:
    from make_zip import make_zip

    make_zip(tmp_path / "again.zip")
    assert (tmp_path / "again.zip").read_bytes() == (plugins / "plugin.zip").read_bytes()
    with zipfile.ZipFile(tmp_path / "again.zip") as archive:
        names = archive.namelist()
    assert {name.split("/")[0] for name in names} == {"crackpipe_processing"}
    inside = {str(Path(name).relative_to("crackpipe_processing")) for name in names}
    assert inside >= {"__init__.py", "metadata.txt", "icon.svg", "LICENSE", "algorithms/run.py"}
    assert not [name for name in names if "__pycache__" in name]


def test_metadata_says_what_qgis_wants(plugins: Path) -> None:
    read = configparser.ConfigParser()
    read.read(plugins / "crackpipe_processing" / "metadata.txt")
    general = read["general"]
    assert general["version"] == __version__
    assert general["hasProcessingProvider"] == "yes"
    assert all(general[name] for name in ("name", "description", "about", "author", "qgisMinimumVersion"))


def test_each_option_that_an_algorithm_uses_exists() -> None:
    for file in sorted((PLUGIN / "algorithms").glob("*.py")):
        used = set(re.findall(r'"(--[a-z-]+)"', file.read_text()))
        command = cli.commands.get(file.stem)
        known = {option for each in (command.params if command else ()) for option in each.opts}
        assert used <= known, file
    # the options of a run that a person is likely to need have fields of their own
    assert {"--out", "--region", "--weights"} <= {
        option for each in run_command.params for option in each.opts
    }


def test_every_format_of_export_is_offered() -> None:
    names = re.search(r"^NAMES = \((.*)\)$", (PLUGIN / "algorithms" / "export.py").read_text(), re.MULTILINE)
    assert names is not None
    assert tuple(re.findall(r'"(\w+)"', names[1])) == EXPORT_FORMATS


# ---- the program


def test_the_program_is_given_or_found(
    process: Any, program: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CRACKPIPE", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert process.program(program) == program
    with pytest.raises(process.ProgramError, match=r"'crackpipe' is not found.*Processing > Providers"):
        process.program("")
    monkeypatch.setenv("PATH", str(Path(program).parent))
    assert process.program(None) == program
    monkeypatch.setenv("CRACKPIPE", "/nowhere/crackpipe")
    with pytest.raises(process.ProgramError, match="'/nowhere/crackpipe' is not found"):
        process.program("")


def test_a_crs_that_only_qgis_knows_is_handed_over_as_wkt(process: Any) -> None:
    own = CRS.from_proj4("+proj=tmerc +lat_0=0 +lon_0=9.3 +ellps=GRS80 +units=m").to_wkt()
    assert process.crs_word("EPSG:25832", own) == "EPSG:25832"
    for authid in ("USER:100000", ""):
        assert assumed_crs(process.crs_word(authid, own)).equals(CRS.from_wkt(own))
    with pytest.raises(UsageError, match="USER:100000"):
        assumed_crs("USER:100000")


def test_it_does_not_inherit_what_qgis_set_for_itself(process: Any) -> None:
    found = process.environment({"PYTHONHOME": "/q", "GDAL_DATA": "/q", "PROJ_LIB": "/q", "HOME": "/home/a"})
    assert found == {"HOME": "/home/a", "PYTHONUNBUFFERED": "1"}


def test_the_line_of_progress_is_the_one_that_a_run_prints(process: Any) -> None:
    line = sentence(Progress(stage="inspecting", tiles=40, tiles_total=80, images=1, images_total=4))
    assert process.share_of(f"19:21:19 {line}") == process.share_of(line) == pytest.approx(0.475)
    assert process.share_of("inspecting 3 of 4") is None


def test_an_error_is_told_in_the_words_of_the_program(process: Any, program: str, tmp_path: Path) -> None:
    with pytest.raises(process.ProgramError, match=r"exit code 2.\ncrackpipe: .* no output of crackpipe run"):
        Told().call(process, program, "status", str(tmp_path))
    with pytest.raises(process.ProgramError, match=r"cannot be started: Permission denied"):
        Told().call(process, str(tmp_path))


def test_a_run_that_is_cancelled_ends_in_order_and_goes_on_later(
    process: Any, program: str, survey: Path, finished: Path, tmp_path: Path
) -> None:
    command = [program, "run", str(survey), "--out", str(tmp_path / "out"), "--serial"]
    told = Told(lambda line: "images to inspect" in line)
    with pytest.raises(process.CancelledError):
        told.call(process, *command)
    assert told.lines[-1][0].startswith("Interrupted. Run the same command again")
    assert status(tmp_path / "out")["running"] is None
    assert status(tmp_path / "out")["images"]["done"] < 3
    told = Told()
    ended = told.call(process, *command)
    assert tree_hash(tmp_path / "out") == tree_hash(finished)
    # results, talk and progress come as they are said
    assert ended.exit_code == process.QUARANTINE
    assert ended.results[0].startswith("3 images done (3 in this run)")
    assert ended.results == [line for line, is_result in told.lines if is_result]
    assert any(line.startswith("3 images to inspect") for line, is_result in told.lines if not is_result)
    assert told.shares == sorted(told.shares) and 0 < told.shares[-1] <= 1


def test_a_program_that_does_not_end_is_told_to_terminate(
    process: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "_FIRST_WAIT_S", 0.5)
    script = tmp_path / "stubborn.py"
    script.write_text(
        "import signal, sys, time\n"
        "def second(*_): print('second', flush=True); sys.exit(130)\n"
        "def first(*_): print('first', flush=True)\n"
        "signal.signal(signal.SIGTERM, second)\n"
        "signal.signal(signal.SIGINT, first)\n"
        "print('ready', flush=True)\n"
        "while True: time.sleep(0.05)\n"
    )
    told = Told(lambda line: line == "ready")
    began = time.monotonic()
    with pytest.raises(process.CancelledError):
        told.call(process, sys.executable, str(script))
    assert [line for line, _ in told.lines] == ["ready", "first", "second"]
    assert time.monotonic() - began < 30
