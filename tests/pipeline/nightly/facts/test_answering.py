"""Whether a share answers: a real one that never does, helpers that end, and answers that take long."""

import multiprocessing
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from crackpipe.pipeline.errors import CrackpipeError, NoReadableImageError
from crackpipe.pipeline.nightly.facts import answering
from crackpipe.pipeline.nightly.facts.answering import Asker, SilentError, watched
from crackpipe.pipeline.nightly.facts.listing import Survey, listing_of, surveys_of
from crackpipe.pipeline.nightly.facts.network import Source


@pytest.fixture
def asker() -> Iterator[Asker]:
    with Asker() as asker:
        yield asker


def test_answers_and_errors_come_through(asker: Asker, tmp_path: Path) -> None:
    (tmp_path / "s/x.tif").parent.mkdir()
    (tmp_path / "s/x.tif").write_text("x")
    source = Source("n", folder=tmp_path, results=tmp_path / "results")
    [survey] = asker.ask(source, surveys_of, source)
    assert survey == Survey("n", "s", tmp_path / "s", tmp_path / "results/s-cracks")
    assert asker.ask(source, listing_of, survey).images == 1
    missing = Source("n", folder=tmp_path / "missing")
    with pytest.raises(NoReadableImageError, match="its disk is mounted"):
        asker.ask(source, surveys_of, missing)
    with pytest.raises(FileNotFoundError):
        asker.ask(source, listing_of, Survey("n", "t", tmp_path / "t", tmp_path))


def test_a_share_that_does_not_answer_is_given_up_and_others_are_asked(
    dead_share: Path, asker: Asker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answering, "HANGS_AFTER_S", 3.0)
    dead = Source("dead", folder=dead_share)
    with pytest.raises(SilentError, match=f"{dead_share} does not answer: nothing was heard for 3 s"):
        asker.ask(dead, surveys_of, dead)
    monkeypatch.setattr(answering, "HANGS_AFTER_S", 600.0)
    with pytest.raises(SilentError):  # at once: it is not asked again
        asker.ask(dead, surveys_of, dead)
    assert asker.ask(Source("n", folder=tmp_path), os.path.isdir, tmp_path)


def test_a_share_that_falls_silent_during_a_run_is_noticed(
    dead_share: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answering, "HANGS_AFTER_S", 1.0)
    monkeypatch.setattr(answering, "_LOOKS_EVERY_S", 0.1)
    with watched(Source("dead", folder=dead_share), dead_share) as silent:
        until = time.monotonic() + 300
        while silent() is None and time.monotonic() < until:
            time.sleep(0.05)
        assert "does not answer" in str(silent())


def test_each_thing_that_is_heard_of_a_slow_share_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, theirs = multiprocessing.Pipe()
    monkeypatch.setattr(answering._Beats, "line", theirs)
    monkeypatch.setattr(answering, "_BEATS_EVERY_S", 0.0)
    (tmp_path / "a.tif").write_text("")
    listing_of(Survey("n", "s", tmp_path, tmp_path / "out"))
    assert ours.poll(0) and ours.recv() is None
    ours.close(), theirs.close()


def test_a_helper_that_ends_is_said_and_the_next_one_answers(asker: Asker, tmp_path: Path) -> None:
    source = Source("n", folder=tmp_path)
    with pytest.raises(CrackpipeError, match="the process that looks at"):
        asker.ask(source, os._exit, 1)
    assert asker.ask(source, os.path.isdir, tmp_path)
