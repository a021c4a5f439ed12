"""Each crack is drawn by exactly one rule, in QGIS's form and in the OGC's."""

from itertools import product
from xml.etree import ElementTree as ET

import pytest

from crackpipe.pipeline.export.qml import as_qml
from crackpipe.pipeline.export.sld import as_sld
from crackpipe.pipeline.export.styles import Rule, style_of

SLD = "{http://www.opengis.net/sld}"


def holds(rule: Rule, row: dict[str, object]) -> bool:
    def one(column: str, how: str, value: object) -> bool:
        found = row[column]
        if how in {"is null", "is not null"}:
            return (found is None) == (how == "is null")
        if found is None:
            return False
        return found == value if how == "is" else found >= value if how == "from" else found < value

    return all(one(each.column, each.how, each.value) for each in rule.conditions)


@pytest.mark.parametrize(
    ("width_class", "uncertain"), list(product(["tiny", "small", "wide", None], [True, False]))
)
def test_each_crack_has_one_rule_and_uncertain_ones_are_dashed(
    width_class: str | None, uncertain: bool
) -> None:
    row = {"width_class": width_class, "class_uncertain": uncertain}
    (rule,) = [rule for rule in style_of("cracks", (1.0, 3.0)).rules if holds(rule, row)]
    assert (rule.dash_mm is not None) == (uncertain or width_class is None)
    assert rule.label.startswith(width_class or "width not measured")


@pytest.mark.parametrize("density", [None, 0.0, 0.04, 0.05, 0.3, 7.0])
def test_each_section_has_one_rule_and_none_where_nothing_was_inspected(density: float | None) -> None:
    row = {"density_m_per_m2": density}
    (rule,) = [rule for rule in style_of("sections", None).rules if holds(rule, row)]
    assert (rule.label == "not inspected") == (density is None)


def test_the_legend_names_the_limits_of_the_run() -> None:
    labels = [rule.label for rule in style_of("cracks", (0.8, 2.5)).rules]
    assert labels[:3] == ["wide, from 2.5 mm", "small, 0.8 to 2.5 mm", "tiny, below 0.8 mm"]


@pytest.mark.parametrize("layer", ["cracks", "images", "sections"])
def test_both_forms_have_the_same_rules_in_their_order(layer: str) -> None:
    style = style_of(layer, (1.0, 3.0))
    labels = [rule.label for rule in style.rules]
    qml = ET.fromstring(as_qml(style, ["a", "b"]))
    assert [rule.get("label") for rule in qml.iter("rule")] == labels
    assert [symbol.get("type") for symbol in qml.iter("symbol")] == [
        "fill" if style.is_area else "line" for _ in labels
    ]
    sld = ET.fromstring(as_sld(style).encode())
    assert [rule.findtext(f"{SLD}Title") for rule in sld.iter(f"{SLD}Rule")] == labels


def test_qgis_is_told_the_condition_as_it_writes_it() -> None:
    qml = ET.fromstring(as_qml(style_of("cracks", None), []))
    assert next(qml.iter("rule")).get("filter") == '"width_class" = \'wide\' AND NOT "class_uncertain"'
