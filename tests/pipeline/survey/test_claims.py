"""A world file serves one image."""

from pathlib import Path

import numpy as np
import pytest
from affine import Affine
from bad_files import NOISE, photograph, world_file, write

from crackpipe.pipeline.config import Config
from crackpipe.pipeline.survey.load import Survey, load_survey

PLACE = Affine(0.001, 0, 500_100, 0, -0.001, 5_400_000)
HALF = NOISE[:, ::2, ::2]


def bare(path: Path, values: np.ndarray = NOISE) -> Path:
    driver = {".png": "PNG", ".tif": "GTiff"}.get(path.suffix, "JPEG")
    return write(path, PLACE, values, driver=driver, crs=None, transform=None)


def load(folder: Path, *exclude: str) -> tuple[list[str], dict[str, str]]:
    """The images, and the reasons of the others."""
    found = survey(folder, *exclude)
    return [each.image_id for each in found.images], {each.image_id: each.reason for each in found.rejected}


def survey(folder: Path, *exclude: str) -> Survey:
    return load_survey([folder], Config(assume_crs="EPSG:25832", exclude=exclude))


def test_the_larger_one_keeps_it(tmp_path: Path) -> None:
    photograph(tmp_path / "a.jpg", PLACE)
    bare(tmp_path / "a.png", HALF)
    assert load(tmp_path) == (["a.jpg"], {"a.png": "world-file-shared"})
    # whether or not the larger one belongs to the survey
    assert load(tmp_path, "a.jpg") == ([], {"a.png": "world-file-shared"})


def test_one_that_it_confirms_keeps_it_whatever_its_size(tmp_path: Path) -> None:
    write(tmp_path / "a.tif", PLACE, HALF)
    photograph(tmp_path / "a.jpg", PLACE)
    assert load(tmp_path) == (["a.tif"], {"a.jpg": "world-file-shared"})


def test_a_copy_with_its_own_world_file_beside_a_geotiff_is_taken(tmp_path: Path) -> None:
    write(tmp_path / "a.tif", PLACE)
    photograph(tmp_path / "a.jpg", PLACE @ Affine.scale(2), HALF)
    images, rejected = load(tmp_path)
    assert (images, rejected) == (["a.jpg", "a.tif"], {})
    assert "a.wld disagrees" in survey(tmp_path).images[1].warnings[0]


def test_one_with_a_crs_of_its_own_keeps_it(tmp_path: Path) -> None:
    photograph(tmp_path / "a.jpg", PLACE)
    write(tmp_path / "a.tif", PLACE, HALF, transform=None)
    assert load(tmp_path) == (["a.tif"], {"a.jpg": "world-file-shared"})


def test_of_equal_ones_the_first_keeps_it(tmp_path: Path) -> None:
    photograph(tmp_path / "a.jpg", PLACE)
    bare(tmp_path / "a.png")
    assert load(tmp_path) == (["a.jpg"], {"a.png": "world-file-shared"})


def test_one_that_cannot_be_used_keeps_it_unless_it_is_smaller(tmp_path: Path) -> None:
    photograph(tmp_path / "a.jpg", PLACE)
    (tmp_path / "a.tif").write_bytes(b"II*\x00")
    assert load(tmp_path) == ([], {"a.jpg": "world-file-shared", "a.tif": "truncated"})
    (tmp_path / "a.tif").unlink()
    bare(tmp_path / "a.tif", HALF.astype(np.float32))
    assert load(tmp_path) == (["a.jpg"], {"a.tif": "dtype-unsupported"})


@pytest.mark.parametrize("name", ["a_quicklook.jpg", "b.jpg", "lane1/a.png"])
def test_other_names_and_folders_have_no_part_in_it(tmp_path: Path, name: str) -> None:
    photograph(tmp_path / "a.jpg", PLACE)
    bare(tmp_path / name, HALF)
    assert load(tmp_path) == (["a.jpg"], {name: "no-transform"})


def test_the_remedy_works_when_followed(tmp_path: Path) -> None:
    photograph(tmp_path / "a.jpg", PLACE)
    copy = bare(tmp_path / "a.png", HALF)
    (rejected,) = survey(tmp_path).rejected
    assert rejected.footprint is None  # it would be that of the other one
    own = tmp_path / rejected.remedy.rpartition(": ")[2]
    world_file(copy, PLACE @ Affine.scale(2))
    copy.with_suffix(".wld").rename(own)
    world_file(tmp_path / "a.jpg", PLACE)
    assert load(tmp_path) == (["a.jpg", "a.png"], {})
    assert load(tmp_path, "*.png") == (["a.jpg"], {})
