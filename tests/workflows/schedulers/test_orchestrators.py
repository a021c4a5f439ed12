"""The recipes in the real orchestrators: how nights end there, what is tried again."""

import subprocess
from pathlib import Path

import pytest
from orchestrators import python_of, tried

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
