"""What Dask needs while it starts workers, and nothing of it afterwards."""

import os

import pytest

from crackpipe.pipeline.cluster import settings


def test_the_variables_of_workers_are_taken_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.delenv("MALLOC_ARENA_MAX", raising=False)
    with settings.dask_settings(threads=1):
        os.environ.update(settings.worker_environment(1))  # as Dask does before it starts a worker
    assert os.environ["OMP_NUM_THREADS"] == "7"
    assert "MALLOC_ARENA_MAX" not in os.environ
