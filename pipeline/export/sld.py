"""A style for programs that do not know QGIS's own form: Styled Layer Descriptor 1.0.0 of the OGC.

https://www.ogc.org/standards/sld/. Lengths there are pixels of 0.28 mm.
"""

from xml.etree import ElementTree as ET

from crackpipe.pipeline.export.styles import Condition, Rule, Style

_SLD, _OGC = "http://www.opengis.net/sld", "http://www.opengis.net/ogc"
_PIXEL_MM = 0.28


def as_sld(style: Style) -> str:
    """The text of an `.sld`. A hatched area has a fill that one can see through instead."""
    ET.register_namespace("", _SLD)
    ET.register_namespace("ogc", _OGC)
    root = ET.Element(f"{{{_SLD}}}StyledLayerDescriptor", version="1.0.0")
    layer = _sld(root, "NamedLayer")
    _sld(layer, "Name", style.layer)
    user = _sld(layer, "UserStyle")
    _sld(user, "Name", style.layer)
    rules = _sld(user, "FeatureTypeStyle")
    for rule in style.rules:
        element = _sld(rules, "Rule")
        _sld(element, "Name", rule.label)
        _sld(element, "Title", rule.label)
        _filter(element, rule.conditions)
        _symbolizer(element, rule, is_area=style.is_area)
    ET.indent(root)
    return ET.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _sld(parent: ET.Element, name: str, text: str | None = None) -> ET.Element:
    element = ET.SubElement(parent, f"{{{_SLD}}}{name}")
    element.text = text
    return element


def _parameter(parent: ET.Element, name: str, text: str) -> None:
    _sld(parent, "CssParameter", text).set("name", name)


def _filter(rule: ET.Element, conditions: tuple[Condition, ...]) -> None:
    parent = ET.SubElement(rule, f"{{{_OGC}}}Filter")
    if len(conditions) > 1:
        parent = ET.SubElement(parent, f"{{{_OGC}}}And")
    for condition in conditions:
        _comparison(parent, condition)


def _comparison(parent: ET.Element, condition: Condition) -> None:
    if condition.how == "is not null":
        parent = ET.SubElement(parent, f"{{{_OGC}}}Not")
    name = {
        "is": "PropertyIsEqualTo",
        "from": "PropertyIsGreaterThanOrEqualTo",
        "below": "PropertyIsLessThan",
    }.get(condition.how, "PropertyIsNull")
    element = ET.SubElement(parent, f"{{{_OGC}}}{name}")
    ET.SubElement(element, f"{{{_OGC}}}PropertyName").text = condition.column
    if condition.value is not None:
        value = condition.value
        text = (
            str(value).lower()
            if isinstance(value, bool)
            else f"{value:g}"
            if isinstance(value, float)
            else value
        )
        ET.SubElement(element, f"{{{_OGC}}}Literal").text = str(text)


def _symbolizer(parent: ET.Element, rule: Rule, *, is_area: bool) -> None:
    symbolizer = _sld(parent, "PolygonSymbolizer" if is_area else "LineSymbolizer")
    if rule.hatched:
        fill = _sld(symbolizer, "Fill")
        _parameter(fill, "fill", rule.colour.lower())
        _parameter(fill, "fill-opacity", "0.25")
    stroke = _sld(symbolizer, "Stroke")
    _parameter(stroke, "stroke", rule.colour.lower())
    _parameter(stroke, "stroke-width", f"{rule.width_mm / _PIXEL_MM:.2f}")
    if rule.dash_mm:
        dashes = " ".join(f"{length / _PIXEL_MM:.1f}" for length in rule.dash_mm)
        _parameter(stroke, "stroke-dasharray", dashes)
