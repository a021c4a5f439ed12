"""Read the first directory of a TIFF without GDAL: whether it is complete, and where it places the image.

There are two plain ways to place an image: its first corner with a pixel size, or a matrix, both without
heights. Only these are understood here, the rest is left to GDAL. The keys that define a CRS are only
compared with those of other files (see `place`); what they mean is left to GDAL.
"""

import math
import os
import struct
from dataclasses import dataclass
from typing import BinaryIO

from affine import Affine

# A directory with more entries is garbage: all programs together know about 200 tags.
_MOST_TAGS = 4096
_SUBFILE, _OLD_SUBFILE, _COMPRESSION = 254, 255, 259
_SCALE, _TIE_POINTS, _MATRIX = 33550, 33922, 34264
_KEYS, _KEYS_DOUBLE, _KEYS_TEXT = 34735, 34736, 34737
# Bytes of one value by the number of its type.
_TEXT, _SHORT, _LONG, _DOUBLE = 2, 3, 4, 12
_VALUE_BYTES = {_TEXT: 1, _SHORT: 2, _DOUBLE: 8}
_MOST_VALUE_BYTES = 65536

MOST_PAGES = 100
"""Pages are counted up to this number."""
# Bits of the tag 254 (overview, mask), and the value of the older tag 255 that means an overview.
_NO_PAGE_BITS, _OLD_OVERVIEW = 0b101, 2


@dataclass(frozen=True)
class Directory:
    """The first directory of a TIFF."""

    order: str
    """Byte order as `struct` wants it."""
    big: bool
    """BigTIFF: offsets and counts of 8 bytes."""
    entries: dict[int, tuple[int, int, bytes]]
    """By tag: type, count, and the field that holds the values or says where they are."""
    next_offset: int = 0
    """Where the next directory starts; 0 if this is the last."""


@dataclass(frozen=True)
class Place:
    """Where a GeoTIFF says that it lies; its CRS is known only as bytes."""

    keys: bytes
    """All tags that define its CRS: equal bytes mean equal CRSs."""
    transform: Affine
    """World (x, y) of pixel corner (col, row), unless the keys say that positions are those of centres."""


def first_directory(file: BinaryIO, size_bytes: int) -> Directory | None:
    """Read the first directory of an open TIFF, without the values; None where the file was cut off before.

    Garbage in its place gives a directory without entries. Raises OSError.
    """
    file.seek(0)
    head = file.read(16)
    order = "<" if head[:2] == b"II" else ">"
    big = head[2:4] in (b"+\x00", b"\x00+")
    start, form = (8, "Q") if big else (4, "I")
    if len(head) < start + struct.calcsize(form):
        return None
    (offset,) = struct.unpack_from(order + form, head, start)
    return _directory_at(file, offset, size_bytes, order, big=big)


def _directory_at(file: BinaryIO, offset: int, size_bytes: int, order: str, *, big: bool) -> Directory | None:
    count_form, entry_form = ("Q", "HHQ8s") if big else ("H", "HHI4s")
    count_bytes, entry_bytes = struct.calcsize(count_form), struct.calcsize(order + entry_form)
    if offset + count_bytes > size_bytes:
        return None
    file.seek(offset)
    counted = file.read(count_bytes)
    if len(counted) < count_bytes:  # the file became shorter after its size was asked
        return None
    (count,) = struct.unpack(order + count_form, counted)
    if count > _MOST_TAGS:
        return Directory(order, big, {})
    table = file.read(count * entry_bytes)
    if len(table) < count * entry_bytes:
        return None
    found = list(struct.iter_unpack(order + entry_form, table))
    entries = {tag: (kind, values, field) for tag, kind, values, field in found}
    behind = file.read(8 if big else 4)
    # a file may end without the offset that belongs here
    next_offset = int.from_bytes(behind, "little" if order == "<" else "big")
    # If a tag stands there twice, GDAL decides which entry counts.
    return Directory(order, big, entries if len(entries) == len(found) else {}, next_offset)


