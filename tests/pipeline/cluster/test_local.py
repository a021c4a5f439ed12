"""Where the worker processes of this machine begin."""

from pathlib import Path

import pytest
from users import as_nobody

from crackpipe.pipeline.cluster import local


def test_processes_begin_in_a_folder_that_their_user_may_enter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inner = tmp_path / "closed/inner"
    inner.mkdir(parents=True)
    (tmp_path / "closed").chmod(0o700)
    monkeypatch.chdir(inner)
    local._leave_a_closed_folder()
    assert Path.cwd() == inner
    with as_nobody():
        local._leave_a_closed_folder()
    assert Path.cwd() == Path("/")
    monkeypatch.chdir(inner)
    inner.rmdir()
    local._leave_a_closed_folder()
    assert Path.cwd() == Path("/")
