"""Are the published files still what was written? Every byte is hashed, every chunk is decoded.

A marker holds the hash of each file of its image, `tables.json` holds those of the tables, and both are
sealed themselves. Chunks with the right hash are also decoded, which compares the checksum inside them. So a
file that was damaged on disk (wrong hash) can be told from one that was written wrong (wrong checksum).

Tables of sections and changes are read; of exports only a GeoPackage can be judged (`export.publishing`).

Not covered: logs, and the lock's files.
"""

import uuid
from contextlib import AbstractContextManager
from pathlib import Path, PurePosixPath
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import zarr

from crackpipe.pipeline.export import publishing as exports
from crackpipe.pipeline.masks.group import ARRAYS, PLAIN_GROUP, folders_to
from crackpipe.pipeline.operate.findings import Finding, Verification
from crackpipe.pipeline.operate.upkeep import image_groups
from crackpipe.pipeline.state import lock, publishing, removed
from crackpipe.pipeline.state.markers import Marker, unmark
from crackpipe.pipeline.state.output import LAYOUT, Output, output_at
from crackpipe.pipeline.storage import faults, sealed
from crackpipe.pipeline.storage.durable import file_hash
from crackpipe.pipeline.storage.sealed import read_sealed
from crackpipe.pipeline.survey import memory

_TABLES = ("cracks.parquet", "images.parquet")
_MADE_LATER = (
    *("sections.parquet", "section_lengths.parquet", "section_cracks.parquet", "section_ratings.parquet"),
    *("changes.parquet", "changes_sections.parquet"),
)
"""By `crackpipe sections` and `crackpipe compare`."""


def verify(out: Path, *, repair: bool = False) -> Verification:
    """Look at everything published in an output folder.

    With `repair`, markers of damaged images, unexpected files and the note of damaged tables are removed, so
    that the next run does them again. Raises UsageError, OutputLockedError, OutputNotWritableError,
    StorageError.
    """
    output = output_at(out)
    found = Verification(out)
    held: AbstractContextManager[None] = (
        lock.locked(output, uuid.uuid4().hex) if repair else lock.reading(output)
    )
    with held, faults.guarding(output.root):
        markers = _verify_markers(output, found)
        for marker in markers:
            _verify_image(output, marker, found)
        _verify_groups(output, markers, found)
        _verify_tables(output, {str(marker["image_id"]): marker for marker in markers}, found)
        _note_unfinished(output, markers, found)
        _verify_made_later(output, found)
        _verify_exports(output, found)
        if repair:
            _repair(output, found)
            found.is_let_go = True
    return found


# ---- hidden state


def _verify_markers(output: Output, found: Verification) -> list[Marker]:
    """The sound markers, by image_id."""
    markers = []
    for path in sorted((output.hidden / "markers").glob("*.json")):
        marker = read_sealed(path)
        found.files += 1
        if marker is None or path != output.marker(str(marker["image_id"])):
            found.findings.append(Finding(_within(output, path), "damaged"))
        else:
            markers.append(marker)
    if sealed.read_json(output.version) != LAYOUT:
        found.findings.append(Finding(_within(output, output.version), "damaged"))
    return sorted(markers, key=lambda marker: str(marker["image_id"]))


def _note_unfinished(output: Output, markers: list[Marker], found: Verification) -> None:
    waiting = [path for path in output.in_staging() if path.is_dir()]
    if waiting:
        found.notes.append(f"{len(waiting)} images are unfinished: run the same command again")
    left = set(image_groups(output)) - {str(marker["image_id"]) for marker in markers}
    if left:
        found.notes.append(
            f"{len(left)} images have masks but no marker, such as {min(left)}: they are not done; the next "
            f"run does them, or `crackpipe clean --removed-images` removes them"
        )


# ---- images


