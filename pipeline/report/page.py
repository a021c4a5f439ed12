"""Everything into one HTML file that fetches nothing and runs nothing but its own scripts.

The page holds data as JSON in elements that no browser executes; its scripts put it into the page as text,
never as HTML. Its Content-Security-Policy forbids everything but the scripts and styles of these very bytes,
and pictures that are written into the page.
"""

import base64
import hashlib
import html
import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from string import Template
from typing import Any

_FOLDER = Path(__file__).parent / "page"
_SCRIPTS = ("unpack", "theme", "words", "table", "picture", "state", "draw", "map", "detail", "parts", "main")
"""Files of page/, in the order in which they follow each other in one script."""


def page(data: Mapping[str, Any], pictures: list[dict[str, Any]], title: str) -> str:
    """The report as HTML. `data` and `pictures` are plain JSON, of which any text may be hostile."""
    library, own = _read("leaflet/leaflet.js").replace("//# sourceMappingURL=leaflet.js.map", ""), _script()
    style = _read("leaflet/leaflet.css") + _read("report.css")
    return Template(_read("report.html")).substitute(
        policy=html.escape(_policy([library, own], [style])),
        title=html.escape(title),
        style=style,
        library=library,
        script=own,
        data=_json(data),
        pictures=_json(pictures),
        leaflet_licence=html.escape(_read("leaflet/LICENSE.txt")),
    )


def _policy(scripts: list[str], styles: list[str]) -> str:
    allowed = {
        "default-src": ["'none'"],
        "script-src": [_hash(each) for each in scripts],
        "style-src": [_hash(each) for each in styles],
        "img-src": ["data:"],
        "base-uri": ["'none'"],
        "form-action": ["'none'"],
    }
    return "; ".join(f"{name} {' '.join(values)}" for name, values in allowed.items())


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _json(value: Any) -> str:
    """JSON that no parser of HTML takes for anything else, whatever the texts in it."""
    text = json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":"), sort_keys=True)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


@cache
def _script() -> str:
    parts = "\n".join(_read(f"{name}.js") for name in _SCRIPTS)
    return f'"use strict";\n(() => {{\n{parts}\n}})();\n'


def _read(name: str) -> str:
    return (_FOLDER / name).read_text(encoding="utf-8")
