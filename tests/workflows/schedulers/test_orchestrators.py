"""The recipes in the real orchestrators: how nights end there, what is tried again."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from helpers import crack, write_scene
from paths import ROOT

from crackpipe.model.render.picture import clean_scene

HERE = Path(__file__).parent
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
        "BEGIN": "",  # the tests work by day too
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


STARTS = {"0": 1, "3": 1, "75": 1, "69": 4, "70": 1}  # 69 is tried three times more
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


def test_prefect(tmp_path: Path) -> None:
    results, starts = tried(
        "prefect",
        tmp_path,
        PREFECT_HOME=tmp_path / "prefect",
        PREFECT_SERVER_ANALYTICS_ENABLED="false",
        DO_NOT_TRACK=1,
        PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS=600,
    )
    assert results == {
        "0": ["COMPLETED", "Completed"],
        "3": ["COMPLETED", "CompletedWithWarning"],
        "75": ["COMPLETED", "Skipped"],
        "69": ["FAILED", "Failed"],
        "70": ["FAILED", "Failed"],
        "real": ["COMPLETED", "CompletedWithWarning"],
    }
    assert starts == STARTS


def test_dagster(tmp_path: Path) -> None:
    results, starts = tried("dagster", tmp_path)
    assert results == {
        "0": ["SUCCESS", "crack_map", "WARN passed=True"],
        "3": ["SUCCESS", "crack_map", "WARN passed=False"],
        "75": ["SUCCESS"],
        "69": ["FAILURE"],
        "70": ["FAILURE"],
        "real": ["SUCCESS", "crack_map", "WARN passed=False"],
    }
    assert starts == STARTS


def test_airflow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    python = python_of("airflow")
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path / "airflow"))
    monkeypatch.setenv("AIRFLOW__CORE__LOAD_EXAMPLES", "False")
    monkeypatch.setenv("AIRFLOW__CORE__DAGS_FOLDER", str(Path("workflows/airflow").resolve()))
    subprocess.run([python.with_name("airflow"), "db", "migrate"], check=True)
    results, starts = tried("airflow", tmp_path)
    assert results == {
        "0": ["success", "success"],
        "3": ["success", "success"],
        "75": ["success", "skipped"],
        "69": ["failed", "failed"],
        "70": ["failed", "failed"],
        "real": ["success", "success"],
    }
    assert starts == STARTS
