"""Files of photographs and masks become arrays; what cannot be read is named."""

import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_DEEP = ("I", "F")
"""How modes of Pillow begin that hold more than 8 bits. `convert` would clip them: 16 bits become white."""

_DAMAGED = (OSError, SyntaxError, ValueError, EOFError, struct.error, Image.DecompressionBombError)
"""What Pillow raises for damaged files, and for such as claim an enormous size."""


def open_rgb(path: Path) -> NDArray[np.uint8]:
    """The pixels of a photograph, (H, W, 3).

    Raises ValueError for a file that is damaged, too large or has more than 8 bits per channel.
    """
    return _open(path, "RGB")


def open_mask(path: Path) -> NDArray[np.uint8]:
    """The values of a mask, (H, W). Raises ValueError for a file that is damaged or too large."""
    return _open(path, "L")


def _open(path: Path, mode: str) -> NDArray[np.uint8]:
    try:
        with Image.open(path) as image:
            stored = image.mode
            pixels = np.asarray(image.convert(mode))
    except _DAMAGED as error:
        raise ValueError(
            f"{path} cannot be read as an image ({error}): make the file anew, or take image and mask out of "
            "the set"
        ) from error
    if mode == "RGB" and stored.startswith(_DEEP):
        raise ValueError(
            f"{path} has more than 8 bits per channel (mode {stored}): save it with 8 bits per channel"
        )
    return pixels


def check_grey(mask: NDArray[np.uint8], path: Path, not_labelled: int) -> None:
    """Raise ValueError if the values of a mask of crack or not, (H, W), are numbers of classes: 0 and 1.

    Crack is 128 and more, so all of it would be sound. A mask that has only the soft edge of a crack passes:
    that has several greys, which do not count from 1.
    """
    values = np.unique(mask)
    values = values[(values != 0) & (values != not_labelled)]
    if len(values) == 0 or values[-1] >= 128:
        return
    if len(values) == 1 or values[-1] == len(values):
        raise ValueError(
            f"{path} has the value {values[-1]}, but none from 128 up, where crack begins: multiply masks of "
            "0 and 1 by 255"
        )
