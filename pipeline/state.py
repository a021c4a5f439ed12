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

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crackpipe.pipeline.durable import (
    PARTIAL_SUFFIXES,
    digest,
    file_hash,
    files_below,
    fsync_path,
    fsync_tree,
    guarding,
    publish_file,
    read_json,
    read_sealed,
    remove_partials,
    remove_tree,
    storage_error,
    write_json,
    write_sealed,
)
from crackpipe.pipeline.errors import OutputNotWritableError

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

LAYOUT = {"layout": 1}


def file_key(image_id: str) -> str:
    """File name for an image: a hash, since image_ids may hold any character and be any length."""
    return hashlib.blake2b(image_id.encode("utf-8", "surrogateescape"), digest_size=12).hexdigest()


@dataclass(frozen=True)
class Output:
    """The folder of a run's results and the paths inside it."""

    root: Path

    @property
    def hidden(self) -> Path:
        """Everything that is not for readers."""
        return self.root / ".crackpipe"

    @property
    def masks(self) -> Path:
        """The Zarr root."""
        return self.root / "masks.zarr"

    @property
    def logs(self) -> Path:
        """JSON lines, one file per run."""
        return self.root / "logs"

    def masks_of(self, image_id: str) -> Path:
        """The published Zarr group of an image."""
        return self.masks / image_id

    def staging(self, image_id: str) -> Path:
        """The folder in which an image is made."""
        return self.hidden / "staging" / file_key(image_id)

    def rows(self, image_id: str) -> Path:
        """The crack rows of a finished image."""
        return self.hidden / "cracks" / f"{file_key(image_id)}.parquet"

    def marker(self, image_id: str) -> Path:
        """The marker of an image."""
        return self.hidden / "markers" / f"{file_key(image_id)}.json"

    def create(self) -> None:
        """Make the folders. Raises OutputNotWritableError or StorageError."""
        version = self.hidden / "version.json"
        with guarding(self.root):
            for folder in (
                self.logs,
                self.hidden / "staging",
                self.hidden / "cracks",
                self.hidden / "markers",
            ):
                folder.mkdir(parents=True, exist_ok=True)
            found = read_json(version)
            if found is None:
                write_json(version, LAYOUT)
            elif found != LAYOUT:
                raise OutputNotWritableError(
                    f"{version} says {found}, but this version of crackpipe writes {LAYOUT}. "
                    f"Give another folder with --out."
                )


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


def open_staging(output: Output, image_id: str, fingerprint: Mapping[str, Any]) -> Path:
    """The staging folder of an image: continued if made from the same things, else made anew."""
    folder = output.staging(image_id)
    if read_sealed(folder / "key.json") == dict(fingerprint):
        remove_partials(folder)
        for unfinished in folder.glob("masks-*"):
            remove_tree(unfinished)
    else:
        remove_tree(folder)
        (folder / "blocks").mkdir(parents=True)
        write_sealed(folder / "key.json", fingerprint)
    return folder


def fsync_chunks(group: Path, block_row: int, block_col: int) -> None:
    """Flush the chunk files of one block of a staged Zarr group, and the folders that lead to them."""
    for array in ("mask", "probability"):
        chunk = group / array / "c" / str(block_row) / str(block_col)
        for path in (chunk, *chunk.parents[:3], group.parent):
            fsync_path(path)


def mark_block(staging: Path, row: int, col: int, figures: Mapping[str, Any]) -> None:
    """Note that a block's chunks are on disk, with its small figures."""
    write_sealed(staging / "blocks" / f"{row}-{col}", figures)


def block_figures(staging: Path, row: int, col: int) -> dict[str, Any] | None:
    """The figures of a finished block, or None if it is not finished."""
    return read_sealed(staging / "blocks" / f"{row}-{col}")


def read_tables(output: Output) -> dict[str, Any] | None:
    """What is known of the published tables, or None if nothing is."""
    return read_sealed(output.hidden / "tables.json")


def publish_tables(output: Output, facts: Mapping[str, Any], staged: Sequence[Path]) -> None:
    """Replace the tables by the staged ones of the same names, and note what they are made from.

    Until all are replaced, the note tells the hashes of all that may be there, and that they are made from
    nothing known: a run that is interrupted in between leaves no table that `verify` would take for damaged,
    and the next one makes them again.
    """
    before = read_tables(output) or {}
    earlier = [*before.get("earlier", []), *before.get("files", {}).values()]
    hashes = {table.name: file_hash(table) for table in staged}
    note = output.hidden / "tables.json"
    write_sealed(note, {**facts, "made_from": None, "files": hashes, "earlier": earlier})
    for table in staged:
        publish_file(table, output.root / table.name)
    write_sealed(note, {**facts, "files": hashes})


