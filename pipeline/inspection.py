"""One file of a survey: may it be inspected, and everything about it that its header tells.

The checks go from cheap to dear and from outside to inside: what kind of file, its first bytes, its header,
its georeference, its table of blocks. No pixel is decoded here. Each refusal has a stable code:

    name-not-utf8 name-too-long name-reserved symlink-outside file-missing unreadable-file unreadable-folder
    not-a-file not-supported empty-file not-an-image truncated refers-elsewhere never-written
    too-large block-too-large too-many-blocks bands-unsupported dtype-unsupported
    no-transform transform-unusable world-file-unusable no-crs crs-unusable gsd-out-of-range mask-unreadable
"""

import math
import os
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import date, datetime
from pathlib import Path

import rasterio
from affine import Affine
from pyproj import CRS

from crackpipe.pipeline import bands, files, gdal_env, georeference, grid, integrity
from crackpipe.pipeline.config import Config
from crackpipe.pipeline.errors import ImageRejectedError, UsageError
from crackpipe.pipeline.files import Candidate
from crackpipe.pipeline.image import FileStamp, Rejected, SurveyImage
from crackpipe.pipeline.job import rejecting

MAX_IMAGE_PX = 2_000_000_000
"""Largest image, two and a half times the 100,000 x 8,000 px that are promised."""
MAX_SIDE_PX = 1_000_000
"""Longest side of an image."""
MAX_BLOCK_BYTES = 256 << 20
"""Largest decoded block: GDAL must hold a block as a whole, so this bounds memory."""

MAX_BLOCKS = 4_000_000
"""Most blocks of an image: each is looked up, which takes 3 microseconds."""

_CONFLICT_PX = 0.5


@dataclass
class _Known:
    """What has been learnt about a file so far; a refusal reports it."""

    height_px: int | None = None
    width_px: int | None = None
    transform: Affine | None = None
    crs_wkt: str | None = None
    gsd_mm: float | None = None
    size_bytes: int | None = None
    mtime_ns: int | None = None


def inspect(candidate: Candidate, config: Config) -> SurveyImage:
    """Read the header of one candidate; decides by `assume_*` and `*gsd*` of `config`.

    Raises ImageRejectedError with one of the codes above, UsageError if `assume_crs` is no CRS.
    """
    return _inspect(candidate, config, _Known())


def accept_or_reject(candidate: Candidate, config: Config) -> SurveyImage | Rejected:
    """`inspect`, with the refusal as a value that keeps what is known about the file."""
    known = _Known()
    try:
        with rejecting(candidate.image_id):
            return _inspect(candidate, config, known)
    except ImageRejectedError as error:
        place = (candidate.image_id, candidate.survey, candidate.path)
        return Rejected(*place, error.reason, error.message, error.remedy, **asdict(known))


def _inspect(candidate: Candidate, config: Config, known: _Known) -> SurveyImage:
    path = candidate.path
    try:
        file = files.regular_file(candidate)
        known.size_bytes, known.mtime_ns = file.size_bytes, file.mtime_ns
        with gdal_env.open_raster(path, files.driver_for(path, file.size_bytes)) as dataset:
            return _describe(dataset, candidate, file, config, known)
    except gdal_env.GDAL_ERRORS as error:
        raise _unopenable(path, error) from error
    except OSError as error:
        raise files.unreadable(path, error) from error


