"""Parts of lines, given by distances along them."""

from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

from crackpipe.pipeline.geometry.arrays import Floats, Geometries, Ints
from crackpipe.pipeline.geometry.polyline import cut_line


@dataclass(frozen=True)
class Parts:
    """K parts of lines, in the order of line and position."""

    line: Ints
    """(K,) index of the line."""
    start: Floats
    """(K,) distance from the line's first vertex, in the plane."""
    stop: Floats
    """(K,) distance of its end from the line's first vertex, in the plane."""

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
        points = shapely.get_coordinates(cuts[index])
        cuts[index] = shapely.LineString(cut_line(points, parts.start[index], parts.stop[index]))
    return cuts
