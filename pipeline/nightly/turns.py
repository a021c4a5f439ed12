"""Whose turn it is: each source with work has a share of the night, whatever another one needs.

A source keeps its turn until its share is used, then the next one comes. Time that is left when all had
theirs goes on in the same order. First come sources that waited in vain last night, then one whose survey
was cut off, then the higher priority. Without an end of the night sources take turns survey by survey.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from crackpipe.pipeline.nightly.facts.listing import Survey

SHORTEST_S = 600.0
"""A turn is no shorter than this, if the night is not: a run takes time to start."""


@dataclass
class Line:
    """What waits in one source."""

    source: str
    priority: int
    waited: bool
    """Whether it had work last night and no turn."""
    surveys: list[Survey] = field(default_factory=list)
    """In the order of their turns."""
    cut_off: set[str] = field(default_factory=set)
    """Keys of surveys that were begun and not ended."""
    spent_s: float = 0.0
    had_turn: bool = False

    def add(self, survey: Survey) -> None:
        """Put a survey behind the others, or in front if it was begun."""
        self.surveys.insert(0 if survey.key in self.cut_off else len(self.surveys), survey)


@dataclass
class Turns:
    """The lines of all sources, and the share of each."""

    lines: Mapping[str, Line]
    share_s: float
    """Of one source; infinite without an end."""
    shortest_s: float = SHORTEST_S

    def next(self, left_s: float) -> tuple[Survey, float] | None:
        """The survey whose turn it is, taken out of its line, and for how many seconds at most."""
        waiting = [line for line in self.lines.values() if line.surveys]
        if not waiting:
            return None
        within = [line for line in waiting if self._has_share(line)]
        line = min(within or waiting, key=self._rank)
        limit_s = left_s
        if within and len(waiting) > 1:
            limit_s = min(left_s, max(self.share_s - line.spent_s, self.shortest_s))
        line.had_turn = True
        return line.surveys.pop(0), limit_s

    def _has_share(self, line: Line) -> bool:
        return self.share_s != float("inf") and line.spent_s < self.share_s

    def _rank(self, line: Line) -> tuple[object, ...]:
        is_begun = line.surveys[0].key in line.cut_off
        first = line.waited and not line.had_turn
        return (not first, not is_begun, -line.priority, line.spent_s, line.source)

    def waiting(self) -> Sequence[str]:
        """Sources with work that had no turn."""
        return [line.source for line in self.lines.values() if line.surveys and not line.had_turn]


def turns_of(lines: Sequence[Line], left_s: float, shortest_s: float = SHORTEST_S) -> Turns:
    """Shares for the sources that have work now."""
    working = sum(bool(line.surveys) for line in lines)
    return Turns({line.source: line for line in lines}, left_s / max(1, working), shortest_s)
