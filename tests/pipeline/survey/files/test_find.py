"""Every file that could be meant as an image is found once; what can never be one is passed over or named."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from affine import Affine
from bad_files import write
from users import as_mere_mortal

from crackpipe.pipeline.config import Config
from crackpipe.pipeline.errors import NoReadableImageError, UsageError
from crackpipe.pipeline.survey.files.find import find_images, is_excluded
from crackpipe.pipeline.survey.load import load_survey

UTM_1_MM = Affine(0.001, 0, 500000, 0, -0.001, 5500000)


def touch(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


def ids(*sources: Path, **options: Any) -> list[str]:
    return [candidate.image_id for candidate in find_images(sources, **options).candidates]


def test_a_folder_is_searched_recursively_and_sorted(tmp_path: Path) -> None:
    for name in ("b.tif", "lane1/a.TIFF", "lane1/a.JPG", "Lane2/ä ö.png", "lane1/deep/er/x.jpeg", "zero.tif"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    for name in ("a.jgw", "a.prj", "b.tif.msk", "b.tif.ovr", "b.tif.aux.xml", "b.tfw", "notes.txt"):
        (tmp_path / "lane1" / name).touch()
    (tmp_path / ".hidden.tif").touch()
    (tmp_path / ".cache").mkdir()
    (tmp_path / ".cache" / "thumb.png").touch()
    assert ids(tmp_path) == [
        *("Lane2/ä ö.png", "b.tif", "lane1/a.JPG", "lane1/a.TIFF", "lane1/deep/er/x.jpeg", "zero.tif")
    ]
    assert {candidate.survey for candidate in find_images([tmp_path]).candidates} == {tmp_path.name}


def test_results_of_earlier_runs_are_no_images(tmp_path: Path) -> None:
    for name in (
        "a.tif",
        "out/overlay.png",
        "old-cracks/x.tif",
        "masks.zarr/a.tif/zarr.json",
        "masks.zarr/b.tif",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "old-cracks" / ".crackpipe").mkdir()
    assert ids(tmp_path, out=tmp_path / "out") == ["a.tif"]


def test_several_sources_put_the_surveys_name_in_front(tmp_path: Path) -> None:
    for name in ("monday/a.tif", "tuesday/a.tif", "files/b.tif", "files/c.tif"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    sources = [tmp_path / "tuesday", tmp_path / "monday", tmp_path / "files/b.tif", tmp_path / "files/c.tif"]
    assert ids(*sources) == ["files/b.tif", "files/c.tif", "monday/a.tif", "tuesday/a.tif"]
    assert ids(tmp_path / "files/b.tif") == ["b.tif"]
    (tmp_path / "x/monday").mkdir(parents=True)
    with pytest.raises(UsageError, match="both named 'monday'"):
        ids(tmp_path / "monday", tmp_path / "x/monday")
    with pytest.raises(UsageError, match="more than once"):
        ids(tmp_path / "monday", tmp_path / "monday")


def test_a_manifest_lists_paths_relative_to_itself(tmp_path: Path) -> None:
    write(tmp_path / "lane1/a.tif", UTM_1_MM)
    manifest = tmp_path / "tonight.txt"
    manifest.write_text(f"# two good lines\nlane1/../lane1/a.tif\n\n{tmp_path}/lane1/absent.tif\n")
    survey = load_survey([manifest], Config())
    assert [image.image_id for image in survey.images] == ["lane1/a.tif"]
    assert [(r.image_id, r.reason) for r in survey.rejected] == [("lane1/absent.tif", "file-missing")]
    assert survey.images[0].survey == "tonight"
    manifest.write_text("a.tif\n../elsewhere.tif\n")
    with pytest.raises(UsageError, match=r"tonight\.txt:2: \.\./elsewhere\.tif lies outside"):
        find_images([manifest])


def test_a_source_that_does_not_exist_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="absent does not exist"):
        find_images([tmp_path / "absent"])
    assert find_images([tmp_path]).candidates == []


def test_folders_that_systems_make_for_themselves_are_skipped(tmp_path: Path) -> None:
    folders = ("@eaDir", "#recycle", "$RECYCLE.BIN", "lost+found", "System Volume Information", "@Recycle")
    touch(tmp_path, "a.tif", *(f"lane1/{folder}/thumb.jpg" for folder in folders))
    assert ids(tmp_path) == ["a.tif"]


def test_formats_that_are_not_read_are_found_and_archives_are_named(tmp_path: Path) -> None:
    images = ("a.pgm", "b.NTF", "c.fis", "d.raw", "e.gtiff", "f.jfif")
    touch(tmp_path, *images, "x/old.ZIP", "new.7z", "thumbs.db", "notes.pdf", "track.gpx")
    found = find_images([tmp_path])
    assert [candidate.image_id for candidate in found.candidates] == list(images)
    assert found.archives == ["new.7z", "x/old.ZIP"]
    assert load_survey([tmp_path], Config()).archives == ("new.7z", "x/old.ZIP")


@pytest.mark.parametrize(
    ("pattern", "left"),
    [
        ("*_ql.jpg", ["a.jpg", "lane1/a.tif", "lane1/thumbs/b.jpg"]),
        ("thumbs", ["a.jpg", "a_ql.jpg", "lane1/a.tif"]),
        ("lane1/*", ["a.jpg", "a_ql.jpg"]),
        ("lane1", ["a.jpg", "a_ql.jpg"]),
        ("*.zip", ["a.jpg", "a_ql.jpg", "lane1/a.tif", "lane1/thumbs/b.jpg"]),
        ("A*", ["a.jpg", "a_ql.jpg", "lane1/a.tif", "lane1/thumbs/b.jpg"]),
    ],
)
def test_exclude_leaves_out_by_name_or_path(tmp_path: Path, pattern: str, left: list[str]) -> None:
    touch(tmp_path, "a.jpg", "a_ql.jpg", "lane1/a.tif", "lane1/thumbs/b.jpg", "lane1/x.zip")
    assert ids(tmp_path, exclude=[pattern]) == left
    assert find_images([tmp_path], exclude=[pattern]).archives == (
        [] if pattern in ("*.zip", "lane1", "lane1/*") else ["lane1/x.zip"]
    )
    assert is_excluded("a_ql.jpg", [pattern]) == (pattern == "*_ql.jpg")


def test_exclude_counts_for_manifests_and_files_too(tmp_path: Path) -> None:
    touch(tmp_path, "a.tif", "b.tif").joinpath("list.txt").write_text("a.tif\nb.tif\n")
    assert ids(tmp_path / "list.txt", exclude=["a.*"]) == ["b.tif"]
    assert ids(tmp_path / "a.tif", exclude=["a.*"]) == []


@pytest.mark.parametrize(
    ("line", "advice"),
    [
        ("lane1\\a.tif", "Write it with /, and relative to the manifest: lane1/a.tif"),
        ("D:\\survey\\a.tif", "Write it with /, and relative to the manifest: survey/a.tif"),
        ('"lane1/a.tif"', "Write it without them: lane1/a.tif"),
        ("'lane1/a.tif'", "Write it without them: lane1/a.tif"),
    ],
)
def test_a_manifest_as_windows_writes_it_is_explained(tmp_path: Path, line: str, advice: str) -> None:
    manifest = touch(tmp_path, "lane1/a.tif") / "list.txt"
    manifest.write_text(f"lane1/a.tif\n{line}\n")
    with pytest.raises(UsageError) as caught:
        find_images([manifest])
    assert f"list.txt:2: {line}" in str(caught.value)
    assert str(caught.value).endswith(advice)


def test_names_that_really_have_backslashes_or_quotes_are_taken(tmp_path: Path) -> None:
    touch(tmp_path, "a\\b.tif", "'c'.tif").joinpath("list.txt").write_text("a\\b.tif\n'c'.tif\n")
    assert ids(tmp_path / "list.txt") == ["'c'.tif", "a\\b.tif"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_manifests_of_all_editors_are_read(tmp_path: Path, encoding: str) -> None:
    touch(tmp_path, "Straße.tif").joinpath("list.txt").write_text("Straße.tif\r\n", encoding=encoding)
    assert ids(tmp_path / "list.txt") == ["Straße.tif"]


def test_an_archive_is_no_survey(tmp_path: Path) -> None:
    touch(tmp_path, "survey.zip")
    with pytest.raises(UsageError, match=r"survey\.zip is an archive\. Unpack it"):
        find_images([tmp_path / "survey.zip"])


LOAD = """
import sys; from pathlib import Path
from crackpipe.pipeline.config import Config
from crackpipe.pipeline.survey.load import load_survey
found = load_survey([Path(sys.argv[1])], Config())
print([each.image_id for each in found.images], [(each.image_id, each.reason) for each in found.rejected])
"""


def test_a_folder_that_may_not_be_searched_is_reported_and_the_rest_is_inspected(tmp_path: Path) -> None:
    write(tmp_path / "a.tif", UTM_1_MM)
    (tmp_path / "closed").mkdir(mode=0)
    (tmp_path / "names only").mkdir(mode=0o444)
    (tmp_path / "lost+found").mkdir(mode=0)
    command = as_mere_mortal([sys.executable, "-c", LOAD, str(tmp_path)])
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "['a.tif'] [('closed', 'unreadable-folder')]"


def test_a_survey_that_may_not_be_searched_is_none(tmp_path: Path) -> None:
    (tmp_path / "closed").mkdir(mode=0)
    command = as_mere_mortal([sys.executable, "-c", LOAD, str(tmp_path / "closed")])
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert NoReadableImageError.__name__ in run.stderr and "may not be searched" in run.stderr
