"""Finished images that a run does not find any more: taken out on purpose, or on a disk that is not mounted.

The tables are made from the images of the survey, so what left the survey leaves the tables too. If a person
took out some images, that is right. If a disk was not mounted, it would be a loss that nobody sees. So a run
says what it misses. Where that is more than a share of what was finished, or all of a source, the tables stay
as they are until a person agrees.

`tables.json` names the images that the tables were made without (`left`), so that each is missed once.
`missing.json` is there only while a run waits for a person: it names what that run missed.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from crackpipe.pipeline.state import publishing
from crackpipe.pipeline.state.output import Output, file_key
from crackpipe.pipeline.storage.sealed import read_sealed, write_sealed

_NAMED = 3


@dataclass(frozen=True)
class Removed:
    """What a run does not find of all that was finished before."""

    earlier: tuple[str, ...] = ()
    """Images, sorted, that the tables were made without before."""
    now: tuple[str, ...] = ()
    """Images, sorted, that are missed for the first time."""
    finished: int = 0
    """Finished images, `now` among them, `earlier` not."""
    has_tables: bool = False
    """Tables were published before."""

    @property
    def all(self) -> list[str]:
        """All images that the tables will be made without, sorted."""
        return sorted({*self.earlier, *self.now})

    @property
    def share(self) -> float:
        """`now` as a share of what was finished, 0..1."""
        return len(self.now) / max(1, self.finished)


def look_for(output: Output, present: Collection[str], is_left_out: Callable[[str], bool]) -> Removed:
    """Compare the finished images of an output with those that are `present`.

    What an option leaves out (`is_left_out`) is not missed. Only markers of absent images are opened.
    """
    keys = {file_key(image_id) for image_id in present}
    files = sorted(output.markers.glob("*.json"))
    absent = [marker for file in files if file.stem not in keys and (marker := read_sealed(file)) is not None]
    missed = sorted(
        str(marker["image_id"])
        for marker in absent
        if marker["status"] == "done" and not is_left_out(str(marker["image_id"]))
    )
    facts = publishing.read_tables(output)
    earlier = _left(output, facts, missed) if missed else set()
    now = tuple(image_id for image_id in missed if image_id not in earlier)
    return Removed(
        tuple(image_id for image_id in missed if image_id in earlier),
        now,
        sum(file.stem in keys for file in files) + len(now),
        facts is not None,
    )


def _left(output: Output, facts: Mapping[str, Any] | None, missed: Sequence[str]) -> set[str]:
    """The images that the published tables were made without."""
    if facts is None:
        return set()
    if "left" in facts:
        return set(facts["left"])
    # older versions noted nothing: what the table does not name was missed before
    try:
        table = pq.read_table(output.root / "images.parquet", columns=["image_id"])
    except (OSError, pa.ArrowInvalid):
        return set()
    return set(missed) - set(table.column("image_id").to_pylist())


# ---- for a person


def named(image_ids: Sequence[str]) -> str:
    """The first few images, and how many more there are."""
    more = len(image_ids) - _NAMED
    return ", ".join(image_ids[:_NAMED]) + (f" and {more} more" if more > 0 else "")


def note_missing(output: Output, removed: Removed | None) -> None:
    """Write down what a run missed that leaves the tables as they are; None where nothing is missed."""
    file = output.hidden / "missing.json"
    if removed is None:
        file.unlink(missing_ok=True)
    else:
        write_sealed(file, {"images": list(removed.now)})


def missing(output: Output) -> list[str]:
    """The images that the last run missed, so that it left the tables as they were, sorted."""
    note = read_sealed(output.hidden / "missing.json") or {"images": []}
    return list(note["images"])


def left(output: Output) -> list[str]:
    """Finished images that the tables were made without, and of which everything is still there, sorted."""
    facts = publishing.read_tables(output) or {}
    return [image_id for image_id in facts.get("left", []) if output.marker(image_id).exists()]
