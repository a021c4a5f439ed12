"""What a terminal shows: live lines during a run, a table after it, at any width."""

import io
import os
import pty
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from crackpipe.pipeline.console.closing import Closing, show
from crackpipe.pipeline.console.progress import STAGES, Progress, distance
from crackpipe.pipeline.console.screen import Screen, clock

ESCAPES = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")
FAR = Progress(
    stage="inspecting", tiles=123_456, tiles_total=400_000, images=12_345, images_total=40_000,
    quarantined=12, road_km=123.4, tiles_per_s=230.4, left_s=4000.0,
)  # fmt: skip


def terminal(columns: int, encoding: str = "utf-8") -> tuple[Console, io.BytesIO]:
    raw = io.BytesIO()
    file = io.TextIOWrapper(raw, encoding=encoding, write_through=True)
    return Console(file=file, force_terminal=True, width=columns, height=30, highlight=False), raw


def drawn(progress: Progress, columns: int) -> list[str]:
    """The live lines, without colours."""
    console, raw = terminal(columns)
    screen = Screen(console)
    screen(progress)
    console.print(screen)
    return ESCAPES.sub("", raw.getvalue().decode()).splitlines()


@pytest.mark.parametrize("columns", [40, 80, 200])
@pytest.mark.parametrize("stage", STAGES)
def test_there_are_two_lines_that_fit(columns: int, stage: str) -> None:
    for progress in (Progress(stage=stage), Progress(**{**vars(FAR), "stage": stage})):
        lines = drawn(progress, columns)
        assert len(lines) == 2
        assert max(map(len, lines)) <= columns
        assert lines[0].startswith(stage)


def test_a_wide_terminal_shows_all_and_a_narrow_one_what_matters() -> None:
    first, second = drawn(FAR, 200)
    assert first.endswith(" 31 %  1:06:40 left")
    assert second.split("3 of 6     ")[1].rstrip() == (
        "123,456/400,000 tiles · 12,345/40,000 images · 123.4 km of road · 230.4 tiles/s · 12 in quarantine"
    )
    assert "12,345/40,000 images · 123.4 km of road · 230.4 tiles/s · 12 in quar" in drawn(FAR, 80)[1]


def test_before_anything_is_known_the_stage_is_told() -> None:
    first, second = drawn(Progress(), 80)
    assert first.endswith("0:00 so far")
    assert second.startswith("1 of 6     looking at the files of the survey")


def test_times_and_lengths() -> None:
    assert [clock(seconds) for seconds in (0, 59.6, 3599, 3600, 90_061)] == [
        "0:00", "1:00", "59:59", "1:00:00", "25:01:01",
    ]  # fmt: skip
    assert [distance(km) for km in (0.0, 0.0154, 0.9994, 1.0, 1234.56)] == [
        "0 m", "15 m", "999 m", "1.0 km", "1,234.6 km",
    ]  # fmt: skip


# ---- after the run

CLOSING = Closing(
    title="7 images done (7 in this run), 458 cracks, 52.5 m, in 51 s",
    rows=[("inspected", "15 m of lane · 24.3 m2"), ("cracks", "458 · 52.5 m"), ("density", "2.16 m")],
    length_m={"tiny": 7.1, "small": 31.7, "wide": 13.0, "unmeasured": 0.0},
    notes=["a note"],
    quarantined=[f"lane1/[red]{number}[/red].tif: no-crs: :boom: {'word ' * 30}" for number in range(20)],
    look="crackpipe status out",
    next=[("out/cracks.gpkg", "the map"), ("crackpipe sections out", "sections")],
)


def closed(columns: int, encoding: str = "utf-8") -> list[str]:
    console, raw = terminal(columns, encoding)
    show(CLOSING, console)
    return ESCAPES.sub("", raw.getvalue().decode(encoding)).splitlines()


@pytest.mark.parametrize("columns", [80, 200])
def test_the_table_fits_and_takes_names_as_they_are(columns: int) -> None:
    lines = closed(columns)
    assert max(map(len, lines)) <= columns
    text = " ".join(" ".join(lines).split())
    assert "lane1/[red]7[/red].tif: no-crs: :boom: word" in text
    assert "[red]8[/red]" not in text and "and 12 more: crackpipe status out" in text
    assert "open next out/cracks.gpkg the map crackpipe sections out sections" in text
    assert "not measured" not in text


def test_the_longest_bar_is_that_of_the_longest_class() -> None:
    bars = {line.split()[0]: line.count("━") for line in closed(80) if "━" in line}
    assert bars == {"tiny": 7, "small": 30, "wide": 12}


def test_a_terminal_that_knows_latin_letters_only_gets_no_other_signs() -> None:
    lines = closed(80, "latin-1")
    assert "  inspected   15 m of lane, 24.3 m2" in [line.rstrip() for line in lines]
    assert any("====" in line for line in lines)


def test_a_run_in_a_terminal_ends_with_the_table(survey: Path, finished: Path, tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    environment = os.environ | {"TERM": "xterm-256color", "COLUMNS": "80", "LINES": "40"}
    shutil.copytree(finished, tmp_path / "out")
    command = [sys.executable, "-m", "crackpipe", "run", str(survey), "--out", "out", "--serial"]
    with subprocess.Popen(command, stdout=theirs, stderr=theirs, env=environment, cwd=tmp_path) as process:
        os.close(theirs)
        said = b""
        try:
            while more := os.read(ours, 4096):
                said += more
        except OSError:  # the command has ended, and with it the terminal
            pass
    os.close(ours)
    assert process.returncode == 3
    text = ESCAPES.sub("", said.decode())
    lines = [line.rstrip() for line in text.replace("\r\n", "\n").split("\n")]
    assert "Nothing to do: all 3 images were finished before." in lines
    assert "  quarantine   3 images" in lines
    assert any(re.match(r"  inspected    \d+ m of lane · \d\.\d m2 · 100 % of what", line) for line in lines)
    assert "  open next    out/cracks.gpkg  the map, for QGIS and others" in lines
    assert b"\x1b[?25h" in said[said.rindex(b"\x1b[?25l") :]  # the cursor is shown again
