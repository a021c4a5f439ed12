"""16-bit images whose white level nothing declares, judged together by camera."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine
from numpy.typing import NDArray

from crackpipe.pipeline.config import Config
from crackpipe.pipeline.survey.load import Survey, load_survey

ROAD = np.random.default_rng(0).integers(60, 200, (1, 90, 200)).astype(np.uint16)
"""Grey values of a road, 8 bits."""


def write(path: Path, values: NDArray[np.uint16], **profile: Any) -> None:
    bands, height, width = values.shape
    size = {"count": bands, "height": height, "width": width, "dtype": "uint16"}
    place = {"crs": "EPSG:25832", "transform": Affine(0.001, 0, 500_000, 0, -0.001, 5_500_000)}
    with rasterio.open(path, "w", driver="GTiff", **size, **place, **profile) as dataset:
        dataset.write(values)


def look(folder: Path, white_level: int | None = None) -> Survey:
    return load_survey((folder,), Config(white_level=white_level))


WHITE_IS_ZERO = {"photometric": "miniswhite"}


@pytest.mark.parametrize(
    ("values", "profile"),
    [
        (ROAD * 16, {}),
        (4095 - ROAD * 16, WHITE_IS_ZERO),
        (np.where(ROAD < 80, 65535, ROAD * 16), {"nodata": 65535}),
        (np.where(ROAD < 80, 65535, 4095 - ROAD * 16), {"nodata": 65535, **WHITE_IS_ZERO}),
    ],
    ids=["black is zero", "white is zero", "nodata", "nodata, white is zero"],
)
def test_twelve_bits_in_sixteen_are_set_aside_until_white_is_named(
    tmp_path: Path, values: NDArray[np.uint16], profile: dict[str, Any]
) -> None:
    write(tmp_path / "a.tif", values, **profile)
    (rejected,) = look(tmp_path).rejected
    assert rejected.reason == "white-level-unknown"
    assert "which needs 12 bits" in rejected.message
    assert "white_level = 4095" in rejected.remedy
    (image,) = look(tmp_path, white_level=4095).images
    assert image.largest_value is None  # there is nothing to judge any more


@pytest.mark.parametrize(
    ("values", "profile"),
    [(ROAD * 257, {}), (65535 - ROAD * 257, WHITE_IS_ZERO)],
    ids=["black is zero", "white is zero"],
)
def test_sixteen_bits_that_are_used_are_inspected(
    tmp_path: Path, values: NDArray[np.uint16], profile: dict[str, Any]
) -> None:
    write(tmp_path / "a.tif", values, **profile)
    survey = look(tmp_path)
    assert [image.image_id for image in survey.images] == ["a.tif"]
    assert survey.rejected == ()


def test_one_bright_image_speaks_for_its_camera_and_for_no_other(tmp_path: Path) -> None:
    write(tmp_path / "bright.tif", ROAD * 257)
    write(tmp_path / "dark.tif", ROAD * 16)
    write(tmp_path / "other-camera.tif", ROAD[:, :, :150] * 16)
    survey = look(tmp_path)
    assert [image.image_id for image in survey.images] == ["bright.tif", "dark.tif"]
    assert [each.image_id for each in survey.rejected] == ["other-camera.tif"]
