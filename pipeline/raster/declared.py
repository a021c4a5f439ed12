"""What a file says about its own pixels: nodata, alpha, transparent colours, masks, blocks never written."""

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.enums import MaskFlags
from rasterio.errors import RasterioError

from crackpipe.pipeline.errors import ImageRejectedError
from crackpipe.pipeline.geometry.grid import Window
from crackpipe.pipeline.image import FileStamp, SurveyImage
from crackpipe.pipeline.raster import bands, blocks, gdal
from crackpipe.pipeline.raster.unchanged import check_unchanged
from crackpipe.pipeline.raster.validity.reasons import DECLARED, INSPECTED, NEVER_WRITTEN
from crackpipe.pipeline.raster.windows import raster_window, stored_values


class Declared:
    """The declarations of one open image. Not thread-safe.

    Raises ImageRejectedError `changed-while-read` or `mask-unreadable` on opening and with every window.
    """

    def __init__(self, image: SurveyImage, dataset: rasterio.DatasetReader) -> None:
        self._image = image
        self._dataset = dataset
        self._opaque = bands.opaque_colours(dataset, image.layout)
        self._mask = None if image.mask is None else _open_mask(image.mask)

    def close(self) -> None:
        """Close the mask beside the image."""
        if self._mask is not None:
            self._mask.close()

    def judge(
        self, values: NDArray[np.generic], wanted: list[int], window: Window, out: NDArray[np.uint8]
    ) -> None:
        """Fill uint8 `out` (h, w) with reasons for a window inside the image.

        `values` (h, w, bands) holds the stored values of the bands `wanted`. Raises RasterioError where an
        internal mask cannot be decoded.
        """
        out[:] = INSPECTED
        for valid in (
            self._by_alpha(values, wanted),
            self._by_palette(values),
            self._by_nodata(values, wanted),
            self._by_internal_mask(window),
            self._by_external_mask(window),
        ):
            if valid is not None:
                out[~valid] = DECLARED
        if self._image.has_missing_blocks:
            self._mark_missing(out, window)

    def _by_alpha(self, values: NDArray[np.generic], wanted: list[int]) -> NDArray[np.bool_] | None:
        alpha = self._image.layout.alpha
        return None if alpha is None else np.asarray(values[..., wanted.index(alpha)] != 0)

    def _by_palette(self, values: NDArray[np.generic]) -> NDArray[np.bool_] | None:
        return None if self._opaque is None else self._opaque[values[..., 0]]

    def _by_nodata(self, values: NDArray[np.generic], wanted: list[int]) -> NDArray[np.bool_] | None:
        image = self._image
        if image.nodata is None or image.nodata not in range(np.iinfo(image.dtype).max + 1):
            return None
        nodata = values.dtype.type(image.nodata)  # compared with a float, all values would become floats
        colours = [wanted.index(band) for band in sorted(set(image.layout.colour))]
        return np.asarray((values[..., colours] != nodata).any(axis=2))

    def _by_internal_mask(self, window: Window) -> NDArray[np.bool_] | None:
        if MaskFlags.per_dataset not in self._dataset.mask_flag_enums[0]:
            return None
        if self._image.layout.alpha is not None:
            return None  # what GDAL gives as mask is the alpha band again
        return np.asarray(self._dataset.read_masks(1, window=raster_window(window)) != 0)

    def _by_external_mask(self, window: Window) -> NDArray[np.bool_] | None:
        stamp = self._image.mask
        if self._mask is None or stamp is None:
            return None
        check_unchanged(stamp)
        try:
            return np.asarray(stored_values(self._mask, [1], window)[..., 0] != 0)
        except RasterioError as error:
            raise _bad_mask(stamp, error) from error

    def _mark_missing(self, out: NDArray[np.uint8], window: Window) -> None:
        height, width = self._dataset.block_shapes[0]
        for row, col in window.cells(height, width):
            for band in blocks.block_bands(self._dataset):
                if blocks.block_extent(self._dataset, row, col, band) is None:
                    block = Window(row * height, col * width, height, width)
                    rows, cols = block.within(window)
                    out[max(rows.start, 0) : rows.stop, max(cols.start, 0) : cols.stop] = NEVER_WRITTEN


def _open_mask(stamp: FileStamp) -> rasterio.DatasetReader:
    check_unchanged(stamp)
    try:
        return gdal.open_raster(stamp.path, "GTiff", georeferenced=False)
    except RasterioError as error:
        raise _bad_mask(stamp, error) from error


def _bad_mask(stamp: FileStamp, error: BaseException) -> ImageRejectedError:
    return ImageRejectedError(
        "mask-unreadable",
        f"the mask {stamp.path.name} cannot be decoded: {gdal.cause_of(error)}",
        "Write the mask again as a GeoTIFF, or remove it.",
    )
