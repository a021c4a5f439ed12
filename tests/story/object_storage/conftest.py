"""The small survey in a store of S3 on this machine."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from cloud.store import put_survey, store


@pytest.fixture(scope="module")
def target(survey: Path) -> Iterator[tuple[str, int]]:
    """Host and port of the store. Its tests may change it, so that each file has one of its own."""
    with store() as (host, port):
        put_survey(f"http://{host}:{port}", survey)
        yield host, port
