"""The three kinds of store: list what is there, read a range of bytes.

A method is one try: it raises TransientError where another one may help, ImageRejectedError where an object
is gone or changed, ObjectStorageError where nothing helps. Answers may be shorter than what was asked for.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol

from crackpipe.pipeline.errors import ConfigurationError, ObjectStorageError
from crackpipe.pipeline.storage.cloud.address import Address
from crackpipe.pipeline.storage.cloud.answers import changed, patiently, translating

_PIECE_BYTES = 1 << 18
_NEEDS = {"s3": "s3fs", "gs": "gcsfs", "az": "adlfs", "https": "aiohttp", "http": "aiohttp"}


@dataclass(frozen=True)
class Entry:
    """One object."""

    name: str
    """Relative to the survey's prefix; untrusted."""
    size_bytes: int
    etag: str
    """What the store names this content."""
    where: str = field(repr=False, compare=False)
    """What the store finds it by. Of https it holds signatures."""
    sha256: str | None = None
    """Of its content, where a manifest says so."""


class Store(Protocol):
    """Where objects lie."""

    def entries(self) -> Iterator[Entry]:
        """All objects below the prefix."""

    def read(self, entry: Entry, start: int, end: int) -> bytes:
        """Bytes `start` to `end` of an object, the last one excluded, or the first of them."""


def file_system(scheme: str, **options: Any) -> Any:
    """The fsspec file system of a scheme. Raises ConfigurationError where its package is missing."""
    try:
        import fsspec

        return fsspec.filesystem(scheme, **options)
    except ImportError:
        raise ConfigurationError(
            f"{scheme}:// needs the package {_NEEDS[scheme]}, which is not installed: "
            "pip install 'crackpipe[cloud]'"
        ) from None
    except (OSError, ValueError) as error:  # not quoted: it may hold what was found in the environment
        raise ObjectStorageError(
            f"{scheme}:// cannot be used: {type(error).__name__}. Check the credentials in the environment "
            "(docs/use/object_storage.md)."
        ) from None


# ---- S3


