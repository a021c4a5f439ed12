"""Zeros up to the end of an uncompressed TIFF: a copy that stopped, in a file that got its full size first.

Such a file opens and reads without an error, black from some pixel on. Compressed files need no such look:
their blocks cannot be decoded where they are zeros.
"""

import os
from pathlib import Path

import numpy as np
import rasterio
from numpy.typing import NDArray

from crackpipe.pipeline.geometry.grid import Window
from crackpipe.pipeline.raster import blocks
from crackpipe.pipeline.raster.validity.reasons import INSPECTED, ZERO_TAIL

_LEAST_BYTES = 4096
"""Fewer zeros than a page of a disk, or than a row of pixels, may well be a dark corner."""
_PIECE_BYTES = 1 << 20


class ZeroTail:
    """The zeros at the end of one open TIFF, if it has any. Raises OSError."""

    def __init__(self, dataset: rasterio.DatasetReader, path: Path) -> None:
        self._dataset = dataset
        structure = dataset.tags(ns="IMAGE_STRUCTURE")
        looked_at = dataset.driver == "GTiff" and "COMPRESSION" not in structure
        self._pixel_bits = _pixel_bits(dataset)
        least = max(_LEAST_BYTES, dataset.width * self._pixel_bits // 8)
        self._start = _zeros_from(path, least) if looked_at else None

    def mark(self, reasons: NDArray[np.uint8], window: Window) -> None:
        """Set ZERO_TAIL in uint8 (h, w) of a window where a pixel to be inspected lies in the zeros."""
        if self._start is None:
            return
        height, width = self._dataset.block_shapes[0]
        for row, col in window.cells(height, width):
            for band in blocks.block_bands(self._dataset):
                extent = blocks.block_extent(self._dataset, row, col, band)
                if extent is not None and sum(extent) > self._start:
                    first_px = self._pixel_at(max(0, self._start - extent[0]))
                    self._mark_block(reasons, window, (row, col), first_px)

    def _pixel_at(self, offset: int) -> int:
        """Number of the pixel in its block, row by row, that a byte of the block belongs to.

        Values of 10, 12 or 14 bits are stored without gaps between them, but each row begins with a new byte.
        """
        width = int(self._dataset.block_shapes[0][1])
        row, byte = divmod(offset, -(-width * self._pixel_bits // 8))
        return row * width + byte * 8 // self._pixel_bits

    def _mark_block(
        self, reasons: NDArray[np.uint8], window: Window, block: tuple[int, int], first_px: int
    ) -> None:
        height, width = self._dataset.block_shapes[0]
        square = Window(block[0] * height, block[1] * width, height, width)
        shared = square.shared_with(window)
        number = np.arange(height * width).reshape(height, width)[shared.within(square)]
        part = reasons[shared.within(window)]
        part[(number >= first_px) & (part == INSPECTED)] = ZERO_TAIL


def _pixel_bits(dataset: rasterio.DatasetReader) -> int:
    """Bits of one pixel as an uncompressed block stores it."""
    bands = dataset.count // len(blocks.block_bands(dataset))
    of_type = np.dtype(dataset.dtypes[0]).itemsize * 8
    return int(bands * int(dataset.tags(1, ns="IMAGE_STRUCTURE").get("NBITS", of_type)))


def _zeros_from(path: Path, least: int) -> int | None:
    """Offset of the first of the zeros at the end of a file, None where there are fewer than `least`."""
    with path.open("rb") as file:
        size = end = file.seek(0, os.SEEK_END)
        if any(_before(file.fileno(), end, _LEAST_BYTES)):
            return None
        while end > 0:
            piece = np.frombuffer(_before(file.fileno(), end, _PIECE_BYTES), np.uint8)
            written = np.flatnonzero(piece)
            if len(written):
                end -= len(piece) - 1 - int(written[-1])
                break
            end -= len(piece)
    return end if size - end >= least else None


def _before(file: int, end: int, count: int) -> bytes:
    """The last bytes before an offset."""
    start = max(0, end - count)
    return os.pread(file, end - start, start)
