"""Publish the network's tables: Hive partitions by year and source, and a manifest that is swapped last.

    manifest.json                                          which version is the present one, and its files
    .versions/12/cracks/year=2025/source=north/cracks.parquet
    .versions/12/sections/year=2025/source=north/sections.parquet
    .versions/12/latest_sections.parquet
    cracks, sections, latest_sections.parquet              links into the present version

A version is never changed once the manifest names it. So a reader that takes its files from the manifest
sees each source once, at every instant; the version before stays until the next publication, for readers
that are slow. Links are swapped right after the manifest, for people and patterns such as
`cracks/*/*/*.parquet`. Files of sources that did not change are hard links to those of the version before.
"""

import errno
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pyproj import CRS

from crackpipe.pipeline.errors import OutputDamagedError
from crackpipe.pipeline.geometry.crs import short_name
from crackpipe.pipeline.network import parts as rows
from crackpipe.pipeline.network.latest import latest
from crackpipe.pipeline.network.parts import Part
from crackpipe.pipeline.storage import durable, faults, sealed
from crackpipe.pipeline.tables import geoparquet

MANIFEST = "manifest.json"
_TABLES = {"cracks": rows.CRACKS, "sections": rows.SECTIONS_OF_ALL}
_LATEST = "latest_sections.parquet"
_LINKS = (*_TABLES, _LATEST)
_WITHOUT_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS}


@dataclass
class Published:
    """What the tables hold."""

    version: int
    rows: dict[str, int]
    """By table."""
    crs: str | None
    changed: bool
    notes: list[str] = field(default_factory=list)
    damaged: dict[str, str] = field(default_factory=dict)
    """By source: a result that cannot be read, in words. The source stays as it was."""


def publish(folder: Path, sources: Mapping[str, Sequence[Part] | None], crs: str | None) -> Published:
    """Bring the tables up to date with the results of all sources.

    A source that is None cannot be read now and stays as it is, as does one with a damaged result. One that
    is not named leaves the tables. `crs` None is the CRS that the tables have, or that of the first survey.
    Raises StorageError, OutputNotWritableError, ConfigurationError; OutputDamagedError where the manifest is
    damaged, or a result while the tables change their CRS.
    """
    with faults.guarding(folder):
        folder.mkdir(parents=True, exist_ok=True)
        before = _manifest(folder)
        notes = _notes_on_sources(before, sources)
        damaged: dict[str, str] = {}
        named = {name: _named(name, parts, damaged) for name, parts in sources.items()}
        sources = {name: None if named[name] is None else parts for name, parts in sources.items()}
        common = _crs(before, sources, crs, notes, damaged)
        made_from: dict[str, str] = {}
        for name, each in named.items():
            digest = before["sources"].get(name) if each is None else _made_from(each, common)
            if digest is not None:
                made_from[name] = digest
        now: Mapping[str, Any] = before
        if common is not None and made_from != before["sources"]:
            now = _new_version(folder, before, sources, made_from, common, damaged=damaged)
        notes += _point(folder, now)
        _remove_older(folder, now["version"])
    counts = {name: sum(each["rows"] for each in files) for name, files in now["tables"].items()}
    changed = now["version"] != before["version"]
    return Published(now["version"], counts, now["crs"], changed, notes, damaged)


def _manifest(folder: Path) -> dict[str, Any]:
    file = folder / MANIFEST
    found = sealed.read_sealed(file)
    if found is None and file.exists():
        raise OutputDamagedError(
            f"{file} is damaged. Remove it: the tables are made again from all results that can be read."
        )
    return found or {"version": 0, "sources": {}, "crs": None, "projjson": None, "tables": {}}


def _notes_on_sources(before: Mapping[str, Any], sources: Mapping[str, Any]) -> list[str]:
    left = sorted(set(before["sources"]) - set(sources))
    return [
        f"source {name!r} is no longer in network.toml; its rows left the network's tables" for name in left
    ]


def _crs(
    before: Mapping[str, Any],
    sources: Mapping[str, Sequence[Part] | None],
    wanted: str | None,
    notes: list[str],
    damaged: dict[str, str],
) -> CRS | None:
    """The CRS of the tables. It changes only when all sources can be written again."""
    present = _present_crs(before)
    if wanted is not None:
        asked = CRS.from_user_input(wanted)
        if present is None or asked == present or None not in sources.values():
            return asked
        notes.append(f"the network's tables stay in {before['crs']} until all sources can be read")
    if present is not None:
        return present
    for source, parts in sources.items():
        for part in parts or ():
            try:
                found = rows.crs_of(part)
            except OutputDamagedError as error:
                damaged[source] = str(error)
                continue
            if found is not None:
                return found
    return None


def _present_crs(before: Mapping[str, Any]) -> CRS | None:
    return None if before["projjson"] is None else CRS.from_json_dict(before["projjson"])


def _named(source: str, parts: Sequence[Part] | None, damaged: dict[str, str]) -> list[list[Any]] | None:
    """What each result of a source is made from; None where one of them cannot be read."""
    if parts is None:
        return None
    try:
        return [part.made_from() for part in sorted(parts, key=lambda part: part.survey)]
    except OutputDamagedError as error:
        damaged[source] = str(error)
        return None


def _made_from(named: Sequence[list[Any]], crs: CRS | None) -> str | None:
    """A digest of all that a source's partitions depend on; None where it has no result."""
    return sealed.digest([rows.FORMAT, crs and crs.to_json(), named]) if named else None


