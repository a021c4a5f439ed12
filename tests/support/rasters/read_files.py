"""Rasters of all kinds, and their pixels as the reader gives them."""

from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray
from rasterio.enums import ColorInterp

from crackpipe.pipeline.config import Config
from crackpipe.pipeline.geometry.grid import Window
from crackpipe.pipeline.image import SurveyImage
from crackpipe.pipeline.raster.reader import ImageReader
from crackpipe.pipeline.survey.accept import inspect
from crackpipe.pipeline.survey.files.candidates import Candidate

UTM_1_MM = Affine(0.001, 0, 500000, 0, -0.001, 5500000)
NOISE = np.random.default_rng(0).integers(0, 256, (3, 300, 400), dtype=np.uint8)
TILES = {"tiled": True, "blockxsize": 64, "blockysize": 64}


def write(path: Path, values: NDArray[Any] = NOISE, mask: NDArray[Any] | None = None, **profile: Any) -> Path:
    bands, height, width = values.shape
    profile = {"driver": "GTiff", "crs": "EPSG:25832", "transform": UTM_1_MM, **profile}
    colours, palette = profile.pop("colorinterp", None), profile.pop("palette", None)
    scales, offsets = profile.pop("scales", None), profile.pop("offsets", None)
    with (
        rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True),
        rasterio.open(
            path, "w", count=bands, height=height, width=width, dtype=values.dtype, **profile
        ) as dataset,
    ):
        if colours:
            dataset.colorinterp = [ColorInterp[name] for name in colours]
        if palette:
            dataset.write_colormap(1, palette)
        if scales:
            dataset.scales, dataset.offsets = scales, offsets
        dataset.write(values)
        if mask is not None:
            dataset.write_mask(mask)
    return path


def look(path: Path) -> SurveyImage:
    if path.suffix in (".jpg", ".png"):
        path.with_suffix(".wld").write_text("0.001 0 0 -0.001 500000 5500000")
    return inspect(Candidate(path.name, "s", path, path.parent), Config(assume_crs="EPSG:25832"))


def read_window(path: Path, window: Window | None = None) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    image = look(path)
    with ImageReader(image) as reader:
        return reader.read(window or Window(0, 0, image.height_px, image.width_px))
