"""The door: export an output in one form, whole or not at all.

An export is made in a folder of its own, from the published tables and masks, and then moved to its place. If
that fails, the tables and the export of before stay as they are.
"""

import os
import shutil
import sqlite3
import uuid
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
from pyogrio import errors as pyogrio_errors

from crackpipe.pipeline.config import EXPORT_FORMATS
from crackpipe.pipeline.console.log import log
from crackpipe.pipeline.errors import OutputNotWritableError, StorageError, UsageError
from crackpipe.pipeline.export import publishing
from crackpipe.pipeline.export.layers import Layer, layers_of
from crackpipe.pipeline.export.qml import as_qml
from crackpipe.pipeline.export.styles import style_of
from crackpipe.pipeline.raster.gdal import GDAL_ERRORS, cause_of
from crackpipe.pipeline.state import lock
from crackpipe.pipeline.state.markers import all_markers
from crackpipe.pipeline.state.output import Output, output_at
from crackpipe.pipeline.state.publishing import read_tables
from crackpipe.pipeline.storage.durable import file_hash, remove_tree
from crackpipe.pipeline.storage.faults import UNWRITABLE_ERRNOS
from crackpipe.pipeline.storage.sealed import digest
from crackpipe.pipeline.tables.geoparquet import utf8

if TYPE_CHECKING:
    from crackpipe.pipeline.export.rasters.catalogue import Entry
    from crackpipe.pipeline.export.rasters.masks import StoredMask

EXPORT_VERSION = 2
"""Raise when the same tables would give another export: it is then made anew."""

_FAILURES: tuple[type[Exception], ...] = (
    OSError,
    sqlite3.Error,
    pa.ArrowException,
    pyogrio_errors.DataSourceError,
    pyogrio_errors.DataLayerError,
    pyogrio_errors.FeatureError,
    pyogrio_errors.GeometryError,
    *GDAL_ERRORS,
)
"""What reading tables and writing exports may raise."""
_FULL_BELOW_BYTES = 1_000_000
_TRIAL_BYTES = 65_536


def export(output_root: Path, format: str, to: Path | None = None) -> list[Path]:  # noqa: A002
    """Export the output of a run in one of EXPORT_FORMATS; the files and folders that were made.

    They are put into the folder `to`, None: into the output itself. What a person changed there is kept under
    another name. Raises UsageError for a folder that is no output or has no tables, OutputLockedError if a
    run is at work or another program has the file open, OutputNotWritableError or StorageError where `to`
    takes no more.
    """
    output = output_at(output_root)
    if to is not None:
        Output(to.absolute()).refuse_bytes()
    if format not in EXPORT_FORMATS:
        raise UsageError(f"format is {format!r}, but must be one of {', '.join(EXPORT_FORMATS)}")
    with _held(output, to):
        return make(output, format, to, is_asked_for=True)


def make(output: Output, form: str, to: Path | None = None, *, is_asked_for: bool) -> list[Path]:
    """As `export`, by who holds the output already.

    What is there and was made from the same tables is left alone. If it `is_asked_for`, it is looked at
    first: made anew where somebody changed it.
    """
    folder = output.root if to is None else to.absolute()
    with _failing_well(output, folder, form):
        found = layers_of(output.root)
        _refuse_without_tables(output, found)
        layers = _fresh(output, found)
        limits_mm = _width_limits_mm(output)
        made_from = digest([EXPORT_VERSION, form, _hashes(output, layers), limits_mm, _images(output, form)])
        targets = [folder / name for name in _names(form, layers)]
        if publishing.is_up_to_date(output, targets, made_from) and not (
            is_asked_for and publishing.any_changed(output, targets)
        ):
            return targets
        with _staging(output, folder) as staging:
            _write(output, form, layers, staging, folder)
            _check_that_all_was_taken(staging)
            for target in targets:
                publishing.place(output, staging / target.name, target, made_from)
    return targets


