"""Read a world file: six lines of text that place an image.

It is as untrusted as the image: it is read up to a limit, and no message quotes it, because it may be a link
to a secret file.
"""

import math
import re
from pathlib import Path
from typing import NamedTuple

from affine import Affine

from crackpipe.pipeline.errors import ImageRejectedError
from crackpipe.pipeline.survey.sidecars.text import read_text

_LIMIT_BYTES = 4096
_NUMBER = re.compile(
    r"[+-]?(?:(?:\d+(?:\.(\d*))?|\.(\d+))(?:e([+-]?\d+))?|nan|inf)", re.ASCII | re.IGNORECASE
)


class WorldFile(NamedTuple):
    """What a world file says."""

    transform: Affine
    """World (x, y) of pixel corner (col, row)."""
    rounding: float
    """Half a last digit of the pixel's size, as a share of that size; for a size that is no round number."""


def read_world_file(path: Path) -> WorldFile:
    """Parse the six lines of a world file: A, D, B, E, C, F with (C, F) the CENTRE of the first pixel.

    Raises ImageRejectedError `world-file-unusable`.
    """
    try:
        words = _six_words(read_text(path, _LIMIT_BYTES, errors="replace"))
    except (OSError, ValueError):
        # a file that cannot be read and a file without numbers get the same message
        raise ImageRejectedError(
            "world-file-unusable",
            f"the world file {path.name} does not hold six numbers",
            "Write the world file again: six lines with x size, two rotation terms, y size, and x and y of "
            "the centre of the first pixel.",
        ) from None
    a, d, b, e, x_centre, y_centre = map(float, words)
    transform = Affine(a, b, x_centre - (a + b) / 2, d, e, y_centre - (d + e) / 2)
    return WorldFile(transform, max(_rounding(words[0], words[1]), _rounding(words[2], words[3])))


def _six_words(text: str) -> list[str]:
    """The six numbers as Python writes them. Raises ValueError.

    As GDAL, this takes the first word of each of the first six lines, with a decimal comma or point; what
    follows is left out. Six numbers may also stand on fewer lines.
    """
    lines = [line.split() for line in text.splitlines() if line.strip()]
    words = [line[0] for line in lines[:6]] if len(lines) >= 6 else [word for line in lines for word in line]
    if len(words) != 6:
        raise ValueError(f"{len(words)} numbers")
    commas, points = ("".join(words).count(mark) for mark in ",.")
    if commas and points:
        raise ValueError("commas and points")  # one of them would separate thousands
    words = [word.replace(",", ".") for word in words]
    if not all(map(_NUMBER.fullmatch, words)):
        raise ValueError("no numbers")
    return words


def _rounding(along_x: str, along_y: str) -> float:
    """Half a last digit of a step from pixel to pixel, given by its two components, as a share of the step.

    A zero is taken to be exact.
    """
    step = math.hypot(float(along_x), float(along_y))
    halves = [_half_digit(text) for text in (along_x, along_y) if float(text) != 0]
    return max(halves, default=0.0) / step if step else 0.0


def _half_digit(text: str) -> float:
    number = _NUMBER.fullmatch(text)
    if number is None or not math.isfinite(float(text)):
        return 0.0
    after_point, alone, exponent = number.groups()
    return 0.5 * 10.0 ** (int(exponent or 0) - len(after_point or alone or ""))
