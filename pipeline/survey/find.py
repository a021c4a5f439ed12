"""List the files of a survey that somebody could mean as images, from folders, files and manifests."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from crackpipe.pipeline.errors import UsageError
from crackpipe.pipeline.survey.candidates import SUPPORTED_SUFFIXES, Candidate, leaves
from crackpipe.pipeline.survey.facts import read_facts

# A file of one of these formats is an image to its owner. If it is not read, it must be named and rejected.
_IMAGE_SUFFIXES = SUPPORTED_SUFFIXES | {
    *(".arw", ".cr2", ".dng", ".nef"),
    *(".avif", ".bmp", ".gif", ".heic", ".heif", ".jfif", ".jpe", ".jxl", ".webp"),
    *(".ecw", ".img", ".j2k", ".jp2", ".jpx", ".mrsid", ".sid", ".vrt"),
}
_STATE_FOLDER = ".crackpipe"
_MANIFEST_SUFFIX = ".txt"


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
    """Write bytes that are not UTF-8 as `\\udc..`, because tables hold the names of rejected files too."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _name_and_root(source: Path) -> tuple[str, Path]:
    if not source.exists():
        raise UsageError(f"{source} does not exist. Give a folder, image files or a manifest (.txt).")
    # Links are not resolved here: a survey folder that is a link keeps the name that the user knows.
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
    """Find what belongs into the tables below a folder.

    That is: files that could be images, links to folders outside, and folders that cannot be searched.
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
