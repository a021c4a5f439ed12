"""One survey in a night: run it, then sections, report and exports; and what is left where it was cut off."""

import os
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from crackpipe import __version__
from crackpipe.pipeline import config
from crackpipe.pipeline.nightly import child
from crackpipe.pipeline.nightly.facts.listing import Listing, Survey, finished_images
from crackpipe.pipeline.nightly.facts.network import Source
from crackpipe.pipeline.storage import sealed

_PLANNED = re.compile(r"^(\d+) images to run, \d+ tiles", re.MULTILINE)
"""The last line of `crackpipe run --dry-run`."""
_PLANNING_WITHIN_S = 600.0


@dataclass(frozen=True)
class Shop:
    """What all commands of a night share."""

    home: Path
    options: tuple[str, ...] = ()
    """Further options of `crackpipe run`."""


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
    named = [*shop.options, resolved["weights"], resolved["region"], *source.sections.values()]
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
    return [str(path), status.st_size, status.st_mtime_ns] if path.is_file() else []


# ---- the commands


def run(shop: Shop, source: Source, survey: Survey, end_s: float | None) -> Done:
    """Run a survey and what follows; until `end_s` at most, seconds since 1970."""
    before = {tuple(each) for each in finished_images(survey.out)}
    code, said, was_cut, seconds = 0, "", False, 0.0
    for arguments in commands(shop, source, survey):
        ended = _start(shop, source, arguments, end_s)
        seconds += ended.seconds
        if ended.was_cut:
            was_cut = True
            break
        if ended.code == 0:
            continue
        new_code, new_said = child.meaning_of(ended)
        if code == 0 or new_code != 3:
            code, said = new_code, new_said
        if new_code != 3:
            said = f"{arguments[0]}: {new_said}"
            break
    now = {tuple(each) for each in finished_images(survey.out)}
    return Done(code, said, was_cut, len(now - before), seconds)


def commands(shop: Shop, source: Source, survey: Survey) -> Iterator[list[str]]:
    """The arguments of each command for a survey, in order."""
    out = str(survey.out)
    yield ["run", survey.place, "--out", out, *shop.options]
    if source.sections:
        yield ["sections", out, *_as_options(source.sections)]
    if source.report:
        yield ["report", out]
    for form in source.exports:
        yield ["export", out, "--format", form]


def _as_options(values: Mapping[str, Any]) -> Iterator[str]:
    for name, value in values.items():
        option = f"--{name.replace('_', '-')}"
        if isinstance(value, bool):
            yield from [option] if value else []
            continue
        for each in value if isinstance(value, list) else [value]:
            yield from (option, str(each))


def _start(shop: Shop, source: Source, arguments: Sequence[str], end_s: float | None) -> child.Ended:
    return child.crackpipe(arguments, home=shop.home, environment=environment_of(source), end_s=end_s)


def images_left(shop: Shop, source: Source, survey: Survey, listing: Listing) -> int:
    """How many images a survey still needs.

    What was never begun counts the files that could be images. What was begun is planned as a run plans it,
    in some minutes at most.
    """
    if not finished_images(survey.out):
        return listing.images
    ended = child.crackpipe(
        [*next(commands(shop, source, survey)), "--dry-run"],
        home=shop.home,
        environment=environment_of(source),
        end_s=time.time() + _PLANNING_WITHIN_S,
        is_read=True,
    )
    planned = _PLANNED.search(ended.output)
    return listing.images if planned is None else int(planned[1])
