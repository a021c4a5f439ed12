"""The rules of the house: imports go one way, commands are documented, help is quick."""

import ast
import subprocess
import sys
import time
from pathlib import Path

import pytest
from paths import ROOT

from crackpipe.commands import options

LEAVES = {"errors", "grid", "config", "image", "gdal_env"}
STORY = {
    "run",
    "plan",
    "publish",
    "tables",
    "taskgraph",
    "inspect_unit",
    "map_image",
    "image_lines",
    "line_classes",
    "status",
    "upkeep",
    "verify",
    "doctor",
    "sample",
    "calibrate",
    "benchmark",
    "dataset",
    "dataset_run",
}


def imports_of(file: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return {name for name in names if name.startswith("crackpipe")}


@pytest.mark.parametrize("file", sorted((ROOT / "model").rglob("*.py")), ids=lambda file: file.name)
def test_the_model_knows_nothing_of_the_pipeline(file: Path) -> None:
    assert not {
        name
        for name in imports_of(file)
        if name.startswith(("crackpipe.pipeline", "crackpipe.commands", "crackpipe.cli"))
    }


@pytest.mark.parametrize("file", sorted((ROOT / "pipeline").glob("*.py")), ids=lambda file: file.name)
def test_the_pipeline_knows_nothing_of_the_commands(file: Path) -> None:
    assert not {name for name in imports_of(file) if name.startswith(("crackpipe.commands", "crackpipe.cli"))}


@pytest.mark.parametrize("file", sorted((ROOT / "commands").glob("*.py")), ids=lambda file: file.name)
def test_commands_share_only_their_options(file: Path) -> None:
    assert not {name for name in imports_of(file) if name.startswith("crackpipe.cli")}
    assert {name for name in imports_of(file) if name.startswith("crackpipe.commands")} <= {
        "crackpipe.commands.options",
        *(f"crackpipe.commands.options.{name}" for name in vars(options)),
    }


@pytest.mark.parametrize("leaf", sorted(LEAVES & {"errors", "grid"}))
def test_leaves_import_nothing_of_the_house(leaf: str) -> None:
    assert not imports_of(ROOT / "pipeline" / f"{leaf}.py") - {"crackpipe"}


ROOMS = {
    "survey": {"survey", "inspection", "placing"},  # files and integrity serve reading too
    "read": {"read", "spool"},
    "masks": {"masks", "chunks"},
    "trace": {
        "trace",
        "skeleton",
        "thinning",
        "blobs",
        "ridge",
        "graph",
        "cleaning",
        "gaps",
        "ends",
        "drawing",
    },
    "width": {
        "width",
        "width_fit",
        "width_climb",
        "width_noise",
        "width_start",
        "width_straight",
        "width_plain",
        "width_profiles",
        "width_samples",
        "width_windows",
        "width_rows",
    },
    "dataset": {"dataset_parts", "reviewed", "labels"},
    "cracks": {
        "cracks",
        "collect",
        "images_table",
        "geoparquet",
        "crack_type",
        "travel",
        "plane",
        "parts",
        "overlaps",
        "doubles",
        "seams",
    },
}


@pytest.mark.parametrize("room", sorted(ROOMS))
def test_rooms_do_not_import_each_other(room: str) -> None:
    others = {module for name, modules in ROOMS.items() if name != room for module in modules} | STORY
    forbidden = {f"crackpipe.pipeline.{module}" for module in others}
    for module in ROOMS[room]:
        file = ROOT / "pipeline" / f"{module}.py"
        assert not imports_of(file) & forbidden, module


def test_help_is_quick() -> None:
    def seconds() -> float:
        started = time.perf_counter()
        subprocess.run([sys.executable, "-m", "crackpipe", "--help"], check=True, capture_output=True)
        return time.perf_counter() - started

    # the best of several: other work on the machine is not the command's
    assert min(seconds() for _ in range(5)) <= 0.3
