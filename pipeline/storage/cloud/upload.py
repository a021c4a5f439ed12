"""Finished exports go to a store: each file as one object, checked after it was sent."""

import hashlib
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from crackpipe.pipeline.errors import ObjectStorageError, UsageError
from crackpipe.pipeline.storage.cloud.address import Address, address_of
from crackpipe.pipeline.storage.cloud.answers import patiently, translating
from crackpipe.pipeline.storage.cloud.stores import file_system, s3_files
from crackpipe.pipeline.storage.durable import files_below

_WHOLE_BYTES = 64 << 20
"""Up to this size a file is sent at once, so that its ETag in S3 is the MD5 of its content."""


def target_of(text: str) -> Address:
    """Where exports shall go. Raises UsageError for https, where nothing can be put."""
    address = address_of(text)
    if address.scheme not in ("s3", "gs", "az"):
        raise UsageError(
            f"{address} cannot be written. Give --to s3://BUCKET/PREFIX, gs:// or az://, or a folder."
        )
    return address


def upload(paths: Sequence[Path], to: Address) -> Iterator[str]:
    """Upload files and folders by their names below a prefix; gives the address of each file that is there.

    What is there with the same content is not sent again. Raises ConfigurationError without the packages,
    ObjectStorageError, OSError.
    """
    files = s3_files() if to.scheme == "s3" else file_system(to.scheme, use_listings_cache=False)
    for path in paths:
        for file in files_below(path) if path.is_dir() else [path]:
            name = file.relative_to(path.parent).as_posix()
            key = "/".join(filter(None, (to.host, to.key, name)))
            _put(files, file, key, f"{to.scheme}://{key}")
            yield f"{to.scheme}://{key}"


def _put(files: Any, file: Path, key: str, shown: str) -> None:
    size = file.stat().st_size
    if size <= _WHOLE_BYTES:
        content = file.read_bytes()
        md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
        if _etag(patiently(partial(_facts, files, key, shown), shown)) == md5:
            return
        patiently(partial(_send, files, key, content, shown), shown)
    else:
        patiently(partial(_send_file, files, key, file, shown), shown)
    there = patiently(partial(_facts, files, key, shown), shown)
    if there is None or int(there["size"]) != size:
        raise ObjectStorageError(f"{shown} is not there whole after it was sent. Run the same command again.")


def _etag(facts: dict[str, Any] | None) -> str:
    return "" if facts is None else str(facts.get("ETag") or "").strip('"')


def _facts(files: Any, key: str, shown: str) -> dict[str, Any] | None:
    """What the store says of an object; None where there is none."""
    with translating(shown, shown):
        try:
            return dict(files.info(key))
        except FileNotFoundError:
            return None


def _send(files: Any, key: str, content: bytes, shown: str) -> None:
    with translating(shown, shown):
        files.pipe_file(key, content)


def _send_file(files: Any, key: str, file: Path, shown: str) -> None:
    with translating(shown, shown):
        files.put_file(str(file), key)
