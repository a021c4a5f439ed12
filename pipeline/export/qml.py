"""A style as QGIS writes it (QML). It was tried with QGIS 3.22, that of Debian 12.

QGIS has no published schema of it. The names of options are those that QGIS itself saves.
"""

from xml.etree import ElementTree as ET

from crackpipe.pipeline.export.layers import alias_of
from crackpipe.pipeline.export.styles import Condition, Rule, Style

_HEAD = "<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n"


def as_qml(style: Style, columns: list[str]) -> str:
    """The text of a `.qml`: rules and symbols, and the names of columns as people read them."""
    root = ET.Element("qgis", version="3.22.0", styleCategories="Symbology|Fields")
    renderer = ET.SubElement(root, "renderer-v2", type="RuleRenderer", symbollevels="0", enableorderby="0")
    rules = ET.SubElement(renderer, "rules", key="{00000000-0000-0000-0000-000000000000}")
    symbols = ET.SubElement(renderer, "symbols")
    for number, rule in enumerate(style.rules):
        ET.SubElement(
            rules,
            "rule",
            key=f"{{00000000-0000-0000-0000-{number + 1:012d}}}",
            label=rule.label,
            symbol=str(number),
            filter=" AND ".join(_expression(condition) for condition in rule.conditions),
        )
        symbols.append(_symbol(str(number), rule, is_area=style.is_area))
    aliases = ET.SubElement(root, "aliases")
    for index, column in enumerate(columns):
        ET.SubElement(aliases, "alias", field=column, index=str(index), name=alias_of(column))
    ET.SubElement(root, "layerGeometryType").text = "2" if style.is_area else "1"
    ET.indent(root)
    return _HEAD + ET.tostring(root, encoding="unicode") + "\n"


def _expression(condition: Condition) -> str:
    column = f'"{condition.column}"'
    if condition.how in ("is null", "is not null"):
        return f"{column} {condition.how.upper()}"
    if isinstance(condition.value, bool):
        return column if condition.value else f"NOT {column}"
    sign = {"is": "=", "from": ">=", "below": "<"}[condition.how]
    value = f"'{condition.value}'" if isinstance(condition.value, str) else f"{condition.value:g}"
    return f"{column} {sign} {value}"


def _symbol(name: str, rule: Rule, *, is_area: bool) -> ET.Element:
    kind = "fill" if is_area else "line"
    symbol = ET.Element("symbol", type=kind, name=name, alpha="1", clip_to_extent="1", force_rhr="0")
    layer_class = "SimpleFill" if is_area else "SimpleLine"
    layer = ET.SubElement(symbol, "layer", {"class": layer_class, "enabled": "1", "locked": "0", "pass": "0"})
    options = ET.SubElement(layer, "Option", type="Map")
    for key, value in (_area_options(rule) if is_area else _line_options(rule)).items():
        ET.SubElement(options, "Option", type="QString", name=key, value=value)
    return symbol


def _line_options(rule: Rule) -> dict[str, str]:
    dash = rule.dash_mm or (1.0, 1.0)
    return {
        "line_color": _rgba(rule.colour),
        "line_width": f"{rule.width_mm:g}",
        "line_width_unit": "MM",
        "line_style": "solid",
        "capstyle": "flat" if rule.dash_mm else "round",
        "joinstyle": "round",
        "use_custom_dash": "1" if rule.dash_mm else "0",
        "customdash": f"{dash[0]:g};{dash[1]:g}",
        "customdash_unit": "MM",
    }


def _area_options(rule: Rule) -> dict[str, str]:
    return {
        "color": _rgba(rule.colour),
        "style": "b_diagonal" if rule.hatched else "no",
        "outline_color": _rgba(rule.colour),
        "outline_style": "solid",
        "outline_width": f"{rule.width_mm:g}",
        "outline_width_unit": "MM",
        "joinstyle": "miter",
    }


def _rgba(colour: str) -> str:
    """`#RRGGBB` as `R,G,B,255`."""
    return ",".join(str(int(colour[at : at + 2], 16)) for at in (1, 3, 5)) + ",255"
