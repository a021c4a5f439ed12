"""Look at one file of a survey: decide whether it can be inspected, and describe it from its header.

Cheap checks come first: the kind of file, its first bytes, its header, its georeference, its table of
blocks. No pixel is decoded here. Each refusal has a stable code:

    name-not-utf8 name-too-long name-reserved symlink-outside file-missing unreadable-file unreadable-folder
    not-a-file not-supported empty-file not-an-image truncated refers-elsewhere never-written
    too-large block-too-large too-many-blocks bands-unsupported dtype-unsupported
    codec-missing no-transform transform-unusable world-file-unusable no-crs crs-unusable gsd-out-of-range
    mask-unreadable plan-view-unusable
"""

import math
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime
from pathlib import Path

import rasterio
from affine import Affine

from crackpipe.pipeline.config import Config
from crackpipe.pipeline.errors import ImageRejectedError, rejecting
from crackpipe.pipeline.geometry.ground import gsd_mm_of
from crackpipe.pipeline.image import FileStamp, Rejected, SurveyImage
from crackpipe.pipeline.raster import bands, gdal, signature
from crackpipe.pipeline.raster import blocks as integrity
from crackpipe.pipeline.storage import reading
from crackpipe.pipeline.survey.files import candidates
from crackpipe.pipeline.survey.files.candidates import Candidate
from crackpipe.pipeline.survey.opening import opening_of, page_warnings, unopenable
from crackpipe.pipeline.survey.place import Georeference, georeference_of, ground_of, known_crs, trusts_gsd
from crackpipe.pipeline.survey.plan_view import plan_view_of
from crackpipe.pipeline.survey.sidecars import names as sidecars
from crackpipe.pipeline.survey.sidecars.names import Names, names_in

MAX_IMAGE_PX = 2_000_000_000
"""Largest image, two and a half times the 100,000 x 8,000 px that are promised."""
MAX_SIDE_PX = 1_000_000
"""Longest side of an image."""
MAX_BLOCK_BYTES = 256 << 20
"""Largest decoded block. GDAL holds a whole block in memory, so this limit bounds the memory."""

MAX_BLOCKS = 4_000_000
"""Most blocks of an image. Each one is looked up, which takes 3 microseconds."""


@dataclass
class _Known:
    """What is known about a file so far. A refusal takes it along into the tables."""

    height_px: int | None = None
    width_px: int | None = None
    transform: Affine | None = None
    crs_wkt: str | None = None
    gsd_mm: float | None = None
    size_bytes: int | None = None
    mtime_ns: int | None = None


def inspect(candidate: Candidate, config: Config, names: Names | None = None) -> SurveyImage:
    """Read the header of one candidate.

    Of `config`, only the keys `assume_*`, `*gsd*`, `collar` and `white_level` have a say. `names` are those
    of its folder, if somebody has them.

    Raises ImageRejectedError with one of the codes above, UsageError if `assume_crs` is no CRS.
    """
    return _inspect(candidate, config, names, _Known())


def accept_or_reject(
    candidate: Candidate, config: Config, names: Names | None = None
) -> SurveyImage | Rejected:
    """Do as `inspect`, but return a refusal as a value, with what is known about the file so far."""
    known = _Known()
    try:
        with rejecting(candidate.image_id):
            return _inspect(candidate, config, names, known)
    except ImageRejectedError as error:
        place = (candidate.image_id, candidate.survey, candidate.path)
        return Rejected(*place, error.reason, error.message, error.remedy, **asdict(known))


def _inspect(candidate: Candidate, config: Config, names: Names | None, known: _Known) -> SurveyImage:
    path, compression = candidate.path, None
    if names is None:
        names = names_in([path.parent]).get(path.parent)
    try:
        file = candidates.regular_file(candidate)
        known.size_bytes, known.mtime_ns = file.size_bytes, file.mtime_ns
        opening = opening_of(path, file.size_bytes)
        compression = opening.compression
        new_keys = known_crs(opening.place) is None
        with gdal.open_raster(path, opening.driver, georeferenced=new_keys) as dataset:
            known.height_px, known.width_px = dataset.height, dataset.width
            place = georeference_of(dataset, candidate, opening.place, config, names)
            image = _describe(dataset, candidate, file, place, config=config, names=names, known=known)
            return replace(image, warnings=(*image.warnings, *page_warnings(opening)))
    except gdal.GDAL_ERRORS as error:
        raise unopenable(path, error, compression) from error
    except OSError as error:
        raise candidates.unreadable(path, error) from error


