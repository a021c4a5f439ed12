"""How the layers are drawn, in one plain form; `qml.py` and `sld.py` write it down.

Colours are those of Okabe and Ito (2008), which people with any kind of colour vision can tell apart:
https://jfly.uni-koeln.de/color/. Wider cracks are drawn wider too, so that a grey print can be read. For road
sections, a light to a dark brown of ColorBrewer (YlOrBr).
"""

from dataclasses import dataclass
from typing import Literal

Compared = Literal["is", "is not null", "is null", "from", "below"]

WIDTH_COLOURS = {"tiny": "#56B4E9", "small": "#E69F00", "wide": "#D55E00"}
"""By width class."""
UNMEASURED_COLOUR = "#7F7F7F"
_QUARANTINE_COLOUR = "#CC79A7"
_DENSITY_COLOURS = ("#FED98E", "#FE9929", "#D95F0E", "#8C2D04")
_DENSITY_FROM = (0.05, 0.2, 0.5)
"""Steps of crack length per area, m/m2, between the colours."""
_GROWN_FROM = (1.0, 5.0, 20.0)
"""Steps of new crack length per section, m."""
_CHANGES: tuple[tuple[str, str, float, tuple[float, float] | None], ...] = (
    ("new", "#D55E00", 0.9, None),
    ("longer", "#E69F00", 0.9, None),
    ("wider", "#CC79A7", 0.9, None),
    ("narrower", "#56B4E9", 0.6, None),
    ("unchanged", "#7F7F7F", 0.35, None),
    ("repaired", "#009E73", 0.9, None),
    ("first seen", "#0072B2", 0.5, (2.0, 1.2)),
    ("not seen", "#009E73", 0.5, (2.0, 1.2)),
    ("too short", "#7F7F7F", 0.35, (0.5, 0.8)),
    ("not registered", "#7F7F7F", 0.5, (2.0, 1.2)),
)
"""Verdict, colour, width in mm, dash."""
_LINE_MM = {"tiny": 0.35, "small": 0.6, "wide": 0.9}
_DASH_MM = (2.0, 1.2)


@dataclass(frozen=True)
class Condition:
    """What one column must be for a rule to hold."""

    column: str
    how: Compared
    value: str | float | bool | None = None


@dataclass(frozen=True)
class Rule:
    """Rows that are drawn in one way."""

    label: str
    conditions: tuple[Condition, ...]
    """All of them hold."""
    colour: str
    """`#RRGGBB` of the line, or of the outline."""
    width_mm: float
    """On the screen or on paper."""
    dash_mm: tuple[float, float] | None = None
    """Length of dash and gap; None is a solid line."""
    hatched: bool = False
    """An area with lines across."""


@dataclass(frozen=True)
class Style:
    """All rules of a layer, in the order of the legend."""

    layer: str
    rules: tuple[Rule, ...]
    is_area: bool = False


def style_of(layer: str, width_limits_mm: tuple[float, float] | None) -> Style:
    """The style of a layer.

    `width_limits_mm` are the widths at which tiny becomes small and small becomes wide, for the legend; None
    leaves them out.
    """
    if layer == "cracks":
        return Style(layer, _crack_rules(width_limits_mm))
    if layer == "images":
        return Style(layer, _image_rules(), is_area=True)
    if layer == "changes":
        return Style(layer, _change_rules())
    if layer == "changes_sections":
        return Style(layer, _steps("grown_m", _GROWN_FROM, "m new or longer", "nothing can be said"))
    return Style(layer, _steps("density_m_per_m2", _DENSITY_FROM, "m/m²", "not inspected"))


def _crack_rules(limits_mm: tuple[float, float] | None) -> tuple[Rule, ...]:
    ranges = {"wide": "wide", "small": "small", "tiny": "tiny"}
    if limits_mm is not None:
        low, high = (f"{limit:g}" for limit in limits_mm)
        ranges = {
            "wide": f"wide, from {high} mm",
            "small": f"small, {low} to {high} mm",
            "tiny": f"tiny, below {low} mm",
        }
    certain = [
        Rule(
            text,
            (Condition("width_class", "is", name), Condition("class_uncertain", "is", False)),
            WIDTH_COLOURS[name],
            _LINE_MM[name],
        )
        for name, text in ranges.items()
    ]
    uncertain = [
        Rule(
            f"{name}, class uncertain",
            (Condition("width_class", "is", name), Condition("class_uncertain", "is", True)),
            WIDTH_COLOURS[name],
            _LINE_MM[name],
            _DASH_MM,
        )
        for name in ranges
    ]
    unmeasured = Rule(
        "width not measured", (Condition("width_class", "is null"),), UNMEASURED_COLOUR, 0.35, (0.5, 0.8)
    )
    return (*certain, *uncertain, unmeasured)


def _image_rules() -> tuple[Rule, ...]:
    done = Rule("inspected", (Condition("status", "is", "done"),), "#6E6E6E", 0.2)
    quarantined = Rule(
        "in quarantine: not inspected",
        (Condition("status", "is", "quarantined"),),
        _QUARANTINE_COLOUR,
        0.5,
        hatched=True,
    )
    return done, quarantined


def _change_rules() -> tuple[Rule, ...]:
    return tuple(
        Rule(verdict, (Condition("verdict", "is", verdict),), colour, width_mm, dash_mm)
        for verdict, colour, width_mm, dash_mm in _CHANGES
    )


def _steps(column: str, steps: tuple[float, ...], unit: str, unknown: str) -> tuple[Rule, ...]:
    """Road sections by one of their figures."""
    edges = (None, *steps, None)
    rules = []
    for low, high, colour in zip(edges, edges[1:], _DENSITY_COLOURS, strict=False):
        conditions = [Condition(column, "is not null")] if low is None else [Condition(column, "from", low)]
        conditions += [] if high is None else [Condition(column, "below", high)]
        text = (
            f"below {high:g}" if low is None else f"from {low:g}" if high is None else f"{low:g} to {high:g}"
        )
        rules.append(Rule(f"{text} {unit}", tuple(conditions), colour, 1.6))
    missing = Rule(unknown, (Condition(column, "is null"),), UNMEASURED_COLOUR, 0.8, _DASH_MM)
    return (*reversed(rules), missing)
