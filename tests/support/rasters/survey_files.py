"""Files of a survey, and what inspecting one says of it."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine

from crackpipe.pipeline.config import Config
from crackpipe.pipeline.errors import ImageRejectedError
from crackpipe.pipeline.image import SurveyImage
from crackpipe.pipeline.survey.accept import inspect
from crackpipe.pipeline.survey.files.candidates import Candidate

UTM_1_MM = Affine(0.001, 0, 500000, 0, -0.001, 5500000)
GREY = np.full((1, 40, 60), 120, np.uint8)
RGB = np.full((3, 40, 60), 120, np.uint8)
SECRET = "root:x:0:0"


def write(path: Path, values: np.ndarray = RGB, **profile: Any) -> Path:
    """Write values (bands, h, w) as a GeoTIFF in UTM with 1 mm pixels, but for what `profile` says."""
    path.parent.mkdir(parents=True, exist_ok=True)
    bands, height, width = values.shape
    profile = {"driver": "GTiff", "crs": "EPSG:25832", "transform": UTM_1_MM, **profile}
    colours = profile.pop("colorinterp", None)
    tags = profile.pop("tags", {})
    with rasterio.open(
        path, "w", count=bands, height=height, width=width, dtype=values.dtype, **profile
    ) as dataset:
        if colours:
            dataset.colorinterp = colours
        dataset.update_tags(**tags)
        dataset.write(values)
    return path


def look(path: Path, **options: Any) -> SurveyImage:
    """Inspect one file as the only one of its folder."""
    return inspect(Candidate(path.name, path.parent.name, path, path.parent), Config(**options))


def refusal(path: Path, **options: Any) -> ImageRejectedError:
    with pytest.raises(ImageRejectedError) as caught:
        look(path, **options)
    assert caught.value.message and caught.value.remedy
    return caught.value
