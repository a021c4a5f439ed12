"""The steps of a night: look at a source, admit what came to rest, run one survey, keep what is known."""

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from crackpipe.pipeline.console.log import TIMED, log
from crackpipe.pipeline.errors import CrackpipeError, NoReadableImageError
from crackpipe.pipeline.nightly import one_survey
from crackpipe.pipeline.nightly.facts import memory as remembered
from crackpipe.pipeline.nightly.facts import ready
from crackpipe.pipeline.nightly.facts.answering import SilentError
from crackpipe.pipeline.nightly.facts.budget import Budget
from crackpipe.pipeline.nightly.facts.in_store import listing_in_store, surveys_in_store
from crackpipe.pipeline.nightly.facts.listing import (
    Survey,
    listing_of,
    result_state,
    results_without_survey,
    surveys_of,
)
from crackpipe.pipeline.nightly.facts.memory import Known, Memory
from crackpipe.pipeline.nightly.facts.network import Network, Source
from crackpipe.pipeline.nightly.facts.outcome import HELD, Night, Outcome
from crackpipe.pipeline.nightly.one_survey import Done, Shop
from crackpipe.pipeline.nightly.turns import Line, Turns
from crackpipe.pipeline.storage.cloud.address import is_address

_MOST_LOOKS = 3
"""A survey that still changes after so many looks is left for the next night."""


@dataclass
class Shift:
    """A night at work."""

    network: Network
    budget: Budget
    shop: Shop
    memory: Memory
    night: Night
    looks: dict[str, ready.Look] = field(default_factory=dict)
    """The last look at each survey, by key."""
    owners: dict[str, str] = field(default_factory=dict)
    """The source of each survey, by the survey's real path or address."""
    resting: dict[str, int] = field(default_factory=dict)
    """Surveys that may come to rest tonight, by key: how often each was looked at."""

    def source(self, survey: Survey) -> Source:
        """The source that a survey is of."""
        return next(each for each in self.network.sources if each.name == survey.source)

    def known(self, survey: Survey) -> Known:
        """What is known of a survey, to be changed in place."""
        new = Known(survey.source, survey.name, survey.place, str(survey.out))
        return self.memory.surveys.setdefault(survey.key, new)

    def keep(self, *, at_end: bool = False) -> None:
        """Write what the next night needs. On a full disk the night goes on without."""
        try:
            remembered.write(self.network.output / "memory.json", self.memory, from_reserve=at_end)
        except CrackpipeError as error:
            self.night.faults["memory"] = (error.exit_code, str(error))


# ---- looking


def line_of(shift: Shift, source: Source) -> Line:
    """Look at all surveys of a source; what waits there."""
    line = Line(source.name, source.priority, source.name in shift.memory.waited)
    ask = shift.shop.asker.ask
    try:
        for survey in ask(source, results_without_survey, source):
            shift.known(survey)  # of a time before this memory
        surveys = surveys_in_store(source) if source.prefix else ask(source, surveys_of, source)
        _miss(shift, source, surveys, "gone")
        for survey in surveys:
            if _is_of_another(shift, source, survey):
                continue
            if shift.known(survey).unfinished:
                line.cut_off.add(survey.key)
            _look(shift, survey, line)
    except CrackpipeError as error:
        _leave(shift, line, error)
    line.surveys.sort(key=lambda each: (each.key not in line.cut_off, shift.known(each).seen_s, each.name))
    return line


def _leave(shift: Shift, line: Line, error: CrackpipeError) -> None:
    """Leave a source that cannot be read to the next night. What was done for it tonight stays said."""
    source = next(each for each in shift.network.sources if each.name == line.source)
    shift.night.faults[f"source {source.name}"] = (error.exit_code, str(error))
    log.warning(f"{source.name}: {error}")
    line.surveys.clear()
    for key, outcome in list(shift.night.outcomes.items()):
        if outcome.survey.source == source.name:
            shift.resting.pop(key, None)
            if not outcome.images_run and outcome.code is None:
                del shift.night.outcomes[key]
    worked_on = [each.survey for each in shift.night.outcomes.values() if each.survey.source == source.name]
    _miss(shift, source, worked_on, "unreachable")


def note_silent(shift: Shift) -> None:
    """Say of each source that stopped answering that it did."""
    for name, error in shift.shop.asker.silent.items():
        if f"source {name}" not in shift.night.faults:
            shift.night.faults[f"source {name}"] = (error.exit_code, str(error))
            log.warning(f"{name}: {error}")


def _is_of_another(shift: Shift, source: Source, survey: Survey) -> bool:
    """Whether another source has the same survey, which is then said and left to that source."""
    real = survey.address or shift.shop.asker.ask(source, os.path.realpath, survey.path)
    other = shift.owners.setdefault(real, survey.source)
    if other != survey.source:
        said = (
            f"{survey.place} is in the sources {other!r} and {survey.source!r}; it is run for {other!r}. "
            "Narrow the folder or glob of one."
        )
        shift.night.outcomes[survey.key] = Outcome(survey, "failed", 78, said)
    return other != survey.source


def _miss(shift: Shift, source: Source, surveys: Sequence[Survey], state: str) -> None:
    """Name surveys that were there before and are not found now. Their results stay."""
    there = {survey.key for survey in surveys}
    for key, known in shift.memory.surveys.items():
        if known.source != source.name:
            continue
        known.is_gone = state == "gone" and key not in there
        if key not in there:
            address = known.path if is_address(known.path) else None
            survey = Survey(known.source, known.name, Path(known.path), Path(known.out), address)
            shift.night.outcomes[key] = Outcome(survey, state)
        if known.is_gone:
            said = f"{known.path} is gone, of which {known.out} is the result"
            shift.night.outcomes[key].said = said
            log.warning(said)


