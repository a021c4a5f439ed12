"""The rules of the house: imports go down the floors, rooms stand apart, files stay small, help is quick."""

import ast
import importlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import house
import pytest
from house import House
from paths import ROOT

FLOORS = (
    ("crackpipe/__main__.py",),
    (".",),  # cli.py
    ("commands",),
    ("pipeline/nightly",),
    ("pipeline/nightly/telling",),
    ("pipeline/nightly/facts",),
    ("pipeline/network",),
    ("pipeline/benchmark", "pipeline/adapt", "pipeline/door", "pipeline/report"),
    ("pipeline/report/packing/deliveries.py",),
    ("pipeline/compare",),
    ("pipeline/compare/registration", "pipeline/compare/stretches"),
    ("pipeline/compare/flat",),
    ("pipeline/sections/write.py",),
    ("pipeline/sections/rules",),
    ("pipeline/sections",),
    ("pipeline/sections/routes", "pipeline/sections/options.py"),
    ("pipeline/frames",),
    ("pipeline/frames/quality", "pipeline/frames/oblique", "pipeline/frames/lanes"),
    ("pipeline/frames/pose",),
    ("pipeline/frames/positions",),
    ("pipeline/frames/files",),
    ("pipeline/operate", "pipeline/calibrate", "pipeline/dataset", "pipeline/sample"),
    ("pipeline",),  # the story
    ("pipeline/tasks", "pipeline/export"),
    ("pipeline/storage/cloud",),
    ("pipeline/state", "pipeline/cluster", "pipeline/export/rasters"),
    ("pipeline/console",),
    ("model/adapt",),
    ("model", "model/train"),
    ("model/evaluate",),
    ("model/data/prepare",),
    ("model/data", "model/predict"),
    ("model/weights",),
    ("model/networks", "model/render", "model/render/cameras"),
    ("pipeline/survey", "pipeline/tables"),
    ("pipeline/survey/files", "pipeline/survey/places"),
    ("pipeline/survey/sidecars",),
    ("pipeline/raster", "pipeline/masks", "pipeline/trace", "pipeline/width", "pipeline/familiarity"),
    ("pipeline/width/fit", "pipeline/tables/overlaps", "pipeline/raster/validity"),
    ("pipeline/storage",),
    ("pipeline/report/packing",),
    # leaves
    ("pipeline/config.py", "pipeline/image.py"),
    ("pipeline/geometry",),
    ("pipeline/errors.py", "pipeline/every.py", "pipeline/masks/values.py", "model/predict/device.py"),
    ("crackpipe/__init__.py",),  # the version
)
"""From top to bottom. A file imports from its own folder and from lower floors.
A subfolder is entered by itself. A file that is entered lies lower than its folder."""

ROOMS = (
    "pipeline/survey",
    "pipeline/raster",
    "model/predict",
    "pipeline/masks",
    "pipeline/trace",
    "pipeline/width",
    "pipeline/tables",
)
"""Rooms 0 to 6, with their subfolders. They stand apart: `tasks/` hands the values of one to the next."""

PERMITTED = {
    # the header of a file, its signature, and the environment in which GDAL is safe
    "pipeline/survey": tuple(
        f"pipeline/raster/{name}.py" for name in ("gdal", "signature", "bands", "blocks")
    ),
    "pipeline/tables": ("pipeline/width/row_width.py:RowWidth",),
    "*": ("pipeline/masks/values.py", "model/predict/device.py"),
}
"""What a room may import from another."""

GIVEN_OUT = (
    "model/context_cracknet.py:ContextCrackNet",
    "model/context_cracknet.py:ContextCrackNetLite",
    "model/weights/__init__.py:load",
    "model/predict/__init__.py:Predictor",
)
"""Names that others rely on. All other names are imported from the file that defines them."""

MOST_FILES = {"*": 12, "commands": 24}
MOST_LINES_OF_A_FILE = 300
MOST_LINES_OF_A_FUNCTION = 50


def broken_by(sentences: list[str]) -> str:
    """What breaks a rule, a line each; empty where nothing does."""
    return "\n".join(sentences)