# ---- a new version


def _new_version(
    folder: Path,
    before: Mapping[str, Any],
    sources: Mapping[str, Sequence[Part] | None],
    made_from: Mapping[str, str],
    crs: CRS,
    *,
    damaged: dict[str, str],
) -> Mapping[str, Any]:
    """Write the next version and swap the manifest; the version before where nothing new could be read."""
    version = before["version"] + 1
    new, old = folder / ".versions" / str(version), folder / ".versions" / str(before["version"])
    durable.remove_tree(new)  # of a publication that was killed
    new.mkdir(parents=True)
    tables: dict[str, list[dict[str, Any]]] = {name: [] for name in _TABLES}
    held = dict(made_from)
    for source in sorted(made_from):
        parts = sources[source]
        if parts is not None and before["sources"].get(source) != made_from[source]:
            try:
                _write_source(new, source, parts, crs, tables)
                continue
            except OutputDamagedError as error:
                if _present_crs(before) not in (None, crs):
                    raise  # what the tables have of it is in another CRS
                damaged[source] = str(error)
                held.pop(source)
                if source in before["sources"]:
                    held[source] = before["sources"][source]
        _keep(old, new, source, before, tables)
    if held == before["sources"]:
        durable.remove_tree(new)
        return before
    for files in tables.values():
        files.sort(key=lambda each: each["path"])
    tables["latest_sections"] = [_write_latest(new, tables["sections"], crs)]
    durable.fsync_tree(new)
    durable.fsync_path(new.parent)
    manifest = {
        "version": version,
        "folder": f".versions/{version}",
        "crs": short_name(crs),
        "projjson": crs.to_json_dict(),
        "sources": held,
        "tables": tables,
    }
    sealed.write_sealed(folder / MANIFEST, manifest)
    return manifest


def _keep(
    old: Path, new: Path, source: str, before: Mapping[str, Any], tables: Mapping[str, list[dict[str, Any]]]
) -> None:
    """Take the files of a source from the version before."""
    for name in _TABLES:
        for each in before["tables"].get(name, []):
            if each["source"] == source:
                (new / each["path"]).parent.mkdir(parents=True, exist_ok=True)
                _link_or_copy(old / each["path"], new / each["path"])
                tables[name].append(each)


def _link_or_copy(old: Path, new: Path) -> None:
    try:
        os.link(old, new)
    except OSError as error:
        if error.errno not in _WITHOUT_LINKS:
            raise
        shutil.copyfile(old, new)


def _write_source(
    new: Path, source: str, parts: Sequence[Part], crs: CRS, tables: Mapping[str, list[dict[str, Any]]]
) -> None:
    """Write all partitions of a source; nothing where one of its results is damaged."""
    found: dict[str, dict[str, list[pa.Table]]] = {name: {} for name in _TABLES}
    for part in sorted(parts, key=lambda part: part.survey):
        for year, table in rows.cracks_by_year(part, crs).items():
            found["cracks"].setdefault(year, []).append(table)
        seen = rows.sections(part, crs)
        if seen is not None:
            found["sections"].setdefault(seen[0], []).append(seen[1])
    for name, by_year in found.items():
        for year, several in sorted(by_year.items()):
            path = f"{name}/year={_escaped(year)}/source={_escaped(source)}/{name}.parquet"
            (new / path).parent.mkdir(parents=True, exist_ok=True)
            count = _write(new / path, several, crs)
            tables[name].append({"path": path, "year": year, "source": source, "rows": count})


def _escaped(value: str) -> str:
    """A value as Hive's folder names have it: DuckDB, pyarrow and Spark turn %XX back."""
    return quote(value, safe="")


def _write(file: Path, several: Sequence[pa.Table], crs: CRS) -> int:
    table = pa.concat_tables(several, promote_options="permissive")
    geoparquet.write(table, np.arange(table.num_rows), file, crs=crs, geometry_type="LineString")
    return int(table.num_rows)


def _write_latest(new: Path, files: Sequence[Mapping[str, Any]], crs: CRS) -> dict[str, Any]:
    # not `read_table`, which would add the columns that the folders' names tell
    seen = [(each["source"], each["year"], pq.ParquetFile(new / each["path"]).read()) for each in files]
    return {"path": _LATEST, "rows": _write(new / _LATEST, [latest(seen)], crs)}


# ---- after the manifest


def _point(folder: Path, manifest: Mapping[str, Any]) -> list[str]:
    """Let the links for people lead to the present version."""
    if not manifest["version"]:
        return []
    for name in _LINKS:
        link, target = folder / name, Path(manifest["folder"]) / name
        if not (folder / target).exists():
            link.unlink(missing_ok=True)
            continue
        if link.is_symlink() and link.readlink() == target:
            continue
        staged = folder / f"{name}.staged"
        staged.unlink(missing_ok=True)
        try:
            staged.symlink_to(target)
        except OSError as error:
            if error.errno not in _WITHOUT_LINKS:
                raise
            return [f"{folder} is on a disk without symbolic links: read the files that {MANIFEST} names"]
        staged.replace(link)
    durable.fsync_path(folder)
    return []


def _remove_older(folder: Path, version: int) -> None:
    """Remove versions but the present one and the one before."""
    versions = folder / ".versions"
    for path in sorted(versions.iterdir()) if versions.is_dir() else []:
        if path.name not in (str(version), str(version - 1)):
            durable.remove_tree(path)
