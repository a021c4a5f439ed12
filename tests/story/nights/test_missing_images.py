"""Images that left a survey between two nights: on purpose, or because a disk is not mounted."""

import shutil
import subprocess
import sys
from pathlib import Path
from unittest.mock import Mock

import pyarrow.parquet as pq
import pytest
from affine import Affine
from bad_files import write
from helpers import tree_hash
from users import as_mere_mortal

from crackpipe.pipeline.config import Config
from crackpipe.pipeline.errors import ImagesMissingError, UsageError
from crackpipe.pipeline.operate import upkeep
from crackpipe.pipeline.operate.status import status, status_lines
from crackpipe.pipeline.operate.verify import verify
from crackpipe.pipeline.publish import Summary
from crackpipe.pipeline.request import Request
from crackpipe.pipeline.run import dry_run, run
from crackpipe.pipeline.state.output import Output
from crackpipe.pipeline.storage.sealed import read_sealed, write_sealed
from crackpipe.pipeline.summary import summary_lines

NAMES = ("lane1/a.tif", "lane1/b.tif", "lane2/c.tif", "lane2/d.tif")


def draw(survey: Path, *names: str) -> None:
    """Images side by side, each at a place of its own that follows from its name."""
    for name in names:
        metres = ord(Path(name).stem)
        write(survey / name, Affine(0.001, 0, 500_000 + metres, 0, -0.001, 5_400_000))