@pytest.fixture(scope="module")
def built() -> House:
    return House(ROOT)


def imports_that_break_a_rule(built: House) -> list[str]:
    return [
        *house.on_no_floor(built, FLOORS),
        *house.upwards(built, FLOORS),
        *house.between_rooms(built, ROOMS, PERMITTED),
        *house.model_to_pipeline(built),
        *house.command_to_command(built),
        *house.circles(built),
    ]


def files_outside() -> dict[str, ast.Module]:
    """Tests and benchmarks, which import from the house too."""
    files = [file for folder in ("tests", "benchmarks") for file in (ROOT / folder).rglob("*.py")]
    return {file.relative_to(ROOT).as_posix(): ast.parse(file.read_text()) for file in sorted(files)}


def test_each_folder_is_on_a_floor(built: House) -> None:
    assert broken_by(house.on_no_floor(built, FLOORS)) == ""


def test_imports_go_down_the_floors(built: House) -> None:
    assert broken_by(house.upwards(built, FLOORS)) == ""


def test_rooms_hand_each_other_plain_values(built: House) -> None:
    assert broken_by(house.between_rooms(built, ROOMS, PERMITTED)) == ""


def test_the_model_knows_nothing_of_the_pipeline(built: House) -> None:
    assert broken_by(house.model_to_pipeline(built)) == ""


def test_commands_share_only_their_options(built: House) -> None:
    assert broken_by(house.command_to_command(built)) == ""


def test_no_files_import_each_other_in_a_circle(built: House) -> None:
    assert broken_by(house.circles(built)) == ""


def test_a_name_is_imported_from_where_it_is_defined(built: House) -> None:
    assert broken_by(house.re_exports(built, GIVEN_OUT, files_outside())) == ""


@pytest.mark.parametrize("given_out", GIVEN_OUT)
def test_a_name_that_others_rely_on_can_be_imported(given_out: str) -> None:
    file, name = given_out.split(":")
    module = f"crackpipe/{file}".removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    assert getattr(importlib.import_module(module), name).__name__ == name


def test_a_folder_holds_a_dozen_files(built: House) -> None:
    assert not house.folders_too_full([*built.files, *files_outside()], MOST_FILES)


def test_a_file_has_300_lines(built: House) -> None:
    assert broken_by(house.files_too_long(built, MOST_LINES_OF_A_FILE)) == ""


def test_a_function_has_50_lines(built: House) -> None:
    assert broken_by(house.functions_too_long(built, MOST_LINES_OF_A_FUNCTION)) == ""


# ---- the rules see what they forbid

PLANTED = {
    # file: what is added at its end, and what the rules say of it
    "pipeline/trace/ridge.py": (
        "from crackpipe.pipeline.width import windows",
        "imports pipeline/width/windows.py, but rooms give each other plain values",
    ),
    "pipeline/tables/travel.py": (
        "from crackpipe.pipeline.width.row_width import UNMEASURED",
        "imports pipeline/width/row_width.py, but rooms give each other plain values",
    ),
    "pipeline/width/fit/slot.py": (
        "import crackpipe.pipeline.raster.reader as reader",
        "imports pipeline/raster/reader.py, but rooms give each other plain values",
    ),
    "model/render/noise.py": (
        "import crackpipe.pipeline.errors",
        "imports pipeline/errors.py, but the model knows nothing of what uses it",
    ),
    "pipeline/errors.py": (
        "from crackpipe.pipeline.survey.files.find import *",
        "imports pipeline/survey/files/find.py, but pipeline/survey/files does not lie below "
        "pipeline/errors.py",
    ),
    "pipeline/geometry/polyline.py": (
        "def late() -> None:\n    from crackpipe.pipeline.tasks import job",
        "imports pipeline/tasks/job.py, but pipeline/tasks does not lie below pipeline/geometry",
    ),
    "pipeline/storage/durable.py": (
        "if TYPE_CHECKING:\n    from crackpipe.pipeline.console.log import log",
        "imports pipeline/console/log.py, but pipeline/console does not lie below pipeline/storage",
    ),
    "pipeline/state/flock.py": (
        "from ..cluster import gpus",
        "imports pipeline/cluster/gpus.py, but pipeline/cluster does not lie below pipeline/state",
    ),
    "pipeline/masks/attributes.py": (
        "importlib.import_module('crackpipe.pipeline.run')",
        "imports pipeline/run.py, but pipeline does not lie below pipeline/masks",
    ),
    "commands/clean.py": (
        "from crackpipe.commands.run import run",
        "imports commands/run.py, but commands share commands/options.py alone",
    ),
    "pipeline/raster/gdal.py": (
        "from crackpipe.pipeline.raster.reader import ImageReader",
        "import each other in a circle",
    ),
    "pipeline/nowhere/centreline.py": (
        "",
        "pipeline/nowhere is on no floor: enter it in FLOORS in tests/test_house.py",
    ),
}


