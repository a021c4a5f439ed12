"""Room 0: find the images of a survey. Every file that could be meant as one is accepted or rejected.

A survey is a folder (searched recursively), a file, or a manifest (`.txt`, one path per line, relative to
the manifest). Links are followed only inside the survey. Hidden files, sidecars and folders with an earlier
result are left out.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from pathlib import Path

import rasterio
from pyproj import CRS

from crackpipe.pipeline.config import Config
from crackpipe.pipeline.errors import CrackpipeError, ImageRejectedError, NoReadableImageError
from crackpipe.pipeline.image import Rejected, SurveyImage
from crackpipe.pipeline.survey import claims
from crackpipe.pipeline.survey.accept import accept_or_reject, inspect
from crackpipe.pipeline.survey.duplicates import set_aside
from crackpipe.pipeline.survey.files.candidates import Candidate
from crackpipe.pipeline.survey.files.find import find_images
from crackpipe.pipeline.survey.memory import Memory, Stamp, stamp_of
from crackpipe.pipeline.survey.place import assumed_crs
from crackpipe.pipeline.survey.places import plausible, standstill
from crackpipe.pipeline.survey.sidecars.names import Names, names_in
from crackpipe.pipeline.survey.white_level import set_dark_aside

__all__ = ["Candidate", "Survey", "find_images", "inspect", "load_survey"]

# Opening a file is mostly waiting for the disk. Even on network storage, more threads gain nothing.
_THREADS = 16
_PORTION = 32
# Threads are used where a file waits longer than this for the disk.
_WAIT_S = 0.002

UNREADABLE = frozenset({"file-missing", "unreadable-file", "unreadable-folder"})
"""Reasons that a file gets of which not one byte could be read."""

_Examined = list[tuple[SurveyImage | Rejected, Stamp | None]]


@dataclass(frozen=True)
class Survey:
    """All images of a run, both lists sorted by image_id."""

    images: tuple[SurveyImage, ...]
    rejected: tuple[Rejected, ...]
    stamps: dict[str, Stamp] = field(default_factory=dict)
    """By image_id: the stamp of the file, taken before the file was looked at."""
    archives: tuple[str, ...] = ()
    """Paths of archives that nobody looked into."""
    crs: CRS | None = None
    """CRS of the tables, once it is chosen."""
    sources: tuple[str, ...] = ()
    """Names of the surveys that were asked for."""
    gone: dict[str, CrackpipeError] = field(default_factory=dict)
    """By the survey's name: why a source is not there."""

    def unread(self) -> dict[str, CrackpipeError]:
        """By the survey's name: why nothing of a source can be read, as where its disk is not mounted."""
        read = {image.survey for image in self.images}
        read |= {each.survey for each in self.rejected if each.reason not in UNREADABLE}
        first = {each.survey: each for each in reversed(self.rejected)}
        return {
            name: self.gone.get(name) or _unread(name, first.get(name))
            for name in self.sources
            if name not in read
        }


def _unread(name: str, first: Rejected | None) -> NoReadableImageError:
    if first is None:
        return NoReadableImageError(f"no image is found in {name}.")
    return NoReadableImageError(f"nothing in {name} can be read: {first.image_id}: {first.message}.")


def load_survey(
    sources: Sequence[Path], config: Config, out: Path | None = None, memory: Memory | None = None
) -> Survey:
    """Find and inspect all images of one or several sources. The output folder `out` is not searched.

    Files that `memory` knows are not opened. Raises UsageError as `find_images`, or if `config.assume_crs`
    is no CRS.
    """
    if config.assume_crs is not None:
        assumed_crs(config.assume_crs)  # a wrong option is one error, not one per image
    found = find_images(sources, out, config.exclude)
    candidates = found.candidates
    names = names_in({candidate.path.parent for candidate in candidates})
    examine = partial(_examine, config=config, names=names, memory=memory or Memory())
    portions = [candidates[start : start + _PORTION] for start in range(0, len(candidates), _PORTION)]
    results = list(chain.from_iterable(_each(examine, portions)))
    stamps = {each.image_id: stamp for each, stamp in results if stamp is not None}
    images, repeated = set_aside([each for each, _ in results if isinstance(each, SurveyImage)])
    rejected = [each for each, _ in results if isinstance(each, Rejected)]
    images, misplaced = claims.settle(images, rejected, names, partial(_describe, config=config))
    images, dark = set_dark_aside(images)
    rejected += [*repeated, *misplaced, *dark]
    if not config.allow_place:
        images, misplaced = plausible.set_aside(images)
        images, stuck = standstill.set_aside(images)
        rejected += [*misplaced, *stuck]
    by_id = sorted(rejected, key=lambda each: each.image_id)
    return Survey(
        tuple(images),
        tuple(by_id),
        stamps,
        tuple(found.archives),
        sources=tuple(found.sources),
        gone=found.gone,
    )


def _each(
    examine: Callable[[Sequence[Candidate]], _Examined], portions: Sequence[Sequence[Candidate]]
) -> Iterator[_Examined]:
    """Apply `examine` to each portion; use threads if the first portion had to wait for the disk.

    Without waiting, threads gain nothing: they run one at a time, and each makes its own copy of every CRS.
    """
    if not portions:
        return
    wall_s, cpu_s = time.perf_counter(), time.thread_time()
    first = examine(portions[0])
    waited_s = (time.perf_counter() - wall_s) - (time.thread_time() - cpu_s)
    yield first
    if waited_s < _WAIT_S * len(portions[0]):
        yield from map(examine, portions[1:])
        return
    with ThreadPoolExecutor(_THREADS) as threads:
        yield from threads.map(examine, portions[1:])


def _examine(
    candidates: Sequence[Candidate], config: Config, names: dict[Path, Names], memory: Memory
) -> _Examined:
    # Without this, rasterio would set up and tear down an environment for each file.
    with rasterio.Env():
        return [_examine_one(each, config, names.get(each.path.parent), memory) for each in candidates]


def _describe(candidate: Candidate, names: Names, config: Config) -> SurveyImage | Rejected:
    with rasterio.Env():
        return accept_or_reject(candidate, config, names)


def _examine_one(
    candidate: Candidate, config: Config, names: Names | None, memory: Memory
) -> tuple[SurveyImage | Rejected, Stamp | None]:
    stamp = stamp_of(candidate, names)
    try:
        known = memory.image(candidate, stamp)
    except (ImageRejectedError, OSError):
        known = None  # `accept_or_reject` will meet the same error and report it
    return known or accept_or_reject(candidate, config, names), stamp
