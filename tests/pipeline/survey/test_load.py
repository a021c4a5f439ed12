"""Every file that could be meant as an image is found once, and has its place among the others."""

import os
from datetime import date
from pathlib import Path

import pytest
from PIL import Image
from rasters.survey_files import look, write

from crackpipe.pipeline.config import Config
from crackpipe.pipeline.errors import ConfigurationError, UsageError
from crackpipe.pipeline.survey.load import load_survey


def test_links_are_followed_inside_the_survey_only(tmp_path: Path) -> None:
    survey, outside = tmp_path / "survey", tmp_path / "outside"
    write(survey / "a.tif")
    write(outside / "secret.tif")
    (survey / "inside.tif").symlink_to("a.tif")
    (survey / "leaving.tif").symlink_to(outside / "secret.tif")
    (survey / "dangling.tif").symlink_to("absent.tif")
    (survey / "circle.tif").symlink_to("circle.tif")
    (survey / "folder").symlink_to(outside)
    (survey / "up").symlink_to("..")
    (survey / "loop").symlink_to(".")
    found = load_survey([survey], Config())
    assert [image.image_id for image in found.images] == ["a.tif"]
    assert {r.image_id: r.reason for r in found.rejected} == {
        "inside.tif": "duplicate",
        "circle.tif": "unreadable-file",
        "dangling.tif": "file-missing",
        "folder": "symlink-outside",
        "leaving.tif": "symlink-outside",
        "up": "symlink-outside",
    }


def test_names_that_are_not_utf8_are_rejected_by_a_printable_id(tmp_path: Path) -> None:
    with open(os.fsencode(tmp_path) + b"/stra\xdfe.tif", "wb") as file:  # noqa: PTH123 (Path has no bytes)
        file.write(b"II*\x00")
    (rejected,) = load_survey([tmp_path], Config()).rejected
    assert (rejected.image_id, rejected.reason) == ("stra\\udcdfe.tif", "name-not-utf8")


def test_survey_toml_gives_the_date(tmp_path: Path) -> None:
    write(tmp_path / "a.tif", tags={"TIFFTAG_DATETIME": "2024:12:31 23:59:59"})
    assert look(tmp_path / "a.tif").acquired == date(2024, 12, 31)
    (tmp_path / "survey.toml").write_text("acquired = 2025-05-01\n")
    assert load_survey([tmp_path], Config()).images[0].acquired == date(2025, 5, 1)
    (tmp_path / "survey.toml").write_text("acquired = 'yesterday'\n")
    with pytest.raises(ConfigurationError, match="'yesterday', but must be a date"):
        load_survey([tmp_path], Config())


def test_exif_gives_the_date_of_a_photograph(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0x9003] = "2023:06:15 08:30:00"  # DateTimeOriginal
    exif[0x0132] = "2024:01:01 00:00:00"  # DateTime, when it was last saved
    exif[0x010E] = b"Stra\xdfe"  # a description that is not UTF-8
    Image.new("RGB", (60, 40)).save(tmp_path / "a.jpg", exif=exif)
    (tmp_path / "a.jgw").write_text("0.001 0 0 -0.001 500000 5500000")
    assert look(tmp_path / "a.jpg", assume_crs="EPSG:25832").acquired == date(2023, 6, 15)


def test_a_wrong_assumed_crs_is_one_usage_error(tmp_path: Path) -> None:
    write(tmp_path / "a.tif", crs=None)
    with pytest.raises(UsageError, match="--assume-crs 'Utopia' cannot be used"):
        load_survey([tmp_path], Config(assume_crs="Utopia"))


def test_good_images_stand_beside_bad_ones(tmp_path: Path) -> None:
    write(tmp_path / "good.tif")
    (tmp_path / "bad.tif").touch()
    found = load_survey([tmp_path], Config())
    assert [image.image_id for image in found.images] == ["good.tif"]
    assert [rejected.image_id for rejected in found.rejected] == ["bad.tif"]
