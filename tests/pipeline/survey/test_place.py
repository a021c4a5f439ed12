"""An image whose geographic keys are known lies where it would if they were not."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine

from crackpipe.pipeline.config import Config
from crackpipe.pipeline.image import SurveyImage
from crackpipe.pipeline.survey import opening, place
from crackpipe.pipeline.survey.accept import inspect
from crackpipe.pipeline.survey.files.candidates import Candidate

UTM_1_MM = Affine(0.001, 0, 500_000, 0, -0.001, 5_500_000)


@pytest.fixture(autouse=True)
def nothing_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(place, "_crs_of_keys", {})


def write(path: Path, tags: dict[str, str] | None = None, **profile: Any) -> Path:
    profile = {"driver": "GTiff", "crs": "EPSG:25832", "transform": UTM_1_MM, **profile}
    with rasterio.open(path, "w", count=1, height=40, width=60, dtype="uint8", **profile) as dataset:
        dataset.update_tags(**(tags or {}))
        dataset.write(np.full((1, 40, 60), 120, np.uint8))
    return path


def look(path: Path) -> SurveyImage:
    return inspect(Candidate(path.name, "survey", path, path.parent), Config())


def keys_known(path: Path) -> bool:
    return place.known_crs(opening.opening_of(path, path.stat().st_size).place) is not None


@pytest.mark.parametrize(
    "profile",
    [
        {},
        {"transform": UTM_1_MM @ Affine.rotation(30)},
        {"crs": "EPSG:2263", "transform": Affine(0.003, 0, 990_000, 0, -0.003, 200_000)},
        {"crs": "EPSG:4326", "transform": Affine(1e-8, 0, 9.1, 0, -1e-8, 48.2)},
        {"crs": "EPSG:25832+7837"},
    ],
)
def test_the_second_image_is_described_as_the_first(tmp_path: Path, profile: dict[str, Any]) -> None:
    path = write(tmp_path / "a.tif", **profile)
    first = look(path)
    assert keys_known(path)
    assert look(path) == first
    elsewhere = {"transform": profile.get("transform", UTM_1_MM) @ Affine.translation(1000, 500)}
    other = write(tmp_path / "b.tif", **{**profile, **elsewhere})
    with rasterio.open(other) as dataset:
        assert look(other).transform == dataset.transform
    assert look(other).crs_wkt == first.crs_wkt


def test_positions_of_pixel_centres_stay_gdals_matter(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tif", tags={"AREA_OR_POINT": "Point"})
    assert look(path).transform == look(path).transform == UTM_1_MM
    assert not keys_known(path)


def test_files_beside_a_known_image_are_weighed_all_the_same(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tif")
    assert look(path).warnings == ()
    path.with_suffix(".tfw").write_text("0.001\n0\n0\n-0.001\n500001.0\n5500000.0\n")
    (tmp_path / "a.tif.aux.xml").write_text("<PAMDataset><SRS>EPSG:4326</SRS></PAMDataset>")
    known = look(path)
    assert keys_known(path) and known.transform == UTM_1_MM
    assert [warning.split()[0] for warning in known.warnings] == ["a.tif.aux.xml", "a.tfw"]


def test_a_crs_from_beside_an_image_is_not_taken_for_that_of_its_keys(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tif", crs=None)
    path.with_suffix(".prj").write_text(rasterio.CRS.from_epsg(25832).to_wkt())
    look(path)
    assert not keys_known(path)
