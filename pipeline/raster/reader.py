"""Room 1: a window of an image becomes uint8 RGB, and the reason why a pixel is not to be inspected.

A window may reach beyond the image; there the image is reflected about its outermost pixels, however small
it is, so that a window shows the same as if the whole image had been reflected first.

Most files are read where the window lies. A JPEG, a PNG or a TIFF with huge strips can only be decoded from
the top, so each window would decode it again: such a file is decoded once, into memory while it is small,
else into a tiled temporary file, stripe by stripe.
"""

from types import TracebackType

import numpy as np
from numpy.typing import NDArray
from rasterio.errors import RasterioError

from crackpipe.pipeline.errors import ImageRejectedError
from crackpipe.pipeline.geometry.grid import Window
from crackpipe.pipeline.image import SurveyImage
from crackpipe.pipeline.raster import bands, blocks, checksums, gdal
from crackpipe.pipeline.raster.declared import Declared
from crackpipe.pipeline.raster.spool import Spool
from crackpipe.pipeline.raster.unchanged import check_unchanged
from crackpipe.pipeline.raster.validity.reasons import INSPECTED
from crackpipe.pipeline.raster.windows import Pixels, empty_pixels, stored_values

WHOLE_LIMIT_BYTES = 256 << 20
"""A file that must be decoded from the top is kept in memory up to this size, 4 bytes per pixel."""

# A strip from this size on is as bad as a JPEG: every window would decode it anew.
_LARGE_BLOCK_BYTES = 32 << 20
_STRIPE_PX = 512
"""Rows decoded at a time while spooling, or one block where that has more."""


