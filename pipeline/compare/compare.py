"""The story of a comparison: two outputs become `changes.parquet` and `changes.json`.

read both -> refuse what cannot be compared -> lay the older year on the newer -> match -> verdicts -> tables
"""

from pathlib import Path
from typing import Any

from crackpipe.pipeline.compare import comparable, table
from crackpipe.pipeline.compare.laid import Laid, Options, lay
from crackpipe.pipeline.compare.rows import rows_of
from crackpipe.pipeline.compare.summary import summary_of
from crackpipe.pipeline.compare.years import Plane, plane_of, read_year
from crackpipe.pipeline.errors import OutputNotWritableError, UsageError
from crackpipe.pipeline.storage import faults
from crackpipe.pipeline.storage.durable import replace_file
from crackpipe.pipeline.storage.sealed import write_json


def compare(older_root: Path, newer_root: Path, to: Path, options: Options) -> dict[str, Any]:
    """Compare two outputs; write `changes.parquet` and `changes.json` into `to`; return what the latter says.

    Raises UsageError if the two cannot be compared, OutputNotWritableError or StorageError if nothing can be
    written, and as `years.read_year`.
    """
    if older_root.resolve() == newer_root.resolve():
        raise UsageError(f"{older_root} was given twice: compare wants two years.")
    plane = plane_of(newer_root)
    older, newer = read_year(older_root, plane), read_year(newer_root, plane)
    refused = comparable.differences(older, newer)
    if refused and not options.force:
        raise UsageError(
            f"{older_root} and {newer_root} cannot be compared: "
            + " Also, ".join(refused)
            + " With --force they are compared all the same, and each row says `not comparable`."
        )
    cameras = ["--other-camera"] if options.other_camera else comparable.other_camera(older.made, newer.made)
    laid = lay(older, newer, options)
    rows, changes = rows_of(laid, options.least_m, one_camera=not cameras)
    summary = summary_of(laid, rows, changes, options, refused=refused, cameras=cameras)
    _publish(laid, rows, plane, to, summary, comparable_rows=not refused)
    return summary


def _publish(
    laid: Laid, rows: table.Rows, plane: Plane, to: Path, summary: dict[str, Any], *, comparable_rows: bool
) -> None:
    """Write the table and then its summary, each whole or not at all."""
    try:
        to.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputNotWritableError(
            f"{to} cannot be made: {error}. Name another folder with --to."
        ) from error
    with faults.guarding(to):
        staged = to / "changes.parquet.staged"
        try:
            table.write(rows, laid, plane, staged, comparable=comparable_rows)
            replace_file(staged, to / "changes.parquet")
        finally:
            staged.unlink(missing_ok=True)
        write_json(to / "changes.json", summary)