def _verify_image(output: Output, marker: Marker, found: Verification) -> None:
    image_id = str(marker["image_id"])
    found.images += 1
    group, rows = output.masks_of(image_id), output.rows(image_id)
    if marker["status"] != "done":
        for path in (group / "zarr.json", rows):
            if path.exists():
                found.findings.append(Finding(_within(output, path), "unexpected", image_id))
        return
    hashes = dict(marker["files"])
    expected = {rows: hashes.pop("rows")} | {group / name: value for name, value in hashes.items()}
    sound = [_verify_file(output, path, value, image_id, found) for path, value in expected.items()]
    if all(sound[1:]):
        _verify_chunks(output, group, image_id, found)


def _verify_file(
    output: Output, path: Path, expected: str, image_id: str | None, found: Verification
) -> bool:
    found.files += 1
    if not path.is_file():
        what = "missing"
    elif file_hash(path) != expected:
        what = "damaged"
    else:
        return True
    found.findings.append(Finding(_within(output, path), what, image_id))
    return False


def _verify_chunks(output: Output, group: Path, image_id: str, found: Verification) -> None:
    """Decode every chunk of an image whose files are as written."""
    for name in ARRAYS:
        array: zarr.Array[Any] = zarr.open_array(group / name, mode="r")
        for row in range(array.cdata_shape[0]):
            for col in range(array.cdata_shape[1]):
                chunk = group / name / "c" / str(row) / str(col)
                found.chunks += 1
                try:
                    if not chunk.exists():
                        what = "missing"
                    else:
                        array.get_block_selection((row, col))
                        continue
                except (RuntimeError, ValueError) as error:
                    what = f"cannot be decoded: {error}"
                found.findings.append(Finding(_within(output, chunk), what, image_id))


def _verify_groups(output: Output, markers: list[Marker], found: Verification) -> None:
    """Every group between the root and the images, and nothing beside them."""
    folders = folders_to(str(marker["image_id"]) for marker in markers)
    expected = {output.masks / folder / "zarr.json" for folder in folders} if markers else set()
    for path in sorted(expected):
        found.files += 1
        if not path.is_file():
            found.findings.append(Finding(_within(output, path), "missing"))
        elif path.read_bytes() != PLAIN_GROUP:
            found.findings.append(Finding(_within(output, path), "damaged"))
    groups = {output.masks_of(image_id) for image_id in image_groups(output)}
    known = {
        output.masks_of(str(marker["image_id"])) / name
        for marker in markers
        for name in marker.get("files", ())
    }
    marked = {output.masks_of(str(marker["image_id"])) for marker in markers}
    for path in sorted(path for path in output.masks.rglob("*") if path.is_file()):
        within = next((group for group in path.parents if group in groups), None)
        if path in known or path in expected or (within is not None and within not in marked):
            continue  # an image without a marker: nobody knows which files belong to it
        if within is None and path.name == "zarr.json" and path.read_bytes() == PLAIN_GROUP:
            continue  # a group that led to images that are gone
        image_id = None if within is None else PurePosixPath(within.relative_to(output.masks)).as_posix()
        found.findings.append(Finding(_within(output, path), "unexpected", image_id))


# ---- tables


def _verify_tables(output: Output, markers: dict[str, Marker], found: Verification) -> None:
    facts = publishing.read_tables(output)
    record = output.root / "run.json"
    if facts is None:
        if any((output.root / name).exists() for name in _TABLES):
            found.findings.append(
                Finding(_within(output, output.hidden / "tables.json"), "missing or damaged")
            )
        else:
            found.notes.append("no tables were published yet")
        return
    found.files += 2
    if not record.exists():
        found.notes.append(
            "run.json is missing: the last run was interrupted at its very end, or it was removed"
        )
    elif read_sealed(record) is None:
        found.findings.append(Finding("run.json", "damaged"))
    replacing = facts["made_from"] is None
    if replacing:
        found.notes.append("the tables were being replaced: run the same command again")
    sound = []
    for name in _TABLES:
        path = output.root / name
        if replacing and (not path.exists() or file_hash(path) in facts["earlier"]):
            continue  # not yet replaced
        sound.append(_verify_file(output, path, facts["files"][name], None, found))
    if all(sound) and not replacing:
        _compare_with_markers(output, facts, markers, found)


