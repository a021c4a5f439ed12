"""Which folders are surveys, and when one came to rest."""

import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from crackpipe.pipeline.errors import NoReadableImageError
from crackpipe.pipeline.nightly.facts.listing import (
    Survey,
    listing_of,
    result_state,
    results_without_survey,
    surveys_of,
)
from crackpipe.pipeline.nightly.facts.memory import Known
from crackpipe.pipeline.nightly.facts.network import Source
from crackpipe.pipeline.nightly.facts.ready import look, waits_for
from crackpipe.pipeline.operate.verify import verify


def filled(folder: Path, *files: str) -> Path:
    for file in files:
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_text("x")
    return folder


@pytest.fixture
def share(tmp_path: Path) -> Path:
    return filled(
        tmp_path / "share",
        *("s1/a.tif", "s2/b.jpg", "s2/b.jgw", "lost+found/x.tif", ".hidden/x.tif", "loose.tif"),
        *("old-cracks/.crackpipe/lock", "2025/done_1/a.tif", "2026/done_1/a.tif", "2026/raw_2/a.tif"),
    )


def test_each_folder_in_a_folder_is_a_survey(share: Path, tmp_path: Path) -> None:
    found = surveys_of(Source("north", folder=share, results=tmp_path / "results"))
    assert [each.name for each in found] == ["2025", "2026", "s1", "s2"]
    assert found[2] == Survey("north", "s1", share / "s1", tmp_path / "results/s1-cracks")


def test_a_glob_names_surveys_by_the_path_from_its_first_wildcard(share: Path) -> None:
    found = surveys_of(Source("north", glob=f"{share}/20*/done_*"))
    assert [each.name for each in found] == ["2025/done_1", "2026/done_1"]
    assert found[0].out == share / "2025/done_1-cracks"  # beside the survey


@pytest.mark.parametrize("lose", ["gone", "empty"])
def test_a_source_without_surveys_is_a_disk_that_is_not_mounted(lose: str, tmp_path: Path) -> None:
    folder = tmp_path / "share"
    if lose == "empty":
        filled(folder, ".keep")
    for source in (Source("n", folder=folder), Source("n", glob=f"{folder}/*/x")):
        with pytest.raises(NoReadableImageError, match="its disk is mounted"):
            surveys_of(source)


def test_a_result_without_its_survey_is_named(share: Path) -> None:
    [found] = results_without_survey(Source("n", folder=share))
    assert (found.key, found.path) == ("n/old", share / "old")


def test_a_folder_that_cannot_be_looked_at_is_named(share: Path) -> None:
    unreadable = share / ("x" * 300)  # longer than a name may be, which the system refuses to look for
    with pytest.raises(NoReadableImageError, match=f"{unreadable}/old cannot be read: File name too long"):
        results_without_survey(Source("n", folder=unreadable, results=share))


@pytest.mark.parametrize("damaged", ["cracks.parquet", "cracks.gpkg", "sections.parquet"])
def test_what_a_repair_took_away_is_made_again_by_the_next_night(
    damaged: str, finished: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    shutil.copytree(finished, out, symlinks=True)
    file = filled(out, "sections.parquet") / damaged
    before = result_state(out)
    assert before is not None
    # bytes that the disk lost, which changes neither size nor time
    times = file.stat()
    file.write_bytes(b"x" * times.st_size)
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert result_state(out) == before
    verify(out, repair=True)
    assert result_state(out) != before


def test_a_survey_without_a_map_stays_as_it_is(finished: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    shutil.copytree(finished, out, symlinks=True)
    (out / "cracks.gpkg").unlink()
    state = result_state(out)
    assert state is not None and result_state(out) == state


CHANGES: dict[str, Callable[[Path], object]] = {
    "new image": lambda survey: filled(survey, "c.tif"),
    "new world file": lambda survey: filled(survey, "a.tfw"),
    "removed": lambda survey: (survey / "b.tif").unlink(),
    "grown": lambda survey: (survey / "a.tif").write_text("longer"),
    "replaced at another time": lambda survey: os.utime(survey / "a.tif", ns=(1, 1)),
    "may be read now": lambda survey: (survey / "a.tif").chmod(0o600),
    "renamed": lambda survey: (survey / "a.tif").rename(survey / "d.tif"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_of_any_file_is_seen(change: str, tmp_path: Path) -> None:
    survey = Survey("n", "s", filled(tmp_path / "s", "a.tif", "b.tif"), tmp_path / "s-cracks")
    before = listing_of(survey)
    assert listing_of(survey) == before
    CHANGES[change](survey.path)
    assert listing_of(survey).digest != before.digest


def test_hidden_files_and_results_are_no_change(tmp_path: Path) -> None:
    survey = Survey("n", "s", filled(tmp_path / "s", "a.tif"), tmp_path / "s/result")
    before = listing_of(survey)
    filled(survey.path, ".nfs0001", "result/x.tif", "other/.crackpipe/x.tif")
    assert listing_of(survey).digest == before.digest
    assert before.images == 1


def test_a_survey_is_complete_after_two_listings_that_are_the_same(tmp_path: Path) -> None:
    source = Source("n", folder=tmp_path, quiet_s=600)
    survey = Survey("n", "s", filled(tmp_path / "s", "a.tif"), tmp_path / "s-cracks")
    # as if copied with a time to come by another clock: nobody compares it with ours
    os.utime(survey.path / "a.tif", (4e9, 4e9))
    known = Known("n", "s", "", "")
    first = look(survey, listing_of(survey), source, known, 1000.0)
    assert not first.is_ready(1000.0)
    assert "10 more quiet minutes" in waits_for(source, first, 1000.0)
    assert look(survey, listing_of(survey), source, known, 1599.0).is_ready(1599.0) is False
    filled(survey.path, "b.tif")
    assert look(survey, listing_of(survey), source, known, 1601.0).is_ready(1601.0) is False  # it begins anew
    assert look(survey, listing_of(survey), source, known, 2201.0).is_ready(2201.0)
    # a clock that was set back makes nothing complete
    assert look(survey, listing_of(survey), source, known, 500.0).is_ready(500.0) is False
    assert look(survey, listing_of(survey), source, known, 1100.0).is_ready(1100.0)


def test_a_file_says_that_a_survey_is_complete(tmp_path: Path) -> None:
    source = replace(Source("n", folder=tmp_path), complete="_SUCCESS")
    survey = Survey("n", "s", filled(tmp_path / "s", "a.tif", "lane1/_SUCCESS"), tmp_path / "s-cracks")
    known = Known("n", "s", "", "")
    found = look(survey, listing_of(survey), source, known, 0.0)
    assert not found.is_ready(1e9)
    assert waits_for(source, found, 0.0) == "not complete: _SUCCESS is not there"
    filled(survey.path, "_SUCCESS")
    assert look(survey, listing_of(survey), source, known, 0.0).is_ready(0.0)
