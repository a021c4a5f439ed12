"""Images whose pixels cannot be as large on the ground as they say, from one run to the next."""

from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from affine import Affine
from rasters.survey_files import write

from crackpipe.pipeline import run as story
from crackpipe.pipeline.config import Config
from crackpipe.pipeline.publish import Summary
from crackpipe.pipeline.request import Request


def of_gsd(path: Path, mm: float) -> None:
    write(path, transform=Affine(mm / 1000, 0, 500_000, 0, -mm / 1000, 5_500_000))


def run(folder: Path, config: Config | None = None) -> Summary:
    return story.run(Request((folder / "survey",), folder / "out", config or Config(), serial=True))


def gsds_mm(folder: Path) -> dict[str, float]:
    """image_id -> GSD, of the images that are done."""
    rows = pq.read_table(folder / "out" / "images.parquet").to_pylist()
    return {row["image_id"]: round(row["gsd_mm"], 2) for row in rows if row["status"] == "done"}


def test_an_assumed_gsd_changes_none_that_is_trusted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    of_gsd(tmp_path / "survey" / "right.tif", 1.0)
    of_gsd(tmp_path / "survey" / "wrong.tif", 30.0)
    assert len(run(tmp_path).quarantined) == 1
    corrected = run(tmp_path, Config(assume_gsd_mm=2.0))
    assert gsds_mm(tmp_path) == {"right.tif": 1.0, "wrong.tif": 2.0}
    assert (corrected.images_run, corrected.exit_code) == (1, 0)  # right.tif stays finished
    told = [line for line in caplog.messages if "--assume-gsd" in line and "keep" in line]
    assert told == [
        "--assume-gsd 2: 1 of 2 images keep their own GSD of 1 mm, since 0.25 to 6 mm are trusted. If it is "
        "wrong too, narrow gsd_min_mm and gsd_max_mm in crackpipe.toml."
    ]


def test_images_of_5_and_a_half_mm_are_taken_once_the_limit_allows(tmp_path: Path) -> None:
    """The limit was 5 mm in earlier states of this version, and `lite` sees up to 6."""
    of_gsd(tmp_path / "survey" / "fine.tif", 1.0)
    of_gsd(tmp_path / "survey" / "coarse.tif", 5.5)
    refused = run(tmp_path, Config(gsd_max_mm=5.0))
    assert [row["reason"] for row in refused.quarantined] == ["gsd-out-of-range"]
    taken = run(tmp_path)
    assert gsds_mm(tmp_path) == {"coarse.tif": 5.5, "fine.tif": 1.0}
    assert (taken.images_run, taken.exit_code) == (1, 0)  # fine.tif stays finished


def test_a_screen_says_where_it_spares_nothing(tmp_path: Path) -> None:
    """`lite` sees up to 6 mm, and a coarse look shrinks by 3.6."""
    of_gsd(tmp_path / "survey" / "fine.tif", 1.0)
    of_gsd(tmp_path / "survey" / "coarse.tif", 2.0)
    request = Request((tmp_path / "survey",), tmp_path / "out", Config(screen=0.98), serial=True)
    [told] = [line for line in story.dry_run(request, None) if "--screen" in line]
    assert told == (
        "--screen 0.98: 1 of 2 images, of 2 mm per pixel and more, take no coarse look, so it spares nothing "
        "there."
    )
    without = replace(request, config=Config())
    assert not [line for line in story.dry_run(without, None) if "--screen" in line]