def _compare_with_markers(
    output: Output, facts: dict[str, Any], markers: dict[str, Marker], found: Verification
) -> None:
    """Find images that tables name but that are gone, and newer ones that they do not name yet."""
    try:
        images = pq.read_table(output.root / "images.parquet", columns=["image_id", "status"]).to_pylist()
        cracks = pq.read_table(output.root / "cracks.parquet", columns=["image_id"]).num_rows
    except (pa.ArrowInvalid, OSError) as error:
        found.findings.append(Finding("images.parquet or cracks.parquet", f"cannot be read: {error}"))
        return
    if cracks != facts["cracks"]:
        found.findings.append(Finding("cracks.parquet", f"has {cracks} rows, {facts['cracks']} were written"))
    done = {str(row["image_id"]) for row in images if row["status"] == "done"}
    lost = sorted(done - {name for name, marker in markers.items() if marker["status"] == "done"})
    for image_id in lost:
        if output.staging(image_id).exists():
            found.notes.append(f"{image_id} is being done again: until then the tables show what was before")
        else:
            found.findings.append(Finding(_within(output, output.marker(image_id)), "missing", image_id))
    _note_not_in_tables(output, set(markers) - {str(row["image_id"]) for row in images}, found)


def _note_not_in_tables(output: Output, image_ids: set[str], found: Verification) -> None:
    """Tell images that wait for their tables from those that left the survey."""
    kept = memory.names_kept(output.memory)
    waiting, others = sorted(image_ids & kept), sorted(image_ids - kept)
    if waiting:
        found.notes.append(
            f"{len(waiting)} finished images are not in images.parquet yet, such as {waiting[0]}: a run "
            f"ended before it made the tables; run the same command again"
        )
    if others:
        # a run that misses images does not note its survey
        doubt = "the last run made no tables, or " if removed.missing(output) or not kept else ""
        found.notes.append(
            f"{len(others)} finished images are not in images.parquet, such as {others[0]}: {doubt}they left "
            f"the survey"
        )


# ---- what is made of the tables


def _verify_made_later(output: Output, found: Verification) -> None:
    """Read the tables of sections and of changes, of which no hash is noted."""
    for name in _MADE_LATER:
        path = output.root / name
        if path.exists():
            found.files += 1
            try:
                with pq.ParquetFile(path) as table:
                    for _ in table.iter_batches(use_threads=False):
                        pass
            except (pa.ArrowException, OSError) as error:
                found.findings.append(Finding(name, f"cannot be read: {error}"))


def _verify_exports(output: Output, found: Verification) -> None:
    examined = exports.examine(output)
    found.findings += [Finding(path, what) for path, what in examined.damaged]
    found.notes += examined.said


# ---- repair


def _repair(output: Output, found: Verification) -> None:
    for image_id in sorted({finding.image_id for finding in found.findings if finding.image_id}):
        unmark(output, image_id)
        found.notes.append(f"{image_id} will be done again")
    for finding in found.findings:
        path = output.root / finding.path
        if finding.path in _TABLES or path.parent == output.hidden:
            (output.hidden / "tables.json").unlink(missing_ok=True)
            found.notes.append("the tables will be made again")
        elif path.parent == output.root and path.name != "run.json" and path.exists():
            kept = exports.set_aside(path, "damaged")
            again = "sections" if path.name.startswith("section") else "compare"
            again = (
                f"`crackpipe {again}`" if path.name in _MADE_LATER else "the next run or `crackpipe export`"
            )
            found.notes.append(f"{path.name} is kept as {kept.name}: {again} makes it anew")
        hidden = path.parent == output.hidden / "markers" or path.name == "version.json"
        if hidden or (finding.what == "unexpected" and finding.image_id is None):
            path.unlink(missing_ok=True)


def _within(output: Output, path: Path) -> str:
    return path.relative_to(output.root).as_posix()
