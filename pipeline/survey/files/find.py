"""List the files of a survey that somebody could mean as images, from folders, files and manifests."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

from crackpipe.pipeline.errors import CrackpipeError, NoReadableImageError, UsageError
from crackpipe.pipeline.storage.links import leaves
from crackpipe.pipeline.survey.files import formats
from crackpipe.pipeline.survey.files.candidates import Candidate
from crackpipe.pipeline.survey.files.facts import read_facts
from crackpipe.pipeline.survey.files.manifest import paths_in

_STATE_FOLDER = ".crackpipe"
_MANIFEST_SUFFIX = ".txt"
# Folders, in lower case, that Synology, QNAP, Windows, macOS and Linux make for themselves. They hold
# thumbnails and what was deleted.
_SYSTEM_FOLDERS = frozenset(
    {
        *("@eadir", "@recycle", "@recently-snapshot", "#recycle", "#snapshot"),
        *("$recycle.bin", "recycler", "system volume information", "lost+found", "__macosx"),
    }
)


@dataclass(frozen=True)
class Found:
    """What a survey holds."""

    candidates: list[Candidate]
    """Files that could be meant as images, by image_id."""
    archives: list[str]
    """Archives, which nobody looks into: paths as image_ids, sorted."""
    sources: list[str] = field(default_factory=list)
    """Names of the surveys that the sources are of, as in `Candidate.survey`."""
    gone: dict[str, CrackpipeError] = field(default_factory=dict)
    """By the survey's name: why a source is not there."""


def find_images(sources: Sequence[Path], out: Path | None = None, exclude: Sequence[str] = ()) -> Found:
    """List every file that could be meant as an image, sorted by image_id, without opening any.

    With several sources the survey's name goes in front of each image_id. What fits a pattern of `exclude`
    (see `is_excluded`) is left out. Raises UsageError where a source does not exist or is an archive, two
    surveys have the same name, or a manifest has a line that cannot be meant; NoReadableImageError where a
    folder cannot be searched or a manifest cannot be read. If `out` holds what an earlier run made, a source
    that is not there is no error but noted in the result, since it may have been there then.
    """
    prefixes = len(sources) > 1
    roots: dict[str, Path] = {}
    found: dict[str, Candidate] = {}
    archives: list[str] = []
    gone: dict[str, CrackpipeError] = {}
    ran_before = out is not None and (out / _STATE_FOLDER).is_dir()
    for source in sources:
        name, root = _name_and_root(source)
        if roots.setdefault(name, root) != root:
            raise UsageError(f"{roots[name]} and {root} are both named {name!r}. Run them one by one.")
        fault = _fault_of(source)
        if fault is not None:
            if not ran_before or formats.is_image(source):
                raise fault
            gone[name] = fault
            continue
        facts = read_facts(root)
        for path in _files(source, root, out, exclude):
            relative = path.relative_to(root).as_posix()
            image_id = _printable(f"{name}/{relative}" if prefixes else relative)
            if formats.is_archive(path):
                archives.append(image_id)
                continue
            if image_id in found:
                raise UsageError(f"{path} is given more than once, as {image_id!r}. Give each image once.")
            found[image_id] = Candidate(
                image_id, name, path, root, facts.acquired, facts.travel_deg_of(relative)
            )
    in_order = [found[image_id] for image_id in sorted(found)]
    return Found(in_order, sorted(archives), list(roots), gone)


def is_excluded(relative: str, exclude: Sequence[str]) -> bool:
    """Whether a path relative to the survey fits a pattern, as a whole or in its last part.

    `*_ql.jpg` and `thumbs` fit in any folder; `lane1/*` fits all below `lane1`.
    """
    last = relative.rpartition("/")[2]
    return any(fnmatchcase(relative, pattern) or fnmatchcase(last, pattern) for pattern in exclude)


def is_left_out(relative: str, exclude: Sequence[str]) -> bool:
    """Whether a path relative to the survey, or a folder above it, fits a pattern."""
    parts = relative.split("/")
    return any(is_excluded("/".join(parts[:count]), exclude) for count in range(1, len(parts) + 1))


def _printable(text: str) -> str:
    """Write bytes that are not UTF-8 as `\\udc..`, because tables hold the names of rejected files too."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _name_and_root(source: Path) -> tuple[str, Path]:
    """Name and folder of the survey that a source is of, also where the source is not there."""
    # Links are not resolved here: a survey folder that is a link keeps the name that the user knows.
    absolute = Path(os.path.abspath(source))  # noqa: PTH100
    # `os.path` says no where a folder above may not be searched; the methods of Path would raise
    if os.path.isdir(source):  # noqa: PTH112
        return absolute.name or "survey", absolute
    if source.suffix.lower() == _MANIFEST_SUFFIX:
        return absolute.stem, absolute.parent
    if os.path.exists(source) or formats.is_image(source):  # noqa: PTH110
        return absolute.parent.name or "survey", absolute.parent
    return absolute.name, absolute


def _fault_of(source: Path) -> CrackpipeError | None:
    """Why nothing of a source can be listed; None where it can. Raises UsageError where it is an archive."""
    if not os.path.exists(source):  # noqa: PTH110
        return UsageError(f"{source} does not exist. Give a folder, image files or a manifest (.txt).")
    is_folder = source.is_dir()
    if not is_folder and formats.is_archive(source):
        raise UsageError(f"{source} is an archive. Unpack it, and run on the folder with its images.")
    is_listed = is_folder or source.suffix.lower() == _MANIFEST_SUFFIX
    if is_listed and not os.access(source, os.R_OK | (os.X_OK if is_folder else 0)):
        return NoReadableImageError(
            f"{source} may not be {'searched' if is_folder else 'read'}. Check that it is mounted and who "
            "may read it."
        )
    return None


def _files(source: Path, root: Path, out: Path | None, exclude: Sequence[str]) -> Iterator[Path]:
    if source.is_dir():
        yield from _walk(root, None if out is None else out.resolve(), exclude)
        return
    listed = source.suffix.lower() == _MANIFEST_SUFFIX
    for path in paths_in(source, root) if listed else [root / source.name]:
        if not is_excluded(path.relative_to(root).as_posix(), exclude):
            yield path


def _walk(root: Path, out: Path | None, exclude: Sequence[str]) -> Iterator[Path]:
    """Find what belongs into the tables below a folder, and archives.

    Into the tables belong: files that could be images, links to folders outside, and folders that cannot be
    searched.
    """
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
            if exclude and is_excluded(path.relative_to(root).as_posix(), exclude):
                continue
            if entry.is_dir(follow_symlinks=False):
                if not is_no_survey(path, out):
                    pending.append(path)
            elif formats.is_image(path) or formats.is_archive(path) or _leads_outside(path, root):
                yield path


def is_no_survey(folder: Path, out: Path | None) -> bool:
    """Whether a folder belongs to the system or holds the result of a run."""
    return (
        folder.name.lower() in _SYSTEM_FOLDERS
        or folder.suffix == ".zarr"
        or folder.resolve() == out
        # not `Path.is_dir`, which raises where the folder may not be searched
        or os.path.isdir(folder / _STATE_FOLDER)  # noqa: PTH112
    )


def _leads_outside(path: Path, root: Path) -> bool:
    """Whether a path is a link to a folder outside the survey."""
    return os.path.isdir(path) and leaves(path, root)  # noqa: PTH112
