"""Checksums that files carry and that GDAL does not look at.

DEFLATE blocks of a TIFF: a zlib stream ends with the Adler-32 of its content. libtiff stops reading as soon
as a block is full and never compares it, so most damage decodes to wrong pixels without an error. So we sum
the pixels that GDAL decoded and compare the sum with the end of the stream. GDAL still has the block in its
cache, and summing is ten times as fast as inflating. If the two agree, the block is sound. If they do not,
the block may be damaged, or it is a tile with padding at the image's edge, or it has 16 bits. Then we inflate
it once more ourselves, and that decides.

PNG: each chunk ends with its CRC-32. Where GDAL cannot inflate the image as a whole it goes on line by line
and gives wrong pixels without an error.

LZW, PackBits, JPEG and uncompressed blocks carry no checksum, and neither does ZSTD as libtiff writes it.
"""

import os
import zlib
from pathlib import Path

import numpy as np
import rasterio
from rasterio.errors import RasterioError

from crackpipe.pipeline.geometry.grid import Window
from crackpipe.pipeline.raster import blocks
from crackpipe.pipeline.raster.windows import raster_window

_PIECE_BYTES = 1 << 20
_ADLER_BYTES = 4
_PNG_SIGNATURE_BYTES = 8


class DeflateBlocks:
    """The DEFLATE blocks of one open TIFF, each looked at once. Not thread-safe."""

    def __init__(self, dataset: rasterio.DatasetReader, path: Path) -> None:
        self._dataset = dataset
        self._file = path.open("rb")
        self._block_bytes = blocks.block_bytes(dataset)
        self._bands = blocks.block_bands(dataset)
        structure = dataset.tags(ns="IMAGE_STRUCTURE")
        self._predictor = structure.get("PREDICTOR", "1")
        self._as_stored = set(dataset.dtypes) == {"uint8"} and "NBITS" not in dataset.tags(
            1, ns="IMAGE_STRUCTURE"
        )
        self._sound: set[tuple[int, int, int]] = set()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def damage(self, window: Window) -> str | None:
        """The first block under a window whose checksum does not fit, in words, or None. Raises OSError."""
        rows, cols = self._dataset.block_shapes[0]
        for row, col in window.cells(rows, cols):
            for band in self._bands:
                if (row, col, band) in self._sound:
                    continue
                extent = blocks.block_extent(self._dataset, row, col, band)
                if extent is not None and not (
                    self._pixels_fit((row, col), band, *extent) or self._fits(*extent)
                ):
                    return f"the checksum of block (row {row}, column {col}) does not fit"
                self._sound.add((row, col, band))
        return None

    def _pixels_fit(self, block: tuple[int, int], band: int, offset: int, length: int) -> bool:
        """Whether a block (row, column), as GDAL decoded it, has the checksum at the end of its stream."""
        if not self._as_stored or self._predictor not in ("1", "2") or length < _ADLER_BYTES:
            return False
        dataset, (rows, cols) = self._dataset, self._dataset.block_shapes[0]
        window = Window(block[0] * rows, block[1] * cols, rows, cols).clipped(dataset.height, dataset.width)
        bands = [band] if len(self._bands) > 1 else list(dataset.indexes)
        pixels = np.empty((window.height, window.width, len(bands)), np.uint8)
        try:
            dataset.read(bands, out=pixels.transpose(2, 0, 1), window=raster_window(window))
        except RasterioError:
            return False
        if self._predictor == "2":  # each value is stored as the difference from the one before in its row
            pixels[:, 1:] = np.diff(pixels, axis=1)
        ending = os.pread(self._file.fileno(), _ADLER_BYTES, offset + length - _ADLER_BYTES)
        return zlib.adler32(pixels.data).to_bytes(_ADLER_BYTES, "big") == ending

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


class PngChunks:
    """The chunks of one PNG, all looked at with the first window. Not thread-safe."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._looked = False
        self._damage: str | None = None

    def close(self) -> None:
        """Nothing is open between windows."""

    def damage(self, _window: Window) -> str | None:
        """The first chunk of the file whose checksum does not fit, in words, or None. Raises OSError."""
        if not self._looked:
            self._looked, self._damage = True, self._first_damage()
        return self._damage

    def _first_damage(self) -> str | None:
        with self._path.open("rb") as file:
            file.seek(_PNG_SIGNATURE_BYTES)
            while True:
                start = file.tell()
                head = file.read(8)
                if len(head) < 8 or head[4:] == b"IEND":
                    return None  # `signature.check_ending` reports a missing end
                left, crc = int.from_bytes(head[:4], "big"), zlib.crc32(head[4:])
                while left > 0:
                    piece = file.read(min(left, _PIECE_BYTES))
                    if not piece:
                        break
                    left, crc = left - len(piece), zlib.crc32(piece, crc)
                if file.read(4) != crc.to_bytes(4, "big"):
                    return f"the checksum of the chunk at byte {start} does not fit"


def checksums_of(dataset: rasterio.DatasetReader, path: Path) -> DeflateBlocks | PngChunks | None:
    """The checksums of an open raster, or None where it carries none. Raises OSError."""
    if dataset.driver == "PNG":
        return PngChunks(path)
    compression = dataset.tags(ns="IMAGE_STRUCTURE").get("COMPRESSION")
    return DeflateBlocks(dataset, path) if dataset.driver == "GTiff" and compression == "DEFLATE" else None
