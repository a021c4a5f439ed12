"""Bytes of a hollow file come once, go on where a connection was cut, and are compared."""

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from cloud.memory_store import MemoryStore, patiently

from crackpipe.pipeline.errors import ImageRejectedError
from crackpipe.pipeline.storage.cloud import fill
from crackpipe.pipeline.storage.cloud.answers import TransientError
from crackpipe.pipeline.storage.cloud.fill import BLOCK_BYTES, Filling
from crackpipe.pipeline.storage.cloud.mirror import is_whole, mirror

CONTENT = np.random.default_rng(1).bytes(5 * BLOCK_BYTES + 17)


def filling_of(store: MemoryStore, tmp_path: Path) -> Filling:
    made = mirror(store.entries(), tmp_path / "survey")
    ((path, entry),) = made.entries.items()
    return Filling(path, entry, store, patiently)


def test_only_the_blocks_that_are_read_come_and_none_twice(tmp_path: Path) -> None:
    store = MemoryStore({"a.tif": CONTENT})
    filling = filling_of(store, tmp_path)
    assert filling.read(BLOCK_BYTES - 1, 2) == CONTENT[BLOCK_BYTES - 1 : BLOCK_BYTES + 1]
    assert filling.read(0, 100) == CONTENT[:100]
    assert filling.read(len(CONTENT) - 3, 100) == CONTENT[-3:]
    assert store.asked == [("a.tif", 0, 2 * BLOCK_BYTES), ("a.tif", 5 * BLOCK_BYTES, len(CONTENT))]
    assert not is_whole(filling.path, len(CONTENT))
    filling.complete()
    assert filling.path.read_bytes() == CONTENT
    assert is_whole(filling.path, len(CONTENT))
    assert store.asked[2:] == [("a.tif", 2 * BLOCK_BYTES, 5 * BLOCK_BYTES)]


def test_after_a_cut_the_next_request_asks_for_the_rest(tmp_path: Path) -> None:
    store = MemoryStore({"a.tif": CONTENT})
    store.answer = lambda content: content[:100_000]
    filling = filling_of(store, tmp_path)
    filling.complete()
    assert [start for _, start, _ in store.asked] == [0, 100_000, 200_000, 300_000]
    assert filling.path.read_bytes() == CONTENT


def test_a_request_that_fails_is_made_again(tmp_path: Path) -> None:
    store = MemoryStore({"a.tif": CONTENT})

    def every_second(content: bytes) -> bytes:
        if len(store.asked) % 2:
            raise TransientError("503")
        return content

    store.answer = every_second
    filling = filling_of(store, tmp_path)
    filling.complete()
    assert filling.path.read_bytes() == CONTENT


def test_damage_on_the_way_is_found_by_the_md5_and_the_file_comes_again(tmp_path: Path) -> None:
    store = MemoryStore({"a.tif": CONTENT})
    store.answer = lambda content: content if len(store.asked) > 1 else bytes([content[0] ^ 1]) + content[1:]
    filling = filling_of(store, tmp_path)
    filling.complete()
    assert filling.path.read_bytes() == CONTENT
    assert len(store.asked) == 2


def test_damage_each_time_in_another_way_is_refused(tmp_path: Path) -> None:
    store = MemoryStore({"a.tif": CONTENT})
    store.answer = lambda content: bytes([len(store.asked)]) + content[1:]
    filling = filling_of(store, tmp_path)
    with pytest.raises(ImageRejectedError) as error:
        filling.complete()
    assert error.value.reason == "unreadable-file"
    assert not is_whole(filling.path, len(CONTENT))


@pytest.mark.parametrize("etag", ["0" * 32, "9b2cf535f27731c974343645a3985328-12"])
def test_an_etag_that_is_no_md5_of_the_content_is_no_damage(etag: str, tmp_path: Path) -> None:
    filling = filling_of(MemoryStore({"a.tif": CONTENT}, {"a.tif": etag}), tmp_path)
    filling.complete()
    assert filling.path.read_bytes() == CONTENT


@pytest.mark.parametrize("is_right", [True, False])
def test_a_sha256_of_a_manifest_is_compared(is_right: bool, tmp_path: Path) -> None:
    store = MemoryStore({"a.tif": CONTENT}, {"a.tif": '"v1"'})
    filling = filling_of(store, tmp_path)
    filling.entry = replace(
        filling.entry, sha256=hashlib.sha256(CONTENT).hexdigest() if is_right else "0" * 64
    )
    if is_right:
        filling.complete()
    else:
        with pytest.raises(ImageRejectedError, match="sha256 in the manifest"):
            filling.complete()


def test_large_objects_come_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fill, "PIECE_BYTES", 2 * BLOCK_BYTES)
    store = MemoryStore({"a.tif": CONTENT})
    filling_of(store, tmp_path).complete()
    assert [end - start for _, start, end in store.asked] == [
        2 * BLOCK_BYTES,
        2 * BLOCK_BYTES,
        BLOCK_BYTES + 17,
    ]
