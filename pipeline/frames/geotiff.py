"""Frames as GeoTIFFs: the same pixels, place and day in one file, and nothing else of what their EXIF says.

Of a JPEG the compressed blocks are taken over as they are, so that the file is hardly larger and nothing is
lost a second time; other frames are compressed without loss.
"""

import hashlib
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import rasterio
import rasterio.shutil
from affine import Affine
from numpy.typing import NDArray
from pyproj import CRS
from rasterio._err import CPLE_BaseError
from rasterio.errors import RasterioError
from rasterio.io import MemoryFile

from crackpipe.pipeline.errors import ImageRejectedError, OutputNotWritableError
from crackpipe.pipeline.frames.files.listing import Frame
from crackpipe.pipeline.frames.files.said import SetAside
from crackpipe.pipeline.frames.oblique.decode import decoded
from crackpipe.pipeline.frames.oblique.write import MADE_FROM_TAG, in_threads, is_there, put_in_place
from crackpipe.pipeline.geometry.arrays import Floats
from crackpipe.pipeline.raster.gdal import create_raster, open_raster
from crackpipe.pipeline.survey.files.candidates import unreadable

# Raise it when the same frame would give another file: GeoTIFFs of earlier calls are then made again.
_VERSION = "1"
_LAYOUT = {"tiled": True, "blockxsize": 512, "blockysize": 512}
# Markers of a JPEG: its first bytes, begin of pixels, comments, and application data but for JFIF and Adobe,
# which say how its colours are meant.
_START, _PIXELS, _END, _COMMENT, _JFIF, _ADOBE = b"\xff\xd8", 0xDA, 0xD9, 0xFE, 0xE0, 0xEE
# What ends the pixels of one scan. Among them 0xFF is followed by 0, or by the number of a restart.
_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")


def write_geotiffs(
    frames: Sequence[Frame], targets: Sequence[Path], transforms: Floats, crs: CRS, times_s: Floats
) -> tuple[int, list[SetAside]]:
    """Write the GeoTIFFs that are not there yet: how many it wrote, and frames that cannot be decoded.

    `transforms` is (N, 6), `times_s` (N,) POSIX seconds, NaN where they are not known. Raises
    OutputNotWritableError.
    """
    days = [_day(float(each)) for each in times_s]
    tasks = list(zip(frames, targets, transforms, days, strict=True))
    return in_threads(tasks, lambda task: _write(task[0], task[1], task[2], crs, task[3]))


def without_metadata(jpeg: bytes) -> bytes:
    """A JPEG without EXIF, XMP, comments, thumbnails and the like; its pixels stay to the byte.

    Raises ValueError where its markers are damaged.
    """
    if jpeg[:2] != _START:
        raise ValueError("it does not begin as a JPEG")
    kept, at = [_START], 2
    while at + 2 <= len(jpeg) and jpeg[at] == 0xFF:
        kind, size = jpeg[at + 1], int.from_bytes(jpeg[at + 2 : at + 4], "big")
        if kind == _END:
            # what follows the end of the picture, such as a second one, is left out too
            return b"".join([*kept, jpeg[at : at + 2]])
        if kind == 0xFF:  # a filling byte
            at += 1
            continue
        if kind == _PIXELS:
            found = _MARKER.search(jpeg, at + 2 + size)
            end = found.start() if found else len(jpeg)
            kept.append(jpeg[at:end])
            at = end
            continue
        is_metadata = kind == _COMMENT or (0xE0 <= kind <= 0xEF and kind not in {_JFIF, _ADOBE})
        if not is_metadata:
            kept.append(jpeg[at : at + 2 + size])
        at += 2 + size
    raise ValueError(f"no marker stands at byte {at}")


def _write(frame: Frame, target: Path, transform: Floats, crs: CRS, day: str) -> bool | SetAside:
    """Write one frame, unless it is there already; returns whether it wrote, or why it cannot be."""
    try:
        try:
            content = frame.path.read_bytes()
        except OSError as error:
            raise unreadable(frame.path, error) from error
        facts = [
            _VERSION,
            hashlib.blake2b(content).hexdigest(),
            crs.to_wkt(),
            day,
            *map(repr, transform.tolist()),
        ]
        made_from = hashlib.blake2b("\n".join(facts).encode(), digest_size=16).hexdigest()
        if is_there(target, made_from):
            return False
        pixels = decoded(frame)
    except ImageRejectedError as error:
        return SetAside(name=frame.name, reason=error.reason, said=error.message, remedy=error.remedy)
    tags = {MADE_FROM_TAG: made_from, **({"TIFFTAG_DATETIME": day} if day else {})}
    place = {"crs": rasterio.crs.CRS.from_wkt(crs.to_wkt()), "transform": Affine(*transform.tolist())}
    partial = target.with_name(f"{target.name}.partial")
    try:
        if not _copy_jpeg(content, partial, pixels):
            _compress(pixels, partial)
        with rasterio.open(partial, "r+", driver="GTiff") as dataset:
            dataset.crs, dataset.transform = place["crs"], place["transform"]
            dataset.update_tags(**tags)
        put_in_place(partial, target, made_from, masked=False)
    except (OSError, RasterioError, CPLE_BaseError) as error:
        raise OutputNotWritableError(f"cannot write {target}: {error}. Check space and rights.") from error
    return True


def _copy_jpeg(content: bytes, partial: Path, pixels: NDArray[np.uint8]) -> bool:
    """Take the compressed blocks of a JPEG over; False where that is not possible without loss."""
    try:
        plain = without_metadata(content)
    except ValueError:
        return False
    colours = {"photometric": "YCBCR" if len(pixels) == 3 else "MINISBLACK"}
    with MemoryFile(plain, ext=".jpg") as memory, memory.open(driver="JPEG") as source:
        rasterio.shutil.copy(source, partial, driver="GTiff", compress="JPEG", **_LAYOUT, **colours)
    # GDAL compresses anew, and says nothing, what it cannot take over
    with open_raster(partial, "GTiff") as dataset:
        return dataset.count == len(pixels) and np.array_equal(dataset.read(), pixels)


def _compress(pixels: NDArray[np.uint8], partial: Path) -> None:
    bands, height, width = pixels.shape
    profile = {"driver": "GTiff", "dtype": "uint8", "count": bands, "height": height, "width": width}
    colours = {"photometric": "RGB", "interleave": "pixel"} if bands == 3 else {}
    how = {"compress": "deflate", "predictor": 2, **_LAYOUT, **colours}
    with create_raster(partial, **profile, **how) as dataset:
        dataset.write(pixels)


def _day(time_s: float) -> str:
    """A time as TIFF has it, UTC; empty where it is not known."""
    if not 1e8 < time_s < 1e11:
        return ""
    return datetime.fromtimestamp(time_s, UTC).strftime("%Y:%m:%d %H:%M:%S")
