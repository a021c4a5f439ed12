"""A survey of four small images, and what a run makes of it that nobody disturbs."""

from pathlib import Path

import fault_kit as kit
import pytest

from crackpipe.pipeline.config import Config
from crackpipe.pipeline.request import Request
from crackpipe.pipeline.run import run

SIZES = [(200, 200), (210, 200), (200, 220), (300, 500)]


@pytest.fixture(scope="session")
def frames(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return kit.write_survey(tmp_path_factory.mktemp("frames") / "survey", SIZES)


@pytest.fixture(scope="session")
def finished(frames: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("undisturbed") / "out"
    run(Request((frames,), out, Config(), serial=True))
    return out