def _describe(
    dataset: rasterio.DatasetReader,
    candidate: Candidate,
    file: FileStamp,
    place: Georeference,
    *,
    config: Config,
    names: Names | None,
    known: _Known,
) -> SurveyImage:
    transform, (crs, crs_wkt) = place.transform, place.crs
    ground = ground_of(transform, crs, dataset.height, dataset.width)
    # Not earlier: the tables draw where a rejected image lies, so its place must be one on the ground.
    known.transform, known.crs_wkt = transform, crs_wkt
    known.gsd_mm = gsd_mm_of(ground)
    _check_sizes(dataset)
    layout, band_warnings = bands.layout_of(dataset, config.white_level)
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
        mask=_external_mask(dataset, file.path, names),
        has_missing_blocks=_missing_blocks(dataset, file.path, file.size_bytes),
        acquired=candidate.acquired or _acquired(dataset),
        largest_value=bands.largest_value_of(dataset, layout, config.white_level),
        keeps_collars=config.collar == "keep",
        warnings=(*place.warnings, *band_warnings),
        travel_deg=candidate.travel_deg,
        world_file=place.world_file,
        world_file_fit=place.world_file_fit,
        view=plan_view_of(dataset),
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
    if not config.allow_gsd and not trusts_gsd(gsd_mm, config):
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
    signature.check_ending(path, dataset.driver, size_bytes)
    return False


def _external_mask(dataset: rasterio.DatasetReader, path: Path, names: Names | None) -> FileStamp | None:
    """The `.msk` beside an image, opened as GeoTIFF and nothing else, or `mask-unreadable`."""
    mask = sidecars.mask_of(path, names)
    if mask is None:
        return None
    fault = "it is a link" if mask.is_symlink() else None if mask.is_file() else "it is no regular file"
    try:
        if fault is None:
            with reading.opened(mask) as file:
                fault = None if signature.driver_of(file) == "GTiff" else "it is not a GeoTIFF"
        if fault is None:
            with gdal.open_raster(mask, "GTiff", georeferenced=False) as opened:
                if opened.shape != dataset.shape:
                    fault = f"it has {opened.height} x {opened.width} px"
                elif opened.dtypes[0] != "uint8":
                    fault = f"its values are {opened.dtypes[0]}"
                else:
                    _check_sizes(opened)
                    integrity.missing_tiff_blocks(opened, mask.stat().st_size)
                    return reading.stamp_of(mask, mask.stat())
    except gdal.GDAL_ERRORS as error:
        fault = gdal.cause_of(error)
    except OSError as error:
        fault = gdal.cause_of(error)
    except ImageRejectedError as error:
        fault = error.message
    raise ImageRejectedError(
        "mask-unreadable",
        f"the mask {mask.name} beside it cannot be used: {fault}",
        f"Write the mask again as a GeoTIFF of {dataset.height} x {dataset.width} px, or remove it.",
    )


def _acquired(dataset: rasterio.DatasetReader) -> date | None:
    # GDAL shows the EXIF tags of a JPEG in the main domain, those of a TIFF in the domain EXIF.
    for name, domain in (
        ("EXIF_DateTimeOriginal", None),
        ("EXIF_DateTimeOriginal", "EXIF"),
        ("TIFFTAG_DATETIME", None),
    ):
        # Each tag is read alone: read together, one that is not UTF-8 would make all of them fail.
        with suppress(UnicodeDecodeError, ValueError):
            text = dataset.get_tag_item(name, domain)
            if text:
                return datetime.strptime(text[:10], "%Y:%m:%d").date()
    return None
