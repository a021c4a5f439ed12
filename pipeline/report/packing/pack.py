"""Columns and lines as short texts: base64 of typed arrays, lines as differences of a few bytes each.

`page/unpack.js` is the other side. JSON of numbers would be four times as large and slower to read.
"""

import base64
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from crackpipe.pipeline.geometry.arrays import Floats, Geometries, Ints

STEP_M = 0.002
"""Coordinates are whole numbers of these."""
TOLERANCE_M = 0.003
"""Lines are simplified by at most this: the map shows them, the tables hold them whole."""

_TYPES = ("uint8", "uint16", "uint32", "int32")


def column(values: NDArray[Any], dtype: str) -> dict[str, str]:
    """Values (N,) as one of the integer types that JavaScript has. Raises ValueError if one does not fit."""
    whole = np.asarray(values)
    limits = np.iinfo(dtype)
    if dtype not in _TYPES or (whole.size and not limits.min <= whole.min() <= whole.max() <= limits.max):
        raise ValueError(f"values from {whole.min()} to {whole.max()} do not fit into {dtype}")
    return {"type": dtype, "data": _text(whole.astype(f"<{np.dtype(dtype).str[1:]}").tobytes())}


def hundredths(values: Floats) -> dict[str, str]:
    """Values (N,) in steps of 0.01, from 0 to 655.34; more counts as that, and NaN becomes 65535."""
    missing = np.isnan(values)
    scaled = np.clip(np.round(np.where(missing, 0.0, values) * 100), 0, 65534)
    return column(np.where(missing, 65535, scaled).astype(np.int64), "uint16")


def percent(values: Floats) -> dict[str, str]:
    """Shares (N,) of 0..1 in per cent; NaN becomes 255."""
    missing = np.isnan(values)
    scaled = np.round(np.where(missing, 0.0, values) * 100)
    return column(np.where(missing, 255, scaled).astype(np.int64), "uint8")


def lines(geometries: Geometries) -> dict[str, Any]:
    """LineStrings (N,) in metres: the number of vertices of each, and all vertices as differences.

    The first vertex of a line is told from the first of the line before, each other from the one before it.
    """
    coordinates, index = shapely.get_coordinates(shapely.simplify(geometries, TOLERANCE_M), return_index=True)
    counts = np.bincount(index, minlength=len(geometries))
    whole = np.round(coordinates / STEP_M).astype(np.int64)
    starts = np.cumsum(counts) - counts
    steps = np.diff(whole, axis=0, prepend=np.zeros((1, 2), np.int64))
    firsts = whole[starts]
    steps[starts] = np.diff(firsts, axis=0, prepend=np.zeros((1, 2), np.int64))
    return {
        "count": len(geometries),
        "vertices": column(counts, "uint32"),
        "steps": _text(varints(steps.ravel())),
        "step_m": STEP_M,
    }


def varints(values: Ints) -> bytes:
    """Signed whole numbers (N,) as bytes, the small ones short: zigzag, then seven bits a byte, low first."""
    zigzag = ((values << 1) ^ (values >> 63)).astype(np.uint64)
    sizes = np.ones(len(zigzag), np.int64)
    for bits in range(7, 64, 7):
        sizes += zigzag >= (np.uint64(1) << np.uint64(bits))
    ends = np.cumsum(sizes)
    out = np.zeros(int(ends[-1]) if len(ends) else 0, np.uint8)
    for part in range(int(sizes.max(initial=0))):
        has = sizes > part
        byte = (zigzag[has] >> np.uint64(7 * part)) & np.uint64(0x7F)
        more = sizes[has] > part + 1
        out[(ends - sizes)[has] + part] = byte.astype(np.uint8) | (more.astype(np.uint8) << 7)
    return out.tobytes()


def _text(content: bytes) -> str:
    return base64.b64encode(content).decode()
