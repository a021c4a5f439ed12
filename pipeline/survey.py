"""Room 0: which images a survey has. Every file that could be meant as one ends as accepted or rejected.

A survey is a folder (searched recursively), a file, or a manifest (`.txt`, one path per line, relative to
the manifest). Links are followed only inside the survey; folders with an earlier result, hidden files
and sidecars are no images.
"""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from pathlib import Path

import rasterio

from crackpipe.pipeline import remembered
from crackpipe.pipeline.config import Config
from crackpipe.pipeline.duplicates import set_aside
from crackpipe.pipeline.errors import ImageRejectedError, UsageError
from crackpipe.pipeline.files import SUPPORTED_SUFFIXES, Candidate, leaves
from crackpipe.pipeline.image import Rejected, SurveyImage
from crackpipe.pipeline.inspection import accept_or_reject, inspect
from crackpipe.pipeline.placing import assumed_crs
from crackpipe.pipeline.remembered import Memory, Names, Stamp
from crackpipe.pipeline.survey_facts import read_facts

__all__ = ["Candidate", "Survey", "find_images", "inspect", "load_survey"]

# Formats that people mean as images and that are not read: named and rejected, not passed over.
_IMAGE_SUFFIXES = SUPPORTED_SUFFIXES | {
    *(".arw", ".cr2", ".dng", ".nef"),
    *(".avif", ".bmp", ".gif", ".heic", ".heif", ".jfif", ".jpe", ".jxl", ".webp"),
    *(".ecw", ".img", ".j2k", ".jp2", ".jpx", ".mrsid", ".sid", ".vrt"),
}
_STATE_FOLDER = ".crackpipe"
_MANIFEST_SUFFIX = ".txt"
# Opening is mostly waiting for the disk; more threads than this gain nothing even on network storage.
_THREADS = 16
_PORTION = 32
# Waiting for the disk per file from which threads are worth their cost.
_WAIT_S = 0.002

_Examined = list[tuple[SurveyImage | Rejected, Stamp | None]]


@dataclass(frozen=True)
class Survey:
    """All images of a run, both lists sorted by image_id."""

    images: tuple[SurveyImage, ...]
    rejected: tuple[Rejected, ...]
    stamps: dict[str, Stamp] = field(default_factory=dict)
    """Of the images' files as they were before they were looked at, by image_id."""


def load_survey(
    sources: Sequence[Path], config: Config, out: Path | None = None, memory: Memory | None = None
) -> Survey:
    """Find and inspect all images of one or several sources; `out` is the output folder, left out.

    Files that `memory` knows are not opened. Raises UsageError as `find_images`, or if `config.assume_crs`
    is no CRS.
    """
    if config.assume_crs is not None:
        assumed_crs(config.assume_crs)  # a wrong option is one error, not one per image
    candidates = find_images(sources, out)
    names = remembered.names_in({candidate.path.parent for candidate in candidates})
    examine = partial(_examine, config=config, names=names, memory=memory or Memory())
    portions = [candidates[start : start + _PORTION] for start in range(0, len(candidates), _PORTION)]
    results = list(chain.from_iterable(_each(examine, portions)))
    stamps = {each.image_id: stamp for each, stamp in results if stamp is not None}
    images, repeated = set_aside([each for each, _ in results if isinstance(each, SurveyImage)])
    rejected = [*(each for each, _ in results if isinstance(each, Rejected)), *repeated]
    return Survey(tuple(images), tuple(sorted(rejected, key=lambda each: each.image_id)), stamps)


