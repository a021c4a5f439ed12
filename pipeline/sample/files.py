"""Scenes become georeferenced files, window by window, so that a strip of any length fits in memory.

Frame: pixels are (row, col), world is (x, y). The same scene and options give the same bytes.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from pyproj import CRS, Transformer
from rasterio import crs as raster_crs
from rasterio.errors import RasterioError
from rasterio.windows import Window as RasterWindow

from crackpipe.model.render.picture import BLOCK_PX, Scene, render_window
from crackpipe.pipeline.errors import OutputNotWritableError
from crackpipe.pipeline.geometry import ground
from crackpipe.pipeline.geometry.grid import Window
from crackpipe.pipeline.raster.gdal import cause_of, create_raster

Compression = Literal["deflate", "jpeg"]


def ground_transform(
    crs: CRS,
    lon_deg: float,
    lat_deg: float,
    gsd_mm: float,
    *,
    heading_deg: float = 0.0,
    size_px: tuple[int, int],
) -> Affine:
    """The transform of an image whose pixels are squares of `gsd_mm` on the ground, in any CRS.

    `lon_deg` and `lat_deg` give the image's centre, on the CRS's own datum. `heading_deg` is the direction of
    the top edge, clockwise from true north. `size_px` is (height, width). The transform makes up for the
    scale factor, for feet or degrees, and for the angle between grid and true north. So truth in ground
    millimetres is exact at the centre.
    """
    height, width = size_px
    x, y = Transformer.from_crs(crs.geodetic_crs, crs, always_xy=True).transform(lon_deg, lat_deg)
    angle, step_m = np.deg2rad(heading_deg), gsd_mm / 1000
    # The columns are the steps along (row, col) and the rows are (east, north), as in `ground.ground_matrix`.
    wanted = step_m * np.array([[-np.sin(angle), np.cos(angle)], [-np.cos(angle), -np.sin(angle)]])
    per_metre = 1e-5 if crs.is_geographic else 1.0
    steps = per_metre * wanted  # (x, y) per step along (row, col)
    for _ in range(3):  # the map is almost linear over an image, so a few steps are enough
        transform = _centred(steps, x, y, height, width)
        steps = steps @ np.linalg.inv(ground.ground_matrix(transform, crs, height, width)) @ wanted
    return _centred(steps, x, y, height, width)


def _centred(steps: NDArray[np.float64], x: float, y: float, height: int, width: int) -> Affine:
    corner = np.array([x, y]) - steps @ np.array([height / 2, width / 2])
    a, b, d, e = steps[0, 1], steps[0, 0], steps[1, 1], steps[1, 0]
    return Affine(*(float(v) for v in (a, b, corner[0], d, e, corner[1])))


def write_image(
    path: Path,
    scene: Scene,
    *,
    crs: CRS | None,
    transform: Affine | None,
    window: Window | None = None,
    compression: Compression = "deflate",
    quality: int = 88,
    acquired: str | None = None,
    mask_path: Path | None = None,
) -> None:
    """Draw a scene, or one window of it, to a file and its truth mask to another.

    `path` is a `.tif` (tiled GeoTIFF, BigTIFF if needed) or a `.jpg` with `.jgw` and `.prj`. A JPEG is drawn
    with the whole image in memory. The picture has one band if the scene's camera is grey, else RGB.
    `quality` is that of JPEG, also inside a TIFF. `acquired` is "YYYY:MM:DD HH:MM:SS" for TIFFTAG_DATETIME.
    `mask_path` is a `.tif`, uint8 0 sound and 1 crack, with the same georeference. If `crs` and `transform`
    are None, the files have no georeference. Raises OutputNotWritableError.
    """
    part = window or Window(0, 0, scene.height_px, scene.width_px)
    picture = _Picture(scene, part, crs, transform)
    tags = {} if acquired is None else {"TIFFTAG_DATETIME": acquired}
    try:
        for target in (path, mask_path):
            if target is not None:
                target.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".jpg":
            _write_jpeg(path, picture, quality)
            _write_world_file(path, picture)
            if mask_path is not None:
                _write_tiff(None, mask_path, picture, {}, {})
        else:
            options = _image_options(compression, quality, picture.bands)
            _write_tiff(path, mask_path, picture, options, tags)
    except (OSError, RasterioError) as error:
        raise OutputNotWritableError(f"cannot write {path}: {cause_of(error)}") from error


@dataclass(frozen=True)
class _Picture:
    scene: Scene
    part: Window
    crs: CRS | None
    transform: Affine | None

    @property
    def bands(self) -> int:
        return 1 if self.scene.camera.grey else 3

    def rows(self, top: int, height: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Bands (B, h, w) and mask (h, w) of some rows of the part."""
        rgb, mask = render_window(self.scene, self.part.row + top, self.part.col, height, self.part.width)
        return np.ascontiguousarray(np.moveaxis(rgb, -1, 0)[: self.bands]), mask


