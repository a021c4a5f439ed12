"""What is told: what is new since last time, and what is over."""

from pathlib import Path

from crackpipe.pipeline.nightly.facts.listing import Survey
from crackpipe.pipeline.nightly.facts.memory import Memory
from crackpipe.pipeline.nightly.facts.outcome import Figures, Night, Outcome
from crackpipe.pipeline.nightly.telling.alarms import News, alarms_of, news

S1 = Survey("n", "s1", Path("s1"), Path("s1-cracks"))


def quarantined(*names: str) -> Figures:
    rows = [
        {"image_id": name, "reason": "no-crs", "message": "no CRS", "remedy": "Give one."} for name in names
    ]
    return Figures(quarantined=tuple(rows))


def told(
    memory: Memory, *outcomes: Outcome, left: int = 0, output: Path = Path("/"), **faults: tuple[int, str]
) -> News:
    """What a night with these outcomes tells; `memory` goes on to the next."""
    night = Night(0.0, outcomes={each.survey.key: each for each in outcomes}, faults=faults)
    memory.backlog = [*memory.backlog, left][-4:]
    now = alarms_of(night, memory, output)
    found = news(now, memory.alarms)
    memory.alarms = now
    return found


def test_an_image_in_quarantine_is_told_once() -> None:
    memory = Memory()
    first = told(memory, Outcome(S1, "done", 3, figures=quarantined("a.tif")))
    assert first == News(("n/s1: a.tif: no-crs: no CRS. Give one.",))
    assert not told(memory, Outcome(S1, "unchanged", 3, figures=quarantined("a.tif")))
    more = told(memory, Outcome(S1, "done", 3, figures=quarantined("a.tif", "b.tif", "c.tif")))
    assert more.new == ("n/s1: 2 images are new in quarantine: b.tif (no-crs), c.tif (no-crs)",)
    # one leaves, which is no alarm; when it comes back it is one
    assert not told(memory, Outcome(S1, "done", 3, figures=quarantined("a.tif", "b.tif")))
    assert told(memory, Outcome(S1, "done", 3, figures=quarantined("a.tif", "b.tif", "c.tif")))


def test_a_share_that_is_away_is_told_once_and_once_when_it_is_back() -> None:
    memory = Memory()
    told(memory, Outcome(S1, "done", 3, figures=quarantined("a.tif")))
    away = {"source n": (66, "no survey in /mnt. Check that its disk is mounted.")}
    lost = Outcome(S1, "unreachable")
    said = "source n: no survey in /mnt. Check that its disk is mounted. (exit code 66)"
    assert told(memory, lost, **away) == News((said,))
    assert not told(memory, lost, **away)
    back = told(memory, Outcome(S1, "unchanged", 3, figures=quarantined("a.tif")))
    assert back == News((), (said,))  # and not the image again, which nobody could look at


def test_a_full_disk_is_one_alarm_whatever_cannot_be_written(tmp_path: Path) -> None:
    full = "writing x failed: No space left on device. Free some space."
    survey = Outcome(Survey("n", "s2", Path("s2"), tmp_path / "not/there"), "failed", 74, full)
    memory = Memory()
    first = told(memory, output=tmp_path, night=(74, full), summary=(74, full))
    assert first.new == (f"night: {full} (exit code 74)",)
    assert not told(memory, survey, output=tmp_path)
    other = Outcome(S1, "failed", 74, "s1-cracks is damaged")
    assert told(memory, survey, other, output=tmp_path).new == ("n/s1: s1-cracks is damaged (exit code 74)",)
    assert len(told(memory).over) == 2


def test_a_failure_is_over_only_when_the_survey_ended_well() -> None:
    memory = Memory()
    failed = Outcome(S1, "failed", 74, "disk full")
    assert told(memory, failed).new == ("n/s1: disk full (exit code 74)",)
    assert not told(memory, Outcome(S1, "cut off"))
    assert not told(memory, failed)
    other = told(memory, Outcome(S1, "failed", 71, "memory"))
    assert other == News(("n/s1: memory (exit code 71)",), ("n/s1: disk full (exit code 74)",))
    assert told(memory, Outcome(S1, "done", 0)) == News((), ("n/s1: memory (exit code 71)",))


def test_a_backlog_that_grows_three_nights_running_is_an_alarm() -> None:
    memory = Memory()
    assert [bool(told(memory, left=left).new) for left in (5, 6, 7, 8, 9, 9)] == [
        False, False, False, True, False, False,
    ]  # fmt: skip
    assert not any(told(memory, left=left) for left in (3, 4, 4, 5, 6))


def test_a_night_that_could_not_begin_ends_no_alarm() -> None:
    memory = Memory()
    survey = Outcome(S1, "done", 3, figures=quarantined("a.tif"))
    told(memory, survey, **{"source m": (66, "not mounted")})
    assert told(memory, night=(74, "disk")) == News(("night: disk (exit code 74)",))
    assert told(memory, survey, **{"source m": (66, "not mounted")}) == News(
        (), ("night: disk (exit code 74)",)
    )


def test_a_survey_that_is_gone_is_told_once() -> None:
    memory = Memory()
    gone = Outcome(S1, "gone", said="s1 is gone, of which s1-cracks is the result")
    assert told(memory, gone).new == ("n/s1: s1 is gone, of which s1-cracks is the result",)
    assert not told(memory, gone)


def test_an_output_in_use_and_a_night_that_was_cut_are_no_alarms() -> None:
    assert not told(Memory(), Outcome(S1, "in use", 75, "in use by"))
    assert not told(Memory(), Outcome(S1, "cut off"), left=5)


def test_a_survey_in_use_three_nights_running_is_told_once_and_when_it_is_over() -> None:
    memory, said = Memory(), "n/s1 is in use night after night: cracks.gpkg is open"
    nights = [
        told(memory, Outcome(S1, "in use", 75, "cracks.gpkg is open", nights_held=held))
        for held in (1, 2, 3, 4)
    ]
    assert nights == [News(), News(), News((said,)), News()]
    assert not told(memory, Outcome(S1, "no turn"))  # nobody could look whether it is over
    assert told(memory, Outcome(S1, "done", 0)) == News((), (said,))


def test_a_night_that_was_told_to_end_ends_no_alarm() -> None:
    memory = Memory()
    failed = told(memory, Outcome(S1, "failed", 74, "damaged"))
    ended = Night(0.0, ended="the night was told to end")
    now = alarms_of(ended, memory, Path("/"))
    assert news(now, memory.alarms) == News(("the night was told to end",))
    memory.alarms = now
    assert not news(alarms_of(ended, memory, Path("/")), now)
    assert told(memory, Outcome(S1, "done", 0)).over == (*failed.new, "the night was told to end")
