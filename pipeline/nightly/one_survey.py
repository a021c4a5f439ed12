"""One survey in a night: run it, then sections, report and exports; and what is left where it was cut off."""

import os
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from crackpipe import __version__
from crackpipe.pipeline import config
from crackpipe.pipeline.nightly import child
from crackpipe.pipeline.nightly.facts.answering import Asker, watched
from crackpipe.pipeline.nightly.facts.listing import Listing, Survey, finished_images
from crackpipe.pipeline.nightly.facts.network import Source
from crackpipe.pipeline.nightly.facts.outcome import HELD, WORST_FIRST
from crackpipe.pipeline.storage import sealed

_PLANNED = re.compile(r"^(\d+) images to run, \d+ tiles", re.MULTILINE)
"""The last line of `crackpipe run --dry-run`."""
_WORST_FIRST = (*(code for code in WORST_FIRST if code not in (3, 0)), HELD, 3, 0)
"""Of the commands of one survey. 75 comes before 3, so that the next night makes what was in use."""


@dataclass(frozen=True)
class Shop:
    """What all commands of a night share."""

    home: Path
    options: tuple[str, ...] = ()
    """Further options of `crackpipe run`."""
    asker: Asker = field(default_factory=Asker)
    """Looks at surveys and results, which may lie on shares that do not answer."""


@dataclass(frozen=True)
class Done:
    """How far a survey came."""

    code: int
    said: str
    was_cut: bool
    images: int
    """Finished in this run."""
    seconds: float


# ---- what a result is made from


def environment_of(source: Source) -> dict[str, str]:
    """A source's settings as variables, which a run prefers to `crackpipe.toml`."""
    return {f"CRACKPIPE_{name.upper()}": _as_variable(value) for name, value in source.settings.items()}


def _as_variable(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, tuple):  # a list of strings in TOML has the form of JSON
        return config.as_toml(config.Config(exclude=value)).partition("exclude = ")[2].partition("\n")[0]
    return str(value).lower() if isinstance(value, bool) else str(value)


def made_from(shop: Shop, source: Source, listing: Listing) -> str:
    """A digest of all that a survey's results depend on. Raises ConfigurationError."""
    file = shop.home / "crackpipe.toml"
    environ = {**os.environ, **environment_of(source)}
    resolved = asdict(config.resolve({}, file if file.is_file() else None, environ))
    in_options = [each.partition("=")[2] for each in shop.options]  # of --weights=FILE
    named = [*shop.options, *in_options, resolved["weights"], resolved["region"], *source.sections.values()]
    return sealed.digest(
        [
            __version__,
            listing.digest,
            resolved,
            [_stamp(shop.home / each) for each in named if isinstance(each, str)],
            shop.options,
            [dict(source.sections), source.report, list(source.exports)],
        ]
    )


def _stamp(path: Path) -> list[object]:
    """Size and time of a file that an option names; empty where it names none."""
    try:
        status = path.stat()
    except (OSError, ValueError):
        return []
    known: list[object] = [str(path), status.st_size, status.st_mtime_ns]
    return known if path.is_file() else []


# ---- the commands


def run(shop: Shop, source: Source, survey: Survey, end_s: float | None) -> Done:
    """Run a survey and what follows; until `end_s` at most, seconds since 1970.

    What follows is made of new tables alone. A run that could not make its map, since somebody has it open in
    QGIS, has new tables. Raises SilentError where the share stops answering, StorageError where the result
    cannot be read.
    """
    ask, seconds, was_cut = shop.asker.ask, 0.0, False
    finished, record = ask(source, finished_images, survey.out), ask(source, _stamp, survey.out / "run.json")
    failed: list[tuple[int, str]] = []
    for arguments in commands(shop, source, survey):
        ended = _start(shop, source, survey, arguments, end_s)
        seconds += ended.seconds
        was_cut = ended.was_cut
        if ended.code and not was_cut:
            code, said = child.meaning_of(ended)
            # the last line of a run that is done is one of its progress; the summary counts the quarantine
            failed.append((code, "" if code == 3 else f"{arguments[0]}: {said}"))
        is_stale = arguments[0] == "run" and ask(source, _stamp, survey.out / "run.json") == record
        if was_cut or (is_stale and failed):
            break
    worst, said = min(failed, key=lambda each: _WORST_FIRST.index(each[0]), default=(0, ""))
    new = {tuple(each) for each in ask(source, finished_images, survey.out)} - {*map(tuple, finished)}
    return Done(worst, said, was_cut, len(new), seconds)


def commands(shop: Shop, source: Source, survey: Survey) -> Iterator[list[str]]:
    """The arguments of each command for a survey, in order."""
    out = str(survey.out)
    yield ["run", survey.place, "--out", out, *shop.options]
    if source.sections:
        yield ["sections", out, *as_options(source.sections)]
    if source.report:
        yield ["report", out]
    for form in source.exports:
        yield ["export", out, "--format", form]


def as_options(values: Mapping[str, Any]) -> Iterator[str]:
    """Keys and values of a table as options of a command."""
    for name, value in values.items():
        option = f"--{name.replace('_', '-')}"
        if isinstance(value, bool):
            yield from [option] if value else []
            continue
        for each in value if isinstance(value, list) else [value]:
            yield from (option, str(each))


def _start(
    shop: Shop, source: Source, survey: Survey, arguments: Sequence[str], end_s: float | None
) -> child.Ended:
    environment = environment_of(source)
    with watched(source, survey.path, survey.out.parent) as silent:
        ended = child.crackpipe(
            arguments, home=shop.home, environment=environment, end_s=end_s, gives_up=lambda: bool(silent())
        )
        error = silent()
    if error is not None:
        shop.asker.silent[source.name] = error
        raise error
    return ended


def images_left(
    shop: Shop, source: Source, survey: Survey, listing: Listing, within_s: float
) -> tuple[int, bool]:
    """How many images a survey still needs, and whether they were counted.

    What was never begun counts the files that could be images. What was begun is planned as a run plans it.
    Where `within_s` is too short for that, its files count without the images that were finished.
    """
    finished = len(shop.asker.ask(source, finished_images, survey.out))
    if not finished:
        return listing.images, True
    about = max(0, listing.images - finished)
    if within_s <= 0:
        return about, False
    ended = child.crackpipe(
        [*next(commands(shop, source, survey)), "--dry-run"],
        home=shop.home,
        environment=environment_of(source),
        end_s=time.time() + within_s,
        is_read=True,
    )
    planned = _PLANNED.search(ended.output)
    return (about, False) if planned is None else (int(planned[1]), True)
