"""Files of photographs and masks become arrays; what cannot be read is named."""

import struct
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_DEEP = ("I", "F")
"""How modes of Pillow begin that hold more than 8 bits."""

_CUT = ";16"
"""Stands in how a file is packed if its channels have 16 bits."""

_STEP_OF_16_BITS = 257
"""65535 / 255."""

_SAVE_AS_MASK = (
    "save it with 8 bits and one channel (sound 0, crack 255, not inspected 127; with classes.txt, the "
    "numbers of classes)"
)

_DAMAGED = (OSError, SyntaxError, ValueError, EOFError, struct.error, Image.DecompressionBombError)
"""What Pillow raises for damaged files, and for such as claim an enormous size."""


def open_rgb(path: Path) -> NDArray[np.uint8]:
    """The pixels of a photograph, (H, W, 3).

    Raises ValueError for a file that is damaged, too large or has more than 8 bits per channel.
    """
    pixels, is_deep = _open(path, "RGB")
    if is_deep:
        raise ValueError(f"{path} has more than 8 bits per channel: save it with 8 bits per channel")
    return pixels


def open_mask(path: Path) -> NDArray[np.uint8]:
    """The values of a mask, (H, W).

    A mask with one channel of more than 8 bits is read if its values say how: all are 0 to 255, or all are
    multiples of 257, by which programs make 16 bits of 8. Raises ValueError for other values, for more
    channels of more than 8 bits, and for a file that is damaged or too large.
    """
    pixels, is_deep = _open(path, "L")
    return _of_8_bits(pixels, path) if is_deep else pixels


def _open(path: Path, mode: str) -> tuple[NDArray[Any], bool]:
    """The pixels in `mode`, uint8, and whether the file has more than 8 bits per channel.

    One channel of more bits stays as it is stored: `convert` would clip it, 300 of 65535 to white.
    """
    try:
        with Image.open(path) as image:
            is_deep = image.mode.startswith(_DEEP)
            # of several channels Pillow keeps the upper 8 bits, and only how the file is packed tells
            is_cut = not is_deep and any(_CUT in str(part.args) for part in image.tile)
            pixels = np.asarray(image if is_deep else image.convert(mode))
    except _DAMAGED as error:
        raise ValueError(
            f"{path} cannot be read as an image ({error}): make the file anew, or take image and mask out of "
            "the set"
        ) from error
    if is_cut and mode == "L":
        raise ValueError(
            f"{path} has several channels of 16 bits, of which the lower 8 are lost: {_SAVE_AS_MASK}"
        )
    return pixels, is_deep or is_cut


def _of_8_bits(pixels: NDArray[Any], path: Path) -> NDArray[np.uint8]:
    """The 8 bits, (H, W), that were saved as more. Raises ValueError if it is not plain which they were."""
    values = np.unique(pixels)
    for step in (1, _STEP_OF_16_BITS):
        strange = values[~np.isin(values, np.arange(256) * step)]
        if len(strange) == 0:
            return np.asarray(pixels // step, np.uint8)
    raise ValueError(
        f"{path} has more than 8 bits, with values up to {values[-1]}, and {strange[0]} is no multiple of "
        f"{_STEP_OF_16_BITS}, as masks of 16 bits have (0, 32639, 65535): {_SAVE_AS_MASK}"
    )


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
