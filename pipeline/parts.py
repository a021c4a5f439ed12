"""Parts of lines, given by distances along them."""

from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

from crackpipe.pipeline.plane import Floats, Geometries

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Parts:
    """Parts of lines. K parts in the order of line and position."""

    line: Ints
    """(K,) index of the line."""
    start: Floats
    """(K,) distance from the line's first vertex, in the plane."""
    stop: Floats
    """(K,)"""

    def take(self, index: NDArray[np.intp]) -> "Parts":
        """Some of the parts."""
        return Parts(self.line[index], self.start[index], self.stop[index])

    def at_cut(self, length: Floats) -> NDArray[np.bool_]:
        """Whether the start and the end of each part are cuts through its line, bool (K, 2).

        `length` is that of the whole lines (L,).
        """
        return np.column_stack([self.start > 0, self.stop < length[self.line]])


def cut(lines: Geometries, parts: Parts, length: Floats) -> Geometries:
    """The parts of lines as LineStrings (K,); `length` (L,) of the whole lines."""
    cuts = lines[parts.line].copy()
    for index in np.flatnonzero(parts.at_cut(length).any(axis=1)):
        cuts[index] = _substring(cuts[index], parts.start[index], parts.stop[index])
    return cuts


def _substring(line: shapely.LineString, start: float, stop: float) -> shapely.LineString:
    xy = shapely.get_coordinates(line)
    arc = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(xy, axis=0).T))])
    # an end that meets a vertex to rounding becomes that vertex
    close = 1e-9 * arc[-1]
    ends = np.column_stack([np.interp([start, stop], arc, xy[:, axis]) for axis in (0, 1)])
    if start <= close:
        ends[0] = xy[0]
    if stop >= arc[-1] - close:
        ends[1] = xy[-1]
    between = xy[(arc > start + close) & (arc < stop - close)]
    return shapely.LineString(np.concatenate([ends[:1], between, ends[1:]]))
