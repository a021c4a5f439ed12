"""What sections cannot be made of is refused by name, and what was there stays as it was."""

import errno
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import shapely
from roads.drawn_run import write_lines
from roads.short import ROAD, Sections

from crackpipe.pipeline.errors import (
    ConfigurationError,
    CrackpipeError,
    OutputDamagedError,
    OutputNotWritableError,
    StorageError,
    UsageError,
)
from crackpipe.pipeline.sections.options import lanes_of, length_m
from crackpipe.pipeline.sections.write import FILES, Request, write_sections
from crackpipe.pipeline.storage.durable import file_hash


@pytest.mark.parametrize(
    ("ask", "words"),
    [
        (lambda: lanes_of([], 0.0), "--lane-width is 0 m. A lane is 2 to 8 m wide"),
        (lambda: lanes_of([], float("nan")), "--lane-width is nan"),
        (lambda: lanes_of([0.0, 3.0], 3.5), "overlap: they are 3 m apart and 3.5 m wide"),
        (lambda: lanes_of([1e9], 3.5), "--offset is 1e\\+09 m"),
        (lambda: length_m("fast"), "--length is 'fast'"),
        (lambda: length_m("0m"), "--length is '0m'"),
        (lambda: length_m("1.2.3m"), "--length is"),
    ],
)
def test_what_cannot_be_is_refused_with_the_limit(ask: Callable[[], object], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        ask()


def test_lengths_are_read_in_their_units() -> None:
    assert [length_m(text) for text in ("100m", "0.1mi", "528ft", "1 km", "50")] == pytest.approx(
        [100.0, 160.9344, 160.9344, 1000.0, 50.0]
    )


def test_a_centreline_far_from_the_survey_is_refused(sections: Sections) -> None:
    with pytest.raises(UsageError, match="comes within 100 m"):
        sections(shapely.LineString([(1e6, 2e5), (1e6, 2.1e5)]))


def test_an_error_leaves_everything_as_it_was(run: Path, sections: Sections, tmp_path: Path) -> None:
    sections(ROAD.centreline())
    names = [*FILES, "cracks.parquet", "images.parquet"]
    before = {name: file_hash(run / name) for name in names}
    point = write_lines(tmp_path / "points.gpkg", [shapely.Point(500_000, 5_400_000)], route_id=["A1"])
    for file, words in ((point, "holds no lines"), (tmp_path / "gone.gpkg", "no such file")):
        with pytest.raises(CrackpipeError, match=words):
            write_sections(Request(out=run, centreline=file))
    with pytest.raises(UsageError, match="no output of crackpipe run"):
        write_sections(Request(out=tmp_path))
    assert {name: file_hash(run / name) for name in names} == before
    assert not list(run.glob("*.staged"))


def test_an_output_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    (tmp_path / ".crackpipe").mkdir()
    (tmp_path / ".crackpipe/version.json").write_text('{"layout": 99}')
    with pytest.raises(ConfigurationError, match="newer crackpipe"):
        write_sections(Request(out=tmp_path))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written_is_named(run: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(run, tmp_path / "out")
    copy.chmod(0o555)
    try:
        with pytest.raises(OutputNotWritableError, match="cannot be written"):
            write_sections(Request(out=copy))
    finally:
        copy.chmod(0o755)


def test_a_full_disk_leaves_the_sections_of_before(
    run: Path, sections: Sections, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sections(ROAD.centreline())
    before = {name: file_hash(run / name) for name in FILES}

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(pq.ParquetWriter, "write_table", full)
    with pytest.raises(StorageError, match="free some space"):
        write_sections(Request(out=run, centreline=tmp_path / "roads.parquet", length_m=10.0))
    assert {name: file_hash(run / name) for name in FILES} == before
    assert not list(run.glob("*.staged"))


def test_a_damaged_table_is_named(run: Path, sections: Sections, tmp_path: Path) -> None:
    sections(ROAD.centreline())
    out = shutil.copytree(run, tmp_path / "out")
    content = (out / "cracks.parquet").read_bytes()
    (out / "cracks.parquet").write_bytes(content[: len(content) // 2])
    with pytest.raises(OutputDamagedError, match=r"cracks\.parquet cannot be read"):
        write_sections(Request(out=out, centreline=tmp_path / "roads.parquet"))
    (out / "cracks.parquet").unlink()
    with pytest.raises(UsageError, match=r"cracks\.parquet does not exist"):
        write_sections(Request(out=out))
