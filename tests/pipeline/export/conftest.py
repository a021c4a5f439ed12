"""A copy of a finished run that a test may change."""

import shutil
from pathlib import Path

import pytest


@pytest.fixture
def out(finished: Path, tmp_path: Path) -> Path:
    """The output of a run in one process, with the GeoPackage that each run leaves."""
    return Path(shutil.copytree(finished, tmp_path / "out"))
