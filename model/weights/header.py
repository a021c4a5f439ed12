"""The header of a weights file, without torch: its metadata, and the same file with other metadata.

safetensors: 8 bytes little-endian length, a JSON header padded with spaces, then the tensors' bytes. Our
metadata are one JSON text in the header (`files.METADATA_KEY`), which `files.to_safetensors` writes.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

STATISTICS = "familiarity"
"""Entry of the metadata with the statistics by which a run tells how well the network knows its images."""

COARSE_SHIFT = "coarse_shift"
"""Entry of the metadata with what a run adds to the logit of coarse looks."""

SCREEN = "screen"
"""Entry of the metadata with the limits of `--screen`."""

_OF_THEIR_OWN = (STATISTICS, COARSE_SHIFT, SCREEN)
"""Entries that a run's fingerprint names by themselves, for the images that they concern."""

_START = '{"__metadata__":{"crackpipe":'
_ALIGNED_TO = 8


def metadata_of(content: bytes) -> dict[str, Any]:
    """The metadata of a file's bytes, unchecked. Raises KeyError or ValueError if it has none of ours."""
    return dict(json.loads(json.loads(_header(content))["__metadata__"]["crackpipe"]))


def with_metadata(content: bytes, metadata: Mapping[str, Any]) -> bytes:
    """The same file with other metadata; its tensors stay as they are, byte for byte.

    Raises ValueError if `to_safetensors` did not write `content`.
    """
    header = _header(content)
    if not header.startswith(_START):
        raise ValueError("the header does not begin with crackpipe's metadata")
    _, stop = json.JSONDecoder().raw_decode(header, len(_START))
    text = json.dumps(metadata, sort_keys=True, allow_nan=False, ensure_ascii=False)
    changed = (_START + json.dumps(text, ensure_ascii=False) + header[stop:].rstrip(" ")).encode()
    changed += b" " * (-len(changed) % _ALIGNED_TO)
    return len(changed).to_bytes(8, "little") + changed + content[_tensors_at(content) :]


def network_sha256(content: bytes, metadata: Mapping[str, Any]) -> str:
    """SHA-256, lower-case hex, of a file as it is without statistics of familiarity, `COARSE_SHIFT` and
    `SCREEN`.

    `metadata` are those of `content`. What close looks find depends on this SHA-256 alone: statistics that
    are added to a file, or others in their place, leave finished images finished. It is computed from the
    bytes, so that no file can claim to be another one.
    """
    if metadata.keys() & set(_OF_THEIR_OWN) and _header(content).startswith(_START):
        rest = {key: value for key, value in metadata.items() if key not in _OF_THEIR_OWN}
        content = with_metadata(content, rest)
    return hashlib.sha256(content).hexdigest()


def _tensors_at(content: bytes) -> int:
    return 8 + int.from_bytes(content[:8], "little")


def _header(content: bytes) -> str:
    return content[8 : _tensors_at(content)].decode()
