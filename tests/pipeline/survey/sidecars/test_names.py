"""The files beside an image are found in all spellings, and the nearest one first."""

from pathlib import Path

import pytest

from crackpipe.pipeline.survey.sidecars import names


def found(folder: Path, image: str, *files: str) -> str | None:
    for file in files:
        (folder / file).touch()
    path = folder / image
    file = names.find(path, names.world_file_names(path), names.names_in([folder])[folder])
    return None if file is None else file.name


@pytest.mark.parametrize(
    ("image", "file"),
    [
        ("a.jpg", "a.jgw"),
        ("IMG.JPG", "img.jgw"),
        ("a.jpg", "a.Jgw"),
        ("a.JPEG", "a.jpgw"),
        ("a.jpg", "a.jfw"),
        ("a.jpg", "a.jpg.jgw"),
        ("a.tiff", "a.tfw"),
        ("a.tif", "a.TIFW"),
        ("a.png", "a.png.pgw"),
        ("a.png", "A.WLD"),
        ("m\u00fcde.jpg", "mu\u0308de.jgw"),
        ("mu\u0308de.jpg", "m\u00fcde.jgw"),
    ],
)
def test_spellings(tmp_path: Path, image: str, file: str) -> None:
    assert found(tmp_path, image, file) == file


def test_the_nearest_name_comes_first(tmp_path: Path) -> None:
    assert found(tmp_path, "a.jpg", "b.jgw", "a.pgw", "a.jgwx") is None
    for nearer in ("A.wld", "a.wld", "A.JGW", "a.JGW", "a.jgw", "a.jpg.jgw"):
        assert found(tmp_path, "a.jpg", nearer) == nearer


def test_a_folder_of_that_name_is_no_world_file(tmp_path: Path) -> None:
    (tmp_path / "a.jgw").mkdir()
    assert found(tmp_path, "a.jpg") is None


def test_a_folder_that_cannot_be_listed_is_asked_for_usual_names(tmp_path: Path) -> None:
    (tmp_path / "a.JGW").touch()
    path = tmp_path / "a.jpg"
    assert names.find(path, names.world_file_names(path), None) == tmp_path / "a.JGW"
