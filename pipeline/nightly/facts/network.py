"""Read `network.toml`: the sources of a network, what is done with each, and who is told."""

import difflib
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from crackpipe.pipeline import config
from crackpipe.pipeline.errors import ConfigurationError, UsageError
from crackpipe.pipeline.nightly.facts import tell
from crackpipe.pipeline.nightly.facts.tell import Tell
from crackpipe.pipeline.storage.cloud.address import address_of

_NEVER_A_SETTING = ("out", "scheduler")
_LONGEST_NAME = 60
_RESERVED = "__HIVE_DEFAULT_PARTITION__"


@dataclass(frozen=True)
class Source:
    """Where surveys come from, and what is done with each."""

    name: str
    folder: Path | None = None
    """Each folder in it is a survey."""
    glob: str | None = None
    """Each folder that fits this pattern is a survey. Absolute."""
    prefix: str | None = None
    """Each folder below this address in object storage is a survey."""
    results: Path | None = None
    """Folder of the results; None: beside each survey."""
    complete: str = "quiet"
    """`quiet`, or the name of a file that is put into a survey when it is complete."""
    quiet_s: float = 900.0
    """For how long two listings of a survey must be the same, in seconds of this machine's clock."""
    priority: int = 0
    """Sources with a higher number have their turn first."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Keys of `crackpipe.toml`, for the surveys of this source."""
    sections: Mapping[str, Any] = field(default_factory=dict)
    """Options of `crackpipe sections`, by name; empty: no sections."""
    report: bool = False
    exports: tuple[str, ...] = ()
    """Formats of `crackpipe export`."""

    @property
    def place(self) -> str:
        """Where its surveys are, for a person."""
        return str(self.prefix or self.folder or self.glob)


@dataclass(frozen=True)
class Network:
    """What `network.toml` says."""

    home: Path
    """Folder in which the commands run: that of the file."""
    output: Path
    """Folder of the network's tables, of summaries and of what one night tells the next."""
    sources: tuple[Source, ...]
    timezone: ZoneInfo | None = None
    """Of `--until`; None: the machine's."""
    crs: str | None = None
    """CRS of the network's tables; None: that of the first survey in them, for good."""
    keep_nights: int = 60
    """Nights whose summaries stay."""
    has_tables: bool = True
    """Whether the tables of the network are made."""
    tell: Tell = field(default_factory=Tell)
    """Who is told."""


