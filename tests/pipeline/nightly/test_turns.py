"""Whose turn it is. Sources are letters, their surveys numbers."""

from pathlib import Path

from crackpipe.pipeline.nightly.facts.listing import Survey
from crackpipe.pipeline.nightly.turns import Line, Turns, turns_of


def line(source: str, count: int, *, priority: int = 0, waited: bool = False, begun: bool = False) -> Line:
    surveys = [Survey(source, str(number), Path(), Path()) for number in range(count)]
    return Line(source, priority, waited, surveys, {f"{source}/0"} if begun else set())


def played(turns: Turns, night_s: float, needs_s: dict[str, float]) -> list[tuple[str, float]]:
    """The turns of a night: who had it and for how long; `needs_s` by key."""
    found, needs_s = [], dict(needs_s)
    while night_s > 0 and (taken := turns.next(night_s)) is not None:
        survey, limit_s = taken
        took_s = min(limit_s, needs_s[survey.key])
        needs_s[survey.key] -= took_s
        night_s -= took_s
        turns.lines[survey.source].spent_s += took_s
        if needs_s[survey.key] > 0:
            turns.lines[survey.source].cut_off.add(survey.key)
            turns.lines[survey.source].add(survey)
        found.append((survey.key, took_s))
    return found


def test_one_busy_source_leaves_the_others_their_share() -> None:
    lines = [line("a", 1, priority=9), line("b", 1), line("c", 1)]
    needs = {"a/0": 1e9, "b/0": 50.0, "c/0": 500.0}
    assert played(turns_of(lines, 900, 10), 900, needs) == [
        ("a/0", 300.0),
        ("b/0", 50.0),
        ("c/0", 300.0),
        ("a/0", 250.0),  # what is left of the night
    ]


def test_a_survey_that_was_cut_off_goes_first() -> None:
    lines = [line("a", 2, priority=9), line("b", 2, begun=True)]
    needs = {"a/0": 1.0, "a/1": 1.0, "b/0": 1.0, "b/1": 1.0}
    assert [key for key, _ in played(turns_of(lines, 900, 10), 900, needs)] == ["b/0", "a/0", "a/1", "b/1"]


def test_who_waited_in_vain_last_night_comes_before_all() -> None:
    lines = [line("a", 1, begun=True), line("b", 1, waited=True)]
    # a night shorter than the shortest turn: only one source can have it
    assert played(turns_of(lines, 5, 10), 5, {"a/0": 100.0, "b/0": 100.0}) == [("b/0", 5.0)]


def test_a_turn_is_no_shorter_than_the_shortest() -> None:
    lines = [line("a", 1), line("b", 1)]
    turns = turns_of(lines, 900, 600)
    assert played(turns, 900, {"a/0": 1e9, "b/0": 1e9}) == [("a/0", 600.0), ("b/0", 300.0)]
    assert list(turns.waiting()) == []


def test_without_an_end_sources_take_turns_survey_by_survey() -> None:
    lines = [line("a", 2), line("b", 2), line("c", 1, priority=1)]
    needs = dict.fromkeys(("a/0", "a/1", "b/0", "b/1", "c/0"), 7.0)
    order = [key for key, _ in played(turns_of(lines, float("inf")), float("inf"), needs)]
    assert order == ["c/0", "a/0", "b/0", "a/1", "b/1"]


def test_who_had_no_turn_is_known() -> None:
    turns = turns_of([line("a", 1), line("b", 1), line("c", 0)], 5, 10)
    played(turns, 5, {"a/0": 100.0, "b/0": 100.0})
    assert list(turns.waiting()) == ["b"]
