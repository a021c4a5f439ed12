"""Move an export to its place. What a person changed there is kept under another name.

`.crackpipe/exports.json` holds for each export what it was made from and a digest of its content. A file
whose content is not what was written was changed by a person: it is renamed (`cracks.edited-1.gpkg`), never
overwritten. A file of which nothing is noted counts as changed too. A GeoPackage that is damaged, with
what a person may have put into it, is renamed `cracks.damaged-1.gpkg`.
"""

import os
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from crackpipe.pipeline.console.log import log
from crackpipe.pipeline.errors import OutputLockedError
from crackpipe.pipeline.export.content import (
    close_journal,
    content_digest,
    fault_of,
    journals_of,
    transactions_of,
)
from crackpipe.pipeline.state.output import Output
from crackpipe.pipeline.storage.durable import file_hash, files_below, fsync_path, fsync_tree, remove_tree
from crackpipe.pipeline.storage.sealed import digest, read_json, read_sealed, write_sealed

Note = dict[str, Any]
"""Of one export: `made_from`, `content`, and `earlier`, contents that may lie there while it is being
replaced. Of a GeoPackage also `file`, the hash of its bytes, and `transactions`, SQLite's count in it."""


@dataclass
class Examined:
    """What became of the exports in an output."""

    damaged: list[tuple[str, str]] = field(default_factory=list)
    """Key and fault of each that is damaged, or that the last run should have left and that is missing."""
    said: list[str] = field(default_factory=list)
    """What a person did, a sentence each."""


def notes_of(output: Output) -> dict[str, Note]:
    """What is noted of each export; its key is the path, relative to the output where it lies within."""
    return read_sealed(_notes_file(output)) or {}


def key_of(output: Output, target: Path) -> str:
    """The key of an export in the notes."""
    return os.path.relpath(target, output.root) if target.is_relative_to(output.root) else str(target)


def is_up_to_date(output: Output, targets: Sequence[Path], made_from: str) -> bool:
    """Whether all targets are there, can be opened and were made from this."""
    notes = notes_of(output)
    return all(
        target.exists()
        and (target.suffix != ".gpkg" or fault_of(target, thorough=False) is None)
        and notes.get(key_of(output, target), {}).get("made_from") == made_from
        for target in targets
    )


def any_changed(output: Output, targets: Sequence[Path]) -> bool:
    """Whether a person changed one of the targets. Raises OSError."""
    notes = notes_of(output)
    return any(is_changed(target, notes.get(key_of(output, target))) for target in targets)


def examine(output: Output) -> Examined:
    """Look at all exports in the output. Raises OSError.

    Of other formats than a GeoPackage nobody can tell an edit from damage.
    """
    found = Examined()
    file = _notes_file(output)
    if file.exists() and read_sealed(file) is None:
        found.said.append(
            f"{file.name} cannot be read: the next exports keep what is there under other names"
        )
    asked_for = _asked_for(output)
    for key, note in sorted(notes_of(output).items()):
        target = output.root / key
        if Path(key).is_absolute():
            continue  # it lies elsewhere, and may be on a disk that is not there today
        if not target.exists():
            form = target.suffix.removeprefix(".") or target.name
            if form in asked_for:
                found.damaged.append((key, "missing"))
            else:
                again = "the next run" if form == "qml" else "`crackpipe export`"
                found.said.append(f"{key} was removed: {again} makes it again")
        elif (fault := _fault_of(target, note)) is not None:
            found.damaged.append((key, f"damaged: {fault}"))
        elif is_changed(target, note):
            kept = (
                "is left alone"
                if target.suffix == ".qml"
                else f"is kept as {free_name(target, 'edited').name}"
            )
            doubt = "no damage" if target.suffix == ".gpkg" else "by a person, or it is damaged"
            found.said.append(
                f"{key} was changed since it was written, {doubt}: it {kept} by the next export"
            )
    return found


def _asked_for(output: Output) -> Sequence[str]:
    """The formats that the last run was to leave; none where nobody knows."""
    exports = ((read_json(output.root / "run.json") or {}).get("configuration") or {}).get("exports")
    return exports if isinstance(exports, list) else []


def _fault_of(target: Path, note: Mapping[str, Any]) -> str | None:
    """What is wrong with a GeoPackage; None of other formats, and of one that is sound, edited or not."""
    if target.suffix != ".gpkg":
        return None
    fault = fault_of(target, thorough=True)
    if fault is not None or note.get("made_from") is None or "file" not in note:
        return fault  # while it is being replaced, the note may be of the other one
    counted = transactions_of(target)
    if counted is not None and counted == note["transactions"] and file_hash(target) != note["file"]:
        return "its bytes are others than were written, though no program wrote into it"
    return None


