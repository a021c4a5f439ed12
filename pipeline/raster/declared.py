"""What a file says about its own pixels: nodata, alpha, transparent colours, masks, blocks never written."""

from typing import Any

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
from crackpipe.pipeline.raster.validity.reasons import DECLARED, INSPECTED, NEAR, NEVER_WRITTEN, SPOILT_GREY
from crackpipe.pipeline.raster.windows import raster_window, stored_values

_ALONG = 8
_SQUARE_PX = 64
_UNDECIDED_SHARE = 0.1
_SPREAD_GREY = 3


class Declared:
    """The declarations of one open image. Not thread-safe.

    Raises ImageRejectedError `changed-while-read` or `mask-unreadable` on opening and with every window.
    """

    def __init__(self, image: SurveyImage, dataset: rasterio.DatasetReader, *, lossy: bool) -> None:
        self._image = image
        self._dataset = dataset
        self._lossy = lossy
        self._alpha = Alpha(image, dataset)
        self._opaque = bands.opaque_colours(dataset, image.layout)
        self._mask = None if image.mask is None else _open_mask(image.mask)

    @property
    def has_a_say(self) -> bool:
        """Whether anything is declared about single pixels."""
        image = self._image
        declared = (image.nodata, image.layout.alpha, self._opaque, self._mask)
        return any(each is not None for each in declared) or self._has_internal_mask()

    def _has_internal_mask(self) -> bool:
        return MaskFlags.per_dataset in self._dataset.mask_flag_enums[0]

    @property
    def said(self) -> tuple[str, ...]:
        """Sentences for a person about what is declared wrongly, known once a window was judged."""
        return self._alpha.said

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
        nodata = self._by_nodata(values, wanted)
        if nodata is not None and self._lossy:
            out[self._near_nodata(values, wanted)] = NEAR
        for valid in (
            self._by_alpha(values, wanted),
            self._by_palette(values),
            nodata,
            self._by_internal_mask(window),
            self._by_external_mask(window),
        ):
            if valid is not None:
                out[~valid] = DECLARED
        if self._image.has_missing_blocks:
            self._mark_missing(out, window)

    def _by_alpha(self, values: NDArray[np.generic], wanted: list[int]) -> NDArray[np.bool_] | None:
        alpha = self._image.layout.alpha
        if alpha is None or self._alpha.is_none():
            return None
        return np.asarray(values[..., wanted.index(alpha)] != 0)

    def _by_palette(self, values: NDArray[np.generic]) -> NDArray[np.bool_] | None:
        return None if self._opaque is None else self._opaque[values[..., 0]]

    def _by_nodata(self, values: NDArray[np.generic], wanted: list[int]) -> NDArray[np.bool_] | None:
        nodata = self._image.nodata
        if nodata is None or nodata not in range(np.iinfo(self._image.dtype).max + 1):
            return None
        # compared with a float, all values would become floats
        return np.asarray((self._colours(values, wanted) != values.dtype.type(nodata)).any(axis=2))

    def _near_nodata(self, values: NDArray[np.generic], wanted: list[int]) -> NDArray[np.bool_]:
        assert self._image.nodata is not None
        nodata, top = int(self._image.nodata), np.iinfo(self._image.dtype).max
        spread = SPOILT_GREY * (top // 255)
        colours = self._colours(values, wanted)
        low, high = (values.dtype.type(min(max(nodata + way, 0), top)) for way in (-spread, spread))
        return np.asarray(((colours >= low) & (colours <= high)).all(axis=2))

    def _colours(self, values: NDArray[np.generic], wanted: list[int]) -> NDArray[Any]:
        return values[..., [wanted.index(band) for band in sorted(set(self._image.layout.colour))]]

    def _by_internal_mask(self, window: Window) -> NDArray[np.bool_] | None:
        if not self._has_internal_mask():
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


class Alpha:
    """The alpha band of one open image, if it has one.

    A band may be marked as alpha and be none, such as near infrared: dark ground would count as no data. An
    alpha band says of nearly every pixel either yes or no. If more than a tenth of the pixels say neither, it
    is another picture. That is asked of 64 squares spread evenly over the image (of all pixels where it is
    small), so that the answer is the same whatever window is read first.
    """

    def __init__(self, image: SurveyImage, dataset: rasterio.DatasetReader) -> None:
        self._image = image
        self._dataset = dataset
        self._share: float | None = None

    @property
    def said(self) -> tuple[str, ...]:
        """What a person is told of an alpha band that is none."""
        if self._share is None or self._share <= _UNDECIDED_SHARE:
            return ()
        return (
            f"band {self._image.layout.alpha} is marked as alpha, but {100 * self._share:.3g} % of it is "
            "neither transparent nor opaque, so it is ignored",
        )

    def is_none(self) -> bool:
        """Whether the band is no alpha. Raises RasterioError."""
        if self._share is None:
            self._share = self._undecided_share()
        return self._share > _UNDECIDED_SHARE

    def _undecided_share(self) -> float:
        """Share of the pixels, 0..1, that are neither transparent nor opaque."""
        alpha = self._image.layout.alpha
        assert alpha is not None
        one_grey = np.iinfo(self._dataset.dtypes[alpha - 1]).max // 255
        undecided = count = 0
        for row in _starts(self._image.height_px):
            for col in _starts(self._image.width_px):
                square = Window(row, col, _SQUARE_PX, _SQUARE_PX)
                square = square.clipped(self._image.height_px, self._image.width_px)
                grey: NDArray[Any] = stored_values(self._dataset, [alpha], square)
                grey = grey // one_grey
                undecided += int(np.count_nonzero((grey > _SPREAD_GREY) & (grey < 255 - _SPREAD_GREY)))
                count += grey.size
        return undecided / count


def _starts(size_px: int) -> list[int]:
    """Where the squares begin along one side."""
    if size_px <= _ALONG * _SQUARE_PX:
        return list(range(0, size_px, _SQUARE_PX))
    return [round(number * (size_px - _SQUARE_PX) / (_ALONG - 1)) for number in range(_ALONG)]
