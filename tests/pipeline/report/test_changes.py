"""What changed since the result before: kept by a run that makes the tables again, told by the report."""

import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from years.two_years import wandering, write_output

from crackpipe.pipeline.compare.compare import compare
from crackpipe.pipeline.compare.laid import Options
from crackpipe.pipeline.config import Config
from crackpipe.pipeline.errors import OutputDamagedError
from crackpipe.pipeline.publish import PREVIOUS
from crackpipe.pipeline.report.changes import changes, since_older_year
from crackpipe.pipeline.request import Request
from crackpipe.pipeline.run import run


def row(image_id: str, status: str, length_m: float | None) -> dict[str, object]:
    lengths = {f"crack_length_{each}m": length_m for each in ("", "tiny_", "small_", "wide_")}
    return {"image_id": image_id, "status": status, **lengths}


def test_each_kind_of_change_is_named(tmp_path: Path) -> None:
    before = [row("gone", "done", 1.0), row("mended", "quarantined", None), row("same", "done", 2.0)]
    before += [row("longer", "done", 2.0), row("lost", "done", 4.0)]
    pq.write_table(pa.Table.from_pylist(before), tmp_path / PREVIOUS)
    now = [row("new", "done", 1.5), row("mended", "done", 3.0), row("same", "done", 2.0002)]
    now += [row("longer", "done", 2.5), row("lost", "quarantined", None)]
    told = changes(tmp_path / PREVIOUS, now)
    assert told is not None
    assert {each["image_id"]: (each["what"], each["before_m"], each["now_m"]) for each in told["rows"]} == {
        "gone": ("no longer in the survey", 1.0, None),
        "longer": ("other lengths", 2.0, 2.5),
        "lost": ("set aside now", 4.0, None),
        "mended": ("inspected now, set aside before", None, 3.0),
        "new": ("new", None, 1.5),
    }
    assert told["totals"][0] == {"class": "all", "before_m": 9.0, "now_m": pytest.approx(9.0002)}


def test_without_a_result_before_nothing_is_told(tmp_path: Path) -> None:
    assert changes(tmp_path / PREVIOUS, []) is None


@pytest.fixture
def output(finished: Path, tmp_path: Path) -> Path:
    copy = tmp_path / "out"
    shutil.copytree(finished, copy)
    return copy


@pytest.fixture
def images(survey: Path, tmp_path: Path) -> Path:
    copy = tmp_path / "survey"
    shutil.copytree(survey, copy)
    return copy


def run_again(images: Path, output: Path) -> None:
    """The same run; no image is inspected again."""
    summary = run(Request((images,), output, Config(), serial=True, accept_removed=True))
    assert summary.images_run == 0


def test_a_run_keeps_the_result_before(images: Path, output: Path) -> None:
    before = pq.read_table(output / "images.parquet").to_pylist()
    kept = output / ".crackpipe" / PREVIOUS
    run_again(images, output)
    assert not kept.exists()  # the tables did not change
    (images / "lane2" / "strip.tif").unlink()
    run_again(images, output)
    columns = pq.read_schema(kept).names
    assert pq.read_table(kept).to_pylist() == [{name: each[name] for name in columns} for each in before]
    told = changes(kept, pq.read_table(output / "images.parquet").to_pylist())
    assert told is not None
    assert [(each["image_id"], each["what"]) for each in told["rows"]] == [
        ("lane2/strip.tif", "no longer in the survey")
    ]
    assert told["totals"][0]["now_m"] < told["totals"][0]["before_m"]


def test_a_table_that_somebody_changed_is_not_kept(images: Path, output: Path) -> None:
    table = pq.read_table(output / "images.parquet")
    pq.write_table(table.slice(0, 1), output / "images.parquet")
    (images / "lane2" / "strip.tif").unlink()
    run_again(images, output)
    assert not (output / ".crackpipe" / PREVIOUS).exists()


def test_what_compare_said_of_the_output_is_told_until_its_cracks_are_others(tmp_path: Path) -> None:
    frames = [(float(x), float(x + 10)) for x in range(0, 60, 10)]
    road = wandering(1, 60, 60.0)
    older = write_output(tmp_path / "2024", road[:50], frames=frames)
    newer = write_output(tmp_path / "2025", road, frames=frames)
    assert since_older_year(newer) is None
    compare(older, newer, newer, Options())
    told = since_older_year(newer)
    assert told is not None
    assert told["older"] == "2024"
    lengths = {each["verdict"]: each["length_m"] for each in told["verdicts"]}
    assert sum(each["grown_m"] for each in told["sections"]) == pytest.approx(
        lengths["new"] + lengths.get("longer", 0.0), abs=1.0
    )
    (newer / "changes.json").write_text("{")
    with pytest.raises(OutputDamagedError, match="crackpipe compare"):
        since_older_year(newer)
    write_output(newer, road[:40], frames=frames)
    assert since_older_year(newer) is None