def set_aside(target: Path, word: str) -> Path:
    """Rename what lies there, with its journals, to the next free name, which is returned. Raises OSError."""
    kept = free_name(target, word)
    for journal, journal_kept in zip(journals_of(target), journals_of(kept), strict=True):
        if journal.exists():
            journal.rename(journal_kept)  # beside the next file of that name it would damage it
    target.rename(kept)
    return kept


def free_name(target: Path, word: str) -> Path:
    """`cracks.WORD-1.gpkg` beside `cracks.gpkg`; the first number that is free."""
    number = 1
    while (name := target.with_name(f"{target.stem}.{word}-{number}{target.suffix}")).exists():
        number += 1
    return name


def place(output: Output, staged: Path, target: Path, made_from: str) -> Path | None:
    """Move a finished export to `target`; where what was there went, if a person had changed it.

    Raises OutputLockedError where another program has the target open, OSError, sqlite3.Error.
    """
    key, notes = key_of(output, target), notes_of(output)
    note: Note = {"made_from": made_from, "content": content_of(staged), **_bytes_of(staged)}
    kept = None
    if target.exists():
        _close(output, target)
        # what has the content of the new one is lost to nobody, whether it was noted or not
        if is_changed(target, notes.get(key)) and is_changed(target, note):
            fault = _fault_of(target, notes.get(key, {}))
            kept = set_aside(target, "edited" if fault is None else "damaged")
            what = (
                "was changed by somebody since crackpipe wrote it"
                if fault is None
                else f"is damaged ({fault})"
            )
            log.warning(f"{target} {what}: it is kept as {kept.name}, and {target.name} is made anew")
    before = notes.get(key, {})
    earlier = [*before.get("earlier", []), *([before["content"]] if "content" in before else [])]
    _note(output, {**notes, key: {**note, "made_from": None, "earlier": earlier}})
    _replace(staged, target)
    _note(output, {**notes, key: note})
    return kept


def is_changed(target: Path, note: Note | None) -> bool:
    """Whether an export that is there is not what was written, in rows or styles."""
    if note is None:
        return True
    try:
        return content_of(target) not in (note["content"], *note.get("earlier", []))
    except sqlite3.DatabaseError:
        return True


def content_of(path: Path) -> str:
    """Digest of what an export holds for a person. Raises OSError, sqlite3.Error."""
    if path.is_dir():
        # GDAL and QGIS put statistics of a raster beside it when it is looked at
        found = [file for file in files_below(path) if not file.name.endswith(".aux.xml")]
        return digest([[file.relative_to(path).as_posix(), file_hash(file)] for file in found])
    return content_digest(path) if path.suffix == ".gpkg" else file_hash(path)


def _bytes_of(path: Path) -> Note:
    """What else is noted of a GeoPackage; nothing of other formats."""
    if path.suffix != ".gpkg":
        return {}
    return {"file": file_hash(path), "transactions": transactions_of(path)}


def _note(output: Output, notes: dict[str, Note]) -> None:
    """Write the notes. An output that cannot be written keeps none of what is exported elsewhere."""
    if os.access(output.hidden, os.W_OK):
        write_sealed(_notes_file(output), notes)


def _notes_file(output: Output) -> Path:
    return output.hidden / "exports.json"


def _close(output: Output, target: Path) -> None:
    if target.suffix != ".gpkg":
        return
    try:
        close_journal(target)
    except sqlite3.OperationalError as error:
        if "locked" not in str(error):
            raise
        elsewhere = "" if target.parent == output.root else f" --to {target.parent}"
        raise OutputLockedError(
            f"{target} is open in another program, probably QGIS, so it was not made anew. The tables of the "
            f"run are complete. Close it there, then: crackpipe export {output.root} --format gpkg{elsewhere}"
        ) from error
    except sqlite3.DatabaseError:
        pass  # it is no database any more; it is kept as damaged


def _replace(staged: Path, target: Path) -> None:
    if not staged.is_dir():
        fsync_path(staged)
        staged.replace(target)
    else:
        fsync_tree(staged)
        if target.exists():
            old = staged.with_name("replaced")
            remove_tree(old)
            target.rename(old)
            staged.rename(target)
            remove_tree(old)
        else:
            staged.rename(target)
    fsync_path(target.parent)
