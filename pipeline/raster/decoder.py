"""Windows of one open file, decoded: grey values, and the reasons that the file itself gives pixel by pixel.

Most files are read where the window lies. A JPEG, a PNG or a TIFF with huge strips can only be decoded from
the top, so each window would decode it again: such a file is decoded once, into memory while it is small,
else into a tiled temporary file, stripe by stripe.
"""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray
from rasterio.errors import RasterioError

from crackpipe.pipeline.errors import ImageRejectedError, StorageError
from crackpipe.pipeline.geometry.grid import Window
from crackpipe.pipeline.image import SurveyImage
from crackpipe.pipeline.raster import bands, blocks, checksums, gdal
from crackpipe.pipeline.raster.declared import Declared
from crackpipe.pipeline.raster.spool import Spool
from crackpipe.pipeline.raster.unchanged import check_unchanged
from crackpipe.pipeline.raster.windows import Pixels, empty_pixels, stored_values
from crackpipe.pipeline.raster.zero_tail import ZeroTail

WHOLE_LIMIT_BYTES = 256 << 20
"""A file that must be decoded from the top is kept in memory up to this size, 4 bytes per pixel."""

# A strip from this size on is as bad as a JPEG: every window would decode it anew.
_LARGE_BLOCK_BYTES = 32 << 20
_STRIPE_PX = 512
"""Rows decoded at a time while spooling, or one block where that has more."""


class Decoder:
    """One open file. Not thread-safe.

    Raises ImageRejectedError on opening and on every read: `changed-while-read`, `unreadable-block`,
    `mask-unreadable`. Raises StorageError where a temporary file cannot be written.
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
        try:
            self._checksums = checksums.checksums_of(self._dataset, image.path)
            self._zero_tail = ZeroTail(self._dataset, image.path)
        except OSError as error:
            raise self._unreadable("its end", error) from error
        self._lookup = bands.lookup_tables(self._dataset, image.layout)
        self.lossy = bands.is_lossy(self._dataset)
        large = blocks.block_bytes(self._dataset) > _LARGE_BLOCK_BYTES
        self._from_top = large or image.driver != "GTiff"
        self._declared = Declared(image, self._dataset, lossy=self.lossy)

    @property
    def said(self) -> tuple[str, ...]:
        """Sentences for a person about what the file declares wrongly, known once a window was read."""
        return self._declared.said

    @property
    def declares(self) -> bool:
        """Whether the file has a say about single pixels: nodata, alpha, transparent colours or a mask."""
        return self._declared.has_a_say

    def close(self) -> None:
        """Close the file and drop what was decoded from it."""
        self._dataset.close()
        if self._checksums is not None:
            self._checksums.close()
        self._declared.close()
        if self._spool is not None:
            self._spool.close()
        self._whole = None

    def read(self, window: Window, out: Pixels | None = None) -> Pixels:
        """Decode a window inside the image, into `out` if given, and return that."""
        out = empty_pixels(window) if out is None else out
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
        with _in_temporary_file(self.image):
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
            spool.finish()
        except BaseException:
            spool.close()
            raise
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
            self._zero_tail.mark(reasons, window)
            damage = None if self._checksums is None else self._checksums.damage(window)
        except (RasterioError, OSError) as error:
            raise self._unreadable(_place(window), error) from error
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


@contextmanager
def _in_temporary_file(image: SurveyImage) -> Iterator[None]:
    """Raise StorageError where the temporary file fails: then the machine is at fault, not the image."""
    try:
        yield
    except (RasterioError, OSError) as error:
        size_mib = image.height_px * image.width_px * 4 >> 20
        raise StorageError(
            f"{image.image_id} is decoded into a temporary file of {size_mib} MiB in "
            f"{tempfile.gettempdir()}, which failed: {gdal.cause_of(error)}. Free space there, or name "
            "another folder in TMPDIR, then run the same command again."
        ) from error


def _place(window: Window) -> str:
    return f"rows {window.row}..{window.row_stop - 1}, columns {window.col}..{window.col_stop - 1}"
