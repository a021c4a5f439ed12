"""The story of a comparison: two outputs become a table of changes, one of sections, and a summary.

read both -> refuse what cannot be compared -> lay the older year on the newer -> verdicts -> sections
"""

import json
import uuid
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from crackpipe.pipeline.compare import comparable, table
from crackpipe.pipeline.compare.flat.threads import give_back
from crackpipe.pipeline.compare.laid import Laid, Options, lay
from crackpipe.pipeline.compare.rows import rows_of
from crackpipe.pipeline.compare.sections import Sectioned, Wanted, sectioned
from crackpipe.pipeline.compare.summary import summary_of
from crackpipe.pipeline.compare.years import Plane, Year, plane_of, read_year
from crackpipe.pipeline.errors import OutputNotWritableError, UsageError
from crackpipe.pipeline.sections.options import Lanes
from crackpipe.pipeline.state import lock
from crackpipe.pipeline.state.output import Output
from crackpipe.pipeline.storage import faults
from crackpipe.pipeline.storage.durable import file_hash, replace_file
from crackpipe.pipeline.storage.sealed import write_json
from crackpipe.pipeline.tables import geoparquet

FACTS = "crackpipe_changes"
"""Metadata of the files: hashes of the tables that they were made from."""
CHANGES, SECTIONS, SUMMARY = "changes.parquet", "changes_sections.parquet", "changes.json"


def compare(
    older_root: Path, newer_root: Path, to: Path, options: Options, wanted: Wanted | None = None
) -> dict[str, Any]:
    """Compare two outputs; write the three files into `to`; return what `changes.json` says.

    `wanted` are the sections, by default one lane along the newer year's track. Raises UsageError if the two
    cannot be compared, OutputLockedError if a run is at work on one, OutputNotWritableError or StorageError
    if nothing can be written, and as `years.read_year`.
    """
    if older_root.resolve() == newer_root.resolve():
        raise UsageError(f"{older_root} was given twice: compare wants two years.")
    with ExitStack() as held:
        for root in (older_root, newer_root):
            if (Output(root).hidden).is_dir():
                held.enter_context(_held(Output(root), writing=root.resolve() == to.resolve()))
        held.enter_context(_giving_memory_back())
        return _compared(older_root, newer_root, to, options, wanted or Wanted(lanes=Lanes()))


@contextmanager
def _giving_memory_back() -> Iterator[None]:
    """Let arrow take memory from the system: its own allocator keeps what was freed, 200 MiB a year."""
    before = pa.default_memory_pool()
    pa.set_memory_pool(pa.system_memory_pool())
    try:
        yield
    finally:
        pa.set_memory_pool(before)


def _held(output: Output, *, writing: bool) -> AbstractContextManager[None]:
    return lock.locked(output, uuid.uuid4().hex) if writing else lock.reading(output)


def _compared(
    older_root: Path, newer_root: Path, to: Path, options: Options, wanted: Wanted
) -> dict[str, Any]:
    plane = plane_of(newer_root)
    older, newer = read_year(older_root, plane), read_year(newer_root, plane)
    refused = comparable.differences(older, newer)
    if refused and not options.force:
        raise UsageError(
            f"{older_root} and {newer_root} cannot be compared: "
            + " Also, ".join(refused)
            + " With --force they are compared all the same, and each row says `not comparable`."
        )
    cameras = _cameras(options, older, newer)
    notes = comparable.notes(older, newer)
    # `lay` alone holds the years: else the older lines lie in memory where they were and where they are seen
    years = [newer, older]
    del older, newer
    laid = lay(years.pop(), years.pop(), options)
    rows, changes = rows_of(laid, options.least_m, one_camera=not cameras)
    laid = laid.without_stretches()
    give_back()
    sections = sectioned(laid, rows, plane, wanted)
    rows = replace(rows, section=sections.section)
    summary = summary_of(laid, rows, changes, options, refused=refused, cameras=cameras)
    summary["notes"] = [*notes, *sections.notes]
    _publish(laid, rows, sections, plane, to, summary)
    return summary


def _cameras(options: Options, older: Year, newer: Year) -> list[str]:
    """Why the cameras of the two years are taken for different, in words; empty where they are one."""
    if options.camera == "auto":
        return comparable.other_camera(older.made, newer.made)
    return ["--camera other"] if options.camera == "other" else []


def _publish(  # noqa: PLR0917
    laid: Laid, rows: table.Rows, sections: Sectioned, plane: Plane, to: Path, summary: dict[str, Any]
) -> None:
    """Write the tables and then the summary, each whole or not at all."""
    try:
        to.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputNotWritableError(
            f"{to} cannot be made: {error}. Name another folder with --to."
        ) from error
    hashes = {
        "cracks.parquet": file_hash(laid.newer.root / "cracks.parquet"),
        "older cracks.parquet": file_hash(laid.older.root / "cracks.parquet"),
    }
    facts = {FACTS: json.dumps(hashes, sort_keys=True)}
    with faults.guarding(to):
        staged = [to / f"{name}.staged" for name in (CHANGES, SECTIONS)]
        try:
            table.write(rows, laid, plane, staged[0], comparable=summary["comparable"], facts=facts)
            if sections.table is not None:
                order = np.arange(sections.table.num_rows)
                geoparquet.write(
                    sections.table, order, staged[1], crs=plane.crs, geometry_type="LineString", facts=facts
                )
                replace_file(staged[1], to / SECTIONS)
            else:
                (to / SECTIONS).unlink(missing_ok=True)  # of an earlier comparison
            replace_file(staged[0], to / CHANGES)
        finally:
            for file in staged:
                file.unlink(missing_ok=True)
        write_json(to / SUMMARY, summary)
