"""The parts that an image is cut into for training: what was reviewed there, and its mask.

Frame: pixels are (row, col); geometries "in pixels" as in `labels`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import CRS

from crackpipe.pipeline.dataset import labels
from crackpipe.pipeline.dataset.reviewed import ReviewedArea, ReviewedLines
from crackpipe.pipeline.geometry.arrays import Geometries, Texts
from crackpipe.pipeline.geometry.crs import moved_to
from crackpipe.pipeline.geometry.grid import Window, bounding_window
from crackpipe.pipeline.image import SurveyImage

MASK_CRACK, MASK_NOT_INSPECTED = 255, 127
"""Grey values of mask files; 0 means sound. `crackpipe train` reads these values (docs/use/training.md)."""

_CONTEXT_PX = 224
"""Half a tile is kept around a reviewed area, so that training sees the area in its surroundings."""
# A reviewed line and a line that the run found are the same where they are at most this far apart.
_SAME_WITHIN_PX = 4.0
# Less than this of a line may have no counterpart. Two people draw the end of a line that differently.
_EDIT_FROM_PX = 15.0


@dataclass(frozen=True)
class FoundLines:
    """N lines that the run found, world (x, y)."""

    crs: CRS | None
    lines: Geometries
    """(N,) shapely LineString."""
    image_id: Texts
    """(N,) str."""


@dataclass(frozen=True)
class Part:
    """One piece of an image."""

    image: SurveyImage
    number: int
    """Running number in the image's grid of parts, row by row. It does not depend on what was reviewed."""
    window: Window
    cracked: bool
    """Whether a reviewed line lies in it."""
    edited: bool
    """Whether the reviewed lines in it differ from those of the run."""


@dataclass(frozen=True, kw_only=True)
class OnImage:
    """What is known about one image, in its pixels."""

    image: SurveyImage
    lines: Geometries
    """(N,) reviewed cracks that were drawn on this image or on no particular image."""
    strips: Geometries
    """(N,) the areas of these cracks."""
    doubtful: Geometries
    """Areas in which the crack of a line that was drawn on another image may lie."""
    found: Geometries
    """Lines that the run found on this image. A crack that two images saw is in one of them only."""
    area: shapely.Geometry | None
    """What was reviewed; None means everything."""


@dataclass(frozen=True, kw_only=True)
class Maps:
    """All lines of a survey, to be looked up image by image."""

    lines: ReviewedLines
    found: FoundLines
    area: ReviewedArea | None
    seam_mm: float
    """How far images lie off each other on the ground."""
    image_ids: frozenset[str]
    """Images of the run. A line that names no image, or one of another run, is on no particular image."""
    _moved: dict[tuple[str, str], tuple[Geometries, shapely.STRtree]] = field(default_factory=dict)

    def on(self, image: SurveyImage) -> OnImage:
        """Everything in pixels of one image."""
        ground = image.ground_matrix
        near, pixels = self._near("reviewed", self.lines.lines, self.lines.crs, image)
        ids, width_mm = self.lines.image_id[near], self.lines.width_mm[near]
        other = np.array([each in self.image_ids and each != image.image_id for each in ids], bool)
        of_run, found = self._near("found", self.found.lines, self.found.crs, image)
        return OnImage(
            image=image,
            lines=pixels[~other],
            strips=labels.strips(pixels[~other], width_mm[~other], ground),
            doubtful=labels.strips(pixels[other], width_mm[other] + 2 * self.seam_mm, ground),
            found=found[self.found.image_id[of_run] == image.image_id],
            area=self._area_on(image),
        )

    def _area_on(self, image: SurveyImage) -> shapely.Geometry | None:
        """What the run inspected and somebody then reviewed, in pixels; None means all."""
        area = None
        if image.region is not None:  # the region counts from pixel corners, the area from pixel centres
            area = shapely.transform(shapely.from_wkb(image.region), lambda xy: xy - 0.5)
        if self.area is not None:
            _, polygons = self._near("area", self.area.polygons, self.area.crs, image)
            reviewed = shapely.union_all(polygons)
            area = reviewed if area is None else shapely.intersection(area, reviewed)
        return area

    def _near(
        self, kind: str, geometries: Geometries, source: CRS | None, image: SurveyImage
    ) -> tuple[NDArray[np.intp], Geometries]:
        """Indices of the geometries that touch an image, ascending, and these geometries in its pixels.

        `geometries` are in CRS `source`. They are moved once to each CRS of the survey and kept under the
        name `kind`.
        """
        if source is None:
            return np.zeros(0, np.intp), np.zeros(0, object)
        if (kind, image.crs_wkt) not in self._moved:
            moved = moved_to(CRS.from_wkt(image.crs_wkt), geometries, source)
            # A geometry outside the domain of the image's CRS does not lie on the image.
            finite = np.isfinite(shapely.bounds(moved)).all(axis=1)
            moved = np.where(finite, moved, shapely.LineString())
            self._moved[kind, image.crs_wkt] = moved, shapely.STRtree(moved)
        moved, tree = self._moved[kind, image.crs_wkt]
        near = np.sort(tree.query(shapely.Polygon(image.footprint), predicate="intersects"))
        return near, labels.in_pixels(moved[near], image.transform)


