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
from crackpipe.pipeline.storage.links import leaves
from crackpipe.pipeline.survey.files.candidates import Candidate
from crackpipe.pipeline.survey.sidecars import aux_xml, links, prj, world_files
from crackpipe.pipeline.survey.sidecars import names as sidecars
from crackpipe.pipeline.survey.sidecars.names import Names
from crackpipe.pipeline.survey.tiff_tags import Place

_CONFLICT_PX = 0.5
# Half a last digit of a pixel's size in degrees, as a share of it. Above the second limit, lengths would be
# wrong by more than is promised.
_ROUNDING_TO_SAY, _ROUNDING_TO_REFUSE = 0.005, 0.03
_GSD_WITHIN = 1e-6

_TILED = "-co TILED=YES -co COMPRESS=DEFLATE IN OUT.tif"
_INTO_ONE_FILE = f"Write both into one file, and keep that one: gdal_translate {_TILED}"


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
    world_file: str | None
    """Name of the world file that gives or confirms the transform."""
    world_file_fit: int
    """As in SurveyImage."""


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
    dataset: rasterio.DatasetReader,
    candidate: Candidate,
    place: Place | None,
    config: Config,
    names: Names | None,
) -> Georeference:
    """Decide where an open raster lies; `place` is what `opening_of` read from its tags.

    `names` are those of its folder. Raises ImageRejectedError, UsageError if `assume_crs` is no CRS.
    """
    path, has_aux = candidate.path, aux_xml.holds_georeference(candidate.path, candidate.root)
    known = known_crs(place)
    own = dataset.transform if place is None or known is None else place.transform
    own = None if own == Affine.identity() else own
    file = sidecars.find(path, sidecars.world_file_names(path), names)
    if own is None and file is None:
        if not dataset.gcps[0] and not has_aux:
            _crs(dataset, candidate, place, config, names)  # a file that lacks both is told of the CRS first
        raise _no_transform(dataset, candidate, names)
    crs, is_own = (known, True) if known is not None else _crs(dataset, candidate, place, config, names)
    warnings = [_aux_is(path)] if has_aux else []
    transform, confirmed = own, False
    if own is not None:
        check_transform(own)
        file = file or sidecars.find(path, sidecars.approximate_names(path), names)
        confirmed, doubts = _compared(own, file, dataset, candidate.root)
        warnings += doubts
    elif file is not None:
        beside = world_files.read_world_file(links.inside(file, candidate.root))
        transform = beside.transform
        check_transform(transform)
        warnings += _rounding_doubts(beside, file, crs.crs)
    assert transform is not None  # a world file or the file's own
    transform = _with_trusted_gsd(transform, crs.crs, dataset, config)
    fit = 3 if confirmed else 2 if is_own else 1
    used = file if own is None or confirmed else None
    return Georeference(transform, crs, warnings, *((None, 0) if used is None else (used.name, fit)))


def _compared(
    own: Affine, file: Path | None, dataset: rasterio.DatasetReader, root: Path
) -> tuple[bool, list[str]]:
    """Whether a world file confirms the place that the image itself has, and a sentence where it does not."""
    if file is None:
        return False, []
    if leaves(file, root):
        return False, [f"{file.name} is a link that leaves the survey folder, which is not followed"]
    beside = world_files.read_world_file(file).transform
    distance_px = corner_distance_px(own, beside, dataset.height, dataset.width)
    if distance_px <= _CONFLICT_PX:
        return True, []
    return False, [
        f"{file.name} disagrees by {distance_px:.3g} px with the georeference in the file, which is used"
    ]


def _rounding_doubts(beside: world_files.WorldFile, file: Path, crs: CRS) -> list[str]:
    """A sentence where degrees have too few digits; in metres and feet, short numbers are meant exactly.

    Raises ImageRejectedError `world-file-unusable` where lengths could not be trusted at all.
    """
    if not crs.is_geographic or beside.rounding <= _ROUNDING_TO_SAY:
        return []
    said = (
        f"{file.name} gives the pixel size in degrees with so few digits that it may be wrong by "
        f"{100 * beside.rounding:.2g} %"
    )
    if beside.rounding <= _ROUNDING_TO_REFUSE:
        return [said]
    raise ImageRejectedError(
        "world-file-unusable", said, "Write the world file again with 12 digits after the point or more."
    )


