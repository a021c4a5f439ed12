"""What a run does about exports: made once, after the tables, never at their cost."""

import json
import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import date
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from helpers import tree_hash

from crackpipe.cli import cli
from crackpipe.pipeline.config import Config
from crackpipe.pipeline.errors import OutputDamagedError
from crackpipe.pipeline.operate.verify import verify
from crackpipe.pipeline.publish import Summary
from crackpipe.pipeline.request import Request
from crackpipe.pipeline.run import run


@pytest.fixture
def out(finished: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(finished, tmp_path / "out"))


def again(survey: Path, out: Path, config: Config | None = None) -> Summary:
    """Another run of a finished survey."""
    return run(Request((survey,), out, config or Config(), serial=True))


def stamps(out: Path, *names: str) -> list[tuple[int, int]]:
    return [((out / name).stat().st_ino, (out / name).stat().st_mtime_ns) for name in names]


def test_a_run_leaves_a_geopackage_and_styles_that_a_second_one_leaves_alone(survey: Path, out: Path) -> None:
    names = ("cracks.gpkg", "cracks.qml", "images.qml")
    before = stamps(out, *names)
    assert again(survey, out).unchanged
    assert stamps(out, *names) == before
    assert not (out / ".crackpipe" / "exports").exists()


def test_a_run_that_was_killed_before_its_exports_leaves_them_to_the_next(survey: Path, out: Path) -> None:
    written = (out / "cracks.gpkg").read_bytes()
    (out / "cracks.gpkg").unlink()
    (out / ".crackpipe" / "exports.json").unlink()
    (out / ".crackpipe" / "exports").mkdir()
    (out / ".crackpipe" / "exports" / "cracks.gpkg").write_bytes(b"half")
    assert again(survey, out).unchanged
    assert (out / "cracks.gpkg").read_bytes() == written
    assert not (out / ".crackpipe" / "exports").exists()


def test_other_exports_do_no_image_again(survey: Path, out: Path) -> None:
    before = tree_hash(out)
    shutil.rmtree(out / "logs")
    summary = again(survey, out, Config(exports=("csv", "fgb")))
    assert summary.images_run == 0
    assert {path.name for path in out.glob("cracks.*")} == {
        "cracks.csv", "cracks.fgb", "cracks.gpkg", "cracks.parquet", "cracks.qml",
    }  # fmt: skip
    assert tree_hash(out) == before


def test_other_compression_makes_the_tables_again_and_no_image(survey: Path, out: Path) -> None:
    rows = pq.read_table(out / "cracks.parquet")
    summary = again(survey, out, Config(parquet_compression="snappy"))
    assert summary.images_run == 0
    for name in ("cracks.parquet", "images.parquet"):
        described = pq.ParquetFile(out / name).metadata.row_group(0).column(0)
        assert described.compression == "SNAPPY"
    assert pq.read_table(out / "cracks.parquet").equals(rows)


def test_a_date_that_is_told_later_makes_the_tables_again_and_no_image(
    survey: Path, out: Path, tmp_path: Path
) -> None:
    dated = tmp_path / survey.name
    shutil.copytree(survey, dated)  # keeps times
    (dated / "survey.toml").write_text("acquired = 2025-05-01\n")
    rows = pq.read_table(out / "cracks.parquet")
    assert again(dated, out, Config(exports=("stac",))).images_run == 0
    told = pq.read_table(out / "cracks.parquet")
    assert told["acquired"].unique().to_pylist() == [date(2025, 5, 1)]
    assert told.drop_columns("acquired").equals(rows.drop_columns("acquired"))
    items = [json.loads(file.read_text()) for file in (out / "stac/images").glob("*/*.json")]
    assert [item["properties"]["start_datetime"][:10] for item in items] == ["2025-05-01"] * 3
    assert verify(out).findings == []
    assert again(dated, out, Config(exports=("stac",))).unchanged


