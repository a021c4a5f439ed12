"""Read a manifest: a text file with one path per line, relative to the manifest."""

import os
from collections.abc import Iterator
from pathlib import Path

from crackpipe.pipeline.errors import UsageError
from crackpipe.pipeline.survey.sidecars.text import decoded


def paths_in(manifest: Path, root: Path) -> Iterator[Path]:
    """The paths that a manifest names; empty lines and lines with # in front are left out.

    Raises UsageError where the file is no text, or a line names a file outside the folder `root`, or has
    backslashes or quotes and no file has this name.
    """
    try:
        lines = decoded(manifest.read_bytes()).splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{manifest} cannot be read as a list of paths: {error}.") from error
    for number, line in enumerate(lines, start=1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        path = Path(os.path.normpath(root / text))
        if not os.path.lexists(path):
            _check_writing(text, f"{manifest}:{number}")
        if not path.is_relative_to(root):
            raise UsageError(
                f"{manifest}:{number}: {text} lies outside {root}. Put the manifest into a folder "
                "above all its images."
            )
        yield path


def _check_writing(text: str, line: str) -> None:
    if text[0] in "\"'" and text[-1] == text[0]:
        raise UsageError(f"{line}: {text} is written in quotes. Write it without them: {text[1:-1]}")
    if "\\" in text:
        slashes = text.replace("\\", "/")
        raise UsageError(
            f"{line}: {text} is written with backslashes, as on Windows. Write it with /, and relative to "
            f"the manifest: {slashes.partition(':/')[2] or slashes}"
        )
