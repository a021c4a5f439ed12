"""What people must know, and what of it is new since they were told.

An alarm has a key, which stays the same from night to night, and a sentence. Alarms depend on change: an
image that stays in quarantine, or a share that stays away, is told once, and once more when it is over.
"""

import errno
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from crackpipe.pipeline.nightly.facts.memory import Memory
from crackpipe.pipeline.nightly.facts.outcome import HELD, Night, Outcome

NOT_BEGUN = "night"
"""The fault of a night that could not begin."""

_GROWING_NIGHTS = 3
_HELD_NIGHTS = 3
"""Who has a map open for one night forgot to close it. Three nights keep the result from being new."""
_QUARANTINE = "quarantine"
_NAMED = 5
_BETWEEN = "\0"  # no name of a file holds it
_NOT_ENDED = ("cut off", "no turn", "not complete", "in use", "unreachable")

Alarms = dict[str, str]
"""Key -> sentence."""


@dataclass(frozen=True)
class News:
    """What is told, as sentences."""

    new: tuple[str, ...] = ()
    over: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.new or self.over)


def alarms_of(night: Night, memory: Memory, output: Path) -> Alarms:
    """All that is so now, told before or not. A key is made of a kind, often a survey, and more."""
    # a night that could not begin or was ended did not look at all, so that nothing is over
    found: Alarms = dict(memory.alarms) if NOT_BEGUN in night.faults or night.ended else {}
    if night.ended:
        found[_key("ended")] = night.ended
    for name, (code, said) in night.faults.items():
        key = _full_disk(said, output) or _key("fault", name, str(code))
        found.setdefault(key, f"{name}: {said} (exit code {code})")
    for key, outcome in night.outcomes.items():
        found = _of_survey(key, outcome) | found
        found |= {old: sentence for old, sentence in memory.alarms.items() if _is_still_so(old, key, outcome)}
    backlog = memory.backlog[-_GROWING_NIGHTS - 1 :]
    if len(backlog) > _GROWING_NIGHTS and all(a < b for a, b in pairwise(backlog)):
        found[_key("backlog")] = (
            f"images that wait for their inspection grew three nights running, to {backlog[-1]}. More time "
            "(--until), a faster machine (docs/use/scaling.md) or fewer sources would help."
        )
    return found


def _of_survey(key: str, outcome: Outcome) -> Alarms:
    found: Alarms = {}
    if outcome.state == "gone":
        found[_key("gone", key)] = f"{key}: {outcome.said}"
    elif outcome.state == "failed" and outcome.code not in (None, 0, 3, HELD):
        name = _full_disk(outcome.said, outcome.survey.out) or _key("survey", key, str(outcome.code))
        found[name] = f"{key}: {outcome.said} (exit code {outcome.code})"
    elif outcome.nights_held >= _HELD_NIGHTS:
        found[_key("held", key)] = f"{key} is in use night after night: {outcome.said}"
    for row in outcome.figures.quarantined if outcome.figures else ():
        sentence = f"{key}: {row['image_id']}: {row['reason']}: {row['message']}. {row['remedy']}"
        found[_key(_QUARANTINE, key, row["image_id"], row["reason"])] = sentence
    return found


def _is_still_so(old: str, key: str, outcome: Outcome) -> bool:
    """Whether an alarm of a survey goes on because nobody could look whether it is over."""
    kind, survey, *_ = [*old.split(_BETWEEN), ""]
    if survey != key:
        return False
    if kind == _QUARANTINE:
        return outcome.figures is None
    return kind in ("survey", "held") and outcome.state in _NOT_ENDED and not outcome.nights_held


def _full_disk(said: str, path: Path) -> str | None:
    """The key of a disk that is full, one alarm whatever could not be written there; else None."""
    if not any(os.strerror(number) in said for number in (errno.ENOSPC, errno.EDQUOT)):
        return None
    above = [path.absolute(), *path.absolute().parents]
    return _key("disk", str(next(each for each in above if os.path.ismount(each))))


def _key(*parts: str) -> str:
    return _BETWEEN.join(parts)


def news(now: Mapping[str, str], told: Mapping[str, str]) -> News:
    """What is new in `now` against what was told, and what of that is over.

    Images that leave quarantine are good news that nobody waits for, so they are not told.
    """
    new = [key for key in now if key not in told]
    over = [told[key] for key in told if key not in now and not key.startswith(_QUARANTINE)]
    plain = [now[key] for key in new if not key.startswith(_QUARANTINE)]
    return News((*plain, *_together(now, new)), tuple(over))


def _together(now: Mapping[str, str], new: Sequence[str]) -> list[str]:
    """One sentence for each survey with new images in quarantine, however many."""
    by_survey: dict[str, list[str]] = {}
    for key in new:
        kind, *rest = key.split(_BETWEEN)
        if kind == _QUARANTINE:
            by_survey.setdefault(rest[0], []).append(key)
    said = []
    for survey, keys in sorted(by_survey.items()):
        if len(keys) == 1:
            said.append(now[keys[0]])
            continue
        names = ", ".join(f"{key.split(_BETWEEN)[2]} ({key.split(_BETWEEN)[3]})" for key in keys[:_NAMED])
        more = f" and {len(keys) - _NAMED} more" if len(keys) > _NAMED else ""
        said.append(f"{survey}: {len(keys)} images are new in quarantine: {names}{more}")
    return said