def count_pages(file: BinaryIO, first: Directory, size_bytes: int) -> int:
    """Count the pictures of an open TIFF, at most `MOST_PAGES`, without overviews and masks.

    The first counts whatever it is. The chain of directories ends where it is damaged. Raises OSError.
    """
    pages, directory, seen = 1, first, set[int]()
    while directory.next_offset and directory.next_offset not in seen and pages < MOST_PAGES:
        seen.add(directory.next_offset)
        following = _directory_at(file, directory.next_offset, size_bytes, directory.order, big=directory.big)
        if following is None or not following.entries or following == first or len(seen) > _MOST_TAGS:
            break
        pages += _is_page(following)
        directory = following
    return pages


def _is_page(directory: Directory) -> bool:
    kind, old_kind = _small_number(directory, _SUBFILE), _small_number(directory, _OLD_SUBFILE)
    return not (kind or 0) & _NO_PAGE_BITS and old_kind != _OLD_OVERVIEW


def compression_of(directory: Directory) -> int | None:
    """The number of the compression of the first picture; None where the tag is missing."""
    return _small_number(directory, _COMPRESSION)


def _small_number(directory: Directory, tag: int) -> int | None:
    """The value of a tag that holds one short or long number; None for any other tag."""
    kind, count, field = directory.entries.get(tag, (0, 0, b""))
    if count != 1 or kind not in (_SHORT, _LONG):
        return None
    (number,) = struct.unpack_from(directory.order + ("H" if kind == _SHORT else "I"), field)
    return int(number)


def place_of(file: BinaryIO, directory: Directory) -> Place | None:
    """Read where an open TIFF lies; None where only GDAL can say. Raises OSError."""
    keys = _values(file, directory, _KEYS, _SHORT)
    transform = _transform(file, directory)
    if not keys or transform is None or transform == Affine.identity():
        return None
    parts = [directory.order.encode(), keys]
    for tag, kind in ((_KEYS_DOUBLE, _DOUBLE), (_KEYS_TEXT, _TEXT)):
        values = _values(file, directory, tag, kind)
        if values is None:
            return None
        parts += [len(values).to_bytes(4, "little"), values]
    return Place(b"".join(parts), transform)


def _transform(file: BinaryIO, directory: Directory) -> Affine | None:
    scale, tie, matrix = (
        _doubles(file, directory, tag, count) for tag, count in ((_SCALE, 3), (_TIE_POINTS, 6), (_MATRIX, 16))
    )
    if scale and tie and matrix == ():
        width, height, rise = scale
        *pixel, x, y, z = tie
        # With heights, GDAL also scales the pixel values, so that case is left to GDAL.
        if width == 0 or height <= 0 or rise not in (0, 1) or any(pixel) or z != 0:
            return None
        transform = Affine(width, 0.0, x, 0.0, -height, y)
    elif matrix and scale == () and tie == ():
        if any(matrix[2::4]) or any(matrix[8:12]) or matrix[12:] != (0, 0, 0, 1):
            return None
        transform = Affine(matrix[0], matrix[1], matrix[3], matrix[4], matrix[5], matrix[7])
    else:
        return None
    return transform if all(map(math.isfinite, transform)) else None


def _doubles(file: BinaryIO, directory: Directory, tag: int, count: int) -> tuple[float, ...] | None:
    """The numbers of a tag that must hold `count` of them: () without the tag, None where it is otherwise."""
    values = _values(file, directory, tag, _DOUBLE)
    if values is None or len(values) not in (0, count * 8):
        return None
    return struct.unpack(f"{directory.order}{len(values) // 8}d", values)


def _values(file: BinaryIO, directory: Directory, tag: int, wanted_kind: int) -> bytes | None:
    """The bytes of a tag's values: b"" where the tag is missing, None where they cannot be read."""
    entry = directory.entries.get(tag)
    if entry is None:
        return b""
    kind, count, field = entry
    length = count * _VALUE_BYTES.get(kind, 0)
    if kind != wanted_kind or not 0 < length <= _MOST_VALUE_BYTES:
        return None
    if length <= len(field):
        return field[:length]
    (offset,) = struct.unpack(directory.order + ("Q" if directory.big else "I"), field)
    # A damaged BigTIFF may name an offset so large that `seek` raises.
    if offset + length > file.seek(0, os.SEEK_END):
        return None
    file.seek(offset)
    values = file.read(length)
    return values if len(values) == length else None
