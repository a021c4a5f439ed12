"""What survives a kill: the staging area, and one marker per image that alone means done.

Layout of `OUT/.crackpipe/`, where KEY is a hash of the image_id:

    lock, writers, owner.json who is writing here (lock.py)
    staging/KEY/              an image in the making; key.json names what it is made from
    staging/KEY/blocks/R-C    one small file per finished block, written after its chunks are on disk
    staging/KEY/marker.json   the image is complete: whatever happens now, it will be published
    cracks/KEY.parquet        the rows of a finished image
    markers/KEY.json          the image is done or quarantined, what it was made from, hashes of its files
    survey.json               what is known of the files that did not change (survey/memory.py)
    tables.json               digest of what the published tables were made from, their counts and hashes
    missing.json              finished images that the last run did not find, so that it made no tables

A crash at any point leaves the old state, or a staging folder. The next run continues a folder with the same
key, removes one with another key, and publishes one that has a marker.json.
"""

from collections.abc import Iterator
from typing import Any

from crackpipe.pipeline.state.output import Output
from crackpipe.pipeline.storage.durable import fsync_path
from crackpipe.pipeline.storage.sealed import read_sealed

Marker = dict[str, Any]
"""Plain JSON: `image_id`, `status`, `fingerprint`, and what the tables need to know of this image alone."""


def read_marker(output: Output, image_id: str) -> Marker | None:
    """The marker of an image, or None if it is not done."""
    return read_sealed(output.marker(image_id))


def all_markers(output: Output) -> Iterator[Marker]:
    """The markers of all images, of this survey or of earlier ones, in the order of their file names."""
    for path in sorted((output.hidden / "markers").glob("*.json")):
        marker = read_sealed(path)
        if marker is not None:
            yield marker


def unmark(output: Output, image_id: str) -> None:
    """Remove an image's marker durably."""
    marker = output.marker(image_id)
    if marker.exists():
        marker.unlink()
        fsync_path(marker.parent)
