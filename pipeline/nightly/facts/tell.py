"""Who is told of a night, as `[tell]` in network.toml says."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from crackpipe.pipeline.errors import ConfigurationError

_FORMS = ("markdown", "json")


@dataclass(frozen=True)
class Secret:
    """A word that is never printed: of the environment, of a file that others cannot read, or as it is."""

    env: str | None = None
    file: Path | None = None
    text: str | None = None


@dataclass(frozen=True)
class Hook:
    """A command that gets the summary on its stdin."""

    name: str
    command: tuple[str, ...]
    """Program and arguments. No shell reads them."""
    stdin: str = "markdown"
    """`markdown` or `json`."""
    always: bool = False
    """Told every night, not only when something is new or over."""
    secrets: Mapping[str, Secret] = field(default_factory=dict)
    """Variables of the command's environment."""


@dataclass(frozen=True)
class Tell:
    """Who is told."""

    metrics: Path | None = None
    """Text file for Prometheus' node exporter."""
    ping: Secret | None = None
    """Address that is asked for each night; with /fail where a night failed."""
    hooks: tuple[Hook, ...] = ()


def read(values: Mapping[str, Any], home: Path, where: str) -> Tell:
    """Check `[tell]`. Raises ConfigurationError."""
    _known(values, {"metrics": str, "ping": (str, dict), "hooks": dict}, where)
    hooks = [
        _hook(name, each, home, f"{where}.hooks.{name}") for name, each in values.get("hooks", {}).items()
    ]
    metrics = values.get("metrics")
    if metrics is not None and not metrics.endswith(".prom"):
        raise ConfigurationError(f"{where}: metrics is {metrics!r}, but node_exporter reads *.prom alone")
    return Tell(
        metrics=None if metrics is None else home / metrics,
        ping=None if "ping" not in values else _secret(values["ping"], home, f"{where}.ping"),
        hooks=tuple(hooks),
    )


def _hook(name: str, values: Any, home: Path, where: str) -> Hook:
    if not isinstance(values, dict):
        raise ConfigurationError(f"{where} is {values!r}, but must be a table: [tell.hooks.{name}]")
    _known(values, {"command": list, "stdin": str, "always": bool, "secrets": dict}, where)
    command = values.get("command", [])
    if not command or not all(isinstance(each, str) for each in command):
        raise ConfigurationError(
            f"{where}: command is {command!r}, but must be a list of program and arguments, such as "
            '["mail", "-s", "crackpipe", "roads@example.org"]'
        )
    stdin = values.get("stdin", "markdown")
    if stdin not in _FORMS:
        raise ConfigurationError(f"{where}: stdin is {stdin!r}, but must be one of {', '.join(_FORMS)}")
    secrets = {
        variable: _secret(each, home, f"{where}.secrets.{variable}")
        for variable, each in values.get("secrets", {}).items()
    }
    return Hook(name, tuple(command), stdin, values.get("always", False), secrets)


def _secret(value: Any, home: Path, where: str) -> Secret:
    if isinstance(value, str):
        return Secret(text=value)
    # the value itself is not said: it may be the secret in the wrong place
    if not isinstance(value, dict) or list(value) not in (["env"], ["file"]):
        raise ConfigurationError(f'{where} must be {{ env = "NAME" }} or {{ file = "PATH" }}')
    [(kind, text)] = value.items()
    if not isinstance(text, str) or not text:
        raise ConfigurationError(f"{where}.{kind} must be a text")
    return Secret(env=text) if kind == "env" else Secret(file=home / text)


def _known(values: Mapping[str, Any], known: Mapping[str, Any], where: str) -> None:
    for name, value in values.items():
        if name not in known:
            raise ConfigurationError(f"{where}: unknown key {name!r}. Known keys: {', '.join(known)}")
        if not isinstance(value, known[name]):
            raise ConfigurationError(f"{where}.{name} has the wrong type. docs/use/nightly.md shows each.")
