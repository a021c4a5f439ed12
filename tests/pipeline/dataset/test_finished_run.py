"""What a finished run left behind, as run.json of today and of commit 5f0e436 tell it."""

import json
import shutil
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine
from first_outputs import request, unpack

from crackpipe.pipeline.config import Config
from crackpipe.pipeline.dataset.finished_run import read_run
from crackpipe.pipeline.errors import ConfigurationError, UsageError
from crackpipe.pipeline.run import run


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    unpack(tmp_path)
    return tmp_path


def with_configuration(out: Path, **said: Any) -> Path:
    record = json.loads((out / "run.json").read_text())
    record["configuration"] |= said
    (out / "run.json").write_text(json.dumps(record))
    return out


def test_a_run_of_commit_5f0e436_is_read(folder: Path) -> None:
    found = read_run(folder / "default", [folder / "survey"])
    assert [image.image_id for image in found.images] == ["a.tif", "b.tif"]
    assert len(found.found.lines) == 1
    assert found.config == Config(gsd_max_mm=5.0)  # the default of then


def test_text_of_commit_5f0e436_becomes_values(folder: Path) -> None:
    out = with_configuration(folder / "default", allow_gsd="True", gsd_max_mm="7.5", assume_crs="EPSG:25832")
    found = read_run(out, [folder / "survey"])
    assert found.config == Config(allow_gsd=True, gsd_max_mm=7.5, assume_crs="EPSG:25832")
    assert [image.image_id for image in found.images] == ["a.tif", "b.tif"]


def test_a_run_of_today_is_read_with_its_configuration(folder: Path) -> None:
    how = {"assume_crs": "EPSG:25832", "allow_gsd": True, "seam_mm": 20.0}
    run(request(folder, "anew", **how, simplify_px=0.4))
    found = read_run(folder / "anew")
    assert [image.image_id for image in found.images] == ["a.tif", "b.tif", "no-crs.tif"]
    assert found.config == Config(**how)  # type: ignore[arg-type]


def test_a_run_is_read_as_its_options_said(folder: Path) -> None:
    """A copy that the run left out must not make its original a duplicate; 12 bits need their white level."""
    survey = folder / "survey"
    shutil.copy(survey / "a.tif", survey / "0-copy.tif")
    with rasterio.open(survey / "b.tif") as dataset:
        values, profile = dataset.read().astype(np.uint16) * 16, dataset.profile
    with rasterio.open(survey / "b.tif", "w", **{**profile, "dtype": "uint16"}) as dataset:
        dataset.write(values)
    how = {"exclude": ("0-*",), "white_level": 4095, "collar": "keep"}
    run(request(folder, "anew", **how))
    found = read_run(folder / "anew")
    assert [image.image_id for image in found.images] == ["a.tif", "b.tif"]
    assert all(image.keeps_collars for image in found.images)
    assert found.config == Config(**how)  # type: ignore[arg-type]


def test_an_image_that_would_lie_elsewhere_is_refused(folder: Path) -> None:
    """As after a version that took an assumed GSD for all images, or after a new georeference."""
    out = with_configuration(folder / "default", assume_gsd_mm="2.0", gsd_min_mm="1.5")
    with pytest.raises(UsageError, match=r"a\.tif lies .* px \(at most 1\) .* Run the survey again"):
        read_run(out, [folder / "survey"])


@pytest.mark.parametrize(("moved_px", "is_refused"), [(0.5, False), (3.0, True)])
def test_an_image_that_moved_is_refused_from_one_pixel(
    folder: Path, *, moved_px: float, is_refused: bool
) -> None:
    with rasterio.open(folder / "survey" / "a.tif", "r+") as dataset:
        dataset.transform @= Affine.translation(moved_px, 0)
    with pytest.raises(UsageError, match="lies 3 px") if is_refused else nullcontext():
        read_run(folder / "default", [folder / "survey"])


def test_a_value_of_the_wrong_type_is_named_with_its_file(folder: Path) -> None:
    run(request(folder, "anew"))
    out = with_configuration(folder / "anew", allow_gsd=3)
    with pytest.raises(ConfigurationError, match=r"run\.json: allow_gsd is 3, but must be of type bool"):
        read_run(out, [folder / "survey"])