def cut(here: OnImage, part_px: int) -> list[Part]:
    """The parts of an image in which anything was reviewed."""
    parts = []
    for number, whole in enumerate(grid_of_parts(here.image.height_px, here.image.width_px, part_px)):
        seen = labels.box_of(whole)
        if here.area is not None:
            seen = shapely.intersection(seen, here.area)
        if seen.area == 0:
            continue
        window = whole if here.area is None else _with_context(seen, here.image)
        own, found = (lines[shapely.intersects(lines, seen)] for lines in (here.lines, here.found))
        parts.append(Part(here.image, number, window, len(own) > 0, differ(own, found, seen)))
    return parts


def grid_of_parts(height_px: int, width_px: int, part_px: int) -> list[Window]:
    """Parts of nearly equal size, about `part_px` on each side, that partition an image; row by row.

    They are nearly equal because a last part of only a few rows would have to be mirrored many times to fill
    a tile.
    """
    edges = [
        np.linspace(0, size, max(1, round(size / part_px)) + 1).round().astype(int).tolist()
        for size in (height_px, width_px)
    ]
    return [
        Window(top, left, bottom - top, right - left)
        for top, bottom in zip(edges[0], edges[0][1:], strict=False)
        for left, right in zip(edges[1], edges[1][1:], strict=False)
    ]


def _with_context(seen: shapely.Geometry, image: SurveyImage) -> Window:
    left, top, right, bottom = seen.bounds
    around = bounding_window([[top, left], [bottom, right]]).padded(_CONTEXT_PX)
    return around.clipped(image.height_px, image.width_px)


def differ(reviewed: Geometries, found: Geometries, seen: shapely.Geometry) -> bool:
    """Whether lines were added, moved or removed within `seen`. All geometries are in pixels."""
    ours, theirs = (shapely.intersection(shapely.union_all(lines), seen) for lines in (reviewed, found))
    added = ours.difference(theirs.buffer(_SAME_WITHIN_PX)).length
    removed = theirs.difference(ours.buffer(_SAME_WITHIN_PX)).length
    return bool(added >= _EDIT_FROM_PX or removed >= _EDIT_FROM_PX)


def mask_of(part: Part, here: OnImage, valid: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Mask (h, w) of a part: 0, `MASK_CRACK` or `MASK_NOT_INSPECTED`.

    `valid` is bool (h, w): where the image has data.
    """
    mask = np.zeros(valid.shape, np.uint8)
    # Cracks are painted last, because a known crack counts more than one that may lie there.
    mask[labels.paint(_near_by(here.doubtful, part.window), part.window)] = MASK_NOT_INSPECTED
    mask[labels.paint(_near_by(here.strips, part.window), part.window)] = MASK_CRACK
    if here.area is not None:
        mask[~labels.paint([here.area], part.window)] = MASK_NOT_INSPECTED
    mask[~valid] = MASK_NOT_INSPECTED
    return mask


def _near_by(areas: Geometries, window: Window) -> Sequence[shapely.Geometry]:
    return list(areas[shapely.intersects(areas, labels.box_of(window))])
