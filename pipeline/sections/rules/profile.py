"""A profile: what a standard counts, and where each of its rules is known from.

Tags: S seen in a public text, S2 quoted by one, D derived, B believed. A rule tagged B is off: crackpipe's
own stands in, and `rule` says so.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crackpipe.pipeline.errors import UsageError
from crackpipe.pipeline.sections.options import Wheelpaths
from crackpipe.pipeline.tables.crack_type import TypeLimits

OURS = "crackpipe"
_BELIEVED = "B"
_TAGS = ("S", "S2", "D", _BELIEVED)


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One figure of a profile."""

    name: str
    measure: str
    """What is measured, a name of `measures`."""
    what: str
    unit: str
    source: str
    tag: str
    of: str | None = None
    """The figure that a grade is made from."""
    limits: tuple[float, ...] = ()
    names: tuple[str, ...] = ()
    upper_in: tuple[bool, ...] = ()
    decimals: int | None = None

    @property
    def rule(self) -> str:
        """Whose rule it is: the source, or `crackpipe` where the standard's is not known for sure."""
        return OURS if self.tag == _BELIEVED else self.source


@dataclass(frozen=True, kw_only=True)
class Profile:
    """What a standard makes of a section."""

    name: str
    title: str
    length: str
    """Length of a section, as --length says it."""
    lane_width_m: float
    figures: tuple[Figure, ...]
    notes: tuple[str, ...]
    wheelpaths: Wheelpaths
    longitudinal_within_deg: float | None
    transverse_within_deg: float | None
    longitudinal_least_m: float
    """A longitudinal crack that is shorter counts as diagonal, m."""
    counts_classes: tuple[str, ...]
    """Classes that count beside cracks, where the weights know them."""
    hpms: str | None
    """The figure that goes into rows for HPMS."""
    off: tuple[str, ...]
    """Rules that are only believed and therefore off."""

    def limits(self, run: TypeLimits) -> TypeLimits:
        """Limits of types: its own where it has any, else those of the run."""
        return TypeLimits(
            self.longitudinal_within_deg or run.longitudinal_within_deg,
            self.transverse_within_deg or run.transverse_within_deg,
        )


def names() -> list[str]:
    """The profiles there are."""
    return sorted(file.stem for file in Path(__file__).parent.glob("*.toml"))


def read_profile(name: str) -> Profile:
    """The profile of this name. Raises UsageError if there is none."""
    if name not in names():
        raise UsageError(f"there is no profile {name!r}. Give one of {', '.join(names())} with --profile.")
    values = tomllib.loads((Path(__file__).parent / f"{name}.toml").read_text(encoding="utf-8"))
    rules, figures = values.get("rule", []), values["figure"]
    for each in (*rules, *figures):
        if each["tag"] not in _TAGS or not each["source"]:
            raise ValueError(f"{name}.toml: {each['what']} needs a source and a tag of {', '.join(_TAGS)}")
    sure = {key: value for rule in rules if rule["tag"] != _BELIEVED for key, value in rule.items()}
    return Profile(
        name=name,
        title=values["title"],
        length=values["length"],
        lane_width_m=values["lane_width_m"],
        figures=tuple(_figure(each) for each in figures),
        notes=tuple(values.get("notes", ())),
        wheelpaths=Wheelpaths(
            from_centre_m=sure.get("wheel_path_from_centre_m", Wheelpaths.from_centre_m),
            width_m=sure.get("wheel_path_width_m", Wheelpaths.width_m),
        ),
        longitudinal_within_deg=sure.get("longitudinal_within_deg"),
        transverse_within_deg=sure.get("transverse_within_deg"),
        longitudinal_least_m=sure.get("longitudinal_least_m", 0.0),
        counts_classes=tuple(values.get("counts_classes", ())),
        hpms=values.get("hpms"),
        off=tuple(rule["what"] for rule in rules if rule["tag"] == _BELIEVED),
    )


def _figure(values: Mapping[str, Any]) -> Figure:
    fields: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in values.items()
    }
    return Figure(**fields)
