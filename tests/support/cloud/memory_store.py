"""A store in memory, for what lies between listing and disk: no network, and every request is counted."""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from crackpipe.pipeline.storage.cloud.stores import Entry


@dataclass
class MemoryStore:
    """Objects by name. `answer` may raise, or give less than was asked for."""

    objects: Mapping[str, bytes]
    etags: Mapping[str, str] = field(default_factory=dict)
    """By name, where it is not the MD5."""
    answer: Callable[[bytes], bytes] = lambda content: content
    asked: list[tuple[str, int, int]] = field(default_factory=list)
    """Name, start, and end of each request."""

    def entries(self) -> Iterator[Entry]:
        for name, content in self.objects.items():
            md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
            yield Entry(name, len(content), self.etags.get(name, md5), name)

    def read(self, entry: Entry, start: int, end: int) -> bytes:
        self.asked.append((entry.name, start, end))
        return self.answer(self.objects[entry.name][start:end])


def patiently(attempt: Callable[[], bytes], _what: str) -> bytes:
    """Try again without waiting."""
    from crackpipe.pipeline.storage.cloud.answers import TransientError

    for _ in range(100):
        try:
            return attempt()
        except TransientError:
            continue
    raise AssertionError("a hundred tries")
