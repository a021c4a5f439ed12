"""Text that came from outside, made safe to show on a terminal, and in a cell of a spreadsheet.

File names, GDAL's messages and CRS names may hold escape sequences that clear the screen or rename the
window, line breaks that fake a line of the log, and marks that turn the reading direction.
"""

import re

FORMULA = r"^'*[=+\-@\t\r]"
"""How a text begins that a spreadsheet runs: https://owasp.org/www-community/attacks/CSV_Injection. One
with an apostrophe before it gets another, so that each text can be had back."""


def shown(text: str) -> str:
    """The text on one line, with everything that is no printable character as its Python escape.

    `isprintable` is false for control, format and private characters, for all spaces but U+0020, and for
    bytes of file names that are not UTF-8.
    """
    if text.isprintable():
        return text
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in text
    )


def harmless(text: str) -> str:
    """The text, with an apostrophe before it if a spreadsheet would run it as a formula."""
    return f"'{text}" if re.match(FORMULA, text) else text


def from_cell(cell: str) -> str:
    """The text that `harmless` made a cell of."""
    return cell[1:] if re.match(FORMULA, cell) and cell.startswith("'") else cell
