"""The bytes of a hollow file come in blocks, in the order in which somebody asks for them.

While a survey is planned only heads are asked for. What they brought stays, so that no byte of an image that
is inspected later comes twice. A connection that is cut costs nothing: the next request begins behind the
last byte that came.
"""

import hashlib
import io
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from crackpipe.pipeline.errors import ImageRejectedError
from crackpipe.pipeline.storage.cloud.answers import TransientError
from crackpipe.pipeline.storage.cloud.mirror import hollow
from crackpipe.pipeline.storage.cloud.stores import Entry, Store
from crackpipe.pipeline.storage.reading import WHOLE_NS

BLOCK_BYTES = 1 << 16
PIECE_BYTES = 8 << 20
"""Asked for at once."""
_HEXADECIMAL = frozenset("0123456789abcdef")

Patiently = Callable[[Callable[[], bytes], str], bytes]


class Filling:
    """One hollow file, and which of its blocks are there. Several threads may use it."""

    def __init__(self, path: Path, entry: Entry, store: Store, patiently: Patiently) -> None:
        self.path, self.entry = path, entry
        self._store, self._patiently = store, patiently
        self._have = bytearray(-(-entry.size_bytes // BLOCK_BYTES))
        self._lock = threading.Lock()

    @property
    def held_bytes(self) -> int:
        """Bytes that take space now, rounded up to blocks."""
        return sum(self._have) * BLOCK_BYTES

    def read(self, start: int, size: int) -> bytes:
        """Some bytes, brought if they are not there. Raises ImageRejectedError, ObjectStorageError."""
        end = min(start + size, self.entry.size_bytes)
        if end <= start:
            return b""
        with self._lock, _opened(self.path) as descriptor:
            self._bring(descriptor, start, end)
            return os.pread(descriptor, end - start, start)

    def complete(self) -> None:
        """Bring what is missing, compare, and give the file the time of a whole one. Raises as `read`."""
        with self._lock:
            content = self._brought()
            if not self._is_right(content):
                # damage on the way is not the same twice; some stores encrypt, and their ETags are no MD5
                self._empty()
                again = self._brought()
                if not self._is_right(again) and (content != again or self.entry.sha256 is not None):
                    raise ImageRejectedError(
                        "unreadable-file",
                        f"{self.path.name} arrived twice with another content than its "
                        f"{'sha256 in the manifest' if self.entry.sha256 else 'ETag'} says",
                        "Compare it with its original, or upload it again; then run again.",
                    )
            os.utime(self.path, ns=(WHOLE_NS, WHOLE_NS))

    def _brought(self) -> tuple[str, str]:
        with _opened(self.path) as descriptor:
            self._bring(descriptor, 0, self.entry.size_bytes)
            os.fsync(descriptor)
        with self.path.open("rb") as file:
            sha256 = "" if self.entry.sha256 is None else hashlib.file_digest(file, "sha256").hexdigest()
            file.seek(0)
            md5 = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
        return md5, sha256

    def _is_right(self, content: tuple[str, str]) -> bool:
        md5, sha256 = content
        etag = self.entry.etag.strip('"')
        is_md5 = len(etag) == 32 and _HEXADECIMAL.issuperset(etag)
        return (not is_md5 or etag == md5) and (self.entry.sha256 or "") == sha256

    def empty(self) -> None:
        """Give the space back. Raises OSError."""
        with self._lock:
            self._empty()

    def _empty(self) -> None:
        hollow(self.path, self.entry.size_bytes)
        self._have = bytearray(len(self._have))

    def _bring(self, descriptor: int, start: int, end: int) -> None:
        for begin, stop in self._missing(start, end):
            at = begin
            try:
                while at < stop:
                    piece = self._patiently(lambda at=at, stop=stop: self._one(at, stop), self.entry.name)  # type: ignore[misc]
                    at += os.pwrite(descriptor, piece, at)
            finally:
                whole = at // BLOCK_BYTES if at < stop else -(-at // BLOCK_BYTES)
                for block in range(begin // BLOCK_BYTES, whole):
                    self._have[block] = 1

    def _one(self, start: int, end: int) -> bytes:
        piece = self._store.read(self.entry, start, end)
        if not piece:
            raise TransientError("an empty answer")
        return piece

    def _missing(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        """Runs of blocks that are missing, as bytes, at most `PIECE_BYTES` each."""
        most = PIECE_BYTES // BLOCK_BYTES
        block, last = start // BLOCK_BYTES, -(-end // BLOCK_BYTES)
        while block < last:
            if self._have[block]:
                block += 1
                continue
            stop = block + 1
            while stop < last and not self._have[stop] and stop - block < most:
                stop += 1
            yield block * BLOCK_BYTES, min(stop * BLOCK_BYTES, self.entry.size_bytes)
            block = stop


class _opened:  # noqa: N801  used as a statement
    """The descriptor of a file for reading and writing, closed at the end."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> int:
        self._descriptor = os.open(self._path, os.O_RDWR | os.O_NOFOLLOW)
        return self._descriptor

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)


class FillingFile(io.RawIOBase):
    """A hollow file opened for reading."""

    def __init__(self, read: Callable[[int, int], bytes], size_bytes: int) -> None:
        super().__init__()
        self._read, self._size_bytes, self._at = read, size_bytes, 0

    def readable(self) -> bool:
        """Yes."""
        return True

    def seekable(self) -> bool:
        """Yes."""
        return True

    def tell(self) -> int:
        """Bytes from the beginning."""
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """As of every file."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size_bytes}[whence]
        if base + offset < 0:
            raise OSError(22, "negative offset")
        self._at = base + offset
        return self._at

    def readinto(self, buffer: object) -> int:
        """As of every file."""
        view = memoryview(buffer)  # type: ignore[arg-type]
        content = self.read(len(view))
        view[: len(content)] = content
        return len(content)

    def read(self, size: int | None = -1) -> bytes:
        """As of every file; what is missing is brought."""
        left = max(0, self._size_bytes - self._at)
        content = self._read(self._at, left if size is None or size < 0 else min(size, left))
        self._at += len(content)
        return content
