"""Room 1: a window of an image becomes uint8 RGB, and the reason why a pixel is not to be inspected.

A window may reach beyond the image; there the image is reflected about its outermost pixels, however small
it is, so that a window shows the same as if the whole image had been reflected first.

The decoder gives the pixels and what the file itself says of each. Here that is settled: what the file says
wrongly (thin islands without data are pavement) and what it does not say (collars).
"""

import threading
from collections import OrderedDict
from collections.abc import Iterator
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from crackpipe.pipeline.geometry.grid import Window
from crackpipe.pipeline.geometry.plan_view import inspected
from crackpipe.pipeline.image import BandLayout, FileStamp, SurveyImage
from crackpipe.pipeline.raster.decoder import Decoder
from crackpipe.pipeline.raster.unchanged import check_unchanged
from crackpipe.pipeline.raster.validity import collar, islands, spoilt
from crackpipe.pipeline.raster.validity.fill import Filled
from crackpipe.pipeline.raster.validity.reasons import (
    COLLAR,
    DECLARED,
    INSPECTED,
    NEAR,
    TOO_COARSE,
    ZERO_TAIL,
)
from crackpipe.pipeline.raster.validity.squares import grown
from crackpipe.pipeline.raster.windows import Pixels, empty_pixels

# An image's collars are kept by the process: they are small, and the units of a large image and the measuring
# of its widths ask for the same.
_MOST_KEPT = 64

# Workers may outlive a run, so the key holds all that the answer depends on, also what options decide.
_Key = tuple[FileStamp, FileStamp | None, float, BandLayout, float | None]

_lock = threading.Lock()
_kept: OrderedDict[_Key, list[Filled]] = OrderedDict()


class ImageReader:
    """Reads windows of one image; use it as a context manager. Not thread-safe: one per thread.

    Raises ImageRejectedError on opening and on every read: `changed-while-read`, `unreadable-block`,
    `mask-unreadable`. Raises StorageError where a temporary file cannot be written.
    """

    def __init__(self, image: SurveyImage) -> None:
        self.image = image
        self._decoder = Decoder(image)
        self._pavement = _Pavement(self._decoder)

    def __enter__(self) -> "ImageReader":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file and drop what was decoded from it."""
        self._decoder.close()

    @property
    def said(self) -> tuple[str, ...]:
        """Sentences for a person about what the file declares wrongly, known once a window was read."""
        return self._decoder.said

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
            self._pavement.read(inside, (rgb[place], reasons[place]))
            for pixels in (rgb, reasons):
                _reflect_margins(pixels, rows - window.row, cols - window.col, place)
        else:  # it reaches so far out that reflection shows pixels which the window itself does not hold
            rgb, reasons = self._pavement.read(inside)
            rows, cols = rows - inside.row, cols - inside.col
            rgb = rgb.take(rows, axis=0).take(cols, axis=1)
            reasons = reasons.take(rows, axis=0).take(cols, axis=1)
        check_unchanged(self.image.file)
        return rgb, reasons


class _Pavement:
    """Windows of one image with the reasons settled. Not thread-safe."""

    def __init__(self, decoder: Decoder) -> None:
        self._decoder = decoder
        self._image = decoder.image
        self._collars: list[Filled] | None = None

    def read(self, window: Window, out: Pixels | None = None) -> Pixels:
        """Decode a window inside the image, into `out` if given, and return that."""
        rgb, reasons = self._decoder.read(window, out)
        # Any reason counts, not only those that may still change: what lies next to a block that was never
        # written must get the same answer in a window that holds other pixels without data as well.
        if self._decoder.declares and any(part.any() for part in (reasons, *self._rim(window))):
            self._settle(window, reasons)
        for each in self._all_collars():
            pixels = each.read(window)
            if pixels is not None:
                reasons[pixels & ((reasons == INSPECTED) | (reasons == ZERO_TAIL))] = COLLAR
        if self._image.view is not None:
            # the mask in the file says the same, but it may be lost, and thin parts of it count as pavement
            reasons[~inspected(self._image.view, window)] = TOO_COARSE
        return rgb, reasons

    def _rim(self, window: Window) -> Iterator[NDArray[np.uint8]]:
        """The reasons just outside a window: what lasts there may reach into it."""
        wide = islands.RIM_PX
        for strip in (
            Window(window.row - wide, window.col - wide, wide, window.width + 2 * wide),
            Window(window.row_stop, window.col - wide, wide, window.width + 2 * wide),
            Window(window.row, window.col - wide, window.height, wide),
            Window(window.row, window.col_stop, window.height, wide),
        ):
            inside = strip.clipped(self._image.height_px, self._image.width_px)
            if inside.height and inside.width:
                yield self._decoder.read(inside)[1]

    def _settle(self, window: Window, reasons: NDArray[np.uint8]) -> None:
        """Decide which pixels without data, uint8 (h, w) of a window, stay so."""
        outer = window.padded(islands.REACH_PX).clipped(self._image.height_px, self._image.width_px)
        around = reasons if outer == window else self._decoder.read(outer)[1]
        near = around == NEAR
        missing, sides = (around != INSPECTED) & ~near, _sides(outer, self._image)
        lasting = islands.lasting(missing, None, sides)
        if near.any():
            # Values that compression changed count only near to where they are. Otherwise one of them would
            # change the answer in all of the window that it happens to lie in.
            beside = grown(near, spoilt.REACH_PX + spoilt.RIM_PX)
            lasting |= islands.lasting(missing, near, sides) & beside
        lasting = lasting[window.within(outer)]
        reasons[_undecided(reasons)] = INSPECTED
        reasons[lasting & (reasons == INSPECTED)] = DECLARED

    def _all_collars(self) -> list[Filled]:
        if self._image.keeps_collars:
            return []
        if self._collars is None:
            image = self._image
            key = image.file, image.mask, image.gsd_mm, image.layout, image.nodata
            with _lock:
                self._collars = _kept.get(key)
            if self._collars is None:
                self._collars = self._find_collars()
                with _lock:
                    _kept[key] = self._collars
                    while len(_kept) > _MOST_KEPT:
                        _kept.popitem(last=False)
        return self._collars

    def _find_collars(self) -> list[Filled]:
        image = self._image
        return collar.collars_of(
            collar.Ground(
                image.height_px, image.width_px, image.gsd_mm, self._decoder.lossy, self._decoder.read
            )
        )


def _undecided(reasons: NDArray[np.uint8]) -> NDArray[np.bool_]:
    return np.asarray((reasons == DECLARED) | (reasons == NEAR))


def _sides(window: Window, image: SurveyImage) -> tuple[bool, bool, bool, bool]:
    """Whether the image ends at the top, bottom, left and right of a window."""
    return (
        window.row == 0,
        window.row_stop == image.height_px,
        window.col == 0,
        window.col_stop == image.width_px,
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