def _describe(
    dataset: rasterio.DatasetReader, candidate: Candidate, file: FileStamp, config: Config, known: _Known
) -> SurveyImage:
    known.height_px, known.width_px = dataset.height, dataset.width
    transform, crs, warnings = _georeference(dataset, file.path, config)
    ground = georeference.ground_of(transform, crs, dataset.height, dataset.width)
    # only from here on: the tables show where a rejected image lies, which must be somewhere
    crs_wkt = crs.to_wkt()
    known.transform, known.crs_wkt = transform, crs_wkt
    known.gsd_mm = grid.gsd_mm_of(ground)
    _check_sizes(dataset)
    layout, band_warnings = bands.layout_of(dataset)
    _check_gsd(known.gsd_mm, config)
    (east_row, east_col), (north_row, north_col) = ground.tolist()
    return SurveyImage(
        image_id=candidate.image_id,
        survey=candidate.survey,
        file=file,
        driver=dataset.driver,
        height_px=dataset.height,
        width_px=dataset.width,
        bands=dataset.count,
        dtype=dataset.dtypes[0],
        layout=layout,
        transform=transform,
        crs_wkt=crs_wkt,
        ground=((east_row, east_col), (north_row, north_col)),
        gsd_mm=known.gsd_mm,
        nodata=dataset.nodata,
        mask=_external_mask(dataset, file.path),
        has_missing_blocks=_missing_blocks(dataset, file.path, file.size_bytes),
        acquired=candidate.acquired or _acquired(dataset),
        warnings=(*warnings, *band_warnings),
        travel_deg=candidate.travel_deg,
    )


def _unopenable(path: Path, error: Exception) -> ImageRejectedError:
    return ImageRejectedError(
        "not-an-image",
        f"GDAL cannot open {path.name}: {gdal_env.cause_of(error)}",
        "Copy the file again from where it was made, or write it again.",
    )


def _georeference(
    dataset: rasterio.DatasetReader, path: Path, config: Config
) -> tuple[Affine, CRS, list[str]]:
    warnings: list[str] = []
    if georeference.georeferencing_aux(path):
        warnings.append(f"{path.name}.aux.xml holds a georeference, which is not followed")
    own = None if dataset.transform == Affine.identity() else dataset.transform
    world_file = georeference.world_file_of(path)
    if own is None and world_file is None and dataset.gcps[0]:
        raise _no_transform(dataset, path)  # it may seem to lack a CRS too, which its points have
    crs = _crs(dataset, path, config)
    height_px, width_px = dataset.height, dataset.width
    if own is None and world_file is None:
        raise _no_transform(dataset, path)
    beside = None if world_file is None else georeference.read_world_file(world_file)
    transform = own if own is not None else beside
    assert transform is not None  # one of them is there
    georeference.check_transform(transform)
    if own is not None and beside is not None and world_file is not None:
        distance_px = georeference.corner_distance_px(own, beside, height_px, width_px)
        if not distance_px <= _CONFLICT_PX:
            warnings.append(
                f"{world_file.name} disagrees by {distance_px:.3g} px with the georeference in the "
                "file, which is used"
            )
    if config.assume_gsd_mm is not None:
        transform = georeference.with_gsd(transform, crs, height_px, width_px, config.assume_gsd_mm)
    return transform, crs, warnings


def _crs(dataset: rasterio.DatasetReader, path: Path, config: Config) -> CRS:
    try:
        if dataset.crs:
            return georeference.foreign_crs(dataset.crs.to_wkt())
    except ValueError as error:
        raise ImageRejectedError("crs-unusable", str(error), "Give the image a projected CRS.") from error
    beside = georeference.read_prj(path)
    if beside is not None:
        return beside
    if config.assume_crs is not None:
        return assumed_crs(config.assume_crs)
    raise ImageRejectedError(
        "no-crs",
        "it names no coordinate reference system",
        "Give --assume-crs EPSG:..., or put the CRS into the file: gdal_edit -a_srs EPSG:... FILE",
    )


def assumed_crs(text: str) -> CRS:
    """The CRS of `--assume-crs`, also as a bare EPSG number. Raises UsageError if it is none."""
    try:
        return georeference.horizontal_crs(f"EPSG:{text}" if text.isdigit() else text)
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


