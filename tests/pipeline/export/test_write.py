"""An export is made from the tables alone, once; what a person changed is kept; what fails harms nothing."""

import json
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from disks import mounted
from helpers import tree_hash

from crackpipe.pipeline.errors import OutputLockedError, OutputNotWritableError, StorageError, UsageError
from crackpipe.pipeline.export.write import export
from crackpipe.pipeline.state.output import Output
from crackpipe.pipeline.storage.durable import file_hash


def opened(file: Path) -> sqlite3.Connection:
    """As GDAL opens a GeoPackage: its triggers ask for functions of geometries."""
    database = sqlite3.connect(file, isolation_level=None)
    for name in ("ST_IsEmpty", "ST_MinX", "ST_MaxX", "ST_MinY", "ST_MaxY"):
        database.create_function(name, 1, lambda geometry: 0)
    return database


def change(file: Path, statement: str) -> None:
    with closing(opened(file)) as database:
        database.execute(statement)


def test_what_is_up_to_date_is_left_alone(out: Path) -> None:
    before = (out / "cracks.gpkg").stat()
    assert export(out, "gpkg") == [out / "cracks.gpkg"]
    assert (out / "cracks.gpkg").stat().st_mtime_ns == before.st_mtime_ns
    assert (out / "cracks.gpkg").stat().st_ino == before.st_ino


def test_what_was_removed_is_made_again_with_the_same_bytes(out: Path) -> None:
    before = (out / "cracks.gpkg").read_bytes()
    (out / "cracks.gpkg").unlink()
    export(out, "gpkg")
    assert (out / "cracks.gpkg").read_bytes() == before


@pytest.mark.parametrize(
    "statement",
    [
        "update cracks set confidence = 0.25 where fid = 1",
        "update layer_styles set styleQML = 'mine' where f_table_name = 'images'",
        "create table qgis_projects as select 'mine' as name, 'x' as content",
        "create table notes as select 'mine' as note",
        "create view wide as select * from cracks where width_class = 'wide'",
        "create table gpkg_metadata as select 1 as id, '<mine/>' as metadata",
    ],
    ids=["a row", "a style", "a project", "a table", "a view", "metadata of a layer"],
)
def test_what_a_person_changed_is_kept_under_another_name(out: Path, statement: str) -> None:
    written = (out / "cracks.gpkg").read_bytes()
    for number in (1, 2):
        change(out / "cracks.gpkg", statement)
        changed = (out / "cracks.gpkg").read_bytes()
        export(out, "gpkg")
        assert (out / f"cracks.edited-{number}.gpkg").read_bytes() == changed
        assert (out / "cracks.gpkg").read_bytes() == written


@pytest.mark.parametrize(
    "statement",
    [
        "pragma journal_mode = wal",
        "update gpkg_contents set last_change = '2026-01-01T00:00:00.000Z'",
        "create table gpkg_metadata (id integer)",
        "analyze",
    ],
)
def test_what_qgis_does_when_it_opens_a_file_is_no_change(out: Path, statement: str) -> None:
    change(out / "cracks.gpkg", statement)
    export(out, "gpkg")
    assert not list(out.glob("*edited*"))


def test_a_file_that_is_open_elsewhere_is_not_replaced(out: Path) -> None:
    with closing(opened(out / "cracks.gpkg")) as database:
        database.execute("pragma journal_mode = wal")
        database.execute("update cracks set confidence = 0.25 where fid = 1")
        database.execute("begin")
        database.execute("select * from cracks").fetchone()
        with pytest.raises(OutputLockedError, match=r"cracks.gpkg is open in another program"):
            export(out, "gpkg")
        database.execute("rollback")
    export(out, "gpkg")
    assert (out / "cracks.edited-1.gpkg").exists()


def test_a_folder_of_ones_own_can_be_given(out: Path, tmp_path: Path) -> None:
    (tmp_path / "to").mkdir()
    (tmp_path / "to" / "cracks.csv").write_text("mine")
    made = export(out, "csv", tmp_path / "to")
    assert made == [tmp_path / "to" / "cracks.csv", tmp_path / "to" / "images.csv"]
    assert (tmp_path / "to" / "cracks.edited-1.csv").read_text() == "mine"
    assert sorted(path.name for path in (tmp_path / "to").iterdir()) == [
        "cracks.csv",
        "cracks.edited-1.csv",
        "images.csv",
    ]


def test_a_changed_folder_is_kept_whole(out: Path) -> None:
    export(out, "shp")
    (out / "shp" / "cracks.dbf").write_bytes(b"changed")
    export(out, "shp")
    assert (out / "shp.edited-1" / "cracks.dbf").read_bytes() == b"changed"
    assert (out / "shp" / "cracks.dbf").stat().st_size > 1000


