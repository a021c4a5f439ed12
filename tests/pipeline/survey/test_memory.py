"""What was learnt about a file is taken from there only while nothing that has a say in it changed."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine

from crackpipe.pipeline.config import Config
from crackpipe.pipeline.survey import memory as remembered
from crackpipe.pipeline.survey.load import Survey, load_survey
from crackpipe.pipeline.survey.memory import Memory


@pytest.fixture
def survey(tmp_path: Path) -> Path:
    """A GeoTIFF with a mask beside it, and a PNG whose place is in a world file."""
    folder = tmp_path / "survey"
    folder.mkdir()
    grey = np.full((1, 40, 60), 120, np.uint8)
    profile = {"count": 1, "height": 40, "width": 60, "dtype": "uint8"}
    place = {"driver": "GTiff", "crs": "EPSG:25832", "transform": Affine(0.001, 0, 5e5, 0, -0.001, 5.5e6)}
    for path, options in (("a.tif", place), ("a.tif.msk", {"driver": "GTiff"}), ("b.png", {"driver": "PNG"})):
        with rasterio.open(folder / path, "w", **profile, **options) as file:
            file.write(grey)
    (folder / "b.pgw").write_text("0.001\n0\n0\n-0.001\n500001\n5500000\n")
    return folder


def kept(survey: Path, file: Path, config: Config | None = None) -> tuple[Path, Survey]:
    """The file that remembers the survey, and the survey as it was looked at."""
    config = config or Config(assume_crs="EPSG:25832")
    found = load_survey([survey], config)
    remembered.keep(file, config, found.images, found.stamps, Memory())
    return file, found


def known(survey: Path, file: Path, config: Config | None = None) -> list[str]:
    """The images that need not be opened."""
    config = config or Config(assume_crs="EPSG:25832")
    memory = remembered.recall(file, config)
    again = load_survey([survey], config, memory=memory)
    return [name for name, entry in memory.images.items() if entry["stamp"] == again.stamps.get(name)]


def test_an_image_comes_back_as_it_was(survey: Path, tmp_path: Path) -> None:
    file, found = kept(survey, tmp_path / "survey.json")
    assert len(found.images) == 2
    memory = remembered.recall(file, Config(assume_crs="EPSG:25832"))
    assert set(memory.images) == {"a.tif", "b.png"}
    assert load_survey([survey], Config(assume_crs="EPSG:25832"), memory=memory) == found


def test_a_known_file_is_not_opened(survey: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, found = kept(survey, tmp_path / "survey.json")
    config = Config(assume_crs="EPSG:25832")
    monkeypatch.setattr("crackpipe.pipeline.survey.accept.accept_or_reject", None)
    assert load_survey([survey], config, memory=remembered.recall(file, config)) == found


@pytest.mark.parametrize(
    ("image_id", "change"),
    [
        ("a.tif", lambda folder: os.utime(folder / "a.tif")),
        ("a.tif", lambda folder: (folder / "a.tif").chmod(0o600)),
        ("a.tif", lambda folder: os.utime(folder / "a.tif.msk")),
        ("a.tif", lambda folder: (folder / "a.tif.msk").unlink()),
        ("a.tif", lambda folder: (folder / "a.TFW").write_text("no world file")),
        ("a.tif", lambda folder: (folder / "a.tif.aux.xml").write_text("<SRS>")),
        ("b.png", lambda folder: (folder / "b.pgw").write_text("0.002\n0\n0\n-0.002\n500001\n5500000\n")),
        ("b.png", lambda folder: (folder / "b.prj").write_text("no CRS")),
    ],
)
def test_a_change_of_a_file_or_of_one_beside_it_is_seen(
    survey: Path, tmp_path: Path, image_id: str, change: Callable[[Path], object]
) -> None:
    file, _ = kept(survey, tmp_path / "survey.json")
    change(survey)
    assert known(survey, file) == [name for name in ("a.tif", "b.png") if name != image_id]


def test_a_file_with_the_old_size_and_time_is_still_another_file(survey: Path, tmp_path: Path) -> None:
    file, _ = kept(survey, tmp_path / "survey.json")
    path, before = survey / "a.tif", (survey / "a.tif").stat()
    path.write_bytes(path.read_bytes()[::-1])
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert known(survey, file) == ["b.png"]


def test_other_options_another_version_or_a_flipped_byte_forget_all(
    survey: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, _ = kept(survey, tmp_path / "survey.json")
    assert known(survey, file) == ["a.tif", "b.png"]
    for other in (Config(), Config(assume_crs="EPSG:25833"), Config(gsd_max_mm=4.0)):
        assert not remembered.recall(file, other).images
    assert not remembered.recall(file, Config(assume_crs="EPSG:25832", verify_inputs=True)).images
    with monkeypatch.context() as other_version:
        other_version.setattr(remembered, "_VERSION", 0)
        assert not known(survey, file)
    file.write_text(file.read_text().replace("GTiff", "JPEG"))
    assert not known(survey, file)


def test_a_link_that_leaves_the_survey_is_refused_although_its_target_is_known(
    survey: Path, tmp_path: Path
) -> None:
    (survey / "c.tif").symlink_to("a.tif")
    file, _ = kept(survey, tmp_path / "survey.json")
    memory = remembered.recall(file, Config(assume_crs="EPSG:25832"))
    (survey / "a.tif").rename(tmp_path / "a.tif")
    (survey / "a.tif").symlink_to(tmp_path / "a.tif")
    again = load_survey([survey], Config(assume_crs="EPSG:25832"), memory=memory)
    assert {each.image_id: each.reason for each in again.rejected} == dict.fromkeys(
        ("a.tif", "c.tif"), "symlink-outside"
    )
