"""The story of a night.

    sources -> surveys -> which are new or changed -> whose turn it is -> run, sections, report, exports

What one survey or one source breaks stays there: the others go on, and the exit code is the worst of all.
What the next night needs is written before each run, so that a night may be killed at any moment.
"""

import threading
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

from crackpipe.pipeline.console.log import log
from crackpipe.pipeline.errors import CrackpipeError, OutputLockedError, UsageError
from crackpipe.pipeline.nightly import one_survey, shift, tables, turns
from crackpipe.pipeline.nightly.facts import memory as remembered
from crackpipe.pipeline.nightly.facts.answering import Asker, SilentError
from crackpipe.pipeline.nightly.facts.budget import Budget
from crackpipe.pipeline.nightly.facts.listing import finished_images
from crackpipe.pipeline.nightly.facts.memory import Memory
from crackpipe.pipeline.nightly.facts.network import Network
from crackpipe.pipeline.nightly.facts.outcome import Night, figures_of
from crackpipe.pipeline.nightly.one_survey import Shop
from crackpipe.pipeline.nightly.shift import Shift
from crackpipe.pipeline.nightly.telling.alarms import NOT_BEGUN
from crackpipe.pipeline.nightly.telling.everybody import tell, tell_begin
from crackpipe.pipeline.state import lock
from crackpipe.pipeline.state.output import Output
from crackpipe.pipeline.storage import faults

_COUNTING_WITHIN_S = 60.0
"""What is left is counted for so long at most, since the night may be over by then."""
_COUNTING_AT_ONCE_S = 1.0
"""The same where the night is told to end."""
_BACKLOG_NIGHTS = 4
"""So many nights show whether the backlog grew three times."""


def night(network: Network, budget: Budget, options: Sequence[str] = ()) -> Night:
    """Hold the network, work, and tell. Raises OutputLockedError where another night is at work."""
    try:
        with alone(network):
            return work(network, budget, options)
    except OutputLockedError:
        raise
    except CrackpipeError as error:
        return failed(network, error)
    except Exception as error:  # people are told of a defect too, then it goes on as it came
        failed(network, CrackpipeError(f"a defect of crackpipe: {type(error).__name__}: {error}"))
        raise


@contextmanager
def alone(network: Network) -> Iterator[None]:
    """Keep other nights of the same network away, on this and on other machines. Raises OutputLockedError."""
    output = Output(network.output)
    with faults.guarding(network.output):
        output.hidden.mkdir(parents=True, exist_ok=True)
    holder = lock.holder_of(output)
    if holder is not None:
        raise OutputLockedError(
            f"another night is at work in {network.output}: {holder}. Nothing is done beside it; "
            "the next one finds what it left."
        )
    with lock.locked(output, uuid.uuid4().hex):
        yield


def work(
    network: Network, budget: Budget, options: Sequence[str] = (), shortest_turn_s: float = turns.SHORTEST_S
) -> Night:
    """Work through all sources until the budget's end. Call it within `alone`."""
    memory = remembered.read(network.output / "memory.json")
    remembered.reserve(network.output / "memory.json")
    night = Night(time.time(), budget.said)
    tell_begin(network, night)
    with Asker() as asker:
        now = Shift(network, budget, Shop(network.home, tuple(options), asker), memory, night)
        try:
            _take_turns(now, shortest_turn_s)
            _count(now)
            tables.refresh(network, memory, night, asker)
        except SystemExit:  # SIGTERM; a few seconds later the process is gone
            _told_to_end(now)
            raise
    _end(now)
    return night


def _take_turns(now: Shift, shortest_turn_s: float) -> None:
    """Run what is new or changed until nothing is left or the night is over."""
    budget = now.budget
    shares = turns.turns_of(
        [shift.line_of(now, source) for source in now.network.sources], budget.left_s(), shortest_turn_s
    )
    while budget.left_s() > 0:
        shift.admit(now, shares)
        taken = shares.next(budget.left_s())
        if taken is not None:
            shift.do(now, shares, *taken)
        elif not shift.rest(now):
            break
    now.memory.waited = list(shares.waiting())


