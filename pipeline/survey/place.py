"""Find where an image lies: by its own tags, the files beside it, and options.

Strategy. When a GeoTIFF is opened, GDAL and PROJ make a CRS of its geographic keys. That takes longer than
all other questions together. The images of a survey have few different keys, so the CRS of each is kept.
An image whose keys are known is opened without its georeference.
"""

import math
from pathlib import Path
from typing import NamedTuple

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray
from pyproj import CRS

from crackpipe.pipeline.config import Config
from crackpipe.pipeline.errors import ImageRejectedError, UsageError
from crackpipe.pipeline.geometry.crs import foreign_crs, horizontal_crs
from crackpipe.pipeline.geometry.ground import footprint_corners, ground_matrix, gsd_mm_of
from crackpipe.pipeline.survey import sidecars
from crackpipe.pipeline.survey.tiff_tags import Place

_CONFLICT_PX = 0.5


class WrittenCrs(NamedTuple):
    """A CRS with its WKT, kept because writing the WKT takes a tenth of the time for a file."""

    crs: CRS
    wkt: str


class Georeference(NamedTuple):
    """Where an image lies, and what a person should know about that."""

    transform: Affine
    """World (x, y) of pixel corner (col, row)."""
    crs: WrittenCrs
    """Horizontal."""
    warnings: list[str]
    """Sentences for a person."""


_crs_of_keys: dict[bytes, WrittenCrs] = {}
_MOST_KEYS = 256


def known_crs(place: Place | None) -> WrittenCrs | None:
    """Look up the CRS of an earlier GeoTIFF with the same keys; None where there was none."""
    return None if place is None else _crs_of_keys.get(place.keys)


def _learn_crs(place: Place | None, transform: Affine, crs: WrittenCrs) -> None:
    """Remember which CRS GDAL made of a GeoTIFF's keys, if GDAL agrees with `place` about the transform."""
    if place is not None and place.transform == transform and len(_crs_of_keys) < _MOST_KEYS:
        _crs_of_keys[place.keys] = crs


def georeference_of(
    dataset: rasterio.DatasetReader, path: Path, place: Place | None, config: Config
) -> Georeference:
    """Decide where an open raster lies; `place` is what `driver_for` read from its tags.

    Raises ImageRejectedError, UsageError if `assume_crs` is no CRS.
    """
    warnings: list[str] = []
    if sidecars.georeferencing_aux(path):
        warnings.append(f"{path.name}.aux.xml holds a georeference, which is not followed")
    crs = known_crs(place)
    own = dataset.transform if place is None or crs is None else place.transform
    own = None if own == Affine.identity() else own
    world_file = sidecars.world_file_of(path)
    if own is None and world_file is None and dataset.gcps[0]:
        # Asked before the CRS: the points have a CRS of their own, so the file would seem to lack one.
        raise _no_transform(dataset, path)
    crs = crs or _crs(dataset, path, place, config)
    height_px, width_px = dataset.height, dataset.width
    if own is None and world_file is None:
        raise _no_transform(dataset, path)
    beside = None if world_file is None else sidecars.read_world_file(world_file)
    transform = own if own is not None else beside
    assert transform is not None  # either `own` or `beside` is there
    check_transform(transform)
    if own is not None and beside is not None and world_file is not None:
        distance_px = corner_distance_px(own, beside, height_px, width_px)
        if not distance_px <= _CONFLICT_PX:
            warnings.append(
                f"{world_file.name} disagrees by {distance_px:.3g} px with the georeference in the "
                "file, which is used"
            )
    if config.assume_gsd_mm is not None:
        transform = with_gsd(transform, crs.crs, height_px, width_px, config.assume_gsd_mm)
    return Georeference(transform, crs, warnings)


def _crs(dataset: rasterio.DatasetReader, path: Path, place: Place | None, config: Config) -> WrittenCrs:
    try:
        if dataset.crs:
            crs = _written(foreign_crs(dataset.crs.to_wkt()))
            _learn_crs(place, dataset.transform, crs)
            return crs
    except ValueError as error:
        raise ImageRejectedError("crs-unusable", str(error), "Give the image a projected CRS.") from error
    beside = sidecars.read_prj(path)
    if beside is not None:
        return _written(beside)
    if config.assume_crs is not None:
        return _written(assumed_crs(config.assume_crs))
    raise ImageRejectedError(
        "no-crs",
        "it names no coordinate reference system",
        "Give --assume-crs EPSG:..., or put the CRS into the file: gdal_edit -a_srs EPSG:... FILE",
    )


def _written(crs: CRS) -> WrittenCrs:
    return WrittenCrs(crs, crs.to_wkt())


def assumed_crs(text: str) -> CRS:
    """Parse `--assume-crs`; a bare number is an EPSG code. Raises UsageError if it is no CRS."""
    try:
        return horizontal_crs(f"EPSG:{text}" if text.isdigit() else text)
    except ValueError as error:
        raise UsageError(
            f"--assume-crs {text!r} cannot be used: {error}. Give a projected or geographic CRS, for example "
            "EPSG:25832."
        ) from error


def _no_transform(dataset: rasterio.DatasetReader, path: Path) -> ImageRejectedError:
    points = len(dataset.gcps[0])
    found = f"only {points} ground control points" if points else "no position and pixel size"
    return ImageRejectedError(
        "no-transform",
        f"{path.name} has {found}",
        "Warp it with gdalwarp." if points else "Put a world file beside it, or georeference it again.",
    )


def check_transform(transform: Affine) -> None:
    """Raise ImageRejectedError `transform-unusable` where numbers are not finite or pixels have no area."""
    values = tuple(transform)[:6]
    if not all(math.isfinite(value) for value in values):
        fault = f"the transform {values} holds numbers that are not finite"
    elif transform.determinant == 0:
        fault = f"the transform {values} gives pixels without area"
    else:
        return
    raise ImageRejectedError("transform-unusable", fault, "Georeference the image again.")


def ground_of(transform: Affine, crs: CRS, height_px: int, width_px: int) -> NDArray[np.float64]:
    """Compute the ground matrix, float64 (2, 2) metres per pixel; see `geometry.ground`.

    Raises ImageRejectedError `crs-unusable`.
    """
    try:
        ground = ground_matrix(transform, crs, height_px, width_px)
        if np.isfinite(ground).all() and abs(np.linalg.det(ground)) > 0:
            return ground
        fault = f"a pixel has no size on the ground of CRS {crs.name!r}"
    except ValueError as error:
        fault = str(error)
    raise ImageRejectedError(
        "crs-unusable",
        fault,
        "Check that CRS and coordinates belong together, then georeference the image again.",
    )


def with_gsd(transform: Affine, crs: CRS, height_px: int, width_px: int, gsd_mm: float) -> Affine:
    """Scale a transform to a GSD at the image's centre; first corner and directions stay."""
    # Twice: scaling moves the centre of the image, and there the scale of the CRS is a little different.
    for _ in range(2):
        factor = gsd_mm / gsd_mm_of(ground_of(transform, crs, height_px, width_px))
        transform = Affine(
            transform.a * factor,
            transform.b * factor,
            transform.c,
            transform.d * factor,
            transform.e * factor,
            transform.f,
        )
    return transform


def corner_distance_px(first: Affine, second: Affine, height_px: int, width_px: int) -> float:
    """Compare two transforms: the largest distance between their corners, in pixels of the first."""
    apart = footprint_corners(second, height_px, width_px) - footprint_corners(first, height_px, width_px)
    to_pixels = np.linalg.inv(np.array([[first.a, first.b], [first.d, first.e]]))
    return float(np.hypot(*(to_pixels @ apart.T)).max())
