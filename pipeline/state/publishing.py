"""Move staged work to its place in the output, in an order that a crash cannot break.

*Published* is what lies there: readers see it, and `verify` looks at it.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from crackpipe.pipeline.state.markers import Marker, unmark
from crackpipe.pipeline.state.output import Output
from crackpipe.pipeline.state.staging import discard_staging
from crackpipe.pipeline.storage.durable import (
    PARTIAL_SUFFIXES,
    file_hash,
    files_below,
    fsync_path,
    fsync_tree,
    remove_partials,
    remove_tree,
    replace_file,
)
from crackpipe.pipeline.storage.sealed import read_sealed, write_sealed


def read_tables(output: Output) -> dict[str, Any] | None:
    """What is known of the published tables, or None if nothing is."""
    return read_sealed(output.hidden / "tables.json")


def publish_tables(output: Output, facts: Mapping[str, Any], staged: Sequence[Path]) -> None:
    """Replace the tables by the staged ones of the same names, and note what they are made from.

    While tables are being replaced, the note holds the hashes of the old and the new ones, and `made_from` is
    null. If a run is interrupted then, `verify` takes neither for damaged, and the next run makes both again.
    """
    before = read_tables(output) or {}
    earlier = [*before.get("earlier", []), *before.get("files", {}).values()]
    hashes = {table.name: file_hash(table) for table in staged}
    note = output.hidden / "tables.json"
    write_sealed(note, {**facts, "made_from": None, "files": hashes, "earlier": earlier})
    for table in staged:
        replace_file(table, output.root / table.name)
    write_sealed(note, {**facts, "files": hashes})


def note_left(output: Output, before: Mapping[str, Any], left: Sequence[str]) -> None:
    """Note which finished images the published tables were made without, if the note of `before` differs."""
    if before.get("left", []) != left:
        write_sealed(output.hidden / "tables.json", {**before, "left": left})


def publish_image(output: Output, image_id: str, marker: Marker) -> Marker:
    """Move a finished image from staging to its place; its marker as written, with the hashes of its files.

    The new marker is staged first: from then on, the next run finishes what a crash left undone. Then the old
    marker is removed, so that a marker never lies beside masks that it does not describe.
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
    """Publish an image whose marker is staged. It can be interrupted at any point and repeated.

    Returns its marker, or None if none is staged.
    """
    staging, final = output.staging(image_id), output.masks_of(image_id)
    marker = read_sealed(staging / "marker.json")
    if marker is None:
        return None
    if _is_in_place(output, image_id, marker):  # a crash left nothing but the staging folder
        discard_staging(staging)
        return marker
    unmark(output, image_id)
    if (staging / "masks").exists():
        if final.exists():
            remove_tree(staging / "replaced")
            final.rename(staging / "replaced")
        final.parent.mkdir(parents=True, exist_ok=True)
        (staging / "masks").replace(final)
        fsync_path(final.parent)
    if (staging / "rows.parquet").exists():
        replace_file(staging / "rows.parquet", output.rows(image_id))
    write_sealed(output.marker(image_id), marker)
    discard_staging(staging)
    return marker


def _is_in_place(output: Output, image_id: str, marker: Marker) -> bool:
    """Whether all that was staged lies in its place. The marker comes last, so an equal one says so.

    An image that was done again may have the marker of before; its masks and rows are still staged then.
    """
    staging = output.staging(image_id)
    is_moved = not (staging / "masks").exists() and not (staging / "rows.parquet").exists()
    return is_moved and read_sealed(output.marker(image_id)) == marker


def finish_interrupted(output: Output) -> None:
    """Publish the images that a killed run had completed; remove the partial files that it left."""
    for folder in output.in_staging():
        marker = read_sealed(folder / "marker.json") if folder.is_dir() else None
        if marker is not None:
            finish_publishing(output, marker["image_id"])
    for folder in (output.root, output.hidden, output.markers):
        for path in sorted(folder.iterdir()) if folder.is_dir() else []:
            if path.suffix in PARTIAL_SUFFIXES:
                path.unlink()


def publish_quarantine(output: Output, image_id: str, marker: Marker) -> None:
    """Mark an image as quarantined. What an earlier run made of it is removed, or it would pass for sound."""
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


def hashes_below(folder: Path) -> dict[str, str]:
    """Path relative to `folder` -> hash, of every file below it, sorted."""
    return {path.relative_to(folder).as_posix(): file_hash(path) for path in files_below(folder)}
