"""What survives a kill: the staging area, and one marker per image that alone means done.

Layout of `OUT/.crackpipe/`, where KEY is a hash of the image_id:

    lock, writers, owner.json who is writing here (lock.py)
    staging/KEY/              an image in the making; key.json names what it is made from
    staging/KEY/blocks/R-C    one small file per finished block, written after its chunks are on disk
    staging/KEY/marker.json   the image is complete: whatever happens now, it will be published
    cracks/KEY.parquet        the rows of a finished image
    markers/KEY.json          the image is done or quarantined, what it was made from, hashes of its files
    survey.json               what is known of the survey's files that did not change (remembered.py)
    tables.json               digest of what the published tables were made from, their counts and hashes

A crash at any point leaves the old state, or a staging folder that the next run continues (same key), throws
away (another key), or finishes publishing (marker.json in it).
"""

from collections.abc import Iterator, Mapping
from typing import Any

from crackpipe.pipeline.state.output import Output
from crackpipe.pipeline.storage.durable import fsync_path, publish_file, remove_tree
from crackpipe.pipeline.storage.faults import guarding, storage_error
from crackpipe.pipeline.storage.sealed import digest, read_json, read_sealed, write_json, write_sealed

__all__ = [
    "digest",
    "guarding",
    "publish_file",
    "read_json",
    "remove_tree",
    "storage_error",
    "write_json",
    "write_sealed",
]

Marker = dict[str, Any]
"""Plain JSON: `image_id`, `status`, `fingerprint`, and what the tables need to know of this image alone."""

CONTENT = "file content"
"""The entry of a fingerprint that is there on demand only."""


def read_marker(output: Output, image_id: str) -> Marker | None:
    """The marker of an image, or None if it is not done."""
    return read_sealed(output.marker(image_id))


def all_markers(output: Output) -> Iterator[Marker]:
    """The markers of all images, of this survey or of earlier ones, in no order that means anything."""
    for path in sorted((output.hidden / "markers").glob("*.json")):
        marker = read_sealed(path)
        if marker is not None:
            yield marker


def reasons_to_run(marker: Marker | None, fingerprint: Mapping[str, Any]) -> list[str]:
    """Why an image must run, in words; empty if its marker was made from exactly these things."""
    if marker is None:
        return ["not done yet"]
    old = marker.get("fingerprint", {})
    # whoever no longer asks for hashes of contents is content with size and time
    names = sorted((set(old) - {CONTENT}) | set(fingerprint))
    return [f"{name} changed" for name in names if old.get(name) != fingerprint.get(name)]


# ---- an image in the making


# ---- publishing


def unmark(output: Output, image_id: str) -> None:
    """Remove an image's marker durably."""
    marker = output.marker(image_id)
    if marker.exists():
        marker.unlink()
        fsync_path(marker.parent)
