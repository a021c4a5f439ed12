"""What a weights file knows of the features of its training pictures, and how familiar others are by that.

Legend: F features of a tile (`predict.encoder`), K of their combinations, C centres.

The K combinations are chosen so that over known pictures of one set each varies by about 1. A centre is where
pictures of one set lie. The *distance* of a tile is the root mean square over the K combinations of what it
is off the nearest centre: 0 would be a centre itself, 1 is as usual.
"""

import base64
import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crackpipe.model.weights.metadata import WeightsError
from crackpipe.model.weights.sureness import Span, halving

Floats = NDArray[np.float32]

_KEYS = ("sets", "projection", "centres", "usual", "strange")


@dataclass(frozen=True, kw_only=True)
class Statistics:
    """Statistics of known pictures."""

    sets: tuple[str, ...]
    """The set of each centre, C names."""
    projection: Floats = field(repr=False)
    """(F, K)."""
    centres: Floats = field(repr=False)
    """(C, K)."""
    usual: float
    """Median distance of known pictures."""
    strange: float
    """The distance that few known pictures exceed."""
    sureness: Span | None = None
    """Of known pictures (`weights.sureness`); None: not stated, and familiarity is by features alone."""

    def distance(self, features: Floats) -> float:
        """How far a tile with these features (F,) is off what is known."""
        off = self.centres - features @ self.projection
        return math.sqrt(float(np.mean(off * off, axis=1, dtype=np.float64).min()))

    def familiarity(self, distance: float) -> float:
        """A distance as a number in 0..1: 1 up to the usual one, 0.5 at the strange one."""
        return halving(distance, self.usual, self.strange)

    def as_entry(self) -> dict[str, Any]:
        """The entry of the metadata, plain JSON."""
        return {
            "sets": list(self.sets),
            "projection": _as_text(self.projection),
            "centres": _as_text(self.centres),
            "usual": self.usual,
            "strange": self.strange,
            **({} if self.sureness is None else {"sureness": list(self.sureness)}),
        }


def digest_of(entry: Mapping[str, Any]) -> str:
    """Short name of an entry of the metadata: of equal statistics the same."""
    return hashlib.sha256(json.dumps(entry, sort_keys=True).encode()).hexdigest()[:16]


def from_entry(path: Path, entry: Mapping[str, Any]) -> Statistics:
    """The statistics in the metadata of the file `path`. Raises WeightsError if they make no sense."""
    try:
        sets, projection, centres, usual, strange = (entry[key] for key in _KEYS)
        found = Statistics(
            sets=tuple(str(name) for name in sets),
            projection=_from_text(projection),
            centres=_from_text(centres),
            usual=float(usual),
            strange=float(strange),
            sureness=_span(entry.get("sureness")),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise _useless(path, f"{type(error).__name__}: {error}") from error
    if found.projection.shape[1] != found.centres.shape[1] or len(found.sets) != len(found.centres):
        shapes = f"{found.projection.shape}, {found.centres.shape} and {len(found.sets)} sets"
        raise _useless(path, f"projection and centres do not fit each other: {shapes}")
    values = [found.projection, found.centres]
    if not all(np.isfinite(each).all() for each in values) or not 0 < found.usual < found.strange < math.inf:
        raise _useless(path, f"a number is not finite, or not 0 < usual {usual} < strange {strange}")
    return found


def _span(entry: Any) -> Span | None:
    """Raises TypeError or ValueError if it is no span."""
    if entry is None:
        return None
    usual, strange = (float(value) for value in entry)
    if not 0 < strange < usual <= 1:
        raise ValueError(f"not 0 < strange {strange} < usual {usual} <= 1 of the sureness")
    return usual, strange


def _useless(path: Path, why: str) -> WeightsError:
    return WeightsError(
        f"{path}: its statistics of familiarity cannot be used ({why}); make them anew with "
        "`crackpipe weights familiarity`"
    )


def _as_text(array: Floats) -> dict[str, Any]:
    content = np.ascontiguousarray(array, "<f4").tobytes()
    return {"shape": list(array.shape), "float32": base64.b64encode(content).decode()}


def _from_text(entry: Mapping[str, Any]) -> Floats:
    """Raises KeyError, TypeError or ValueError if it holds no matrix."""
    rows, columns = entry["shape"]
    if not 0 < rows * columns <= 1 << 20:
        raise ValueError(f"a matrix of {rows} x {columns}")
    return np.frombuffer(base64.b64decode(entry["float32"]), "<f4").reshape(rows, columns).astype(np.float32)
