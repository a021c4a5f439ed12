"""Move an export to its place. What a person changed there is kept under another name.

`.crackpipe/exports.json` holds for each export what it was made from and a digest of its content. A file
whose content is not what was written was changed by a person: it is renamed (`cracks.edited-1.gpkg`), never
overwritten. A file of which nothing is noted counts as changed too.
"""

import os
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from crackpipe.pipeline.console.log import log
from crackpipe.pipeline.errors import OutputLockedError
from crackpipe.pipeline.export.content import close_journal, content_digest
from crackpipe.pipeline.state.output import Output
from crackpipe.pipeline.storage.durable import file_hash, files_below, fsync_path, fsync_tree, remove_tree
from crackpipe.pipeline.storage.sealed import digest, read_sealed, write_sealed

Note = dict[str, Any]
"""Of one export: `made_from`, `content`, and `earlier`, contents that may lie there while it is being
replaced."""


def notes_of(output: Output) -> dict[str, Note]:
    """What is noted of each export; its key is the path, relative to the output where it lies within."""
    return read_sealed(_notes_file(output)) or {}


def key_of(output: Output, target: Path) -> str:
    """The key of an export in the notes."""
    return os.path.relpath(target, output.root) if target.is_relative_to(output.root) else str(target)


def is_up_to_date(output: Output, targets: Sequence[Path], made_from: str) -> bool:
    """Whether all targets are there and were made from this."""
    notes = notes_of(output)
    return all(
        target.exists() and notes.get(key_of(output, target), {}).get("made_from") == made_from
        for target in targets
    )


def any_changed(output: Output, targets: Sequence[Path]) -> bool:
    """Whether a person changed one of the targets. Raises OSError."""
    notes = notes_of(output)
    return any(is_changed(target, notes.get(key_of(output, target))) for target in targets)


def said_of_changes(output: Output) -> list[str]:
    """What a person did to the exports in the output, a sentence each. Raises OSError."""
    said = []
    file = _notes_file(output)
    if file.exists() and read_sealed(file) is None:
        said.append(f"{file.name} cannot be read: the next exports keep what is there under other names")
    for key, note in sorted(notes_of(output).items()):
        target = output.root / key
        if Path(key).is_absolute():
            continue  # it lies elsewhere, and may be on a disk that is not there today
        if not target.exists():
            said.append(f"{key} was removed: the next run or `crackpipe export` makes it again")
        elif is_changed(target, note):
            kept = "is left alone" if target.suffix == ".qml" else f"is kept as {_free_name(target).name}"
            said.append(f"{key} was changed since it was written, no damage: it {kept} by the next export")
    return said


def place(output: Output, staged: Path, target: Path, made_from: str) -> Path | None:
    """Move a finished export to `target`; where what was there went, if a person had changed it.

    Raises OutputLockedError where another program has the target open, OSError, sqlite3.Error.
    """
    key, notes = key_of(output, target), notes_of(output)
    note: Note = {"made_from": made_from, "content": content_of(staged)}
    kept = None
    if target.exists():
        _close(output, target)
        # what has the content of the new one is lost to nobody, whether it was noted or not
        if is_changed(target, notes.get(key)) and is_changed(target, note):
            kept = _free_name(target)
            target.rename(kept)
            log.warning(
                f"{target} was changed by somebody since crackpipe wrote it: it is kept as {kept.name}, and "
                f"{target.name} is made anew"
            )
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
        pass  # it is no database any more; it is kept as changed


def _free_name(target: Path) -> Path:
    """`cracks.edited-1.gpkg` beside `cracks.gpkg`; the first number that is free."""
    number = 1
    while (name := target.with_name(f"{target.stem}.edited-{number}{target.suffix}")).exists():
        number += 1
    return name


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
