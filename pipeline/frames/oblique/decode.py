"""The pixels of a frame, decoded whole."""

import numpy as np
from numpy.typing import NDArray

from crackpipe.pipeline.errors import ImageRejectedError
from crackpipe.pipeline.frames.files.listing import Frame
from crackpipe.pipeline.raster import bands, blocks, gdal, signature
from crackpipe.pipeline.survey.files.candidates import unreadable
from crackpipe.pipeline.survey.opening import opening_of, unopenable


def decoded(frame: Frame) -> NDArray[np.uint8]:
    """A frame's pixels as they are stored, uint8 (B, H, W) with 1 or 3 bands.

    Raises ImageRejectedError where the file is damaged, or where its values are not plain grey values of 8
    bits.
    """
    compression = None
    try:
        size_bytes = frame.path.stat().st_size
        opening = opening_of(frame.path, size_bytes)
        compression = opening.compression
        with gdal.open_raster(frame.path, opening.driver, georeferenced=False) as dataset:
            layout, _ = bands.layout_of(dataset)
            if layout.palette or layout.gain != (1.0, 1.0, 1.0) or layout.alpha is not None:
                raise ImageRejectedError(
                    "dtype-unsupported",
                    "it has 16 bits, a palette or transparent pixels, of which no GeoTIFF is made",
                    "Convert it to three plain bands: gdal_translate -ot Byte -b 1 -b 2 -b 3 IN OUT.tif "
                    "(with -scale for 16 bits, with -expand rgb for a palette).",
                )
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
            colours = sorted(set(layout.colour), key=layout.colour.index)
            return np.asarray(dataset.read(colours), np.uint8)
    except gdal.GDAL_ERRORS as error:
        raise unopenable(frame.path, error, compression) from error
    except OSError as error:
        raise unreadable(frame.path, error) from error
