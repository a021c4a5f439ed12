"""What the recipes for orchestrators are tried with: a stand-in for each exit code, and the real program."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from helpers import crack, write_scene
from paths import ROOT

from crackpipe.model.render.picture import clean_scene

HERE = ROOT / "tests" / "workflows" / "schedulers"
CODES = ("0", "3", "75", "69", "70")
STAND_IN = """#!/bin/sh
echo "$CODE" >> "$TRIES"
exit "$CODE"
"""
NETWORK = """
output = "out"

[sources.north]
folder = "share"
complete = "_SUCCESS"
settings = { workers = 1 }
"""


def python_of(orchestrator: str) -> Path:
    """The Python that `make schedulers-check` installed it for; else the test is skipped."""
    python = ROOT / "build" / "tools" / orchestrator / "bin" / "python"
    if not python.exists():
        pytest.skip(f"needs {orchestrator} in an environment of its own: make schedulers-check")
    return python


def tried(orchestrator: str, home: Path, **variables: object) -> tuple[dict[str, list[str]], dict[str, int]]:
    """How the recipe ends for each code and for a real night ("real"), and its starts for each code."""
    python = python_of(orchestrator)
    write_scene(home / "share/s/a.tif", clean_scene(300, 420, seed=1, cracks=(crack(40, 60, 260, 380, 4.0),)))
    (home / "share/s/broken.tif").write_bytes(b"")
    (home / "share/s/_SUCCESS").touch()
    (home / "network.toml").write_text(NETWORK)
    for name, text in (
        ("stand-in", STAND_IN),
        ("crackpipe", f'#!/bin/sh\nunset PYTHONPATH\nexec {sys.executable} -m crackpipe "$@"\n'),
    ):
        (home / name).write_text(text)
        (home / name).chmod(0o755)
    variables |= {
        "RECIPE": ROOT / "workflows" / orchestrator,
        "NETWORK": home / "network.toml",
        "CRACKPIPE": home / "stand-in",
        "REAL": home / "crackpipe",
        "TRIES": home / "tries",
        "RETRY_AFTER_S": 0,
        "PATH": f"{python.parent}:{os.environ['PATH']}",
    }
    environment = os.environ | {name: str(value) for name, value in variables.items()}
    results = home / "results.json"
    subprocess.run(
        [python, HERE / f"in_{orchestrator}.py", results, *CODES], check=True, env=environment, cwd=home
    )
    starts = (home / "tries").read_text().split()
    assert json.loads((home / "out/summary.json").read_text())["exit_code"] == 3
    return json.loads(results.read_text()), {code: starts.count(code) for code in CODES}