def test_an_export_that_fails_is_said_last_and_the_tables_are_sound(survey: Path, out: Path) -> None:
    tables = tree_hash(out)
    (out / ".crackpipe" / "exports.json").unlink()
    (out / "cracks.gpkg").unlink()
    (out / ".crackpipe" / "exports").write_text("a file where the folder should be")
    result = CliRunner().invoke(cli, ["run", str(survey), "--out", str(out), "--serial"])
    assert isinstance(result.exception, Exception)
    said = str(result.exception)
    assert "The tables of the run are complete" in said
    assert f"crackpipe export {out} --format gpkg" in said
    assert "3 in quarantine" in result.output
    assert tree_hash(out) == tables
    assert json.loads((out / "run.json").read_text())["counts"]["images_done"] == 3


def test_verify_reports_an_edit_as_a_note_and_not_as_damage(out: Path) -> None:
    assert verify(out).notes == []
    with closing(sqlite3.connect(out / "cracks.gpkg")) as database, database:
        database.execute("delete from layer_styles")
    (out / "images.qml").write_text("mine")
    found = verify(out)
    assert found.findings == []
    assert found.notes == [
        "cracks.gpkg was changed since it was written, no damage: it is kept as cracks.edited-1.gpkg by the "
        "next export",
        "images.qml was changed since it was written, by a person, or it is damaged: it is left alone by "
        "the next export",
    ]


def cut_off(file: Path) -> None:
    os.truncate(file, 60_000)


def flip_in_a_value(file: Path) -> None:
    """SQLite reads such a file without a fault, and only its count tells that nobody edited it."""
    content = file.read_bytes()
    assert content.count(b"lane1/a.tif") > 1
    file.write_bytes(content.replace(b"lane1/a.tif", b"lane1/c.tif"))


def empty(file: Path) -> None:
    os.truncate(file, 0)


@pytest.mark.parametrize("harm", [cut_off, flip_in_a_value, empty])
def test_a_damaged_geopackage_is_found_set_aside_and_made_anew(
    survey: Path, out: Path, harm: Callable[[Path], None]
) -> None:
    written = (out / "cracks.gpkg").read_bytes()
    harm(out / "cracks.gpkg")
    harmed = (out / "cracks.gpkg").read_bytes()
    [finding] = verify(out).findings
    assert finding.path == "cracks.gpkg" and finding.what.startswith("damaged: ")
    with pytest.raises(OutputDamagedError, match="1 files"):
        verify(out, repair=True).raise_if_damaged()
    assert (out / "cracks.damaged-1.gpkg").read_bytes() == harmed  # somebody's edits may be in it
    assert again(survey, out).unchanged
    assert (out / "cracks.gpkg").read_bytes() == written
    assert (verify(out).findings, verify(out).notes) == ([], [])


@pytest.mark.parametrize("harm", [cut_off, empty, Path.unlink])
def test_the_next_run_sees_by_itself_that_a_geopackage_cannot_be_opened(
    survey: Path, out: Path, harm: Callable[[Path], None]
) -> None:
    written = (out / "cracks.gpkg").read_bytes()
    harm(out / "cracks.gpkg")
    again(survey, out)
    assert (out / "cracks.gpkg").read_bytes() == written


def test_a_geopackage_that_a_run_leaves_is_missed(survey: Path, out: Path) -> None:
    (out / "cracks.gpkg").unlink()
    assert [(found.path, found.what) for found in verify(out).findings] == [("cracks.gpkg", "missing")]
    again(survey, out, Config(exports=()))  # now none is asked for
    assert verify(out).findings == []
    assert verify(out).notes == ["cracks.gpkg was removed: `crackpipe export` makes it again"]


@pytest.mark.parametrize("name", ["sections.parquet", "changes.parquet"])
def test_a_table_made_later_that_cannot_be_read_is_found_and_set_aside(out: Path, name: str) -> None:
    (out / name).write_bytes((out / "cracks.parquet").read_bytes()[:-100])
    [finding] = verify(out, repair=True).findings
    assert finding.path == name and finding.what.startswith("cannot be read: ")
    assert verify(out).findings == []


def test_a_style_of_ones_own_beside_the_table_stays(survey: Path, out: Path) -> None:
    (out / "cracks.qml").write_text("mine")
    again(survey, out, Config(tiny_below_mm=1.0, parquet_compression="snappy"))
    assert (out / "cracks.qml").read_text() == "mine"
