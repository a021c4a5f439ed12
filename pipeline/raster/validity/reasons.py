"""Why a pixel is not inspected, and what a person is told about it.

A reason is the value of a pixel in a uint8 array; 0 means that the pixel is to be inspected.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

INSPECTED = 0
DECLARED = 1
NEVER_WRITTEN = 2
OUTSIDE_REGION = 3
COLLAR = 4
ZERO_TAIL = 5
TOO_COARSE = 6
NO_NUMBER = 7

NEAR = 255
"""Not decided yet: so near to the value that means no data that lossy compression may have moved it there.
No pixel that is handed out of the room has it."""

SPOILT_GREY = 32
"""Lossy compression leaves values around a uniform part that differ from it by this many grey values."""

_NAMES = {
    DECLARED: "declared",
    NEVER_WRITTEN: "never-written",
    OUTSIDE_REGION: "outside-region",
    COLLAR: "collar",
    ZERO_TAIL: "zero-tail",
    TOO_COARSE: "too-coarse",
    NO_NUMBER: "no-number",
}

# By name: the words of the message, and the remedy where there is one.
_WORDS: dict[str, tuple[str, str | None]] = {
    "declared": ("declared as no data", None),
    "never-written": ("blocks that were never written", "Write the file again."),
    "collar": (
        "a black or white collar that nothing declares as no data",
        "Warp the original again with the option -dstalpha of gdalwarp; if it is pavement, run with "
        "--collar keep.",
    ),
    "zero-tail": ("zeros up to the end of the file", "Copy the file again from where it was made."),
    "too-coarse": ("not seen finely enough by the camera, or not at all", None),
    "no-number": (
        "where the network answered with no number",
        "Run with --precision fp32; if it says the same, take other weights with --weights.",
    ),
    "outside-region": ("outside the region", None),
}


def pixels_by_reason(reasons: NDArray[np.uint8]) -> dict[str, int]:
    """How many pixels of uint8 (h, w) are not inspected, by the name of the reason; empty where all are."""
    if not reasons.any():
        return {}
    # One comparison for each reason: `np.bincount` would first make 8 bytes of each pixel.
    counts = {name: int(np.count_nonzero(reasons == value)) for value, name in _NAMES.items()}
    return {name: count for name, count in counts.items() if count}


def told(
    blocks: Iterable[Mapping[str, int]], total_px: int, said: Sequence[str] = ()
) -> tuple[str | None, str | None]:
    """Message and remedy for an image of `total_px` pixels, by the `pixels_by_reason` of its blocks.

    The message begins with what else is `said` of it. Both are None where there is nothing to say.
    """
    pixels: Counter[str] = Counter()
    for each in blocks:
        pixels.update(each)
    some = {name: pixels[name] for name in _WORDS if pixels[name]}
    if not some:
        return "; ".join(said) or None, None
    parts = [
        _WORDS[name][0] + (f" ({_percent(count, total_px)})" if len(some) > 1 else "")
        for name, count in some.items()
    ]
    remedies = [remedy for name in some if (remedy := _WORDS[name][1]) is not None]
    missing = _percent(sum(some.values()), total_px)
    sentences = [*said, f"{missing} of its pixels are not inspected: {', '.join(parts)}"]
    return "; ".join(sentences), " ".join(remedies) or None


def _percent(count: int, total: int) -> str:
    return f"{100 * count / total:.3g} %"