def _each(
    examine: Callable[[Sequence[Candidate]], _Examined], portions: Sequence[Sequence[Candidate]]
) -> Iterator[_Examined]:
    """What `examine` says of each portion, by threads if the first one waited for the disk.

    Where nothing is waited for, each thread would only make its own copy of every CRS and take turns.
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
    # one environment around many files: rasterio would set up and tear down one for each
    with rasterio.Env():
        return [_examine_one(each, config, names.get(each.path.parent), memory) for each in candidates]


def _examine_one(
    candidate: Candidate, config: Config, names: Names | None, memory: Memory
) -> tuple[SurveyImage | Rejected, Stamp | None]:
    stamp = remembered.stamp_of(candidate, names)
    try:
        known = memory.image(candidate, stamp)
    except (ImageRejectedError, OSError):
        known = None  # inspection will meet the same and tell it
    return known or accept_or_reject(candidate, config), stamp


def find_images(sources: Sequence[Path], out: Path | None = None) -> list[Candidate]:
    """List every file that could be meant as an image, sorted by image_id, without opening any.

    With several sources the survey's name goes in front of each image_id. Raises UsageError where a source
    does not exist, two surveys have the same name, or a manifest names a file outside its folder.
    """
    prefixes = len(sources) > 1
    roots: dict[str, Path] = {}
    found: dict[str, Candidate] = {}
    for source in sources:
        name, root = _name_and_root(source)
        if prefixes and roots.setdefault(name, root) != root:
            raise UsageError(f"{roots[name]} and {root} are both named {name!r}. Run them one by one.")
        facts = read_facts(root)
        for path in _files(source, root, out):
            relative = path.relative_to(root).as_posix()
            image_id = _printable(f"{name}/{relative}" if prefixes else relative)
            if image_id in found:
                raise UsageError(f"{path} is given more than once, as {image_id!r}. Give each image once.")
            found[image_id] = Candidate(
                image_id, name, path, root, facts.acquired, facts.travel_deg_of(relative)
            )
    return [found[image_id] for image_id in sorted(found)]


def _printable(text: str) -> str:
    """Bytes that are not UTF-8 as `\\udc..`, so that tables can hold the name of the rejected file."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _name_and_root(source: Path) -> tuple[str, Path]:
    if not source.exists():
        raise UsageError(f"{source} does not exist. Give a folder, image files or a manifest (.txt).")
    # absolute, not resolved: a survey folder that is itself a link keeps the name the user knows
    absolute = Path(os.path.abspath(source))  # noqa: PTH100
    if source.is_dir():
        return absolute.name or "survey", absolute
    if source.suffix.lower() == _MANIFEST_SUFFIX:
        return absolute.stem, absolute.parent
    return absolute.parent.name or "survey", absolute.parent


def _files(source: Path, root: Path, out: Path | None) -> Iterator[Path]:
    if source.is_dir():
        yield from _walk(root, None if out is None else out.resolve())
    elif source.suffix.lower() == _MANIFEST_SUFFIX:
        yield from _manifest(source, root)
    else:
        yield root / source.name


def _walk(root: Path, out: Path | None) -> Iterator[Path]:
    """Image-like files below a folder, links to folders outside it, and folders that cannot be searched."""
    pending = [root]
    while pending:
        folder = pending.pop()
        try:
            entries = list(os.scandir(folder))
        except OSError:
            yield folder
            continue
        for entry in entries:
            path = Path(entry.path)
            if entry.name.startswith("."):
                continue
            if entry.is_dir(follow_symlinks=False):
                if not _is_output(path, out):
                    pending.append(path)
            elif path.suffix.lower() in _IMAGE_SUFFIXES or (path.is_dir() and leaves(path, root)):
                yield path


def _is_output(folder: Path, out: Path | None) -> bool:
    return folder.suffix == ".zarr" or folder.resolve() == out or (folder / _STATE_FOLDER).is_dir()


def _manifest(manifest: Path, root: Path) -> Iterator[Path]:
    try:
        lines = manifest.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{manifest} cannot be read as a list of paths: {error}.") from error
    for number, line in enumerate(lines, start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        path = Path(os.path.normpath(root / line.strip()))
        if not path.is_relative_to(root):
            raise UsageError(
                f"{manifest}:{number}: {line.strip()} lies outside {root}. Put the manifest into a folder "
                "above all its images."
            )
        yield path