def is_published(output: Output, image_id: str) -> bool:
    """Whether an image that this run had opened for work is published, so that nothing is left to do.

    Asked by tasks that are done again because the worker that held their results died.
    """
    return not output.staging(image_id).exists()


def masks_at_work(output: Output, image_id: str) -> Path:
    """The Zarr group of an image that is being made: staged, or published already."""
    staged = output.staging(image_id) / "masks"
    return staged if staged.exists() else output.masks_of(image_id)


# ---- publishing


def publish_image(output: Output, image_id: str, marker: Marker) -> Marker:
    """Move a finished image from staging to its place; the marker as written, with the hashes of its files.

    The old marker goes first, so that a crash in between means "not done", never a marker beside another
    image's masks; but from the moment when the new marker is staged, the next run finishes what is left.
    """
    staging = output.staging(image_id)
    if read_sealed(staging / "marker.json") is None:
        remove_partials(staging / "masks")
        hashes = hashes_below(staging / "masks")
        fsync_tree(staging / "masks")
        hashes["rows"] = file_hash(staging / "rows.parquet")
        fsync_path(staging / "rows.parquet")
        write_sealed(staging / "marker.json", {**marker, "files": hashes})
    finished = finish_publishing(output, image_id)
    assert finished is not None
    return finished


def finish_publishing(output: Output, image_id: str) -> Marker | None:
    """Publish an image whose marker is staged; can be interrupted and repeated at any point.

    Returns its marker, or None if none is staged.
    """
    staging, final = output.staging(image_id), output.masks_of(image_id)
    marker = read_sealed(staging / "marker.json")
    if marker is None:
        return None
    unmark(output, image_id)
    if (staging / "masks").exists():
        if final.exists():
            remove_tree(staging / "replaced")
            final.rename(staging / "replaced")
        final.parent.mkdir(parents=True, exist_ok=True)
        (staging / "masks").replace(final)
        fsync_path(final.parent)
    if (staging / "rows.parquet").exists():
        publish_file(staging / "rows.parquet", output.rows(image_id))
    write_sealed(output.marker(image_id), marker)
    discard_staging(staging)
    return marker


def finish_interrupted(output: Output) -> None:
    """Publish the images that a killed run had completed; remove the partial files that it left."""
    for folder in sorted((output.hidden / "staging").iterdir()):
        marker = read_sealed(folder / "marker.json") if folder.is_dir() else None
        if marker is not None:
            finish_publishing(output, marker["image_id"])
    for folder in (output.root, output.hidden, output.hidden / "markers"):
        for path in sorted(folder.iterdir()):
            if path.suffix in PARTIAL_SUFFIXES:
                path.unlink()


def publish_quarantine(output: Output, image_id: str, marker: Marker) -> None:
    """Mark an image as quarantined and remove what an earlier run made of it: it must not pass for sound."""
    unmark(output, image_id)
    remove_tree(output.masks_of(image_id))
    output.rows(image_id).unlink(missing_ok=True)
    write_sealed(output.marker(image_id), marker)
    discard_staging(output.staging(image_id))


def forget_image(output: Output, image_id: str) -> None:
    """Remove everything that was made of an image."""
    unmark(output, image_id)
    remove_tree(output.masks_of(image_id))
    output.rows(image_id).unlink(missing_ok=True)
    discard_staging(output.staging(image_id))


def unmark(output: Output, image_id: str) -> None:
    """Remove an image's marker durably."""
    marker = output.marker(image_id)
    if marker.exists():
        marker.unlink()
        fsync_path(marker.parent)


def hashes_below(folder: Path) -> dict[str, str]:
    """Path relative to `folder` -> hash, of every file below it, sorted."""
    return {path.relative_to(folder).as_posix(): file_hash(path) for path in files_below(folder)}


def discard_staging(staging: Path) -> None:
    """Remove a staging folder; at once for those who ask whether it is there."""
    if staging.exists():
        gone = staging.with_name(f"{staging.name}-gone")
        remove_tree(gone)
        staging.rename(gone)
        remove_tree(gone)


def clear_staging(output: Output, keep: set[str]) -> list[str]:
    """Remove everything in staging but the folders in `keep` (file keys); the names of what was removed."""
    removed = []
    for path in sorted((output.hidden / "staging").iterdir()):
        if path.is_dir() and path.name not in keep:
            remove_tree(path)
        elif not path.is_dir():
            path.unlink()
        else:
            continue
        removed.append(path.name)
    return removed
