"""Checksums that a TIFF's DEFLATE blocks carry and that libtiff does not look at.

A zlib stream ends with the Adler-32 of what it holds. libtiff stops as soon as a block is full, so that most
damage inside a stream decodes to other pixels without an error. Each block is therefore inflated once more,
on its own, and only for its checksum.

LZW, PackBits and uncompressed blocks carry none; libjpeg, libzstd and libpng report what they notice.
"""

import os
import zlib
from pathlib import Path
from types import TracebackType

import rasterio

from crackpipe.pipeline import integrity
from crackpipe.pipeline.grid import Window

_PIECE_BYTES = 1 << 20


class DeflateBlocks:
    """The DEFLATE blocks of one open TIFF, each looked at once. Not thread-safe."""

    def __init__(self, dataset: rasterio.DatasetReader, path: Path) -> None:
        self._dataset = dataset
        self._file = path.open("rb")
        self._block_bytes = integrity.block_bytes(dataset)
        self._bands = integrity.block_bands(dataset)
        self._sound: set[tuple[int, int, int]] = set()

    def __enter__(self) -> "DeflateBlocks":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def damaged(self, window: Window) -> tuple[int, int] | None:
        """(row, col) of the first block under a window whose checksum does not fit, or None.

        Counted in blocks. Raises OSError.
        """
        rows, cols = self._dataset.block_shapes[0]
        for row in range(window.row // rows, (window.row_stop - 1) // rows + 1):
            for col in range(window.col // cols, (window.col_stop - 1) // cols + 1):
                for band in self._bands:
                    if (row, col, band) in self._sound:
                        continue
                    extent = integrity.block_extent(self._dataset, row, col, band)
                    if extent is not None and not self._fits(*extent):
                        return row, col
                    self._sound.add((row, col, band))
        return None

    def _fits(self, offset: int, length: int) -> bool:
        """Whether a stream fits its checksum and gives no more than one block; bombs are not inflated."""
        stream = os.pread(self._file.fileno(), length, offset)
        inflater = zlib.decompressobj()
        left = self._block_bytes
        try:
            while not inflater.eof:
                piece = inflater.decompress(stream, min(_PIECE_BYTES, left + 1))
                left -= len(piece)
                stream = inflater.unconsumed_tail
                if left < 0:
                    return False
                if not piece and not stream:
                    return (
                        True  # not ended: it carries no checksum, and libtiff notices if pixels are missing
                    )
        except zlib.error:
            return False
        return True


def deflate_blocks(dataset: rasterio.DatasetReader, path: Path) -> DeflateBlocks | None:
    """The checker of an open raster, or None where its blocks carry no such checksum. Raises OSError."""
    compression = dataset.tags(ns="IMAGE_STRUCTURE").get("COMPRESSION")
    return DeflateBlocks(dataset, path) if dataset.driver == "GTiff" and compression == "DEFLATE" else None
