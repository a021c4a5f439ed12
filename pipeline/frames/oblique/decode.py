"""The pixels of a frame, decoded whole."""

import numpy as np
import rasterio
from numpy.typing import NDArray

from crackpipe.pipeline.errors import ImageRejectedError
from crackpipe.pipeline.frames.files.listing import Frame
from crackpipe.pipeline.image import BandLayout
from crackpipe.pipeline.raster import bands, blocks, gdal, signature
from crackpipe.pipeline.survey.files.candidates import unreadable
from crackpipe.pipeline.survey.opening import opening_of, unopenable

# Rows that are read together: a multiple of the sides of blocks that are usual.
_STRIP_PX = 512


def decoded(frame: Frame) -> NDArray[np.uint8]:
    """A frame's pixels as they are stored, uint8 (B, H, W) with 1 or 3 bands.

    Raises ImageRejectedError where the file is damaged, or where its values are not plain grey values of 8
    bits.
    """
    pixels = decoded_packed(frame)
    return np.ascontiguousarray(pixels[..., : min(pixels.shape[2], 3)].transpose(2, 0, 1))


def decoded_packed(frame: Frame) -> NDArray[np.uint8]:
    """As `decoded`, in the layout of `packed`. Raises ImageRejectedError like it."""
    compression = None
    try:
        size_bytes = frame.path.stat().st_size
        opening = opening_of(frame.path, size_bytes)
        compression = opening.compression
        with gdal.open_raster(frame.path, opening.driver, georeferenced=False) as dataset:
            layout, _ = bands.layout_of(dataset)
            _check_plain(layout)
            if dataset.shape != (frame.height_px, frame.width_px):
                raise ImageRejectedError(
                    "changed-while-read", "its size is another one than before", "Call the command again."
                )
            if opening.driver == "GTiff":
                if blocks.missing_tiff_blocks(dataset, size_bytes):
                    raise ImageRejectedError(
                        "never-written", "some of its blocks were never written", "Write the file again."
                    )
            else:
                signature.check_ending(frame.path, opening.driver, size_bytes)
            return _in_strips(dataset, sorted(set(layout.colour), key=layout.colour.index))
    except gdal.GDAL_ERRORS as error:
        raise unopenable(frame.path, error, compression) from error
    except OSError as error:
        raise unreadable(frame.path, error) from error


def _check_plain(layout: BandLayout) -> None:
    """Raise `dtype-unsupported` where values are not grey values of 8 bits, with the way to make them so."""
    if layout.palette:
        what, how = "it has a palette", "-expand rgb"
    elif layout.gain != (1.0, 1.0, 1.0):
        what = "its values are not those of 8 bits from black to white (16 bits, few bits, or white is 0)"
        how = "-ot Byte -scale BLACK WHITE 0 255"
    elif layout.alpha is not None:
        what = "it has transparent pixels"
        how = " ".join(f"-b {band}" for band in sorted(set(layout.colour), key=layout.colour.index))
    else:
        return
    raise ImageRejectedError(
        "dtype-unsupported",
        f"{what}, of which no GeoTIFF is made",
        f"Convert it: gdal_translate {how} IN OUT.tif",
    )


def packed(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Pixels (B, H, W) with those of all bands side by side, (H, W, 1 or 4): one look-up finds them all."""
    bands_count, height, width = pixels.shape
    found = np.zeros((height, width, 1 if bands_count == 1 else 4), np.uint8)
    found[..., :bands_count] = pixels.transpose(1, 2, 0)
    return found


def _in_strips(dataset: rasterio.DatasetReader, colours: list[int]) -> NDArray[np.uint8]:
    """All of an open raster, read in strips so that it is not in memory twice."""
    height, width = dataset.shape
    found = np.zeros((height, width, 1 if len(colours) == 1 else 4), np.uint8)
    for row in range(0, height, _STRIP_PX):
        strip = rasterio.windows.Window(0, row, width, min(_STRIP_PX, height - row))
        found[row : row + strip.height] = packed(dataset.read(colours, window=strip))
    return found
