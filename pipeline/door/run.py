"""A survey becomes crack maps: `crackpipe.run`."""

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Unpack

from crackpipe.pipeline.door.crack_map import CrackMap, open  # noqa: A004  read as crackpipe.open
from crackpipe.pipeline.door.options import RunOptions
from crackpipe.pipeline.request import asked

if TYPE_CHECKING:
    from crackpipe.pipeline.console.progress import Progress


def run(
    survey: str | PathLike[str] | Sequence[str | PathLike[str]],
    *,
    progress: "Callable[[Progress], None] | None" = None,
    config_file: str | PathLike[str] | None = None,
    **options: Unpack[RunOptions],
) -> CrackMap:
    """Map the cracks of a survey, and return the result, opened.

    `survey` is a folder, an image, a `.txt` list of images, an address in object storage, or several of
    them. Keywords are the options of
    `crackpipe run` and all keys of `crackpipe.toml`, by the names that `crackpipe run SURVEY --show-config`
    prints; None means not given. As on the command line, what is not given comes from the environment
    (`CRACKPIPE_...`), then from `config_file` (by default `crackpipe.toml` in the working folder), then from
    the defaults.

    `progress` is called in this thread, after each piece of work and at each stage, with what is done so far.
    What it raises stops the run. A run that was stopped goes on where it was when it is called again.

    Images in quarantine are no error: `images` of the result says why and what to do. Raises CrackpipeError,
    each with the `exit_code` that the command would have; where an export failed, at the end, when the tables
    are complete.
    """
    from crackpipe.pipeline import run as story

    sources = [survey] if isinstance(survey, str | PathLike) else survey
    request = asked(
        [os.fspath(each) for each in sources], options, None if config_file is None else Path(config_file)
    )
    with _script_not_started_again():
        summary = story.run(request, progress or _nobody_looks)
    if summary.export_error is not None:
        raise summary.export_error
    return open(request.out)


@contextmanager
def _script_not_started_again() -> Iterator[None]:
    """Hide the script that runs from worker processes, which would else start it again, each from its top.

    A new process imports the main module of its parent, so that it finds what is defined there. Workers need
    nothing from it. Without this, a script would have to call `run` below `if __name__ == "__main__":`.
    """
    script = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = script


def _nobody_looks(_progress: "Progress") -> None:
    pass
