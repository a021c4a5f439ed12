"""What is in a GeoPackage for a person: its rows, its styles, and what was put in besides.

Opening a GeoPackage in QGIS changes its bytes: the mode of its journal, times, tables of statistics. None of
that is content. A digest of the content tells whether a person changed something. Whatever a program
writes goes through SQLite, which counts its transactions in the file: other bytes under the same count are
damage.
"""

import hashlib
import sqlite3
from contextlib import closing
from pathlib import Path

_ROWS_AT_ONCE = 1000
_DAMAGE = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR)
"""Codes of SQLite that say that a file is no sound database, or lacks the tables of a GeoPackage. Others tell
of locks, rights and read-only folders."""
_HEADER_BYTES = 100
_BOOKKEEPING = ("sqlite_", "gpkg_", "rtree_")
"""How the names of tables begin that programs keep for themselves."""
_STYLE_COLUMNS = (
    "f_table_name",
    "f_geometry_column",
    "styleName",
    "styleQML",
    "styleSLD",
    "useAsDefault",
    "description",
)


def content_digest(file: Path) -> str:
    """Digest of rows, styles, further layers and QGIS projects of a GeoPackage, 32 hex digits.

    Times of changes do not count. A journal that lies beside the file is read too. Raises sqlite3.Error where
    the file is no sound database.
    """
    digest = hashlib.blake2b(digest_size=16)
    with closing(_opened(file)) as database:
        tables = [
            str(name) for (name,) in database.execute("SELECT table_name FROM gpkg_contents ORDER BY 1")
        ]
        digest.update(repr(tables).encode())
        for table in tables:
            if table != "layer_styles":
                columns = [
                    (str(name), str(kind))
                    for _, name, kind, *_ in database.execute(f"PRAGMA table_info({_quoted(table)})")
                ]
                digest.update(repr(columns).encode())
                _add_rows(digest, database, table, tuple(name for name, _ in columns))
        if _has(database, "layer_styles"):
            _add_rows(digest, database, "layer_styles", _STYLE_COLUMNS)
        if _has(database, "qgis_projects"):
            _add_rows(digest, database, "qgis_projects", ("name", "content"))
        _add_what_is_not_listed(digest, database, {*tables, "layer_styles", "qgis_projects"})
    return digest.hexdigest()


def fault_of(file: Path, *, thorough: bool) -> str | None:
    """Why a GeoPackage cannot be read, in SQLite's words.

    None where it can be read, or where nobody may look, as while another program holds it. `thorough` reads
    all of it; else a file that was cut off by a page or more, or begins with something else, is found at
    once.
    """
    try:
        with closing(_opened(file)) as database:
            if thorough:
                said = str(database.execute("PRAGMA quick_check(1)").fetchone()[0])
                if said != "ok":
                    return " ".join(said.split())
            database.execute("SELECT count(*) FROM gpkg_contents").fetchone()
    except sqlite3.DatabaseError as error:
        is_damage = getattr(error, "sqlite_errorcode", 0) & 0xFF in _DAMAGE  # the low byte is the kind
        return str(error) if is_damage else None
    return None


def transactions_of(file: Path) -> int | None:
    """How many transactions SQLite has counted in a file; None where the count may be behind. Raises OSError.

    So it is where a journal lies beside the file, or where it is in the mode of a write-ahead log.
    Format: https://www.sqlite.org/fileformat2.html#the_database_header
    """
    with file.open("rb") as opened:
        header = opened.read(_HEADER_BYTES)
    is_rollback_mode = header[18:20] == b"\x01\x01"
    if not is_rollback_mode or any(path.exists() for path in journals_of(file)):
        return None
    return int.from_bytes(header[24:28], "big")


def journals_of(file: Path) -> list[Path]:
    """What SQLite may leave beside a database, there or not."""
    return [file.with_name(f"{file.name}-{word}") for word in ("journal", "wal", "shm")]


def _opened(file: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)


def _add_rows(
    digest: "hashlib.blake2b", database: sqlite3.Connection, table: str, columns: tuple[str, ...]
) -> None:
    names = ", ".join(_quoted(name) for name in columns)
    order = ", ".join(str(number + 1) for number in range(min(3, len(columns))))
    rows = database.execute(f"SELECT {names} FROM {_quoted(table)} ORDER BY {order}")
    while some := rows.fetchmany(_ROWS_AT_ONCE):
        digest.update(repr(some).encode("utf-8", "surrogatepass"))


def _add_what_is_not_listed(
    digest: "hashlib.blake2b", database: sqlite3.Connection, listed: set[str]
) -> None:
    """Tables and views that a person made with SQL, and what was written into the metadata of a layer."""
    found = database.execute(
        "SELECT name, type, sql FROM sqlite_master WHERE type IN ('table', 'view') ORDER BY 1"
    ).fetchall()
    for name, kind, sql in found:
        is_metadata = name in ("gpkg_metadata", "gpkg_metadata_reference")
        if name in listed or (name.startswith(_BOOKKEEPING) and not is_metadata):
            continue
        if not is_metadata:  # QGIS makes the tables of metadata by itself, and leaves them empty
            digest.update(repr((name, sql)).encode("utf-8", "surrogatepass"))
        if kind == "table":
            columns = tuple(str(row[1]) for row in database.execute(f"PRAGMA table_info({_quoted(name)})"))
            _add_rows(digest, database, name, columns)


def _has(database: sqlite3.Connection, table: str) -> bool:
    found = database.execute("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?", (table,))
    return found.fetchone() is not None


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def close_journal(file: Path, wait_s: float = 2.0) -> None:
    """Bring what lies in journals beside a database into it, so that the file alone is everything.

    A journal that stayed beside a file with another content would damage it. Raises sqlite3.OperationalError
    (`database is locked`) while another program has the file open for writing.
    """
    with closing(sqlite3.connect(file, timeout=wait_s, isolation_level=None)) as database:
        database.execute("PRAGMA journal_mode=DELETE")
        database.execute("BEGIN EXCLUSIVE")
        database.execute("ROLLBACK")
