"""Which surveys a source holds, and the files of each as a digest.

No file is opened. What is beside images counts too: a world file that comes late changes what a run makes.
"""

import glob
import os
from dataclasses import dataclass
from pathlib import Path

from crackpipe.pipeline.errors import NoReadableImageError, StorageError
from crackpipe.pipeline.nightly.facts.answering import beat
from crackpipe.pipeline.nightly.facts.network import Source
from crackpipe.pipeline.storage import sealed
from crackpipe.pipeline.survey.files import find, formats

RESULT_SUFFIX = "-cracks"


@dataclass(frozen=True)
class Survey:
    """A folder of images that a source holds."""

    source: str
    name: str
    """Unique in its source: path relative to where the source begins."""
    path: Path
    out: Path
    """Folder of its result."""
    address: str | None = None
    """Where it lies in object storage; None: at `path` on this machine."""

    @property
    def place(self) -> str:
        """Where it is, for commands and people."""
        return self.address or str(self.path)

    @property
    def key(self) -> str:
        """Unique in the network."""
        return f"{self.source}/{self.name}"


@dataclass(frozen=True)
class Listing:
    """What a survey holds at one moment."""

    digest: str
    """Of paths, sizes, times and rights of all files that count."""
    images: int
    """Files that could be meant as images."""
    top: frozenset[str]
    """Names in the survey's own folder, such as _SUCCESS."""


def surveys_of(source: Source) -> list[Survey]:
    """The surveys that a source holds now, by name.

    Raises NoReadableImageError where it holds none or cannot be read: then most often its disk is not
    mounted.
    """
    base, pattern = (source.folder, "*") if source.folder is not None else _parts(str(source.glob))
    try:
        # `glob` keeps silent about folders that it cannot read, so the first one is listed
        next(base.iterdir(), None)
        paths = sorted(base.glob(pattern))
        found = [_survey(source, path, base) for path in paths if _is_survey(path, source)]
    except OSError as error:
        raise NoReadableImageError(
            f"{base} cannot be read: {error.strerror}. Check that its disk is mounted and who may read it."
        ) from error
    if not found:
        raise NoReadableImageError(f"no survey in {source.place}. Check that its disk is mounted.")
    return found


def _parts(pattern: str) -> tuple[Path, str]:
    """The folder above the first wildcard of a pattern, and the rest, at least its last part."""
    parts = Path(pattern).parts
    fixed = next((at for at, part in enumerate(parts) if glob.has_magic(part)), len(parts) - 1)
    return Path(*parts[:fixed]), str(Path(*parts[fixed:]))


def _is_survey(path: Path, source: Source) -> bool:
    """Whether a path is a folder, and not the system's, a result, or beside surveys named like a result."""
    beat()
    if path.name.startswith(".") or not path.is_dir() or find.is_no_survey(path, None):
        return False
    return source.results is not None or not path.name.endswith(RESULT_SUFFIX)


def _survey(source: Source, path: Path, base: Path) -> Survey:
    name = path.relative_to(base).as_posix()
    out = path if source.results is None else source.results / name
    return Survey(source.name, name, path, out.with_name(f"{out.name}{RESULT_SUFFIX}"))


def results_without_survey(source: Source) -> list[Survey]:
    """Results of surveys that are not in the source's folder. For a glob only memory knows them.

    Raises NoReadableImageError where surveys or results cannot be looked at.
    """
    if source.folder is None:
        return []
    results = source.results or source.folder
    try:
        if not results.is_dir():
            return []
        found = [
            Survey(source.name, name, source.folder / name, path)
            for path in sorted(results.glob(f"*{RESULT_SUFFIX}"))
            if (name := path.name.removesuffix(RESULT_SUFFIX)) and (path / ".crackpipe").is_dir()
        ]
        return [survey for survey in found if not survey.path.exists()]
    except OSError as error:
        raise NoReadableImageError(
            f"{error.filename or results} cannot be read: {error.strerror}. Check that its disk is mounted "
            "and who may read it."
        ) from error


def listing_of(survey: Survey) -> Listing:
    """List a survey's files. A folder in it that cannot be read is part of the listing. Raises OSError."""
    entries: list[list[object]] = []
    images = 0
    pending = [survey.path]
    top = frozenset(path.name for path in survey.path.iterdir())
    while pending:
        folder = pending.pop()
        try:
            inside = list(os.scandir(folder))
        except OSError as error:
            entries.append([os.fspath(folder), error.errno or 0])
            continue
        for entry in inside:
            beat()
            path = Path(entry.path)
            if entry.name.startswith("."):
                continue
            if entry.is_dir(follow_symlinks=False):
                if not find.is_no_survey(path, survey.out.resolve()):
                    pending.append(path)
                continue
            images += formats.is_image(path)
            entries.append([entry.path, *_state_of(path)])
    return Listing(sealed.digest(sorted(entries, key=str)), images, top)


def _state_of(path: Path) -> list[int]:
    try:
        status = path.stat()
    except OSError as error:
        return [error.errno or 0]
    return [status.st_size, status.st_mtime_ns, status.st_mode]


def result_state(out: Path) -> str | None:
    """A digest of what a result holds, without its content; None where there are no tables.

    It is another one when a person ran the survey, let images be tried again, or let `verify --repair` take
    away what is damaged.
    """
    files: list[object] = []
    try:
        for name in ("cracks.parquet", "images.parquet", "run.json", ".crackpipe/tables.json"):
            status = (out / name).stat()
            files.append([name, status.st_size, status.st_mtime_ns])
        # only whether they are there: QGIS may write into the map, and a survey may be without either
        files += [[name, (out / name).exists()] for name in ("cracks.gpkg", "sections.parquet")]
        files.append(finished_images(out))
    except (OSError, StorageError):
        return None
    return sealed.digest(files)


def finished_images(out: Path) -> list[list[object]]:
    """Name and time of the marker of each finished image, sorted; empty where there is no result.

    Raises StorageError where there is one that cannot be read.
    """
    try:
        found = list(os.scandir(out / ".crackpipe" / "markers"))
        return sorted([each.name, each.stat().st_mtime_ns] for each in found if each.name.endswith(".json"))
    except FileNotFoundError:
        return []
    except OSError as error:
        raise StorageError(
            f"{error.filename or out} cannot be read: {error.strerror}. Check that the disk of results is "
            "mounted and who may read it; the next night tries again."
        ) from error