def read(file: Path) -> Network:
    """Read and check a network's file; relative paths are relative to it. Raises ConfigurationError."""
    try:
        table = tomllib.loads(file.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigurationError(f"{file} cannot be read as TOML: {error}. Correct the file.") from error
    home = file.absolute().parent
    known = {"output": str, "timezone": str, "crs": str, "keep_nights": int, "sources": dict, "tell": dict}
    _check(table, known, str(file))
    for needed in ("output", "sources"):
        if not table.get(needed):
            raise ConfigurationError(
                f"{file}: {needed!r} is missing. docs/use/nightly.md shows a whole file."
            )
    keep_nights = table.get("keep_nights", Network.keep_nights)
    if keep_nights < 1:
        raise ConfigurationError(f"{file}: keep_nights is {keep_nights}, but must be at least 1")
    output = home / table["output"]
    sources = tuple(
        _source(name, values, home, output, f"{file}: sources.{name}")
        for name, values in table["sources"].items()
    )
    _check_apart(sources, output, str(file))
    return Network(
        home=home,
        output=output,
        sources=sources,
        timezone=_zone(table.get("timezone"), str(file)),
        crs=_crs(table.get("crs"), str(file)),
        keep_nights=keep_nights,
        tell=tell.read(table.get("tell", {}), home, f"{file}: tell"),
    )


def of_folder(folder: Path) -> Network:
    """The network of `crackpipe nightly SURVEYS`: each folder in it is a survey, its result beside it."""
    folder = folder.absolute()
    source = Source(name=folder.name or "surveys", folder=folder, quiet_s=0.0)
    return Network(home=Path.cwd(), output=folder / ".crackpipe-nightly", sources=(source,), has_tables=False)


# ---- a source


def _source(name: str, values: Any, home: Path, output: Path, where: str) -> Source:
    if not isinstance(values, dict):
        raise ConfigurationError(f"{where} is {values!r}, but must be a table: [sources.{name}]")
    known = {
        **{"folder": str, "glob": str, "prefix": str, "results": str, "complete": str},
        **{"quiet_minutes": (int, float), "priority": int, "settings": dict, "sections": dict},
        **{"report": bool, "exports": list},
    }
    _check(values, known, where)
    _check_name(name, where)
    complete, quiet_minutes = values.get("complete", "quiet"), values.get("quiet_minutes", 15)
    if "/" in complete or complete in ("", ".", ".."):
        raise ConfigurationError(
            f"{where}: complete is {complete!r}, but must be 'quiet' or the name of a file, such as _SUCCESS"
        )
    if not 0 <= quiet_minutes <= 1440:
        raise ConfigurationError(f"{where}: quiet_minutes is {quiet_minutes}, but must be from 0 to 1440")
    exports = values.get("exports", [])
    if not all(isinstance(each, str) for each in exports):
        raise ConfigurationError(f"{where}: exports is {exports!r}, but must be a list of formats")
    for each in exports:
        if each not in config.EXPORT_FORMATS:
            raise ConfigurationError(
                f"{where}: exports has {each!r}, but formats are {', '.join(config.EXPORT_FORMATS)}"
            )
    return Source(
        name=name,
        **_place(values, home, where),
        results=home / values["results"] if "results" in values else output / "surveys" / name,
        complete=complete,
        quiet_s=60.0 * quiet_minutes,
        priority=values.get("priority", 0),
        settings=_settings(values.get("settings", {}), where),
        sections=values.get("sections", {}),
        report=values.get("report", False),
        exports=tuple(exports),
    )


def _place(values: Mapping[str, Any], home: Path, where: str) -> dict[str, Any]:
    given = [each for each in ("folder", "glob", "prefix") if each in values]
    if len(given) != 1:
        raise ConfigurationError(
            f"{where} has {' and '.join(given) or 'no place'}. Give one: folder (each folder in it is a "
            "survey), glob (each folder that fits is a survey), or prefix (an address in object storage)."
        )
    text = values[given[0]]
    if given == ["prefix"]:
        if not text.startswith(("s3://", "gs://", "az://")):
            raise ConfigurationError(
                f"{where}: prefix must be an address such as s3://BUCKET/PREFIX; https has no folders"
            )
        try:
            return {"prefix": str(address_of(text))}
        except UsageError as error:
            raise ConfigurationError(f"{where}: {error}") from None
    if "://" in text:
        raise ConfigurationError(f"{where}: {given[0]} is an address. Give it as prefix = {text!r}.")
    if "**" in text:
        raise ConfigurationError(f"{where}: {text!r} has **, which finds results too. Write each level: */*")
    if not text:
        raise ConfigurationError(f"{where}: {given[0]} is empty")
    return {"folder": home / text} if given == ["folder"] else {"glob": str(home / text)}


def _settings(values: Mapping[str, Any], where: str) -> dict[str, Any]:
    for name in _NEVER_A_SETTING:
        if name in values:
            raise ConfigurationError(f"{where}: {name} is not set here: `results` says where results go")
    checked = {name: config.checked(name, value, f"{where}.settings") for name, value in values.items()}
    config.Config(**checked)  # its limits
    return checked


def _check_name(name: str, where: str) -> None:
    """A name becomes a folder and a value in tables."""
    if not name or len(name) > _LONGEST_NAME or not name.isprintable() or name == _RESERVED or "/" in name:
        raise ConfigurationError(
            f"{where}: a source's name has 1 to {_LONGEST_NAME} printable characters, no '/', and is not "
            f"{_RESERVED}. Give it another name."
        )
    if name.startswith("."):
        raise ConfigurationError(f"{where}: a source's name does not begin with a dot. Give it another name.")


def _check_apart(sources: tuple[Source, ...], output: Path, where: str) -> None:
    """Two sources with one name on a disk that knows no capitals, or one place of results, would mix.

    Nor may the output's own folders be taken for surveys.
    """
    names: dict[str, str] = {}
    results: dict[Path | None, str] = {}
    for source in sources:
        here = source.folder or Path(str(source.glob)).parent
        # the paths alone: a share that is asked may never answer
        if source.prefix is None and os.path.abspath(here) == os.path.abspath(output):  # noqa: PTH100
            raise ConfigurationError(
                f"{where}: output is {output}, in which source {source.name!r} looks for surveys. Give it a "
                "folder of its own."
            )
        other = names.setdefault(source.name.casefold(), source.name)
        if other != source.name:
            raise ConfigurationError(f"{where}: sources {other!r} and {source.name!r} differ in case alone")
        other = results.setdefault(source.results, source.name)
        if other != source.name:
            raise ConfigurationError(
                f"{where}: sources {other!r} and {source.name!r} have the same `results`. Give each its own."
            )


# ---- checks


def _check(table: Mapping[str, Any], known: Mapping[str, Any], where: str) -> None:
    for name, value in table.items():
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            meant = f" Did you mean {near[0]!r}?" if near else ""
            raise ConfigurationError(f"{where}: unknown key {name!r}.{meant} Known keys: {', '.join(known)}")
        kind = known[name]
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            kinds = kind if isinstance(kind, tuple) else (kind,)
            wanted = " or ".join(each.__name__ for each in kinds)
            raise ConfigurationError(f"{where}: {name} is {value!r}, but must be of type {wanted}")


def _zone(name: str | None, where: str) -> ZoneInfo | None:
    if name is None:
        return None
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ConfigurationError(
            f"{where}: timezone {name!r} is not known. Give one such as Europe/Berlin (`timedatectl "
            "list-timezones`; Debian's package tzdata has them)."
        ) from error


def _crs(text: str | None, where: str) -> str | None:
    if text is None:
        return None
    from pyproj import CRS
    from pyproj.exceptions import CRSError

    try:
        CRS.from_user_input(text)
    except CRSError as error:
        raise ConfigurationError(
            f"{where}: crs {text!r} is not known. Give one such as EPSG:25832."
        ) from error
    return text