class S3:
    """A prefix in a bucket of S3, or of a store that speaks like it."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self.files = s3_files()

    def entries(self) -> Iterator[Entry]:
        """All objects below the prefix, in the order of their keys."""
        prefix = f"{self._address.key}/" if self._address.key else ""
        more: dict[str, str] = {}
        while True:
            page = patiently(partial(self._page, prefix, more), str(self._address))
            for each in page.get("Contents", ()):
                name = each["Key"].removeprefix(prefix)
                yield Entry(name, int(each["Size"]), each["ETag"].strip('"'), each["Key"])
            if not page.get("IsTruncated"):
                return
            more = {"ContinuationToken": page["NextContinuationToken"]}

    def _page(self, prefix: str, more: dict[str, str]) -> dict[str, Any]:
        with translating("", str(self._address)):
            host = self._address.host
            return dict(self.files.call_s3("list_objects_v2", Bucket=host, Prefix=prefix, **more))

    def read(self, entry: Entry, start: int, end: int) -> bytes:
        """One request, for the version that was listed and no other (If-Match)."""
        import fsspec.asyn

        request = {
            "Bucket": self._address.host,
            "Key": entry.where,
            "Range": f"bytes={start}-{end - 1}",
            "IfMatch": f'"{entry.etag}"',
        }
        with translating(entry.name, str(self._address)):
            etag, content = fsspec.asyn.sync(self.files.loop, _s3_range, self.files, request)
        if etag.strip('"') != entry.etag:
            raise changed(entry.name)
        return bytes(content[: end - start])


def s3_files() -> Any:
    """S3 through fsspec. It tries once: `patiently` tries again, and nobody multiplies tries."""
    anonymous = os.environ.get("AWS_NO_SIGN_REQUEST", "").lower() in ("1", "yes", "true")
    once = {"retries": {"total_max_attempts": 1}}
    files = file_system(
        "s3", anon=anonymous, config_kwargs=once, use_listings_cache=False, skip_instance_cache=True
    )
    files.retries = 1
    return files


async def _s3_range(files: Any, request: dict[str, str]) -> tuple[str, bytes]:
    """ETag and content of one answer; what came before a cut is kept."""
    answer = await files._call_s3("get_object", **request)
    body, parts = answer["Body"], []
    try:
        while piece := await body.read(_PIECE_BYTES):
            parts.append(piece)
    except Exception:  # each library names a cut connection in its own way
        if not parts:
            raise
        # the next request asks for the rest, and whatever is really wrong shows itself there
    finally:
        body.close()
    return str(answer["ETag"]), b"".join(parts)


# ---- https


class Https:
    """The addresses of a manifest."""

    def __init__(self, entries: list[Entry], place: str, files: Any) -> None:
        self._entries, self._place, self.files = entries, place, files

    def entries(self) -> Iterator[Entry]:
        """As the manifest has them."""
        yield from self._entries

    def read(self, entry: Entry, start: int, end: int) -> bytes:
        """One request, for the version that was listed."""
        status, etag, total, content = self.answer(entry.where, entry.name, start, end, entry.etag)
        if etag != entry.etag or (total is not None and total != entry.size_bytes):
            raise changed(entry.name)
        if status == 206:
            return content[: end - start]
        if len(content) == entry.size_bytes:  # a server without ranges gave all of it
            return content[start:end]
        raise ObjectStorageError(
            f"{self._place}: the server gives no ranges of bytes, which {entry.name} of {entry.size_bytes} "
            "bytes needs. Copy the survey to this machine's disk, and run on the copy."
        )

    def answer(
        self, url: str, name: str, start: int, end: int, etag: str | None = None
    ) -> tuple[int, str, int | None, bytes]:
        """Status, ETag (or what stands for it), whole size where it is told, and content of one answer."""
        import fsspec.asyn

        headers = {"Accept-Encoding": "identity"}
        if end > start:  # else all of it
            headers["Range"] = f"bytes={start}-{end - 1}"
        if etag is not None and etag.startswith('"'):  # a weak ETag matches nothing by the standard
            headers["If-Match"] = etag
        with translating(name, self._place):
            limit = max(end - start, WHOLE_BYTES)
            return fsspec.asyn.sync(  # type: ignore[no-any-return]
                self.files.loop, _https_range, self.files, url, headers, limit
            )


WHOLE_BYTES = 8 << 20
"""A server without ranges may give files up to this size whole."""


async def _https_range(
    files: Any, url: str, headers: dict[str, str], limit: int
) -> tuple[int, str, int | None, bytes]:
    import aiohttp
    from yarl import URL

    session = await files.set_session()
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=20)
    # `encoded`: a signature is of the address as it was written
    async with session.get(URL(url, encoded=True), headers=headers, timeout=timeout) as answer:
        span = answer.headers.get("Content-Range", "")
        answer.raise_for_status()
        parts: list[bytes] = []
        size = 0
        try:
            while size < limit and (piece := await answer.content.read(_PIECE_BYTES)):
                parts.append(piece)
                size += len(piece)
        except aiohttp.ClientError:
            if not parts:
                raise
        told = span.rpartition("/")[2] or (
            "" if answer.status == 206 else answer.headers.get("Content-Length")
        )
        total = int(told) if told and told.isdecimal() else None
        etag = answer.headers.get("ETag") or answer.headers.get("Last-Modified", "")
        return answer.status, etag, total, b"".join(parts)


# ---- what fsspec has one way for


class Other:
    """A prefix in Google Cloud Storage or Azure Blob Storage, by what fsspec has in common for all."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self.files = file_system(address.scheme, use_listings_cache=False)

    def entries(self) -> Iterator[Entry]:
        """All objects below the prefix."""
        root = f"{self._address.host}/{self._address.key}".rstrip("/")
        found = patiently(lambda: self._find(root), str(self._address))
        for key, facts in sorted(found.items()):
            if facts.get("type", "file") == "file":
                name = key.removeprefix(root).lstrip("/")
                yield Entry(name, int(facts["size"]), self._etag(facts), key)

    def _find(self, root: str) -> dict[str, Any]:
        with translating("", str(self._address)):
            return dict(self.files.find(root, detail=True))

    def read(self, entry: Entry, start: int, end: int) -> bytes:
        """One request. Whether it is the version that was listed is asked at the object's end."""
        with translating(entry.name, str(self._address)):
            content = bytes(self.files.cat_file(entry.where, start=start, end=end))
            now = self.files.info(entry.where) if end == entry.size_bytes else None
        if now is not None and self._etag(now) != entry.etag:
            raise changed(entry.name)
        return content[: end - start]

    @staticmethod
    def _etag(facts: dict[str, Any]) -> str:
        # Google's ETag is another one when a label of an object changes; its generation names the content
        return str(facts.get("generation") or facts.get("etag") or facts.get("ETag") or "").strip('"')


def store_at(address: Address) -> S3 | Other:
    """The store of an address that is no https address. Raises ConfigurationError, ObjectStorageError."""
    return S3(address) if address.scheme == "s3" else Other(address)


def listing(address: Address) -> list[Entry]:
    """Name, size and ETag of every object below a prefix, by name.

    Raises ConfigurationError without the packages, ObjectStorageError where the store does not answer or
    refuses.
    """
    return sorted(store_at(address).entries(), key=lambda entry: entry.name)
