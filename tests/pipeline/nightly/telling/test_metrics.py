"""The text file for Prometheus: what it says, and what Prometheus' own tool says of it."""

import shutil
import subprocess
from pathlib import Path

import pytest

from crackpipe.pipeline.nightly.facts.listing import Survey
from crackpipe.pipeline.nightly.facts.memory import Memory
from crackpipe.pipeline.nightly.facts.outcome import Figures, Night, Outcome
from crackpipe.pipeline.nightly.telling.metrics import text_of, write


def night() -> Night:
    row = {"image_id": "a", "reason": "r", "message": "m", "remedy": "x"}
    one = Outcome(Survey("north", "s1", Path(), Path()), "done", 3)
    one.figures = Figures(images_done=7, quarantined=(row,), road_km=1.5)
    two = Outcome(Survey('s"ü\\d\n', "s1", Path(), Path()), "cut off", images_left=12)
    faults = {"source gone": (66, "not mounted")}
    return Night(1000.0, outcomes={"north/s1": one, "x/s1": two}, faults=faults, seconds=60.5)


def test_the_figures() -> None:
    lines = text_of(night(), Memory(last_success_s=900.0), 1060.5).splitlines()
    assert [line for line in lines if not line.startswith("#")] == [
        "crackpipe_nightly_last_run_timestamp_seconds 1060.500",
        "crackpipe_nightly_last_success_timestamp_seconds 900.000",
        "crackpipe_nightly_exit_code 66",
        "crackpipe_nightly_duration_seconds 60.500",
        "crackpipe_nightly_images_left 12",
        'crackpipe_nightly_images{source="north",status="done"} 7',
        'crackpipe_nightly_images{source="north",status="left"} 0',
        'crackpipe_nightly_images{source="north",status="quarantined"} 1',
        'crackpipe_nightly_images{source="s\\"ü\\\\d\\n",status="left"} 12',
        'crackpipe_nightly_road_meters{source="north"} 1500.000',
        'crackpipe_nightly_source_exit_code{source="gone"} 66',
        'crackpipe_nightly_source_exit_code{source="north"} 3',
        'crackpipe_nightly_source_exit_code{source="s\\"ü\\\\d\\n"} 0',
    ]


def test_before_the_first_success_there_is_none() -> None:
    assert "last_success" not in text_of(night(), Memory(), 0.0)


@pytest.mark.skipif(
    shutil.which("promtool") is None, reason="promtool is not installed; `make check-metrics` installs it"
)
def test_promtool_accepts_it() -> None:
    text = text_of(night(), Memory(last_success_s=900.0), 1060.5)
    checked = subprocess.run(
        ["promtool", "check", "metrics"], input=text, capture_output=True, text=True, check=False
    )
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")


def test_the_file_is_replaced_as_a_whole_and_readable_for_all(tmp_path: Path) -> None:
    file = tmp_path / "crackpipe.prom"
    for text in ("a 1\n", "a 2\n"):
        write(file, text)
    assert file.read_text() == "a 2\n"
    assert file.stat().st_mode & 0o777 == 0o644
    assert [each.name for each in tmp_path.iterdir()] == ["crackpipe.prom"]
