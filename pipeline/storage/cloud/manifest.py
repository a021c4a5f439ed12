"""Read a manifest of https addresses: a text file with one address a line.

    base https://host/surveys/2025/
    https://host/surveys/2025/lane1/0001.tif
    https://host/surveys/2025/lane1/0002.tif?X-Amz-Signature=... size=52428800 etag="9b2c..." sha256=6f1e...

Images are named by their paths below `base`. In a manifest that lies at an https address itself, `base` is
its own folder unless it says otherwise, and lines may be relative to it. Empty lines and lines with # in
front are left out. What is behind an address is optional; without size and ETag the server is asked for them.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urljoin

from crackpipe.pipeline.errors import ImageRejectedError, UsageError
from crackpipe.pipeline.storage.cloud.address import Address, address_of, is_address
from crackpipe.pipeline.storage.cloud.answers import TransientError, patiently
from crackpipe.pipeline.storage.cloud.stores import WHOLE_BYTES, Entry, Https, file_system

_THREADS = 16
_LIMIT_BYTES = 64 << 20
_FACTS = ("size", "etag", "sha256")


@dataclass(frozen=True)
class Manifest:
    """A manifest, and where it lies."""

    text: str
    place: str
    """For messages: its path, or its address without secrets."""
    address: Address | None = None
    """None: it is a file of this machine."""


def is_manifest_of_addresses(path: Path) -> bool:
    """Whether a text file on this machine lists addresses instead of paths."""
    if path.suffix.lower() != ".txt" or not path.is_file():
        return False
    with path.open("rb") as file:
        head = file.read(65536).decode("utf-8", "replace").splitlines()
    lines = [line.strip() for line in head if line.strip() and not line.lstrip().startswith("#")]
    return bool(lines) and is_address(lines[0].removeprefix("base").strip())


def read_local(path: Path) -> Manifest:
    """A manifest on this machine. Raises UsageError where it is no text."""
    try:
        return Manifest(path.read_text(encoding="utf-8-sig"), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read as a list of addresses: {error}.") from error


def fetch(address: Address) -> Manifest:
    """A manifest at an https address. Raises UsageError, ObjectStorageError."""
    if not address.key.lower().endswith(".txt"):
        raise UsageError(
            f"{address} is no manifest: https is read only as a text file (.txt) of addresses, since a "
            "server does not tell what is in a folder (docs/use/object_storage.md)."
        )
    store = Https([], str(address), file_system(address.scheme))
    content = patiently(lambda: _all_of(store, address), str(address))
    try:
        return Manifest(content.decode("utf-8-sig"), str(address), address)
    except UnicodeDecodeError as error:
        raise UsageError(f"{address} is no UTF-8 text: {error}.") from None


def _all_of(store: Https, address: Address) -> bytes:
    _, _, total, content = store.answer(address.url, "", 0, WHOLE_BYTES)
    if total is not None and total > _LIMIT_BYTES:
        raise UsageError(f"{address} has {total} bytes; a manifest of at most {_LIMIT_BYTES} is read.")
    while total is not None and len(content) < total:
        _, _, _, more = store.answer(address.url, "", len(content), total)
        if not more:
            raise TransientError("an answer that was cut")
        content += more
    return content


def https_store(manifest: Manifest) -> Https:
    """The store of a manifest's addresses; servers are asked for what the manifest does not say.

    Raises UsageError with the line's number for a line that cannot be meant, ObjectStorageError.
    """
    entries = list(_entries(manifest))
    scheme = "https"
    store = Https(entries, manifest.place, file_system(scheme))
    with ThreadPoolExecutor(_THREADS) as threads:
        known = list(threads.map(lambda each: _asked(store, each), entries))
    return Https(known, manifest.place, store.files)


def _entries(manifest: Manifest) -> Iterator[Entry]:
    base, seen = manifest.address, set[str]()
    if base is not None:
        base = replace(base, key=base.key.rpartition("/")[0])
    for number, line in enumerate(manifest.text.splitlines(), start=1):
        words, at = line.split(), f"{manifest.place}:{number}"
        if not words or words[0].startswith("#"):
            continue
        if words[0] == "base" and len(words) == 2:
            base = address_of(words[1])
            continue
        address = _address(words[0], manifest, at)
        if base is None:
            above = str(replace(address, key=address.key.rpartition("/")[0]))
            raise UsageError(
                f"{at}: put a line above that says from where images are named, such as: base {above}/"
            )
        prefix = f"{base.key}/" if base.key else ""
        if address.host != base.host or not address.key.startswith(prefix):
            raise UsageError(f"{at}: {address} does not lie below {base}/. Correct the line `base`.")
        name = address.key.removeprefix(prefix)
        if name in seen:
            raise UsageError(f"{at}: {name} is listed more than once. List each image once.")
        seen.add(name)
        yield _with_facts(words[1:], name, address.url, at)


def _address(word: str, manifest: Manifest, at: str) -> Address:
    if not is_address(word) and manifest.address is not None:
        word = urljoin(manifest.address.url, word)
    if not is_address(word):
        raise UsageError(f"{at}: this is no https address. Write one a line, with %20 for a space.")
    address = address_of(word)
    if address.scheme not in ("https", "http"):
        raise UsageError(f"{at}: {address} is no https address. Give {address.scheme}:// as SURVEY itself.")
    return address


def _with_facts(words: list[str], name: str, url: str, at: str) -> Entry:
    facts: dict[str, str] = {}
    for word in words:
        key, _, value = word.partition("=")
        if key not in _FACTS or not value:
            raise UsageError(
                f"{at}: {key!r} is not known; behind an address come {', '.join(_FACTS)} as KEY=VALUE."
            )
        facts[key] = value
    size, etag, sha256 = facts.get("size", ""), facts.get("etag", ""), facts.get("sha256", "").lower()
    if size and not size.isdecimal():
        raise UsageError(f"{at}: size is {size!r}, but must be a number of bytes.")
    if sha256 and (len(sha256) != 64 or set(sha256) - set("0123456789abcdef")):
        raise UsageError(f"{at}: sha256 must be 64 hexadecimal digits.")
    if etag and not etag.startswith(('"', "W/")):
        etag = f'"{etag}"'
    return Entry(name, int(size) if size else -1, etag, url, sha256 or None)


def _asked(store: Https, entry: Entry) -> Entry:
    """The entry with size and ETag, asked for with one byte: a signed address often permits nothing else."""
    if entry.size_bytes >= 0 and entry.etag:
        return entry
    try:
        _, etag, total, _ = patiently(lambda: store.answer(entry.where, entry.name, 0, 1), entry.name)
    except ImageRejectedError as error:
        if error.reason != "changed-while-read":
            raise UsageError(f"{entry.name}: {error.message}. {error.remedy}") from None
        # an empty file has no first byte
        _, etag, total, _ = patiently(lambda: store.answer(entry.where, entry.name, 0, 0), entry.name)
    if total is None:
        raise UsageError(
            f"{entry.name}: its server does not tell its size. Put size=BYTES behind its address."
        )
    if not etag:
        raise UsageError(
            f"{entry.name}: its server names neither ETag nor time, so that a change would go unnoticed. "
            "Copy the survey to this machine's disk, and run on the copy."
        )
    size = entry.size_bytes if entry.size_bytes >= 0 else total
    return replace(entry, size_bytes=size, etag=entry.etag or etag)
