"""What a run says while it works, where nobody sits at a terminal."""

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from crackpipe.pipeline.console.log import _Stderr, log, logging_to
from crackpipe.pipeline.console.progress import Progress, sentence
from crackpipe.pipeline.console.watch import Lines, Watch, watching


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
    with logging_to(tmp_path, keep=1) as file, watching() as watch:
        watch.enter("survey")
        watch.expect(tiles=4, images=1)
        watch.enter("inspecting")
        watch.advance(tiles=2)
        log.info("something else")
        watch.enter("tables")
    first, second = capsys.readouterr().err.splitlines()
    assert re.match(r"([01]\d|2[0-3])(:[0-5]\d){2} inspecting: 2/4 tiles, 0/1 images, ", first)
    assert second == "something else"
    said = [json.loads(line) for line in file.read_text().splitlines()]
    assert said[0]["message"].startswith("inspecting: 2/4 tiles")  # its time stands beside it
    assert said[0]["time"]


@pytest.mark.usefixtures("talking")
def test_plain_lines_come_every_twentieth(capsys: pytest.CaptureFixture[str]) -> None:
    with watching() as watch:
        watch.expect(tiles=1000, images=10)
        watch.enter("inspecting")
        for _ in range(1000):
            watch.advance(tiles=1)
        watch.advance(images=10, km=0.012, quarantined=2)
    lines = capsys.readouterr().err.splitlines()
    assert 18 <= len(lines) <= 20
    assert "inspecting: 50/1000 tiles, 0/10 images, 0.00 km, " in lines[0]
    assert all(" tiles/s" in line for line in lines)


@pytest.mark.usefixtures("talking")
def test_a_stage_without_tasks_has_a_line_each_minute(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 0.0
    monkeypatch.setattr("crackpipe.pipeline.console.watch.time.monotonic", lambda: now)
    lines = Lines()
    told = [
        (5.0, Progress()),
        (60.0, Progress()),
        (119.0, Progress(stage="start")),
        (121.0, Progress(stage="start", quarantined=1)),
        (180.0, Progress(stage="inspecting", tiles_total=4, images_total=1)),
        (240.0, Progress(stage="exports")),
        (299.0, Progress(stage="exports")),
    ]
    for now, progress in told:  # noqa: B007  the clock reads it
        lines(progress)
    assert [line[9:] for line in capsys.readouterr().err.splitlines()] == [
        "survey: looking at the files of the survey, 55 s so far",
        "start: workers start and load the network, 0 s so far",
        "inspecting: 0/4 tiles, 0/1 images, 0.00 km, 0.0 tiles/s",
        "exports: files for other programs are written, 0 s so far",
        "exports: files for other programs are written, 59 s so far",
    ]


@pytest.mark.usefixtures("talking")
def test_a_line_comes_while_a_task_works(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is told but the begin of the stage; the minute is 0.2 s here."""
    monkeypatch.setattr("crackpipe.pipeline.console.watch._LINE_EVERY_S", 0.2)
    monkeypatch.setattr("crackpipe.pipeline.console.watch._LOOK_EVERY_S", 0.05)
    said = ""
    with watching() as watch:
        watch.enter("tables")
        until = time.monotonic() + 20
        while said.count("\n") < 2 and time.monotonic() < until:
            time.sleep(0.05)
            said += capsys.readouterr().err
    assert said.count(" tables: cracks are counted once where images meet, ") >= 2


def test_a_rate_falls_while_no_task_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """A progress that is asked for later tells the rate of then, not that of the last task."""
    now = 0.0
    monkeypatch.setattr("crackpipe.pipeline.console.watch.time.monotonic", lambda: now)
    watch = Watch(lambda progress: None)
    watch.expect(tiles=30)
    now = 10.0
    watch.advance(tiles=20)
    assert watch.progress().tiles_per_s == 2.0
    now = 20.0
    assert watch.progress().tiles_per_s == 1.0
    assert watch.progress().left_s == 10.0


def test_a_line_says_what_is_known() -> None:
    far = Progress(stage="inspecting", tiles=64, tiles_total=156, images=2, images_total=7, road_km=1.234)
    assert sentence(far) == "inspecting: 64/156 tiles, 2/7 images, 1.23 km, 0.0 tiles/s"
    known = Progress(stage="inspecting", tiles_total=2, tiles_per_s=0.5, left_s=4.0, quarantined=3)
    assert sentence(known).endswith("0.5 tiles/s, 4 s left, 3 in quarantine")


def test_stages_and_counts_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0.0, 10.0, 10.0, 1000.0, 1000.0, 1001.0, 1001.0])
    monkeypatch.setattr("crackpipe.pipeline.console.watch.time.monotonic", lambda: next(clock))
    told: list[Progress] = []
    watch = Watch(told.append)
    watch.expect(tiles=30, images=2, quarantined=1)
    watch._stage = "inspecting"
    watch.advance(tiles=10)
    assert (told[-1].tiles_per_s, told[-1].left_s) == (1.0, 20.0)
    watch.advance(tiles=10, images=1, km=0.5)
    # what is older than five minutes does not tell the rate of now
    assert told[-1].tiles_per_s == pytest.approx(10 / 990)
    watch.advance(tiles=10, images=1, quarantined=1)
    last = told[-1]
    assert (last.stage, last.tiles, last.images, last.quarantined, last.road_km) == ("tracing", 30, 2, 2, 0.5)
    assert last.left_s is None and last.share == 1.0