@pytest.fixture(scope="module")
def first_night(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("nights")
    draw(folder / "survey", *NAMES)
    assert night(folder).exit_code == 0
    return folder


@pytest.fixture
def folder(first_night: Path, tmp_path: Path) -> Path:
    """A survey and what the first night made of it."""
    shutil.copytree(first_night, tmp_path / "nights")  # keeps times
    return tmp_path / "nights"


def request(folder: Path, *sources: str, accept: bool = False, **config: object) -> Request:
    paths = tuple(folder / source for source in sources or ("survey",))
    return Request(paths, folder / "out", Config(**config), serial=True, accept_removed=accept)  # type: ignore[arg-type]


def night(folder: Path, *sources: str, accept: bool = False, **config: object) -> Summary:
    return run(request(folder, *sources, accept=accept, **config))


def in_table(folder: Path) -> list[str]:
    names: list[str] = pq.read_table(folder / "out/images.parquet").column("image_id").to_pylist()
    return names


def state_of(folder: Path) -> str:
    """What `crackpipe status` says."""
    return "\n".join(status_lines(status(folder / "out")))


def test_a_few_missing_images_leave_the_tables_and_are_named(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (folder / "survey/lane2/c.tif").unlink()
    summary = night(folder, removed_share=0.25)
    assert (summary.exit_code, summary.images_run, summary.removed) == (0, 0, ("lane2/c.tif",))
    assert in_table(folder) == ["lane1/a.tif", "lane1/b.tif", "lane2/d.tif"]
    missed = "1 of 4 finished images (25 %) are not found any more: lane2/c.tif"
    assert f"{missed}. The tables are made without them." in caplog.messages
    lines = list(summary_lines(request(folder), summary))
    assert any("1 finished images are no longer found" in line for line in lines)
    assert "images finished, but no longer in survey and tables: 1 (lane2/c.tif)" in state_of(folder)


def test_an_image_is_missed_once_and_welcome_when_it_comes_back(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    before = tree_hash(folder / "out")
    taken = (folder / "survey/lane2/c.tif").rename(folder / "c.tif")
    night(folder, accept=True)
    caplog.clear()
    summary = night(folder)
    assert summary.unchanged and not summary.removed
    assert "not found" not in caplog.text
    assert verify(folder / "out").findings == []
    taken.rename(folder / "survey/lane2/c.tif")
    assert night(folder).images_run == 0
    assert tree_hash(folder / "out") == before
    assert "no longer in survey" not in state_of(folder)


def test_above_the_share_the_tables_stay_and_what_is_new_is_inspected(folder: Path) -> None:
    before = tree_hash(folder / "out")
    shutil.rmtree(folder / "survey/lane2")
    draw(folder / "survey", "lane1/e.tif")
    with pytest.raises(ImagesMissingError) as caught:
        night(folder)
    assert str(caught.value) == (
        "2 of 4 finished images (50 %) are not found any more: lane2/c.tif, lane2/d.tif. The tables stay as "
        "they were. Without --accept-removed, at most 10 % may be missing. Check that all disks are mounted, "
        "then run the same command again; if these images were taken out on purpose, add --accept-removed "
        "once. 1 images were inspected in this run."
    )
    assert {name: tree_hash(folder / "out")[name] for name in before} == before
    assert "images missing: 2 (lane2/c.tif, lane2/d.tif)" in state_of(folder)
    with pytest.raises(UsageError, match="did not find 2 finished images"):
        upkeep.clean(folder / "out", removed_images=True)
    assert "2 of 5 finished images (40 %) are not found" in "\n".join(dry_run(request(folder), None))
    summary = night(folder, accept=True)
    assert (summary.exit_code, summary.images_run) == (0, 0)
    assert in_table(folder) == ["lane1/a.tif", "lane1/b.tif", "lane1/e.tif"]
    assert "images missing" not in state_of(folder)
    assert "lane2/c.tif" in upkeep.clean(folder / "out", removed_images=True)
    assert night(folder).unchanged


def test_what_a_run_finished_before_it_was_cut_is_kept_and_what_left_is_removed(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither is in images.parquet, whose run had other images."""
    (folder / "survey/lane2/d.tif").unlink()
    night(folder, accept=True)
    draw(folder / "survey", "lane1/e.tif")
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("crackpipe.pipeline.run.refresh_tables", Mock(side_effect=KeyboardInterrupt))
        night(folder)
    assert verify(folder / "out").notes == [
        "1 finished images are not in images.parquet yet, such as lane1/e.tif: a run ended before it made "
        "the tables; run the same command again",
        "1 finished images are not in images.parquet, such as lane2/d.tif: they left the survey",
    ]
    assert upkeep.clean(folder / "out", removed_images=True)[1:] == [
        "lane2/d.tif",
        "1 images that are no longer in the survey removed",
    ]
    assert night(folder).images_run == 0
    assert in_table(folder) == ["lane1/a.tif", "lane1/b.tif", "lane1/e.tif", "lane2/c.tif"]


def emptied(survey: Path) -> None:
    shutil.rmtree(survey)
    survey.mkdir()


@pytest.mark.parametrize("lose", [emptied, shutil.rmtree], ids=["empty", "gone"])
def test_a_survey_that_is_not_there_is_never_all_removed(lose: object, folder: Path) -> None:
    before = tree_hash(folder / "out")
    lose(folder / "survey")  # type: ignore[operator]
    with pytest.raises(ImagesMissingError, match=r"4 of 4 finished images.*disk is mounted"):
        night(folder, accept=True)
    assert tree_hash(folder / "out") == before
    assert "images missing: 4 (" in state_of(folder)


def test_a_list_whose_images_are_all_gone_is_not_there(folder: Path) -> None:
    (folder / "survey.txt").write_text("".join(f"survey/{name}\n" for name in NAMES))
    assert night(folder, "survey.txt", accept=True).images_done == 4
    emptied(folder / "survey")
    with pytest.raises(ImagesMissingError, match=r"nothing in survey can be read: .*a\.tif does not exist"):
        night(folder, "survey.txt", accept=True)


def test_images_that_a_list_names_but_nobody_finds_are_missing_too(folder: Path) -> None:
    (folder / "survey.txt").write_text("".join(f"survey/{name}\n" for name in NAMES))
    night(folder, "survey.txt", accept=True)
    (folder / "survey/lane1/a.tif").unlink()
    with pytest.raises(ImagesMissingError, match="1 of 4 finished images"):
        night(folder, "survey.txt")
    assert night(folder, "survey.txt", accept=True).exit_code == 3
    assert night(folder, "survey.txt").exit_code == 3


def test_what_is_excluded_is_not_missing(folder: Path) -> None:
    summary = night(folder, exclude=("lane2",))
    assert (summary.exit_code, summary.removed) == (0, ())
    assert in_table(folder) == ["lane1/a.tif", "lane1/b.tif"]


def test_of_several_sources_each_must_be_there(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    sources = ("survey/lane1", "survey/lane2")
    assert night(folder, *sources, accept=True).images_run == 0  # as before, under the same names
    emptied(folder / "survey/lane2")
    draw(folder / "survey", "lane1/e.tif")
    with pytest.raises(ImagesMissingError, match=r"no image is found in lane2\. .* 1 images were inspected"):
        night(folder, *sources, accept=True)
    with pytest.raises(UsageError, match="lane3 does not exist"):
        night(folder, "survey/lane1", "survey/lane3", accept=True)
    (folder / "survey/lane4").mkdir()
    assert night(folder, "survey/lane1", "survey/lane4", accept=True).exit_code == 0
    assert "no image is found in lane4." in caplog.messages


def test_tables_of_older_versions_miss_what_they_do_not_name_no_more(folder: Path) -> None:
    (folder / "survey/lane2/c.tif").unlink()
    night(folder, accept=True)
    note = Output(folder / "out").hidden / "tables.json"
    facts = read_sealed(note) or {}
    assert facts.pop("left") == ["lane2/c.tif"]
    write_sealed(note, facts)
    assert night(folder).unchanged
    assert "no longer in survey and tables: 1" in state_of(folder)


def test_before_there_were_tables_nothing_is_refused(folder: Path) -> None:
    (Output(folder / "out").hidden / "tables.json").unlink()
    shutil.rmtree(folder / "survey/lane2")
    assert night(folder).exit_code == 0


# ---- as a person would


def crackpipe(*arguments: object) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "crackpipe", *map(str, arguments)]
    return subprocess.run(as_mere_mortal(command), capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_nights_of_a_person(folder: Path) -> None:
    survey, out = folder / "survey", folder / "out"
    shutil.rmtree(survey / "lane2")
    draw(survey, "lane1/e.tif")
    command = ["run", survey, "--out", out, "--serial"]
    before = (out / "images.parquet").read_bytes()
    missed = crackpipe(*command)
    assert missed.returncode == 66, missed.stderr
    assert "2 of 4 finished images (50 %) are not found any more: lane2/c.tif, lane2/d.tif." in missed.stderr
    assert (out / "images.parquet").read_bytes() == before
    log = max((out / "logs").iterdir()).read_text()
    assert "2 of 4 finished images" in log
    assert "images missing: 2 (" in crackpipe("status", out).stdout
    accepted = crackpipe(*command, "--accept-removed")
    assert accepted.returncode == 0, accepted.stderr
    assert "2 finished images are no longer found" in accepted.stdout
    assert in_table(folder) == ["lane1/a.tif", "lane1/b.tif", "lane1/e.tif"]
    survey.chmod(0)  # nobody may search it: as where a network disk refuses
    before = (out / "images.parquet").read_bytes()
    try:
        refused = crackpipe(*command, "--accept-removed")
    finally:
        survey.chmod(0o755)
    assert refused.returncode == 66, refused.stderr
    assert "may not be searched" in refused.stderr
    assert "3 of 3 finished images" in refused.stderr
    assert (out / "images.parquet").read_bytes() == before
    assert "Nothing to do" in crackpipe(*command).stdout
