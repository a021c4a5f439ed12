"""The command that does the survey of a year again: its paths and options, quoted for a shell."""

import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from crackpipe.pipeline.config import Config

OPTIONS = {
    "halo_px": "--halo",
    "assume_gsd_mm": "--assume-gsd",
    **{name: f"--{name}" for name in ("region", "exclude", "device", "weights", "precision", "batch")},
    **{name: f"--{name}" for name in ("threshold", "screen", "crs", "collar", "exports")},
    **{
        name: f"--{name.replace('_', '-')}"
        for name in ("assume_crs", "allow_gsd", "allow_place", "verify_inputs", "staging_gb", "keep_logs")
    },
}
"""Key of the configuration -> its option of `crackpipe run`. Other keys go by the environment."""
OF_MACHINE = ("out", "workers", "gpus", "scheduler")
"""Keys that say where a run worked. They may have another value today, and no result depends on them."""


def options_in(configuration: Mapping[str, Any]) -> dict[str, Any]:
    """What `run.json` says of the configuration, where it differs from the defaults, but for `OF_MACHINE`."""
    said = {name: tuple(value) if isinstance(value, list) else value for name, value in configuration.items()}
    defaults = {each.name: each.default for each in fields(Config) if each.name not in OF_MACHINE}
    # by their texts, since runs until commit 5f0e436 wrote the text of every value
    return {
        name: said[name]
        for name, default in defaults.items()
        if name in said and str(said[name]) != str(default)
    }


def again(sources: Sequence[str], out: Path, options: Mapping[str, Any]) -> str:
    """`crackpipe run` of a survey into `out`, as a line for a shell. `options` with None are left out."""
    given = {name: value for name, value in sorted(options.items()) if value is not None}
    words = [word for name in given if name in OPTIONS for word in _words(OPTIONS[name], given[name])]
    environment = [
        f"CRACKPIPE_{name.upper()}={shlex.quote(_text(value))}"
        for name, value in given.items()
        if name not in OPTIONS
    ]
    command = ["crackpipe", "run", *(sources or ("SURVEY",)), "--out", str(out), *words]
    return " ".join([*environment, shlex.join(command)])


def _words(option: str, value: Any) -> Iterator[str]:
    if option == "--exports" and isinstance(value, tuple):
        yield from (option, ",".join(value) or "none")
    elif isinstance(value, tuple):
        yield from (word for each in value for word in (option, each))
    elif _text(value) == "true":
        yield option
    else:
        yield from (option, _text(value))


def _text(value: Any) -> str:
    return str(value).lower() if str(value) in ("True", "False") else str(value)