def _crs(
    dataset: rasterio.DatasetReader,
    candidate: Candidate,
    place: Place | None,
    config: Config,
    names: Names | None,
) -> tuple[WrittenCrs, bool]:
    """The CRS, and whether the file itself names it."""
    path = candidate.path
    try:
        if dataset.crs:
            crs = _written(foreign_crs(dataset.crs.to_wkt()))
            _learn_crs(place, dataset.transform, crs)
            return crs, True
    except ValueError as error:
        raise ImageRejectedError("crs-unusable", str(error), "Give the image a projected CRS.") from error
    beside = sidecars.find(path, sidecars.prj_names(path), names)
    if beside is not None:
        return _written(prj.read_prj(links.inside(beside, candidate.root))), False
    if config.assume_crs is not None:
        return _written(assumed_crs(config.assume_crs)), False
    if aux_xml.holds_georeference(path, candidate.root):
        raise ImageRejectedError("no-crs", f"it names no CRS itself; {_aux_is(path)}", _INTO_ONE_FILE)
    raise ImageRejectedError(
        "no-crs",
        "it names no coordinate reference system",
        f"Give --assume-crs EPSG:..., or write a file with the CRS: gdal_translate -a_srs EPSG:... {_TILED}",
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


def _no_transform(
    dataset: rasterio.DatasetReader, candidate: Candidate, names: Names | None
) -> ImageRejectedError:
    path, points = candidate.path, len(dataset.gcps[0])
    approximate = sidecars.find(path, sidecars.approximate_names(path), names)
    if points:
        fault = f"{path.name} has only {points} ground control points"
        remedy = f"Warp it: gdalwarp -dstalpha {_TILED}"
    elif approximate is not None:
        fault = f"{path.name} has no exact place; {approximate.name} is an approximation that ArcGIS wrote"
        remedy = (
            "Rectify it to a GeoTIFF in ArcGIS; or, if its place is an affine one, rename the file to "
            f"{approximate.name[:-1]}"
        )
    elif aux_xml.holds_georeference(path, candidate.root):
        fault = f"{path.name} has no position and pixel size itself; {_aux_is(path)}"
        remedy = _INTO_ONE_FILE
    else:
        fault = f"{path.name} has no position and pixel size"
        remedy = "Put a world file beside it, or georeference it again."
    return ImageRejectedError("no-transform", fault, remedy)


def _aux_is(path: Path) -> str:
    return f"{path.name}.aux.xml holds a georeference, which is not followed"


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
        (east_row, east_col), (north_row, north_col) = ground.tolist()
        # Written out: planning asks this of every image, and numpy's determinant takes 20 times as long.
        if np.isfinite(ground).all() and east_row * north_col != east_col * north_row:
            return ground
        fault = f"a pixel has no size on the ground of CRS {crs.name!r}"
    except ValueError as error:
        fault = str(error)
    raise ImageRejectedError(
        "crs-unusable",
        fault,
        "Check that CRS and coordinates belong together, then georeference the image again.",
    )


def trusts_gsd(gsd_mm: float, config: Config) -> bool:
    """Whether a GSD lies in the range that is trusted, both ends included."""
    # one that is assumed at an end of the range comes back from the ground a little off it
    return (1 - _GSD_WITHIN) * config.gsd_min_mm <= gsd_mm <= (1 + _GSD_WITHIN) * config.gsd_max_mm


def _with_trusted_gsd(transform: Affine, crs: CRS, dataset: rasterio.DatasetReader, config: Config) -> Affine:
    """The transform with `assume_gsd_mm` in the place of a GSD that is not trusted; any other stays.

    Raises ImageRejectedError `crs-unusable`.
    """
    size = dataset.height, dataset.width
    if config.assume_gsd_mm is None or trusts_gsd(gsd_mm_of(ground_of(transform, crs, *size)), config):
        return transform
    return with_gsd(transform, crs, *size, config.assume_gsd_mm)


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
