"""The figures that profiles name.

A measure is (N, L), or (N, L, Z) by zone, or (N, L, Z, T) by zone and type. N sections, L lanes, Z zones,
T types. Shares are of what was inspected. NaN where nothing was.
"""

from collections.abc import Callable, Sequence

import numpy as np

from crackpipe.pipeline.geometry.arrays import Floats
from crackpipe.pipeline.sections.cells import Layout
from crackpipe.pipeline.sections.figures import Figures
from crackpipe.pipeline.sections.locate import CLASSES, TYPES
from crackpipe.pipeline.sections.options import ZONES

_WHEEL_PATHS = [ZONES.index("wheel_path_left"), ZONES.index("wheel_path_right")]
_ACROSS = TYPES.index("transverse")
_COUNTED = [CLASSES.index("small"), CLASSES.index("wide")]
"""Classes that R 86 calls cracks: at least 1 mm wide."""


def measure(name: str, figures: Figures, layout: Layout, limits: Sequence[float] = ()) -> Floats:
    """The measure of this name. Raises KeyError if there is none."""
    if name == "transverse_spanning":
        width = layout.lanes.width_m
        # A span of exactly the upper limit belongs to the class below it.
        low, high = np.nextafter([limits[0] * width, limits[1] * width], np.inf)
        return np.asarray(figures.transverse.count(layout, least_m=low, below_m=high), np.float64)
    return _MEASURES[name](figures)


def _cells_percent(figures: Figures) -> Floats:
    coverage = np.minimum(figures.seen_m2 / figures.area_m2.sum(axis=2), 1.0)
    return _percent(figures.cells_touched, figures.cells[:, None] * coverage)


def _extent(figures: Figures) -> Floats:
    return np.asarray(figures.length_m[..., _COUNTED].sum(axis=4))


def _transverse_width(figures: Figures) -> Floats:
    length = _extent(figures)[..., _ACROSS].sum(axis=2)
    return _ratio(figures.counted_m_mm[..., _ACROSS].sum(axis=2), length)


def _touched(area_m2: Floats, figures: Figures) -> Floats:
    return _percent(area_m2.sum(axis=2), figures.seen_m2)


def _percent(part: np.ndarray, whole: Floats) -> Floats:
    """At most 100: what was touched is counted by whole metres, what was inspected is not."""
    return np.minimum(100.0 * _ratio(part, whole), 100.0)


def _ratio(part: np.ndarray, whole: Floats) -> Floats:
    return np.asarray(np.divide(part, whole, out=np.full(whole.shape, np.nan), where=whole > 0))


_MEASURES: dict[str, Callable[[Figures], Floats]] = {
    "cells_percent": _cells_percent,
    "grid_percent": lambda figures: _percent(figures.grid_m2, figures.seen_m2),
    "touched_percent": lambda figures: _touched(figures.zone_touched_m2, figures),
    "touched_without_tiny_percent": lambda figures: _touched(figures.zone_touched_without_tiny_m2, figures),
    "touched_along_percent": lambda figures: _touched(figures.zone_touched_along_m2, figures),
    "wheel_path_percent": lambda figures: _touched(figures.zone_touched_m2[:, :, _WHEEL_PATHS], figures),
    "narrow": lambda figures: figures.measured_m - figures.over_3mm_m,
    "wide": lambda figures: figures.over_3mm_m,
    "alligator_by_zone": lambda figures: figures.alligator_m,
    "multiple_by_zone": lambda figures: figures.multiple_m,
    "extent_by_zone_and_type": _extent,
    "width_by_zone_and_type": lambda figures: _ratio(figures.counted_m_mm, _extent(figures)),
    "transverse_extent": lambda figures: np.asarray(_extent(figures)[..., _ACROSS].sum(axis=2)),
    "transverse_width": _transverse_width,
}
