"""GDAL with as few rights as possible, and the one place where rasters are opened.

Images are untrusted. A `.tif` may be a VRT that reads any file of the machine, a `.aux.xml` beside it may
move it to another continent, a `.msk` or `.ovr` may be a VRT again. So GDAL sees one file, through the one
driver that the file's first bytes ask for, and no neighbours. World files, `.prj` and `.msk` are opened by
crackpipe itself, by name.

The settings are environment variables. They count if this module is imported before the first file is opened,
because rasterio registers GDAL's drivers only then. Processes that are started later inherit them.
"""

import os
import warnings
from pathlib import Path
from typing import Any

_SETTINGS = {
    # No look at neighbouring files: hides .aux.xml, .ovr, .msk, world files.
    "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",
    # .aux.xml is neither read nor written, whatever the other settings say.
    "GDAL_PAM_ENABLED": "NO",
    # Drivers that follow references to other files or hosts do not even register.
    "GDAL_SKIP": "VRT GTI DERIVED HTTP WMS WMTS WCS STACIT STACTA OGCAPI PLMOSAIC",
    # GDAL may fetch no URL but this one, and no URL has this name.
    "CPL_VSIL_CURL_ALLOWED_FILENAME": "none",
    # In MB. 5 % of the machine's memory, the default, would be 6 GB on a large one. A row of strips across
    # an image of 8,000 px and 3,136 rows must fit (72 MB), or every block of the row would decode it anew.
    "GDAL_CACHEMAX": "80",
    # A JPEG that ends too early is grey below, with a warning only; we want to be told.
    "GDAL_ERROR_ON_LIBJPEG_WARNING": "YES",
    # A strip that holds the whole image is reported as that, not as virtual single rows: the check of
    # block sizes, and of blocks that were never written, needs the real layout.
    "GDAL_ENABLE_TIFF_SPLIT": "NO",
    # The mask of a file that we write lies in it: one beside it could be lost.
    "GDAL_TIFF_INTERNAL_MASK": "YES",
}
os.environ.update(_SETTINGS)

import rasterio  # noqa: E402
from rasterio._err import CPLE_BaseError  # noqa: E402
from rasterio.env import ensure_env  # noqa: E402
from rasterio.errors import NotGeoreferencedWarning, RasterioError, RasterioIOError  # noqa: E402

from crackpipe.pipeline.errors import ImageRejectedError  # noqa: E402
from crackpipe.pipeline.storage import reading  # noqa: E402

# `survey` checks whether an image is georeferenced, and gives a reason code if not.
warnings.filterwarnings("ignore", category=NotGeoreferencedWarning)

GDAL_VERSION: str = rasterio.__gdal_version__

DRIVERS = ("GTiff", "JPEG", "PNG")
"""All the formats that are ever opened."""

GDAL_ERRORS: tuple[type[Exception], ...] = (RasterioError, CPLE_BaseError)
"""What a damaged file may raise; reading a property of an open raster may raise an error of GDAL's own."""


@ensure_env  # type: ignore[untyped-decorator]  # rasterio has no types
def open_raster(path: Path, driver: str, *, georeferenced: bool = True) -> rasterio.DatasetReader:
    """Open one file with one driver, georeferenced by nothing but itself, or by nothing at all.

    Raises rasterio.errors.RasterioIOError; ImageRejectedError `refers-elsewhere`; ValueError for a driver
    that is not in `DRIVERS`.
    """
    if driver not in DRIVERS:
        raise ValueError(f"driver is {driver!r}, but must be one of {', '.join(DRIVERS)}")
    # making a CRS of a GeoTIFF's keys takes longer than opening it otherwise
    sources = "INTERNAL" if georeferenced else "NONE"
    options = {"GEOREF_SOURCES": sources} if driver == "GTiff" else {}
    # GDAL takes an absolute path for none of its prefixes such as `GTIFF_DIR:`; `/vsi...` is refused below
    absolute = path.absolute()
    if absolute.parts[1:2] and absolute.parts[1].startswith("vsi"):
        raise ValueError(f"{path} would be a virtual file system of GDAL, which is not allowed")
    try:
        if reading.etag_of(absolute) is not None:
            opener = reading.opened_by_name
            dataset = rasterio.open(str(absolute), driver=driver, sharing=False, opener=opener, **options)
        else:
            # `rasterio.open` would look for credentials and set up an environment each time
            dataset = rasterio.DatasetReader(str(absolute), driver=driver, sharing=False, **options)
    except UnicodeDecodeError as error:
        raise RasterioIOError(f"the name of its CRS is not UTF-8: {error}") from None
    if _refers_elsewhere(dataset):
        dataset.close()
        raise ImageRejectedError(
            "refers-elsewhere",
            f"the metadata of {path.name} name another file as its overviews, which is never followed",
            "Write it again without them: gdal_translate -co TILED=YES -co PROFILE=GeoTIFF IN OUT.tif",
        )
    return dataset


def create_raster(path: Path, **profile: Any) -> rasterio.io.DatasetWriter:
    """Make a new file; `profile` is what `rasterio.open` takes. Raises rasterio.errors.RasterioIOError."""
    return rasterio.open(path, "w", **profile)


def _refers_elsewhere(dataset: rasterio.DatasetReader) -> bool:
    """Whether a TIFF has its overviews elsewhere: GDAL would fetch any file or address at the first read.

    Only this domain is decoded: others may be damaged or not UTF-8 and do no harm.
    """
    try:
        return dataset.get_tag_item("OVERVIEW_FILE", "OVERVIEWS") is not None
    except UnicodeDecodeError:
        return True


def cause_of(error: BaseException) -> str:
    """GDAL's own words for a failure: the innermost cause, which names file and block, on one line."""
    while error.__cause__ is not None:
        error = error.__cause__
    return " ".join(str(getattr(error, "errmsg", error)).split())
