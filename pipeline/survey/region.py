"""`--region`: limit a survey to polygons on the ground, given in any CRS.

Strategy. The driver process reads the file once. For each image it cuts the polygons to the footprint and
moves them into the pixel frame; this small geometry travels with the image. An image that lies wholly inside
carries no geometry, so its result is the same as without a region. Pixels outside stay 255, not inspected.
The network still sees them as context, so the mask inside does not depend on the region.

A pixel is inside if its centre is. The border is drawn core by core. Cores do not depend on how the work is
cut, so the border does not either.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import shapely
from affine import Affine
from numpy.typing import NDArray
from pyproj import CRS
from pyproj.exceptions import ProjError
from rasterio import features

from crackpipe.pipeline.errors import ConfigurationError, UsageError
from crackpipe.pipeline.geometry.arrays import Floats
from crackpipe.pipeline.geometry.crs import transformer_between
from crackpipe.pipeline.geometry.grid import Window
from crackpipe.pipeline.geometry.vectors import are_polygons, read_vectors
from crackpipe.pipeline.image import SurveyImage

# A whole road network may be one polygon of a million corners. Cut in pieces, each image meets only a few.
_PIECE_CORNERS = 256
# A straight side in the region's CRS is a curve in the image's CRS, so sides are cut in parts. A part of a
# sixteenth of the diagonal of a 100 m image bends by less than a hundredth of a millimetre.
_STEPS = 16
# Corners are rounded, so that small differences between releases of PROJ do not show. A border is never
# meant as exactly as this.
_DECIMALS_PX = 2


@dataclass(frozen=True)
class Region:
    """The ground to inspect."""

    path: Path
    crs: CRS
    pieces: NDArray[np.object_]
    """Polygons with a few hundred corners each, (x, y) in `crs`; together they are the region."""

    @cached_property
    def crs_wkt(self) -> str:
        """WKT of `crs`, written once because that is slow."""
        return self.crs.to_wkt()


def read_region(path: Path) -> Region:
    """Read the polygons of a file with one layer (`vectors.read_vectors`).

    Raises ConfigurationError where the file cannot be read, holds several layers or no polygon, or names no
    CRS.
    """
    try:
        drawn = read_vectors(path)
    except UsageError as error:
        # not a UsageError: the option may stand in crackpipe.toml
        raise ConfigurationError(f"region {error}") from error
    return Region(path, drawn.crs, _pieces(path, drawn.geometry))


def _pieces(path: Path, geometries: NDArray[np.object_]) -> NDArray[np.object_]:
    parts = shapely.get_parts(geometries)
    areal = are_polygons(parts)
    if not areal.any():
        kinds = ", ".join(sorted({each.geom_type for each in parts})) or "nothing"
        raise ConfigurationError(
            f"region {path} holds no polygon, but {kinds} ({len(parts)} in all). "
            f"Buffer lines by half the width of the road (QGIS: Vector > Geoprocessing > Buffer)."
        )
    sound = _polygons(shapely.make_valid(parts[areal]))
    return np.array([piece for polygon in sound for piece in _subdivided(polygon)], dtype=object)


def _polygons(geometries: NDArray[np.object_]) -> NDArray[np.object_]:
    """Take the polygons that have an area out of geometries and collections."""
    parts = shapely.get_parts(shapely.get_parts(geometries))
    return np.asarray(parts[shapely.area(parts) > 0])


def _subdivided(polygon: shapely.Polygon) -> Iterator[shapely.Polygon]:
    """Halve a polygon across its longer side until each piece has at most `_PIECE_CORNERS` corners."""
    if shapely.get_num_coordinates(polygon) <= _PIECE_CORNERS:
        yield polygon
        return
    x0, y0, x1, y1 = polygon.bounds
    x, y = (x0 + x1) / 2, (y0 + y1) / 2
    halves = (
        [shapely.box(x0, y0, x, y1), shapely.box(x, y0, x1, y1)]
        if x1 - x0 > y1 - y0
        else [shapely.box(x0, y0, x1, y), shapely.box(x0, y, x1, y1)]
    )
    for half in _polygons(shapely.intersection(polygon, np.array(halves, dtype=object))):
        yield from _subdivided(half)


# ---- the driver: each image gets its part


def limit(images: Sequence[SurveyImage], region: Region) -> tuple[SurveyImage, ...]:
    """The images, each with the part of the region in its pixels (`SurveyImage.region`).

    Raises ConfigurationError where the region meets none of them, or its CRS has no way to theirs.
    """
    tree = shapely.STRtree(region.pieces)
    try:
        limited = tuple(replace(image, region=_part_of(image, region, tree)) for image in images)
    except ProjError as error:
        raise ConfigurationError(
            f"region {region.path}: {error}. Save it in the CRS of the images, or in EPSG:4326."
        ) from error
    if limited and all(is_outside(image) for image in limited):
        raise ConfigurationError(_nowhere(limited, region))
    return limited


def _part_of(image: SurveyImage, region: Region, tree: shapely.STRtree) -> bytes | None:
    """WKB of the region in pixel corners (x along columns, y along rows); None where all is inside."""
    frame = shapely.box(0, 0, image.width_px, image.height_px)
    around = _seen_from(region, frame, image)
    if around is None:
        return bytes(shapely.to_wkb(shapely.Polygon()))
    near = region.pieces[tree.query(around, predicate="intersects")]
    # Cut first, then move: far from the image, the transformation may be undefined.
    cut = shapely.union_all(shapely.intersection(near, around))
    step = shapely.minimum_bounding_radius(around) / (_STEPS / 2)
    moved = shapely.transform(
        shapely.segmentize(cut, step), lambda xy: np.round(_pixels(xy, image, region), _DECIMALS_PX)
    )
    inside = shapely.intersection(shapely.make_valid(moved), frame)
    if shapely.area(shapely.difference(frame, inside)) == 0:
        return None
    part = shapely.normalize(shapely.multipolygons(_polygons(np.array([inside], dtype=object))))
    return bytes(shapely.to_wkb(part))


def _seen_from(region: Region, frame: shapely.Polygon, image: SurveyImage) -> shapely.Polygon | None:
    """A rectangle around the image in the region's CRS, with a margin; None outside the area of that CRS."""
    side_px = max(image.width_px, image.height_px)
    col, row = shapely.get_coordinates(shapely.segmentize(frame, side_px / _STEPS)).T
    world = _moved(np.array(image.transform @ (col, row)), image, region)
    if not np.isfinite(world).all():
        return None
    low, high = world.min(axis=1), world.max(axis=1)
    margin = 0.01 * (high - low).max()
    return shapely.box(*(low - margin), *(high + margin))


