"""XML of other people: entities, and files that it names, are refused before anything is expanded."""

from pathlib import Path
from xml.etree.ElementTree import Element, ParseError

from crackpipe.pipeline.errors import UsageError

_LIMIT_BYTES = 1 << 28


def read_xml(file: Path) -> Element:
    """The root of an XML file. Raises UsageError where it is broken, too large or holds a DTD."""
    from defusedxml import DefusedXmlException
    from defusedxml.ElementTree import parse

    size = file.stat().st_size
    if size > _LIMIT_BYTES:
        raise UsageError(f"{file.name} has {size} bytes; at most {_LIMIT_BYTES} are read. Split it by day.")
    try:
        root: Element | None = parse(file, forbid_dtd=True).getroot()
    except DefusedXmlException as error:
        raise UsageError(
            f"{file.name} defines entities or a document type ({type(error).__name__}), which no file of "
            "positions needs and an attack does. Export it again from where it was made."
        ) from error
    except (ParseError, OSError, ValueError) as error:
        # the message holds line and column
        raise UsageError(
            f"{file.name} is broken XML: {error}. Export or copy it again from where it was made."
        ) from error
    if root is None:
        raise UsageError(f"{file.name} is empty. Export or copy it again from where it was made.")
    return root


def word(element: Element | None, path: str) -> str:
    """The text of the first element at `path` below another, in any namespace; empty where there is none."""
    if element is None:
        return ""
    found = element.find("/".join(f"{{*}}{part}" for part in path.split("/")))
    return "" if found is None or found.text is None else found.text.strip()
