"""Before GDAL: the driver that a file's first bytes ask for, and what its TIFF directory tells."""

from pathlib import Path
from typing import NamedTuple

from crackpipe.pipeline.errors import ImageRejectedError
from crackpipe.pipeline.raster import gdal, signature
from crackpipe.pipeline.storage import reading
from crackpipe.pipeline.survey import tiff_tags

# Compressions of TIFFs for which a GDAL may lack the codec, by the value of tag 259.
_CODECS = {
    **dict.fromkeys((33003, 33004, 33005, 34712), "JPEG 2000"),
    **dict.fromkeys((50002, 52546), "JPEG XL"),
    **dict.fromkeys((22610, 34934), "JPEG XR"),
    **{34661: "JBIG", 34887: "LERC", 34925: "LZMA", 50000: "Zstandard", 50001: "WebP"},
}


class Opening(NamedTuple):
    """How to open a file, and what is known before."""

    driver: str
    """GDAL driver: GTiff, JPEG or PNG."""
    place: tiff_tags.Place | None = None
    """Where a plain GeoTIFF says that it lies."""
    compression: int | None = None
    """Of a TIFF: the value of tag 259."""
    pages: int = 1
    """Of a TIFF: pictures in it, without overviews and masks."""


def opening_of(path: Path, size_bytes: int) -> Opening:
    """Choose the GDAL driver by the first bytes; of a TIFF, read its directory.

    Raises ImageRejectedError, OSError.
    """
    with reading.opened(path) as file:
        driver = signature.driver_of(file)
        if driver is None:
            raise ImageRejectedError(
                "not-an-image",
                "its first bytes are not those of a TIFF, JPEG or PNG",
                "Remove it from the survey, or write the image again.",
            )
        if driver != "GTiff":
            return Opening(driver)
        directory = tiff_tags.first_directory(file, size_bytes)
        if directory is not None:
            place, compression = tiff_tags.place_of(file, directory), tiff_tags.compression_of(directory)
            return Opening(driver, place, compression, tiff_tags.count_pages(file, directory, size_bytes))
    raise ImageRejectedError(
        "truncated",
        f"its directory reaches beyond its end at {size_bytes} bytes",
        "Copy the file again from where it was made, or write it again.",
    )


def page_warnings(opening: Opening) -> list[str]:
    """A sentence about the pages that are not inspected."""
    if opening.pages == 1:
        return []
    many = f"{tiff_tags.MOST_PAGES} or more" if opening.pages >= tiff_tags.MOST_PAGES else opening.pages
    return [
        f"it has {many} pages, of which only the first is inspected: write the second as a file of its own "
        "with gdal_translate GTIFF_DIR:2:IN OUT.tif"
    ]


def unopenable(path: Path, error: Exception, compression: int | None) -> ImageRejectedError:
    """What GDAL said of a file that it cannot open, as a refusal."""
    cause = gdal.cause_of(error)
    if compression is not None and "missing codec" in cause:
        codec = _CODECS.get(compression, f"method {compression}")
        return ImageRejectedError(
            "codec-missing",
            f"its pixels are compressed by {codec}, which this GDAL cannot decode",
            "Write it again with DEFLATE, LZW or JPEG compression, by the program that made it.",
        )
    return ImageRejectedError(
        "not-an-image",
        f"GDAL cannot open {path.name}: {cause}",
        "Copy the file again from where it was made, or write it again.",
    )
