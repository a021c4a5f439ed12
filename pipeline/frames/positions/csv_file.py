"""Read positions from a text table whose columns are found by name.

A bad line is a fault of that line and the rest is taken. What concerns the whole file (no such column, no
CRS) ends the reading with an error.
"""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import numpy as np

from crackpipe.pipeline.errors import UsageError
from crackpipe.pipeline.frames.positions.table import Fault, Positions
from crackpipe.pipeline.frames.positions.words import columns_of, is_no_position, number_of, time_of

_LIMIT_BYTES = 1 << 30
_DELIMITERS = ",;\t|"


def read_csv(file: Path, columns: Mapping[str, str], crs: str | None) -> Positions:
    """Read a CSV of frames or of times with their positions.

    `columns` says which column holds what where the names do not (`columns_of`). `crs` is that of the
    positions where they are x and y. Raises UsageError.
    """
    text, notes = _text_of(file)
    first = next((line for line in text.splitlines() if line.strip() and not _is_separator(line)), "")
    if not first:
        raise UsageError(f"{file.name} is empty. Give the file that holds the track.")
    delimiter = max(_DELIMITERS, key=first.count)
    lines = _numbered(text, delimiter, file.name)
    header = [name.strip() for name in next(lines)[1]]
    found = columns_of(header, columns, file.name)
    crs, crs_from, (x, y) = _place_columns(found, header, crs, file.name)
    if "filename" not in found and "time" not in found:
        raise UsageError(
            f"{file.name}: it has neither a column of file names nor one of times, so its positions cannot "
            f"be given to frames. Its columns are {', '.join(map(repr, header))}. Say which one with "
            f"--columns filename=NAME."
        )
    taken: dict[str, int] = {
        "x": x,
        "y": y,
        **{name: found[name] for name in ("filename", "heading", "time") if name in found},
    }
    rows, faults, told = _rows(lines, len(header), taken, file.name)
    if not rows:
        said = f" The first of them: line {faults[0].line}: {faults[0].said}." if faults else ""
        raise UsageError(f"{file.name}: it holds no position.{said} Give the file that holds the track.")
    values = np.array([row[1:] for row in rows], dtype=object)
    number = values[:, 1:].astype(float)
    return Positions(
        source=file.name,
        lines=[row[0] for row in rows],
        names=[str(name) for name in values[:, 0]] if "filename" in found else None,
        xy=number[:, :2],
        crs=crs,
        crs_from=crs_from,
        heading=number[:, 2],
        time_s=number[:, 3],
        faults=faults,
        notes=[*notes, *told],
    )


def _is_separator(line: str) -> bool:
    """Whether a line is the one in which Excel names the separator."""
    return line.strip().lower().startswith("sep=")


def _numbered(text: str, delimiter: str, name: str) -> Iterator[tuple[int, list[str]]]:
    """Rows that hold something, with the line on which each ends, from 1.

    Raises UsageError where a cell is longer than any table's.
    """
    # a cell in quotes may go over several lines, so rows are not lines
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells) and not _is_separator(cells[0]):
                yield reader.line_num, cells
    except csv.Error as error:
        raise UsageError(
            f"{name}, line {reader.line_num}: {error}. Export the table again as CSV, with a quote at both "
            "ends of a cell or at none."
        ) from error


def _text_of(file: Path) -> tuple[str, list[str]]:
    size = file.stat().st_size
    if size > _LIMIT_BYTES:
        raise UsageError(f"{file.name} has {size} bytes; at most {_LIMIT_BYTES} are read. Split it by day.")
    content = file.read_bytes()
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return content.decode("utf-16", errors="replace"), []
    try:
        return content.decode("utf-8-sig"), []
    except UnicodeDecodeError:
        return content.decode("cp1252", errors="replace"), [
            f"{file.name} is not UTF-8 and was read as Windows-1252"
        ]


def _place_columns(
    found: Mapping[str, int], header: list[str], crs: str | None, name: str
) -> tuple[str, str, tuple[int, int]]:
    if "latitude" in found and "longitude" in found:
        said = "--positions-crs" if crs else "latitude and longitude, taken as WGS 84"
        return crs or "EPSG:4326", said, (found["longitude"], found["latitude"])
    if "x" in found and "y" in found:
        if crs is None:
            raise UsageError(
                f"{name}: {header[found['x']]!r} and {header[found['y']]!r} are in a CRS that it does not "
                "name. Say which with --positions-crs, such as --positions-crs EPSG:25832."
            )
        return crs, "--positions-crs", (found["x"], found["y"])
    raise UsageError(
        f"{name}: no columns of latitude and longitude, or x and y, among {', '.join(map(repr, header))}. "
        "Say which with --columns latitude=NAME,longitude=NAME."
    )


Row = tuple[int, str, float, float, float, float]
"""Line, name, x, y, heading, time."""


def _rows(
    numbered: Iterable[tuple[int, list[str]]], width: int, taken: Mapping[str, int], source: str
) -> tuple[list[Row], list[Fault], list[str]]:
    """Rows, lines that give none, and what was noticed about times."""
    rows: list[Row] = []
    faults: list[Fault] = []
    untimed: list[Fault] = []
    zoned = True
    for line, cells in numbered:
        if len(cells) != width:
            faults.append(Fault(line=line, said=_count_said(len(cells), width)))
            continue
        word = {name: cells[at] for name, at in taken.items()}
        try:
            x, y, heading = (number_of(word.get(name, "")) for name in ("x", "y", "heading"))
        except ValueError as error:
            faults.append(Fault(line=line, said=str(error)))
            continue
        try:
            time_s, has_zone = time_of(word.get("time", ""))
        except ValueError as error:
            fault = Fault(line=line, said=str(error))
            if "filename" not in taken:
                faults.append(fault)
                continue
            # a line that names its frame needs no time
            untimed.append(fault)
            time_s, has_zone = float("nan"), True
        zoned &= has_zone
        if is_no_position(x, y):
            x = y = float("nan")
        rows.append((line, word.get("filename", "").strip(), x, y, heading, time_s))
    return rows, faults, _about_times(untimed, source, zoned=zoned)


def _about_times(untimed: list[Fault], source: str, *, zoned: bool) -> list[str]:
    notes = [] if zoned else [f"times of {source} name no zone and were taken as UTC"]
    if untimed:
        first = untimed[0]
        notes.append(
            f"{len(untimed)} times of {source} cannot be read and were not taken, the first in line "
            f"{first.line}: {first.said}"
        )
    return notes


def _count_said(count: int, width: int) -> str:
    more = "; are these decimal commas? Separate the columns by semicolons" if count > width else ""
    return f"{count} columns, but the header has {width}{more}"