def _check_sizes(dataset: rasterio.DatasetReader) -> None:
    height_px, width_px = dataset.height, dataset.width
    if height_px * width_px > MAX_IMAGE_PX or max(height_px, width_px) > MAX_SIDE_PX:
        raise ImageRejectedError(
            "too-large",
            f"it says it has {height_px} x {width_px} px; at most {MAX_IMAGE_PX} px and {MAX_SIDE_PX} px "
            "along a side are read",
            "Cut it into parts: gdal_translate -srcwin XOFF YOFF XSIZE YSIZE IN OUT.tif",
        )
    rows, cols = dataset.block_shapes[0]
    tiled = "Write it tiled: gdal_translate -co TILED=YES -co COMPRESS=DEFLATE IN OUT.tif"
    block_bytes = integrity.block_bytes(dataset)
    if block_bytes > MAX_BLOCK_BYTES:
        raise ImageRejectedError(
            "block-too-large",
            f"its blocks of {rows} x {cols} px need {block_bytes >> 20} MiB each; at most "
            f"{MAX_BLOCK_BYTES >> 20} MiB are read",
            tiled,
        )
    blocks = math.prod(integrity.block_counts(dataset)) * len(integrity.block_bands(dataset))
    if blocks > MAX_BLOCKS:
        raise ImageRejectedError(
            "too-many-blocks",
            f"it has {blocks} blocks of {rows} x {cols} px; at most {MAX_BLOCKS} are read",
            tiled,
        )


def _check_gsd(gsd_mm: float, config: Config) -> None:
    if not config.allow_gsd and not config.gsd_min_mm <= gsd_mm <= config.gsd_max_mm:
        raise ImageRejectedError(
            "gsd-out-of-range",
            f"a pixel is {gsd_mm:.4g} mm on the ground; {config.gsd_min_mm:g} to {config.gsd_max_mm:g} mm "
            "are trusted",
            "Check its CRS and pixel size; --assume-gsd MM corrects a wrong one, --allow-gsd takes it as it "
            "is.",
        )


def _missing_blocks(dataset: rasterio.DatasetReader, path: Path, size_bytes: int) -> bool:
    if dataset.driver == "GTiff":
        return integrity.missing_tiff_blocks(dataset, size_bytes)
    integrity.check_ending(path, dataset.driver, size_bytes)
    return False


def _external_mask(dataset: rasterio.DatasetReader, path: Path) -> FileStamp | None:
    """The `.msk` beside an image, opened as GeoTIFF and nothing else, or `mask-unreadable`."""
    mask = path.with_name(path.name + ".msk")
    # os.path, because Path raises where the image's own name is the longest possible
    if not os.path.lexists(mask):
        return None
    fault = "it is a link" if mask.is_symlink() else None if mask.is_file() else "it is no regular file"
    try:
        if fault is None and integrity.driver_of(mask) != "GTiff":
            fault = "it is not a GeoTIFF"
        if fault is None:
            with gdal_env.open_raster(mask, "GTiff") as opened:
                if opened.shape != dataset.shape:
                    fault = f"it has {opened.height} x {opened.width} px"
                elif opened.dtypes[0] != "uint8":
                    fault = f"its values are {opened.dtypes[0]}"
                else:
                    _check_sizes(opened)
                    integrity.missing_tiff_blocks(opened, mask.stat().st_size)
                    return FileStamp.of(mask)
    except gdal_env.GDAL_ERRORS as error:
        fault = gdal_env.cause_of(error)
    except OSError as error:
        fault = gdal_env.cause_of(error)
    except ImageRejectedError as error:
        fault = error.message
    raise ImageRejectedError(
        "mask-unreadable",
        f"the mask {mask.name} beside it cannot be used: {fault}",
        f"Write the mask again as a GeoTIFF of {dataset.height} x {dataset.width} px, or remove it.",
    )


def _acquired(dataset: rasterio.DatasetReader) -> date | None:
    # EXIF lies in the main domain of a JPEG and in one of its own in a TIFF
    for name, domain in (
        ("EXIF_DateTimeOriginal", None),
        ("EXIF_DateTimeOriginal", "EXIF"),
        ("TIFFTAG_DATETIME", None),
    ):
        # one item at a time: a neighbour in another encoding would make rasterio fail on all of them
        with suppress(UnicodeDecodeError, ValueError):
            return datetime.strptime((dataset.get_tag_item(name, domain) or "")[:10], "%Y:%m:%d").date()
    return None
