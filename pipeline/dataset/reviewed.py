"""What an analyst corrected: crack lines with widths, and the area that was looked at.

Frame: geometries are world (x, y) in the file's own CRS.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import CRS

from crackpipe.pipeline.errors import UsageError
from crackpipe.pipeline.geometry.arrays import Geometries, Texts
from crackpipe.pipeline.geometry.vectors import are_lines, are_polygons, read_vectors

if TYPE_CHECKING:
    import geopandas

_CRACK = "crack"


@dataclass(frozen=True, kw_only=True)
class ReviewedLines:
    """N crack lines as they are on the road."""

    crs: CRS
    lines: Geometries
    """(N,) shapely LineString, world (x, y)."""
    width_mm: NDArray[np.float64]
    """(N,) width on the road."""
    image_id: Texts
    """(N,) the image that a line was drawn on, str; None if the file does not say."""
    without_width: int
    """How many lines had no width and got the default."""
    other_classes: dict[str, int]
    """Number of lines of each `class` other than `crack`.

    They are left out, so their ground counts as sound.
    """


@dataclass(frozen=True)
class ReviewedArea:
    """Where somebody looked."""

    crs: CRS
    polygons: Geometries
    """(M,) shapely Polygon or MultiPolygon, world (x, y)."""


def read_lines(file: Path, *, default_width_mm: float, layer: str | None = None) -> ReviewedLines:
    """Lines of a file, with `width_mm`, `image_id` and `class` if it has those columns.

    A row without a width gets `default_width_mm`. Raises UsageError if the file cannot be read, has no CRS,
    holds geometries that are no lines, or holds a width that is no number above 0.
    """
    drawn = read_vectors(file, layer=layer, layer_option="--layer", with_columns=True)
    table, geometry = drawn.table, drawn.geometry
    lines = are_lines(geometry)
    if not lines.all():
        raise UsageError(
            f"{file}: {int((~lines).sum())} of {len(lines)} rows are no lines (first: "
            f"{geometry[~lines][0].geom_type}). Keep cracks as lines; areas that were looked at go to --area."
        )
    classes = table["class"].to_numpy(object) if "class" in table else np.full(len(table), None)
    others = np.array([isinstance(each, str) and each != _CRACK for each in classes], dtype=bool)
    widths = _widths(table, file)
    missing = np.isnan(widths)
    image_ids = table["image_id"].to_numpy(object) if "image_id" in table else np.full(len(table), None)
    parts, row = shapely.get_parts(geometry[~others], return_index=True)
    return ReviewedLines(
        crs=drawn.crs,
        lines=parts,
        width_mm=np.where(missing, default_width_mm, widths)[~others][row],
        image_id=np.array([each if isinstance(each, str) else None for each in image_ids], object)[~others][
            row
        ],
        without_width=int((missing & ~others).sum()),
        other_classes=dict(sorted(Counter(classes[others]).items())),
    )


def notices(lines: ReviewedLines, default_width_mm: float) -> Iterator[str]:
    """What a person must be told about lines that count otherwise than they may think."""
    if lines.without_width:
        yield f"{lines.without_width} lines have no width_mm and count as {default_width_mm:g} mm wide"
    for name, count in lines.other_classes.items():
        yield f"{count} lines of class {name} are no cracks: their pixels count as sound"


def read_area(file: Path) -> ReviewedArea:
    """Polygons of a file. Raises UsageError if it cannot be read, has no CRS or holds no polygon."""
    drawn = read_vectors(file)
    polygons = are_polygons(drawn.geometry)
    if not polygons.any() or not polygons.all():
        raise UsageError(
            f"{file}: {int((~polygons).sum())} of {len(polygons)} rows are no polygons. --area wants "
            "polygons around what was reviewed, at least one."
        )
    return ReviewedArea(drawn.crs, shapely.make_valid(drawn.geometry))


def _widths(table: "geopandas.GeoDataFrame", file: Path) -> NDArray[np.float64]:
    """`width_mm` (N,), NaN for a row without one."""
    if "width_mm" not in table:
        return np.full(len(table), np.nan)
    try:
        widths: NDArray[np.float64] = table["width_mm"].to_numpy(np.float64, na_value=np.nan)
    except (TypeError, ValueError) as error:
        raise UsageError(f"{file}: width_mm holds what is no number: {error}. Give millimetres.") from error
    wrong = ~np.isnan(widths) & ~((widths > 0) & np.isfinite(widths))
    if wrong.any():
        raise UsageError(
            f"{file}: width_mm is {widths[wrong][0]:g} in {int(wrong.sum())} rows, but must be above 0. "
            "Leave it empty where the width is not known."
        )
    return widths
