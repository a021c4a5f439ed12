"""Which tiles a person should label.

Strategy: the list of candidates follows a curve that fills the survey. It is cut into as many stretches of
equal count as tiles are wanted, and each stretch gives one tile, so that they are spread over the road. What
a stretch gives takes turns. The one of which the network was least sure teaches where the border lies. One of
the least familiar image teaches what training lacked. One drawn by lot shows what the network passes over
while it is sure, and what most of the road is like.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import shapely

from crackpipe.pipeline.adapt.candidates import Candidate

UNSURE, STRANGE, SPREAD = "unsure", "strange", "spread"


@dataclass(frozen=True)
class Chosen:
    """A tile to be labelled."""

    candidate: Candidate
    why: str
    """`unsure`, `strange`, or `spread` for one drawn by lot."""


def choose(candidates: Sequence[Candidate], count: int) -> list[Chosen]:
    """At most `count` of the candidates, in their order; the same candidates give the same choice.

    Tiles of one image, and tiles that share ground, are taken only where a stretch has no other. There are
    fewer than `count` where there are fewer candidates.
    """
    count = min(count, len(candidates))
    turns = _turns(candidates)
    chosen: list[Chosen] = []
    for number in range(count):
        start, stop = number * len(candidates) // count, (number + 1) * len(candidates) // count
        why = turns[number % len(turns)]
        best = min(_fresh(candidates[start:stop], chosen), key=_ORDER[why])
        chosen.append(Chosen(best, why))
    return chosen


def _turns(candidates: Sequence[Candidate]) -> tuple[str, ...]:
    """What is asked for in turn. Where all images are as familiar, or none says so, none is strange."""
    known = {each.familiarity for each in candidates if each.familiarity is not None}
    return (UNSURE, STRANGE, UNSURE, SPREAD) if len(known) > 1 else (UNSURE, UNSURE, SPREAD)


def _fresh(stretch: Sequence[Candidate], chosen: Sequence[Chosen]) -> Sequence[Candidate]:
    """Those of a stretch that show other ground than what is chosen, if possible of another image."""
    taken = [each.candidate.tile for each in chosen]
    images = {tile.image.image_id for tile in taken}
    ground = shapely.union_all([tile.outline for tile in taken]) if taken else shapely.Polygon()
    apart = [
        each for each in stretch if shapely.intersection(each.tile.outline, ground).area < 1e-6 * _area(each)
    ]
    elsewhere = [each for each in apart if each.tile.image.image_id not in images]
    return elsewhere or apart or stretch


def _area(candidate: Candidate) -> float:
    return float(candidate.tile.outline.area)


def lot(name: str) -> bytes:
    """What draws lots among tiles, by their names."""
    return hashlib.blake2b(name.encode("utf-8", "surrogateescape"), digest_size=8).digest()


def _lot(candidate: Candidate) -> bytes:
    return lot(candidate.tile.name)


def _by_strange(candidate: Candidate) -> tuple[float, float, bytes]:
    known = candidate.familiarity
    return (float("inf") if known is None else known), -candidate.unsure, _lot(candidate)


_ORDER: dict[str, Callable[[Candidate], Any]] = {
    UNSURE: lambda each: (-each.unsure, _lot(each)),
    STRANGE: _by_strange,
    SPREAD: lambda each: (_lot(each),),
}
"""The first by this order is taken."""
