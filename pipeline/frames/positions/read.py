"""Which reader a file of positions gets."""

from collections.abc import Mapping
from pathlib import Path

from crackpipe.pipeline.errors import UsageError
from crackpipe.pipeline.frames.positions.csv_file import read_csv
from crackpipe.pipeline.frames.positions.table import Positions


def read_positions(source: str, columns: Mapping[str, str], crs: str | None) -> Positions:
    """Read a file of positions by what its name says.

    `columns` and `crs` as in `read_csv`. Raises UsageError.
    """
    file = Path(source)
    if not file.exists():
        raise UsageError(f"--positions: {source} does not exist. Give a file of positions.")
    suffix = file.suffix.lower()
    if suffix in {".csv", ".txt", ".tsv"}:
        return read_csv(file, columns, crs)
    raise UsageError(f"--positions: {file.name} is of no kind that is read. Give a CSV.")