def test_masks_of_the_images_that_are_done_are_exported(out: Path) -> None:
    assert export(out, "cog") == [out / "cog"]
    files = sorted(path.relative_to(out / "cog").as_posix() for path in (out / "cog").rglob("*.*"))
    assert files == [
        "images.csv", "masks.vrt", "masks/lane1/a.tif.tif", "masks/lane1/b.tif.tif",
        "masks/lane2/strip.tif.tif", "survey.tif",
    ]  # fmt: skip


@pytest.mark.parametrize("table", ["cracks", "images"])
def test_an_output_without_tables_is_refused(out: Path, tmp_path: Path, table: str) -> None:
    (out / f"{table}.parquet").unlink()
    with pytest.raises(UsageError, match=r"has no complete tables.*crackpipe run"):
        export(out, "gpkg")
    with pytest.raises(UsageError, match="no output of crackpipe run"):
        export(tmp_path, "gpkg")
    with pytest.raises(UsageError, match="must be one of gpkg"):
        export(out, "kml")


def test_a_damaged_table_is_named_and_the_export_of_before_stays(out: Path) -> None:
    before = (out / "cracks.gpkg").read_bytes()
    (out / "cracks.parquet").write_bytes(b"PAR1")
    with pytest.raises(StorageError, match="crackpipe verify"):
        export(out, "gpkg")
    assert (out / "cracks.gpkg").read_bytes() == before


def test_a_folder_that_no_library_can_open_is_named(out: Path, tmp_path: Path) -> None:
    named = os.fsdecode(os.fsencode(tmp_path) + b"/\xff")
    with pytest.raises(UsageError, match=r"\\udcff: .* not UTF-8"):
        export(out, "gpkg", Path(named))
    with pytest.raises(UsageError, match=r"\\udcff: .* not UTF-8.*--out"):
        Output(Path(named)).create()
    assert not Path(named).exists()


def test_a_target_that_is_no_folder_is_named(out: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputNotWritableError, match=r"--to DIR"):
        export(out, "gpkg", tmp_path / "file")


def test_sections_of_earlier_cracks_are_left_out_and_said(
    out: Path, caplog: pytest.LogCaptureFixture
) -> None:
    table = pq.read_table(out / "cracks.parquet", columns=["crack_id", "length_m", "geometry"])
    for name, cracks in (("today", file_hash(out / "cracks.parquet")), ("before", "another")):
        facts = {b"crackpipe_sections": json.dumps({"cracks.parquet": cracks}).encode()}
        pq.write_table(
            table.replace_schema_metadata({**table.schema.metadata, **facts}), out / "sections.parquet"
        )
        export(out, "fgb", out.parent / name)
        assert (out.parent / name / "sections.fgb").exists() == (name == "today")
    assert "sections.parquet was made from an earlier cracks.parquet" in caplog.text


# ---- disks that take nothing, or no more


def test_an_output_that_cannot_be_written_is_exported_elsewhere(out: Path, tmp_path: Path) -> None:
    archive, to = tmp_path / "archive", tmp_path / "to"
    archive.mkdir()
    if subprocess.run(["mount", "--bind", out, archive], check=False, capture_output=True).returncode:
        pytest.skip("mounting needs root")
    try:
        subprocess.run(["mount", "-o", "remount,ro,bind", archive], check=True)
        for _ in range(2):
            assert export(archive, "csv", to) == [to / "cracks.csv", to / "images.csv"]
            assert sorted(path.name for path in to.iterdir()) == ["cracks.csv", "images.csv"]
        with pytest.raises(OutputNotWritableError, match=r"Read-only file system.*--to DIR"):
            export(out, "csv", archive / "to")
    finally:
        subprocess.run(["umount", "-l", archive], check=True)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    with mounted(tmp_path / "disk", "100k") as folder:
        yield folder


@pytest.mark.parametrize("form", ["gpkg", "fgb", "geojson", "csv", "shp", "cog", "pmtiles"])
def test_a_full_disk_is_said_and_leaves_nothing_half_written(out: Path, small_disk: Path, form: str) -> None:
    tables = tree_hash(out)
    (small_disk / "other").write_bytes(b"0" * (shutil.disk_usage(small_disk).free - 4_096))
    with pytest.raises(
        (StorageError, OutputNotWritableError), match=r"The disk is full .* then: crackpipe export"
    ):
        export(out, form, small_disk)
    assert [path.name for path in small_disk.iterdir()] == ["other"]
    assert tree_hash(out) == tables
