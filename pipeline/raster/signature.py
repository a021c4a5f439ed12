"""Which format a file has, by its first and last bytes."""

from pathlib import Path
from typing import BinaryIO

from crackpipe.pipeline.errors import ImageRejectedError
from crackpipe.pipeline.raster.blocks import COPY_AGAIN
from crackpipe.pipeline.storage import reading

_SIGNATURES = {
    b"II*\x00": "GTiff",
    b"MM\x00*": "GTiff",
    b"II+\x00": "GTiff",
    b"MM\x00+": "GTiff",
    b"\xff\xd8\xff": "JPEG",
    b"\x89PNG\r\n\x1a\n": "PNG",
}
_JPEG_SCAN, _JPEG_END = b"\xff\xda", b"\xff\xd9"
_PNG_END = b"\x00\x00\x00\x00IEND\xaeB`\x82"
_TAIL_BYTES = 65536


def driver_of(file: BinaryIO) -> str | None:
    """GDAL driver for an open file by its first bytes: GTiff, JPEG, PNG, or None. Raises OSError."""
    file.seek(0)
    head = file.read(8)
    return next((driver for mark, driver in _SIGNATURES.items() if head.startswith(mark)), None)


def check_ending(path: Path, driver: str, size_bytes: int) -> None:
    """Raise ImageRejectedError `truncated` if a JPEG or PNG lacks its end marker. Raises OSError."""
    mark, start = (_PNG_END, 0) if driver == "PNG" else (_JPEG_END, _jpeg_scan_offset(path))
    with reading.opened(path) as file:
        for offset in (max(start, size_bytes - _TAIL_BYTES), start):
            # usually it is at the very end; where a camera appended a preview, search the whole file
            file.seek(offset)
            if mark in file.read():
                return
    raise ImageRejectedError(
        "truncated", f"the end marker of its {driver} data is missing ({size_bytes} bytes)", COPY_AGAIN
    )


def _jpeg_scan_offset(path: Path) -> int:
    """Where the picture's own data starts: an end marker before it belongs to a thumbnail in the header."""
    offset = 2
    with reading.opened(path) as file:
        while True:
            file.seek(offset)
            head = file.read(4)
            if len(head) < 4 or head[0] != 0xFF or head[:2] == _JPEG_SCAN:
                return offset
            offset += 2 + int.from_bytes(head[2:4], "big")
