"""How far a run has come, told from its output alone."""

from pathlib import Path

import pytest
from first_outputs import unpack

from crackpipe.pipeline.errors import UsageError
from crackpipe.pipeline.operate.status import status_lines


def test_an_output_of_commit_5f0e436_is_understood(tmp_path: Path) -> None:
    unpack(tmp_path)
    lines = list(status_lines(tmp_path / "default"))
    assert lines[:5] == [
        "running: no",
        "images done: 2",
        "images unfinished: 0 (0 blocks on disk)",
        "tables: 1 cracks, 0.1 m",
        "images in quarantine: 1",
    ]
    assert lines[5].startswith("  no-crs.tif: no-crs: it names no coordinate reference system")


def test_a_folder_that_is_no_output_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no \.crackpipe folder"):
        list(status_lines(tmp_path))