def _profile(picture: _Picture) -> dict[str, Any]:
    part = picture.part
    tile = min(BLOCK_PX, 16 * -(-max(part.height, part.width) // 16))  # GDAL wants multiples of 16
    profile = {
        "driver": "GTiff",
        "height": part.height,
        "width": part.width,
        "dtype": "uint8",
        "tiled": True,
        "blockxsize": tile,
        "blockysize": tile,
        "bigtiff": "IF_SAFER",
    }
    if picture.crs is not None:
        profile |= {"crs": _rasterio_crs(picture.crs), "transform": picture.transform}
    return profile


def _rasterio_crs(crs: CRS) -> Any:
    authority = crs.to_authority()
    if authority and authority[0] == "EPSG":
        return raster_crs.CRS.from_epsg(int(authority[1]))
    return raster_crs.CRS.from_wkt(crs.to_wkt())


def _image_options(compression: Compression, quality: int, bands: int) -> dict[str, Any]:
    if compression == "deflate":
        return {"compress": "deflate", "predictor": 2, "zlevel": 6}
    # YCBCR stores colours at half the size. Pavement has hardly any colour, so little is lost.
    colours = {"photometric": "YCBCR"} if bands == 3 else {}
    return {"compress": "jpeg", "jpeg_quality": quality, "interleave": "pixel", **colours}


def _write_tiff(
    path: Path | None,
    mask_path: Path | None,
    picture: _Picture,
    options: dict[str, Any],
    tags: dict[str, str],
) -> None:
    """Write the picture, its mask or both in one pass over the scene."""
    profile, part = _profile(picture), picture.part
    with ExitStack() as open_files:
        image = mask = None
        if path is not None:
            image = open_files.enter_context(create_raster(path, count=picture.bands, **profile, **options))
            image.update_tags(**tags)
        if mask_path is not None:
            mask = open_files.enter_context(
                create_raster(mask_path, count=1, **profile, compress="deflate", zlevel=9)
            )
        # Rows of blocks are written from the top, so that every block is written once, in its order in the
        # file.
        for top in range(0, part.height, BLOCK_PX):
            height = min(BLOCK_PX, part.height - top)
            bands, truth = picture.rows(top, height)
            place = RasterWindow(0, top, part.width, height)
            if image is not None:
                image.write(bands, window=place)
            if mask is not None:
                mask.write(truth, 1, window=place)


def _write_jpeg(path: Path, picture: _Picture, quality: int) -> None:
    bands, _ = picture.rows(0, picture.part.height)
    options = {
        "driver": "JPEG",
        "height": picture.part.height,
        "width": picture.part.width,
        "quality": quality,
    }
    with create_raster(path, count=picture.bands, dtype="uint8", **options) as image:
        image.write(bands)


def _write_world_file(path: Path, picture: _Picture) -> None:
    if picture.crs is None or picture.transform is None:
        return
    t = picture.transform
    # A world file gives the centre of the first pixel, while a transform gives its corner.
    x, y = ground.world_of_pixel(t, np.zeros((1, 2)))[0].tolist()
    path.with_suffix(".jgw").write_text("".join(f"{value!r}\n" for value in (t.a, t.d, t.b, t.e, x, y)))
    path.with_suffix(".prj").write_text(picture.crs.to_wkt("WKT1_ESRI") + "\n")