def place_styles(output: Output) -> None:
    """Put a `.qml` beside each table, which QGIS draws the table by. One that a person changed stays as it
    is.

    By who holds the output. Raises OutputNotWritableError or StorageError.
    """
    with _failing_well(output, output.root, "gpkg"):
        notes = publishing.notes_of(output)
        for layer in layers_of(output.root):
            target = layer.file.with_suffix(".qml")
            text = as_qml(style_of(layer.name, _width_limits_mm(output)), layer.columns).encode()
            if target.exists() and (
                publishing.is_changed(target, notes.get(target.name)) or target.read_bytes() == text
            ):
                continue
            with _staging(output, output.root) as staging:
                (staging / target.name).write_bytes(text)
                publishing.place(output, staging / target.name, target, digest(text.decode()))


def _names(form: str, layers: list[Layer]) -> list[str]:
    """What an export leaves: one file, a file for each layer, or a folder."""
    if form == "gpkg":
        return ["cracks.gpkg"]
    if form in ("fgb", "geojson", "csv", "pmtiles"):
        return [f"{layer.name}.{form}" for layer in layers]
    return [form]


def _write(
    output: Output,
    form: str,
    layers: list[Layer],
    staging: Path,
    folder: Path,
) -> None:
    """Make what `_names` names in the folder `staging`, as it will lie in `folder`."""
    if form == "gpkg":
        from crackpipe.pipeline.export.gpkg import write_gpkg

        write_gpkg(layers, staging / "cracks.gpkg", _width_limits_mm(output))
    elif form == "cog":
        from crackpipe.pipeline.export.rasters.folder import write_rasters

        scratch = staging / "scratch"
        scratch.mkdir()
        write_rasters(_masks(output), layers[0].crs, staging / "cog", scratch)
    elif form == "stac":
        from crackpipe.pipeline.export.rasters.catalogue import write_catalogue

        entries, others = _entries(output)
        write_catalogue(entries, others, output.root, staging / "stac", folder / "stac")
    else:
        from crackpipe.pipeline.export import tables

        tables.write_tables(layers, form, staging)


def _masks(output: Output) -> "list[StoredMask]":
    """The masks of the images that the tables count, by image_id."""
    return [entry.mask for entry in _entries(output)[0]]


def _entries(output: Output) -> "tuple[list[Entry], list[tuple[str, str]]]":
    """The images that the tables count, by image_id; and the image_ids of the others, with the reason."""
    from crackpipe.pipeline.export.rasters.catalogue import Entry
    from crackpipe.pipeline.export.rasters.masks import stored_mask

    table = pq.read_table(output.root / "images.parquet").drop_columns(["geometry", "bbox"]).to_pylist()
    rows = {row["image_id"]: row for row in table}
    markers = {str(marker["image_id"]): marker for marker in all_markers(output)}
    entries = []
    for name in sorted(markers):
        row = rows.get(utf8(name))
        if row is not None and row["status"] == "done":
            day = str(markers[name].get("fingerprint", {}).get("acquired"))
            acquired = None if day == "None" else date.fromisoformat(day)
            entries.append(Entry(stored_mask(name, output.masks_of(name)), acquired, row))
    others = [(name, f"{row['reason']}: {row['message']}") for name, row in rows.items() if row["reason"]]
    return entries, others


# ---- what it is made from


def _refuse_without_tables(output: Output, layers: list[Layer]) -> None:
    note = read_tables(output)
    if {"cracks", "images"} <= {layer.name for layer in layers} and (note is None or note["made_from"]):
        return
    raise UsageError(
        f"{output.root} has no complete tables, cracks.parquet and images.parquet, to export. Run the survey "
        f"to its end first: crackpipe run SURVEY --out {output.root}"
    )


