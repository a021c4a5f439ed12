"""`--region`: polygons of the ground to inspect, in any CRS, brought into the pixels of each image.

Strategy. The file is read once, by the driver. For each image the polygons are cut to its footprint and moved
into its pixel frame, and that small geometry travels with the image; an image that lies inside altogether
carries none, so that it is the same to everybody as without a region. What is left out stays 255, not
inspected; the network sees the pixels beyond the border as context, so a mask inside does not depend on it.

A pixel is inside where its centre is. Borders are drawn core by core: cores lie at the same place however the
work is cut, and so do the pixels.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import shapely
from affine import Affine
from numpy.typing import NDArray
from pyproj import CRS, Transformer
from pyproj.exceptions import ProjError
from rasterio import features

from crackpipe.pipeline.errors import ConfigurationError
from crackpipe.pipeline.grid import Window
from crackpipe.pipeline.image import SurveyImage

# A dissolved road network is one polygon of a million corners: in pieces, an image meets only a few of them.
_PIECE_CORNERS = 256
# A side that is straight in the region's CRS is a curve in the image's: over a sixteenth of the diagonal of
# an image of 100 m it bends by less than a hundredth of a millimetre.
_STEPS = 16
# Far finer than what a border means, far coarser than what releases of PROJ differ by.
_DECIMALS_PX = 2


@dataclass(frozen=True)
class Region:
    """The ground to inspect."""

    path: Path
    crs: CRS
    pieces: NDArray[np.object_]
    """Polygons that together are the region, of a few hundred corners each, (x, y) in `crs`."""


def read_region(path: Path) -> Region:
    """Read the polygons of a GeoPackage, GeoJSON, Shapefile or FlatGeobuf with one layer.

    Raises ConfigurationError where the file cannot be read, holds several layers or no polygon, or names no
    CRS.
    """
    import geopandas as gpd
    import pyogrio
    from pyogrio.errors import DataLayerError, DataSourceError

    try:
        layers = [str(name) for name, kind in pyogrio.list_layers(path) if kind is not None]
        if len(layers) != 1:
            raise ConfigurationError(
                f"region {path} holds {len(layers)} layers with geometries ({', '.join(layers)}), "
                f"but one is needed. Copy it into a file of its own: ogr2ogr region.gpkg {path.name} LAYER"
            )
        table = gpd.read_file(path, layer=layers[0], columns=[])
    except (DataSourceError, DataLayerError) as error:
        raise ConfigurationError(
            f"region {path} cannot be read: {error}. Give a GeoPackage, GeoJSON, Shapefile or FlatGeobuf."
        ) from error
    if table.crs is None:
        raise ConfigurationError(
            f"region {path} names no coordinate reference system. "
            f"Write it again with one: ogr2ogr -a_srs EPSG:... region.gpkg {path.name}"
        )
    return Region(path, table.crs, _pieces(path, np.asarray(table.geometry.values, dtype=object)))


def _pieces(path: Path, geometries: NDArray[np.object_]) -> NDArray[np.object_]:
    parts = shapely.get_parts(geometries[~shapely.is_missing(geometries)])
    areal = np.isin(
        shapely.get_type_id(parts), [shapely.GeometryType.POLYGON, shapely.GeometryType.MULTIPOLYGON]
    )
    if not areal.any():
        kinds = ", ".join(sorted({each.geom_type for each in parts})) or "nothing"
        raise ConfigurationError(
            f"region {path} holds no polygon, but {kinds} ({len(parts)} in all). "
            f"Buffer lines by half the width of the road (QGIS: Vector > Geoprocessing > Buffer)."
        )
    sound = _polygons(shapely.make_valid(parts[areal]))
    return np.array([piece for polygon in sound for piece in _subdivided(polygon)], dtype=object)


def _polygons(geometries: NDArray[np.object_]) -> NDArray[np.object_]:
    """The polygons in some geometries, also in their collections, that have an area."""
    parts = shapely.get_parts(shapely.get_parts(geometries))
    return np.asarray(parts[shapely.area(parts) > 0])


def _subdivided(polygon: shapely.Polygon) -> Iterator[shapely.Polygon]:
    """Halve a polygon across its longer side until no piece has many corners."""
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
    around = _in_crs(frame, image, region.crs)
    if around is None:
        return bytes(shapely.to_wkb(shapely.Polygon()))
    near = region.pieces[tree.query(around, predicate="intersects")]
    # cut before they are moved: far away, a transformation may be undefined
    cut = shapely.union_all(shapely.intersection(near, around))
    step = shapely.minimum_bounding_radius(around) / (_STEPS / 2)
    moved = shapely.transform(
        shapely.segmentize(cut, step), lambda xy: np.round(_pixels(xy, image, region.crs), _DECIMALS_PX)
    )
    inside = shapely.intersection(shapely.make_valid(moved), frame)
    if shapely.area(shapely.difference(frame, inside)) == 0:
        return None
    part = shapely.normalize(shapely.multipolygons(_polygons(np.array([inside], dtype=object))))
    return bytes(shapely.to_wkb(part))


def _in_crs(frame: shapely.Polygon, image: SurveyImage, crs: CRS) -> shapely.Polygon | None:
    """A rectangle around the image in another CRS, with a margin; None where that CRS does not reach."""
    side_px = max(image.width_px, image.height_px)
    col, row = shapely.get_coordinates(shapely.segmentize(frame, side_px / _STEPS)).T
    world = np.array(_transformer(image.crs_wkt, crs).transform(*(image.transform @ (col, row))))
    if not np.isfinite(world).all():
        return None
    low, high = world.min(axis=1), world.max(axis=1)
    margin = 0.01 * (high - low).max()
    return shapely.box(*(low - margin), *(high + margin))


def _pixels(xy: NDArray[np.float64], image: SurveyImage, crs: CRS) -> NDArray[np.float64]:
    """Points (N, 2) (x, y) in `crs` as (column, row) of pixel corners."""
    world = _transformer(image.crs_wkt, crs).transform(xy[:, 0], xy[:, 1], direction="INVERSE")
    return np.column_stack(~image.transform @ world)


@lru_cache(maxsize=64)
def _transformer(image_crs_wkt: str, crs: CRS) -> Transformer:
    return Transformer.from_crs(CRS.from_wkt(image_crs_wkt), crs, always_xy=True)


def _nowhere(images: Sequence[SurveyImage], region: Region) -> str:
    image = images[0]
    corners = np.array(_transformer(image.crs_wkt, region.crs).transform(*image.footprint.T))
    west, south, east, north = shapely.total_bounds(region.pieces)
    return (
        f"region {region.path} meets none of the {len(images)} images: it spans "
        f"x {west:.10g} to {east:.10g}, y {south:.10g} to {north:.10g} ({region.crs.name}), "
        f"and {image.image_id} lies at x {corners[0].mean():.10g}, y {corners[1].mean():.10g} there. "
        f"Give the region of this survey, or correct its CRS (ogr2ogr -a_srs)."
    )


# ---- what the others ask


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


def inside(image: SurveyImage, window: Window, cores: Sequence[Window]) -> NDArray[np.bool_]:
    """Which pixels of a block, bool (h, w) of `window`, are to be inspected; `cores` partition it."""
    if image.region is None:
        return np.ones((window.height, window.width), np.bool_)
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