class ImageReader:
    """Reads windows of one image; use it as a context manager. Not thread-safe: one per thread.

    Raises ImageRejectedError on opening and on every read: `changed-while-read`, `unreadable-block`,
    `mask-unreadable`.
    """

    def __init__(self, image: SurveyImage) -> None:
        self.image = image
        self._whole: Pixels | None = None
        self._spool: Spool | None = None
        check_unchanged(image.file)
        try:
            self._dataset = gdal.open_raster(image.path, image.driver, georeferenced=False)
        except RasterioError as error:
            raise self._unreadable("header", error) from error
        self._checksums = checksums.checksums_of(self._dataset, image.path)
        self._lookup = bands.lookup_tables(self._dataset, image.layout)
        large = blocks.block_bytes(self._dataset) > _LARGE_BLOCK_BYTES
        self._from_top = large or image.driver != "GTiff"
        self._declared = Declared(image, self._dataset)

    def __enter__(self) -> "ImageReader":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file and drop what was decoded from it."""
        self._dataset.close()
        if self._checksums is not None:
            self._checksums.close()
        self._declared.close()
        if self._spool is not None:
            self._spool.close()
        self._whole = None

    def read(self, window: Window) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
        """Decode one window, which may reach beyond the image (reflected there, like `numpy` "reflect").

        Returns uint8 (h, w, 3) RGB and bool (h, w), True where the pixel is to be inspected. A reflected
        pixel is what its source is.
        """
        rgb, reasons = self.read_with_reasons(window)
        return rgb, reasons == INSPECTED

    def read_with_reasons(self, window: Window) -> Pixels:
        """Decode one window as `read` does, with the reason of each pixel that is not to be inspected."""
        height_px, width_px = self.image.height_px, self.image.width_px
        rows = reflected(window.row, window.height, height_px)
        cols = reflected(window.col, window.width, width_px)
        inside = Window(int(rows.min()), int(cols.min()), int(np.ptp(rows)) + 1, int(np.ptp(cols)) + 1)
        if inside == window.clipped(height_px, width_px):
            rgb, reasons = empty_pixels(window)
            place = inside.within(window)
            self._inside(inside, (rgb[place], reasons[place]))
            for pixels in (rgb, reasons):
                _reflect_margins(pixels, rows - window.row, cols - window.col, place)
        else:  # it reaches so far out that reflection shows pixels which the window itself does not hold
            rgb, reasons = self._inside(inside, empty_pixels(inside))
            rows, cols = rows - inside.row, cols - inside.col
            rgb = rgb.take(rows, axis=0).take(cols, axis=1)
            reasons = reasons.take(rows, axis=0).take(cols, axis=1)
        check_unchanged(self.image.file)
        return rgb, reasons

    def _inside(self, window: Window, out: Pixels) -> Pixels:
        """Fill `out`, of the size of a window inside the image, and return it."""
        if not self._from_top:
            return self._decode(window, out)
        height_px, width_px = self.image.height_px, self.image.width_px
        if height_px * width_px * 4 <= WHOLE_LIMIT_BYTES:
            if self._whole is None:
                whole = Window(0, 0, height_px, width_px)
                self._whole = self._decode(whole, empty_pixels(whole))
            decoded = self._whole
            place = window.within(Window(0, 0, height_px, width_px))
            out[0][:], out[1][:] = decoded[0][place], decoded[1][place]
            return out
        if self._spool is None:
            self._spool = self._spooled()
        out[0][:], out[1][:] = self._spool.read(window)
        return out

    def _spooled(self) -> Spool:
        spool = Spool(self.image.height_px, self.image.width_px)
        try:
            step = max(_STRIPE_PX, self._dataset.block_shapes[0][0])
            for row in range(0, self.image.height_px, step):
                height = min(step, self.image.height_px - row)
                stripe = Window(row, 0, height, self.image.width_px)
                spool.write(stripe, self._decode(stripe, empty_pixels(stripe)))
        except BaseException:
            spool.close()
            raise
        spool.finish()
        return spool

    def _decode(self, window: Window, out: Pixels) -> Pixels:
        """Decode a window inside the image straight from the file into `out`, and return that."""
        layout = self.image.layout
        wanted = sorted({*layout.colour, *([] if layout.alpha is None else [layout.alpha])})
        colours = [wanted.index(band) for band in layout.colour]
        rgb, reasons = out
        as_stored = self._lookup is None and self._dataset.dtypes[0] == "uint8"
        try:
            if as_stored and colours == [0, 1, 2] == list(range(len(wanted))):
                values: NDArray[np.generic] = stored_values(self._dataset, wanted, window, rgb)
            else:
                values = stored_values(self._dataset, wanted, window)
            self._declared.judge(values, wanted, window, reasons)
        except RasterioError as error:
            raise self._unreadable(_place(window), error) from error
        damage = None if self._checksums is None else self._checksums.damage(window)
        if damage is not None:
            raise self._unreadable(_place(window), ValueError(damage))
        if values is not rgb:
            # one channel after the other is several times as fast as one assignment to all three
            for channel, index in enumerate(colours):
                stored = values[..., index]
                rgb[..., channel] = stored if self._lookup is None else self._lookup[channel][stored]
        return out

    def _unreadable(self, place: str, error: BaseException) -> ImageRejectedError:
        return ImageRejectedError(
            "unreadable-block",
            f"{self.image.path.name}: {place} cannot be decoded: {gdal.cause_of(error)}",
            "Copy the file again from where it was made, or write it again.",
        )


def _reflect_margins(
    pixels: NDArray[np.generic], rows: NDArray[np.intp], cols: NDArray[np.intp], place: tuple[slice, slice]
) -> None:
    """Fill what lies outside `place` in (h, w, ...) from row rows[i], column cols[j], which lie inside."""
    inner_rows, inner_cols = place
    for margin in (slice(0, inner_rows.start), slice(inner_rows.stop, len(rows))):
        pixels[margin, inner_cols] = pixels[rows[margin], inner_cols]
    for margin in (slice(0, inner_cols.start), slice(inner_cols.stop, len(cols))):
        pixels[:, margin] = pixels.take(cols[margin], axis=1)  # three times as fast as indexing with them


def reflected(start: int, count: int, size: int) -> NDArray[np.intp]:
    """Pixels shown at start .. start + count - 1 when `size` pixels are reflected without end.

    The outermost pixel is the mirror and is not repeated (`numpy.pad` "reflect"). Returns intp (count,),
    each from 0 to size - 1.
    """
    if size == 1:
        return np.zeros(count, np.intp)
    period = 2 * (size - 1)
    position = np.arange(start, start + count) % period
    return np.minimum(position, period - position)


def _place(window: Window) -> str:
    return f"rows {window.row}..{window.row_stop - 1}, columns {window.col}..{window.col_stop - 1}"
