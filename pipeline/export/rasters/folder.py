"""The folder `cog`: a GeoTIFF for each mask, a VRT over them, an overview of the survey, and a list of it
all.

masks/IMAGE_ID.tif   one for each image that is done; a name that would be too long is shortened
masks.vrt            over those that lie north up in the commonest CRS
survey.tif           all of them, smaller
images.csv           what became of each image
"""

import csv
import hashlib
import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from pyproj import CRS

from crackpipe.pipeline.console.log import log
from crackpipe.pipeline.console.printable import harmless
from crackpipe.pipeline.export.rasters.cog import write_cog
from crackpipe.pipeline.export.rasters.masks import MOST_TURNED, Raster, StoredMask, as_raster, north_up
from crackpipe.pipeline.export.rasters.mosaic import Part, as_vrt
from crackpipe.pipeline.export.rasters.overview import survey_overview

_MOST_NAME_BYTES = 255
"""Of a file's name in Linux's file systems."""
_COLUMNS = ("image_id", "file", "turned", "in_vrt", "why_not")


def file_of(image_id: str) -> str:
    """The GeoTIFF of an image, relative to the folder. Ending or not, no two images have the same.

    An image may have a name as long as the disk takes. One that `.tif` makes too long is cut between two
    letters, and ends with a hash of the image_id.
    """
    folder, slash, name = image_id.rpartition("/")
    encoded = os.fsencode(name)
    if len(encoded) + len(".tif") > _MOST_NAME_BYTES:
        end = f"-{hashlib.blake2b(os.fsencode(image_id), digest_size=8).hexdigest()}"
        name = encoded[: _MOST_NAME_BYTES - len(f"{end}.tif")].decode("utf-8", "ignore") + end
    return f"masks/{folder}{slash}{name}.tif"


def write_rasters(masks: Sequence[StoredMask], crs: CRS | None, folder: Path, scratch: Path) -> None:
    """Write everything into `folder`, which must not exist; `scratch` is an empty folder on the way.

    `crs` is that of the tables. Raises OutputDamagedError for a mask that cannot be read, OSError, an error
    of rasterio.
    """
    folder.mkdir()
    wkts = Counter(mask.crs_wkt for mask in masks)
    common = max(sorted(wkts), key=lambda wkt: wkts[wkt], default="")
    parts, rows = [], []
    for mask in masks:
        turned = north_up(mask)
        raster = turned or as_raster(mask)
        file = file_of(mask.image_id)
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        write_cog(raster, folder / file, scratch)
        why_not = _why_not_in_vrt(mask, turned, common)
        if not why_not:
            parts.append(Part(file, raster.height_px, raster.width_px, raster.transform))
        is_turned = turned is not None and not mask.is_north_up
        rows.append((mask.image_id, file, _word(is_turned), _word(not why_not), why_not))
    classes = max((mask.classes for mask in masks), key=len, default=())
    if parts:
        (folder / "masks.vrt").write_text(as_vrt(parts, common, classes), encoding="utf-8")
    overview = None if crs is None else survey_overview(masks, crs)
    if overview is not None:
        write_cog(overview, folder / "survey.tif", scratch)
    _list(rows, folder / "images.csv")
    if len(parts) < len(masks):
        log.warning(
            f"masks.vrt is without {len(masks) - len(parts)} of {len(masks)} images: cog/images.csv says "
            f"which and why. survey.tif shows them."
        )


def _why_not_in_vrt(mask: StoredMask, turned: Raster | None, common: str) -> str:
    """Why a mosaic cannot hold the mask, in words; empty where it can."""
    if mask.crs_wkt != common:
        return "it has another CRS than most images"
    if turned is None:
        return f"it lies askew, and turned to the north it would be over {MOST_TURNED:g} times as large"
    return ""


def _word(value: bool) -> str:
    return "yes" if value else "no"


def _list(rows: Sequence[tuple[str, ...]], path: Path) -> None:
    with path.open("w", newline="", encoding="utf-8", errors="backslashreplace") as file:
        lines = csv.writer(file, lineterminator="\n")
        lines.writerow(_COLUMNS)
        lines.writerows([harmless(cell) for cell in row] for row in rows)
