"""Read the `.prj` file beside an image. No message quotes it: it may be a link to a secret file."""

from pathlib import Path

from pyproj import CRS

from crackpipe.pipeline.errors import ImageRejectedError
from crackpipe.pipeline.geometry.crs import foreign_crs
from crackpipe.pipeline.survey.sidecars.text import read_text

_LIMIT_BYTES = 65536


def read_prj(file: Path) -> CRS:
    """The horizontal CRS in a `.prj` file. Raises ImageRejectedError `crs-unusable` if it holds none."""
    try:
        return foreign_crs(read_text(file, _LIMIT_BYTES).strip())
    except (OSError, ValueError):
        # `from None`, because the message of pyproj quotes the file
        raise ImageRejectedError(
            "crs-unusable",
            f"{file.name} does not hold a coordinate reference system",
            "Write the .prj file again as WKT, or remove it and give --assume-crs.",
        ) from None