@pytest.fixture(scope="module")
def copied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the house with all of `PLANTED` in it."""
    root = tmp_path_factory.mktemp("house")
    for file in House(ROOT).files:
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / file, root / file)
    for file, (text, _) in PLANTED.items():
        (root / file).parent.mkdir(exist_ok=True)
        with (root / file).open("a") as planted:
            planted.write(f"\n{text}\n")
    return root


@pytest.fixture(scope="module")
def broken(copied: Path) -> list[str]:
    return imports_that_break_a_rule(House(copied))


@pytest.mark.parametrize("file", PLANTED)
def test_a_planted_import_is_named(file: str, broken: list[str]) -> None:
    _, sentence = PLANTED[file]
    folder = file.rpartition("/")[0]
    assert any(each.startswith((file, folder)) and sentence in each for each in broken), broken


def test_a_planted_name_that_a_file_only_imported_is_named(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "crackpipe").mkdir()
    (tmp_path / "cli.py").write_text("from crackpipe.model import b\nb.ONE\nb.TWO\n")
    (tmp_path / "crackpipe/__init__.py").write_text("")
    (tmp_path / "crackpipe/__main__.py").write_text("from crackpipe.model.b import ONE, TWO\n")
    (tmp_path / "model/a.py").write_text("ONE = 1\n")
    (tmp_path / "model/b.py").write_text("from crackpipe.model.a import ONE\nTWO = 2\n")
    said = house.re_exports(House(tmp_path), (), {})
    assert [sentence.partition(" for ")[0] for sentence in said] == [
        "cli.py:2 imports model/b.py",
        "crackpipe/__main__.py:1 imports model/b.py",
    ]
    assert not house.re_exports(House(tmp_path), ("model/b.py:ONE",), {})


def test_planted_sizes_are_named(tmp_path: Path) -> None:
    for folder in ("pipeline", "crackpipe", "model", "commands"):
        (tmp_path / folder).mkdir()
    (tmp_path / "cli.py").write_text("x = 1\n" * 301)
    (tmp_path / "crackpipe/__init__.py").write_text("x = 1\n" * 300)
    (tmp_path / "crackpipe/__main__.py").write_text("def f():\n" + "    x = 1\n" * 50)
    (tmp_path / "pipeline/__init__.py").write_text("def f():\n" + "    x = 1\n" * 49)
    for number in range(13):
        (tmp_path / f"model/{number}.py").write_text("")
        (tmp_path / f"commands/{number}.py").write_text("")
    planted = House(tmp_path)
    assert house.folders_too_full(planted.files, MOST_FILES) == ["model holds 13 files, more than 12"]
    assert house.files_too_long(planted, 300) == ["cli.py has 301 lines, more than 300"]
    assert house.functions_too_long(planted, 50) == ["crackpipe/__main__.py:1 f has 51 lines, more than 50"]


def test_help_is_quick() -> None:
    """In seconds of a CPU, so that other work does not count; torch alone takes more to import."""

    def cpu_s() -> float:
        process = subprocess.Popen([sys.executable, "-m", "crackpipe", "--help"], stdout=subprocess.DEVNULL)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        assert process.returncode == 0
        return used.ru_utime + used.ru_stime

    assert min(cpu_s() for _ in range(3)) <= 0.3
