"""Text that came from outside, made safe to show on a terminal.

File names, GDAL's messages and CRS names may hold escape sequences that clear the screen or rename the
window, line breaks that fake a line of the log, and marks that turn the reading direction.
"""


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
