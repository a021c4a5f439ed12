"""Keys of objects become hollow files, and nothing else becomes a file."""

import os
from pathlib import Path

import pytest

from crackpipe.pipeline.storage.cloud.mirror import hollow, is_whole, mirror
from crackpipe.pipeline.storage.cloud.stores import Entry
from crackpipe.pipeline.storage.reading import WHOLE_NS


def entry(name: str, size_bytes: int = 1_000_000, etag: str = "e1") -> Entry:
    return Entry(name, size_bytes, etag, name)


def files(root: Path) -> set[str]:
    return {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()}


def test_files_have_the_size_of_their_objects_and_take_no_space(tmp_path: Path) -> None:
    made = mirror([entry("lane1/a.tif"), entry("lane1/a.tfw", 80), entry("lane1/")], tmp_path / "survey")
    assert files(tmp_path / "survey") == {"lane1/a.tif", "lane1/a.tfw"}
    status = (tmp_path / "survey/lane1/a.tif").stat()
    assert (status.st_size, status.st_blocks) == (1_000_000, 0)
    assert not made.refused


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        ("../../escaped.tif", "name-reserved"),
        ("a/../../escaped.tif", "name-reserved"),
        ("/etc/escaped.tif", "name-reserved"),
        ("a//b.tif", "name-reserved"),
        ("./b.tif", "name-reserved"),
        ("nul\0l.tif", "name-reserved"),
        (f"{'x' * 252}.tif", "name-too-long"),
        ("a.tif/b.tif", "name-reserved"),
    ],
)
def test_a_key_that_is_no_name_of_a_file_has_a_row_and_makes_nothing(
    key: str, reason: str, tmp_path: Path
) -> None:
    made = mirror([entry("a.tif"), entry(key)], tmp_path / "x" / "survey")
    assert [(each.image_id, each.reason) for each in made.refused] == [(key.replace("\0", "\\0"), reason)]
    assert files(tmp_path) == {"x/survey/a.tif", "x/etags.json"}
    assert not Path("/etc/escaped.tif").exists()


def test_odd_characters_stay_as_they_are(tmp_path: Path) -> None:
    names = {"ä ö.tif", "a\nb.tif", "back\\slash.tif", "percent%20.tif", "-rf.tif", "a.TIF", "A.tif"}
    made = mirror([entry(name) for name in names], tmp_path / "survey")
    assert files(tmp_path / "survey") == names
    assert not made.refused


def test_hidden_objects_and_results_are_left_out_as_on_disk(tmp_path: Path) -> None:
    keys = [
        ".hidden.tif",
        "out/.crackpipe/version.json",
        "out/masks.zarr/a.tif/0",
        "out/cracks.gpkg",
        "a.tif",
    ]
    mirror([entry(key) for key in keys], tmp_path / "survey")
    assert files(tmp_path / "survey") == {"out/cracks.gpkg", "a.tif"}
    assert (tmp_path / "survey/out/.crackpipe").is_dir()  # by which `find` knows a result


def test_what_came_whole_stays_until_its_object_is_another(tmp_path: Path) -> None:
    root = tmp_path / "survey"
    mirror([entry("a.tif", 3), entry("b.tif", 3)], root)
    for name in ("a.tif", "b.tif"):
        (root / name).write_bytes(b"abc")
        os.utime(root / name, ns=(WHOLE_NS, WHOLE_NS))
    mirror([entry("a.tif", 3), entry("b.tif", 3, etag="e2"), entry("c.tif", 3)], root)
    assert [is_whole(root / name, 3) for name in ("a.tif", "b.tif", "c.tif")] == [True, False, False]
    assert (root / "b.tif").read_bytes() == bytes(3)
    mirror([entry("c.tif", 3)], root)
    assert files(root) == {"c.tif"}


def test_a_link_in_the_place_of_a_file_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("kept")
    (tmp_path / "link").symlink_to(tmp_path / "secret")
    with pytest.raises(OSError, match="symbolic link"):
        hollow(tmp_path / "link", 10)
    assert (tmp_path / "secret").read_text() == "kept"