def _pixels(xy: Floats, image: SurveyImage, region: Region) -> Floats:
    """Points (N, 2) (x, y) in the region's CRS as (column, row) of pixel corners."""
    x, y = _moved(xy.T, image, region, back=True)
    return np.column_stack(~image.transform @ (x, y))


def _moved(world: Floats, image: SurveyImage, region: Region, *, back: bool = False) -> Floats:
    """World coordinates (2, N), x and y, from the image's CRS into the region's, or back."""
    transformer = transformer_between(image.crs_wkt, region.crs_wkt)
    if transformer is None:
        return world
    x, y = world
    return np.array(transformer.transform(x, y, direction="INVERSE" if back else "FORWARD"))


def _nowhere(images: Sequence[SurveyImage], region: Region) -> str:
    image = images[0]
    corners = _moved(image.footprint.T, image, region)
    west, south, east, north = shapely.total_bounds(region.pieces)
    return (
        f"region {region.path} meets none of the {len(images)} images: it spans "
        f"x {west:.10g} to {east:.10g}, y {south:.10g} to {north:.10g} ({region.crs.name}), "
        f"and {image.image_id} lies at x {corners[0].mean():.10g}, y {corners[1].mean():.10g} there. "
        f"Give the region of this survey, or correct its CRS (ogr2ogr -a_srs)."
    )


# ---- questions of other rooms


def is_outside(image: SurveyImage) -> bool:
    """True where nothing of the image is to be inspected."""
    return image.region is not None and bool(shapely.is_empty(shapely.from_wkb(image.region)))


def digest(image: SurveyImage) -> str | None:
    """Short hash of the image's part of the region; None where all of the image is inside."""
    return None if image.region is None else hashlib.blake2b(image.region, digest_size=12).hexdigest()


def share(images: Sequence[SurveyImage]) -> float:
    """Share of the images' pixels inside the region, 0..1."""
    inside = [
        image.height_px * image.width_px
        if image.region is None
        else float(shapely.area(shapely.from_wkb(image.region)))
        for image in images
    ]
    return sum(inside) / max(1, sum(image.height_px * image.width_px for image in images))


def inside(image: SurveyImage, window: Window, cores: Sequence[Window]) -> NDArray[np.bool_] | None:
    """Which pixels of a block, bool (h, w) of `window`, are to be inspected; `cores` partition it.

    None where the image has no region: all of them.
    """
    if image.region is None:
        return None
    wanted = np.zeros((window.height, window.width), np.bool_)
    part = shapely.from_wkb(image.region)
    shapely.prepare(part)
    for core in cores:
        square = shapely.box(core.col, core.row, core.col_stop, core.row_stop)
        if shapely.contains(part, square):
            wanted[core.within(window)] = True
        elif shapely.intersects(part, square):
            shape, corner = (core.height, core.width), Affine.translation(core.col, core.row)
            burnt = features.rasterize([part], shape, transform=corner, dtype="uint8")
            wanted[core.within(window)] = burnt.view(np.bool_)
    return wanted
