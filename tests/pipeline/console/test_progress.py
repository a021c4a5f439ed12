"""What a run says while it works, where nobody sits at a terminal."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from crackpipe.pipeline.console import progress
from crackpipe.pipeline.console.log import _Stderr, log, logging_to


@pytest.fixture
def talking() -> Iterator[None]:
    level, handlers = log.level, log.handlers[:]
    log.setLevel("INFO")
    log.handlers[:] = [_Stderr()]
    yield
    log.setLevel(level)
    log.handlers[:] = handlers


@pytest.mark.usefixtures("talking")
def test_plain_lines_tell_the_time_of_day(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with logging_to(tmp_path, keep=1) as file, progress.showing(tiles=4, images=1) as shown:
        shown.advance(tiles=2)
        log.info("something else")
    first, second = capsys.readouterr().err.splitlines()
    assert re.match(r"([01]\d|2[0-3])(:[0-5]\d){2} inspecting: 2/4 tiles, 0/1 images, ", first)
    assert second == "something else"
    said = [json.loads(line) for line in file.read_text().splitlines()]
    assert said[0]["message"].startswith("inspecting: 2/4 tiles")  # its time stands beside it
    assert said[0]["time"]
