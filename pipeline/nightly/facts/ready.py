"""Whether a survey is complete: its files came to rest, or a file in it says so.

Rest is seen by two listings that are the same. Between them lies a quiet time by this machine's clock alone:
a share's clock may be wrong, and a copy may keep the times of its files.
"""

from dataclasses import dataclass

from crackpipe.pipeline.nightly.facts.listing import Listing, Survey
from crackpipe.pipeline.nightly.facts.memory import Known
from crackpipe.pipeline.nightly.facts.network import Source


@dataclass(frozen=True)
class Look:
    """One look at a survey."""

    survey: Survey
    listing: Listing
    ready_at_s: float | None
    """From when it counts as complete if it stays as it is, seconds since 1970; None: a file is missing."""

    def is_ready(self, now_s: float) -> bool:
        """Whether it is complete."""
        return self.ready_at_s is not None and now_s >= self.ready_at_s


def look(survey: Survey, listing: Listing, source: Source, known: Known, now_s: float) -> Look:
    """Note in `known` since when a survey is as its listing says."""
    # a machine whose clock was set back begins to wait anew
    if listing.digest != known.listing or now_s < known.seen_s:
        known.listing, known.seen_s = listing.digest, now_s
    if source.complete == "quiet":
        return Look(survey, listing, known.seen_s + source.quiet_s)
    return Look(survey, listing, 0.0 if source.complete in listing.top else None)


def waits_for(source: Source, found: Look, now_s: float) -> str:
    """What a survey that is not complete waits for, for a person."""
    if found.ready_at_s is None:
        return f"not complete: {source.complete} is not there"
    minutes = (found.ready_at_s - now_s) / 60
    return f"files still arrive, or did a moment ago: complete after {minutes:.0f} more quiet minutes"