def _fresh(output: Output, layers: list[Layer]) -> list[Layer]:
    """The layers without those that were worked out from cracks of before."""
    fresh = []
    for layer in layers:
        if layer.cracks_hash in (None, _hashes(output, [layers[0]])["cracks"]):
            fresh.append(layer)
        else:
            again = f"sections {output.root} --centreline ROADS"
            if layer.name.startswith("changes"):
                again = f"compare OLDER {output.root}"
            log.warning(
                f"{layer.file.name} was made from an earlier cracks.parquet, so exports are without it. "
                f"Make it again: crackpipe {again}"
            )
    return fresh


def _width_limits_mm(output: Output) -> tuple[float, float] | None:
    """The widths between the classes, as the tables were made with; None in outputs of before."""
    limits = (read_tables(output) or {}).get("width_limits_mm")
    return None if limits is None else (float(limits[0]), float(limits[1]))


def _images(output: Output, form: str) -> object:
    """What a form that shows masks depends on besides the tables: the digest of all markers, and for a
    catalogue the GeoTIFFs that it names.
    """
    markers = (read_tables(output) or {}).get("made_from")
    if form == "stac":
        return [markers, publishing.notes_of(output).get("cog", {}).get("content")]
    return markers if form == "cog" else None


def _hashes(output: Output, layers: list[Layer]) -> dict[str, str]:
    """Of the tables. Those that a run noted are taken from there."""
    noted = (read_tables(output) or {}).get("files", {})
    return {layer.name: noted.get(layer.file.name) or file_hash(layer.file) for layer in layers}


# ---- where it is made


def _held(output: Output, to: Path | None) -> AbstractContextManager[None]:
    """Keep runs away. An output on a disk that cannot be written can still be exported to another place."""
    is_writable = os.access(output.hidden, os.W_OK)
    return (
        lock.reading(output) if to is not None and not is_writable else lock.locked(output, uuid.uuid4().hex)
    )


@contextmanager
def _staging(output: Output, folder: Path) -> Iterator[Path]:
    """An empty folder on the disk of the target, gone at the end. One that a kill left is removed first."""
    staging = output.hidden / "exports" if folder == output.root else folder / ".crackpipe-export"
    remove_tree(staging)
    staging.mkdir(parents=True)
    try:
        yield staging
    finally:
        shutil.rmtree(staging, ignore_errors=True)  # an error of the export says more than one of this


def _check_that_all_was_taken(staging: Path) -> None:
    """Raise OSError where the disk, or a quota, takes no more.

    Some of GDAL's drivers close a file without a word when its last bytes had no place. The disk is full to
    the brim then, so that a few more bytes have no place either.
    """
    trial = staging / "trial"
    with trial.open("wb") as file:
        file.write(bytes(_TRIAL_BYTES))
        file.flush()
        os.fsync(file.fileno())
    trial.unlink()


@contextmanager
def _failing_well(output: Output, folder: Path, form: str) -> Iterator[None]:
    """Turn what a full disk and GDAL say into an error that says what is kept and what to do."""
    try:
        yield
    except _FAILURES as error:
        again = f"crackpipe export {output.root} --format {form}"
        kept = "The tables of the run are complete and untouched."
        if isinstance(error, OSError) and error.errno in UNWRITABLE_ERRNOS:
            raise OutputNotWritableError(
                f"{error.filename or folder} cannot be written: {error.strerror}. {kept} Give a folder that "
                f"may be written: {again} --to DIR"
            ) from error
        cause = cause_of(error)
        raise StorageError(
            f"the export {form} into {folder} failed: {cause}. {kept} {_remedy(folder)}, then: {again}"
        ) from error


def _remedy(folder: Path) -> str:
    at = folder if folder.exists() else Path(folder.anchor)
    free = shutil.disk_usage(at).free
    if free < _FULL_BELOW_BYTES:
        return f"The disk is full ({free} bytes free): free some space"
    return "Free some space (`df -h`), or see with `crackpipe verify` whether a table is damaged"