def _count(now: Shift) -> None:
    """What each survey holds now, what is left, and how long that will take."""
    night, memory, end_s = now.night, now.memory, time.time() + _COUNTING_WITHIN_S
    for key, outcome in night.outcomes.items():
        known, source = now.known(outcome.survey), now.source(outcome.survey)
        try:
            if outcome.state in ("cut off", "no turn"):
                outcome.images_left, outcome.is_counted = one_survey.images_left(
                    now.shop, source, outcome.survey, now.looks[key].listing, end_s - time.time()
                )
            outcome.figures = now.shop.asker.ask(source, figures_of, outcome.survey.out)
        except SilentError:
            pass  # of that source all is said already, or is said below
        except CrackpipeError as error:
            outcome.state, outcome.code, outcome.said = "failed", error.exit_code, str(error)
        if (
            outcome.code is None
            and outcome.state != "gone"
            and outcome.figures
            and outcome.figures.quarantined
        ):
            outcome.code = 3  # it stays while anything is in quarantine, also where nothing ran
        known.images_left = outcome.images_left
    shift.note_silent(now)
    guessed = sorted(key for key, outcome in night.outcomes.items() if not outcome.is_counted)
    if guessed:
        night.notes.append(
            f"what is left of {', '.join(guessed)} was not counted within {_COUNTING_WITHIN_S:.0f} s of the "
            "night's end: their files without the images that were finished are given"
        )
    images = sum(each.images_run for each in night.outcomes.values())
    if images:
        seconds = sum(each.seconds for each in night.outcomes.values() if each.images_run)
        memory.images_per_s = images / max(seconds, 1e-3)
    if memory.images_per_s:
        night.left_s = night.images_left / memory.images_per_s
    memory.backlog = [*memory.backlog, night.images_left][-_BACKLOG_NIGHTS:]


def _told_to_end(now: Shift) -> None:
    """Tell what was done and what is left; the tables stay those of the night before."""
    night = now.night
    night.ended = (
        "the night was told to end (SIGTERM) before it was done. Finished images are kept, the network's "
        "tables may be those of the night before; the next night goes on."
    )
    night.notes.append(f"{night.ended} What is left are files without the images that were finished.")
    log.warning(night.ended)
    _count_at_once(now)
    if now.memory.images_per_s:
        night.left_s = night.images_left / now.memory.images_per_s
    _end(now)


def _count_at_once(now: Shift) -> None:
    """What is left of each survey, without a look at its images. A share may not answer any more."""
    unfinished = {
        key: each for key, each in now.night.outcomes.items() if each.state in ("cut off", "no turn")
    }
    finished: dict[str, int] = {}

    def look() -> None:
        for key, outcome in unfinished.items():
            with suppress(CrackpipeError, OSError):  # that survey counts with all its files
                finished[key] = len(finished_images(outcome.survey.out))

    looking = threading.Thread(target=look, daemon=True)
    looking.start()
    looking.join(_COUNTING_AT_ONCE_S)
    for key, outcome in unfinished.items():
        done = finished.get(key, outcome.images_run)
        outcome.images_left, outcome.is_counted = max(0, now.looks[key].listing.images - done), False
        now.known(outcome.survey).images_left = outcome.images_left


def _end(now: Shift) -> None:
    """Tell everybody, and keep what the next night needs."""
    night, memory = now.night, now.memory
    night.seconds = time.time() - night.began_s
    now.keep(at_end=True)  # a disk that is full is told of tonight
    if night.code in (0, 3):
        memory.last_success_s = time.time()
    tell(now.network, night, memory, time.time())
    now.keep(at_end=True)


def failed(network: Network, error: CrackpipeError) -> Night:
    """A night that could not begin: everybody is told, since nothing else will."""
    night = Night(time.time(), faults={NOT_BEGUN: (error.exit_code, str(error))})
    try:
        memory = remembered.read(network.output / "memory.json")
    except CrackpipeError as unread:
        log.warning(f"what was told before is not known: {unread}")
        memory = remembered.Memory()
    _keep(network, memory)  # makes room for the summary on a full disk
    tell(network, night, memory, time.time())
    _keep(network, memory)
    return night


def _keep(network: Network, memory: Memory) -> None:
    """Keep who was told, where that is possible."""
    try:
        remembered.write(network.output / "memory.json", memory, from_reserve=True)
    except CrackpipeError as error:
        log.warning(f"what was told may be told again: {error}")


def forget(network: Network, key: str) -> str:
    """Forget a survey whose result is gone for good; what was done, in words. Raises UsageError."""
    file = network.output / "memory.json"
    with alone(network):
        memory = remembered.read(file)
        if key not in memory.surveys:
            names = ", ".join(sorted(memory.surveys)) or "none"
            raise UsageError(f"no survey {key!r} is known. Known are: {names}")
        known = memory.surveys.pop(key)
        remembered.write(file, memory)
    return (
        f"{key} is forgotten, but a night finds again what is still there. Move its result {known.out} and "
        f"its survey {known.path} elsewhere where they are, and the next night's tables are without it."
    )