def _look(shift: Shift, survey: Survey, line: Line) -> None:
    """Look at a survey; put it into its line if it is complete and something is to be done."""
    source, known, now_s = shift.source(survey), shift.known(survey), time.time()
    try:
        if survey.address is None:
            listing = shift.shop.asker.ask(source, listing_of, survey)
        else:
            listing = listing_in_store(survey.address)  # which has limits of time of its own
        found = ready.look(survey, listing, source, known, now_s)
        today = one_survey.made_from(shift.shop, source, listing)
        is_done = known.done == today and known.result == shift.shop.asker.ask(
            source, result_state, survey.out
        )
    except SilentError:
        raise
    except (CrackpipeError, OSError) as error:
        told = error if isinstance(error, CrackpipeError) else _unreadable(survey, error)
        shift.night.outcomes[survey.key] = Outcome(survey, "failed", told.exit_code, str(told))
        return
    shift.looks[survey.key] = found
    if is_done:
        outcome = Outcome(survey, "unchanged", known.code, known.said)
    elif found.is_ready(now_s):
        outcome = Outcome(survey, "no turn", images_left=found.listing.images)
        line.add(survey)
    else:
        outcome = Outcome(survey, "not complete", said=ready.waits_for(source, found, now_s))
        if found.ready_at_s is not None:
            shift.resting[survey.key] = shift.resting.get(survey.key, 0) + 1
    shift.night.outcomes[survey.key] = outcome


def _unreadable(survey: Survey, error: OSError) -> NoReadableImageError:
    return NoReadableImageError(
        f"{survey.place} cannot be read: {error.strerror}. Check that its disk is mounted and who may "
        "read it."
    )


def admit(shift: Shift, turns: Turns) -> None:
    """Look again at surveys whose quiet time is over."""
    for key in [key for key in shift.resting if shift.looks[key].is_ready(time.time())]:
        if key not in shift.resting:
            continue  # its source was left meanwhile
        survey, looks = shift.looks[key].survey, shift.resting[key]
        line = turns.lines[survey.source]
        try:
            _look(shift, survey, line)
        except SilentError as error:
            _leave(shift, line, error)
            continue
        if shift.night.outcomes[key].state != "not complete" or looks >= _MOST_LOOKS:
            del shift.resting[key]


def rest(shift: Shift) -> bool:
    """Wait until the quiet time of a survey is over; False where none is within the night."""
    at_s = [shift.looks[key].ready_at_s or 0.0 for key in shift.resting]
    if not at_s or min(at_s) - time.time() >= shift.budget.left_s():
        return False
    wait_s = max(0.0, min(at_s) - time.time())
    if wait_s > 1.0:
        log.info(f"waiting {wait_s / 60:.1f} min for {len(at_s)} surveys to come to rest", extra=TIMED)
    shift.keep()  # what was seen now is the first look of the next night, if this one is ended
    time.sleep(wait_s)
    return True


# ---- running


def do(shift: Shift, turns: Turns, survey: Survey, limit_s: float) -> None:
    """Give a survey its turn."""
    known, line = shift.known(survey), turns.lines[survey.source]
    outcome = shift.night.outcomes[survey.key]
    known.unfinished = True
    line.cut_off.add(survey.key)
    shift.keep()
    log.info(survey.place, extra=TIMED)
    found, source = shift.looks[survey.key], shift.source(survey)
    today = one_survey.made_from(shift.shop, source, found.listing)
    end_s = None if limit_s == float("inf") else time.time() + limit_s
    try:
        done = one_survey.run(shift.shop, source, survey, end_s)
        result = shift.shop.asker.ask(source, result_state, survey.out)
    except SilentError as error:  # it goes first when the share is back
        _leave(shift, line, error)
        shift.keep()
        return
    except CrackpipeError as error:  # its result cannot be read; the others go on
        done, result = Done(error.exit_code, str(error), was_cut=False, images=0, seconds=0.0), None
    except SystemExit:  # the night was told to end
        outcome.state = "cut off"
        raise
    line.spent_s += done.seconds
    outcome.seconds += done.seconds
    outcome.images_run += done.images
    if done.was_cut:
        outcome.state, outcome.code, outcome.said = "cut off", None, ""
        log.info(f"{survey.place} goes on later", extra=TIMED)
        if shift.budget.left_s() > 0:
            line.add(survey)
    else:
        _note(outcome, known, done)
        line.cut_off.discard(survey.key)
        if done.code in (0, 3):
            known.done, known.result = today, result
        log.info(f"{survey.place} exit {done.code}", extra=TIMED)
    shift.keep()


def _note(outcome: Outcome, known: Known, done: Done) -> None:
    """What a survey that came to its end leaves in the night's outcome and for the next night."""
    states = {0: "done", 3: "done", HELD: "in use"}
    outcome.state, outcome.code, outcome.said = states.get(done.code, "failed"), done.code, done.said
    outcome.images_left = 0
    known.code, known.said, known.done = done.code, done.said, None
    known.nights_held = known.nights_held + 1 if done.code == HELD else 0
    outcome.nights_held = known.nights_held
    # a run that failed is no run that was cut off: it waits its turn, so that it cannot hold up the others
    known.unfinished = False
