"""A small network of two surveys on a share, and nights of it as processes of their own."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
from helpers import crack, write_scene
from paths import ROOT

from crackpipe.model.render.picture import clean_scene

SCHEMA = json.loads((ROOT / "docs/use/nightly.schema.json").read_text())

NETWORK = """
output = "disk/out"
timezone = "Europe/Berlin"
keep_nights = 3

[sources.north]
folder = "share/north"
quiet_minutes = 0
settings = { unit_tiles = 1 }
sections = { centreline = "roads.gpkg", length = "1m" }
report = true

[tell]
metrics = "crackpipe.prom"

[tell.hooks.file]
command = ["tee", "-a", "told.md"]
"""


def draw(survey: Path, names: str, *, shade: int = 0) -> None:
    """An image with one crack for each letter, each at a place of its own."""
    for name in names:
        scene = clean_scene(300, 420, seed=ord(name) + shade, cracks=(crack(40, 60, 260, 380, 4.0),))
        write_scene(survey / f"{name}.tif", scene, x=500_000.0 + ord(name))


def begun(home: Path) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "crackpipe", "nightly", "network.toml", "--serial"]
    return subprocess.Popen(
        command, cwd=home, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )


def whole(home: Path) -> tuple[int, str]:
    """Exit code of a night, and all that it said."""
    process = begun(home)
    out, errors = process.communicate()
    return process.returncode, out + errors


def summary(home: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((home / "disk/out/summary.json").read_text())
    jsonschema.validate(found, SCHEMA)
    return found


def states(home: Path) -> dict[str, str]:
    return {each["survey"]: each["state"] for each in summary(home)["surveys"]}


def told(home: Path) -> str:
    """What the hook was told since this was asked last."""
    file = home / "told.md"
    found = file.read_text() if file.exists() else ""
    file.unlink(missing_ok=True)
    return found


def markers(home: Path, survey: str) -> list[Path]:
    return list((home / f"disk/out/surveys/north/{survey}-cracks/.crackpipe/markers").glob("*.json"))


def result(home: Path, survey: str) -> Path:
    return home / f"disk/out/surveys/north/{survey}-cracks"
