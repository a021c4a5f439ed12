"""Frames become plan views: GeoTIFFs whose pixels that were not seen finely enough are masked out.

The way from the plan view to the camera is the same for all frames of a steady camera, so neighbours and
weights of the bilinear interpolation are worked out once.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from pyproj import CRS

from crackpipe.model.data.plane import pixels_of_plan
from crackpipe.pipeline.errors import OutputNotWritableError
from crackpipe.pipeline.frames.files.listing import Frame
from crackpipe.pipeline.frames.oblique.view import View, camera_pixels
from crackpipe.pipeline.geometry.arrays import Floats, Ints, Singles
from crackpipe.pipeline.storage.durable import file_hash
from crackpipe.pipeline.survey.opening import HOMOGRAPHY_TAG

_MADE_FROM_TAG = "CRACKPIPE_MADE_FROM"
_VERSION = "1"
_BLOCK_PX = 512
_QUALITY = 95


@dataclass(frozen=True, kw_only=True)
class Rectifier:
    """A view with what every frame of it needs."""

    view: View
    homography: str
    corner: Ints
    """(K,) index of the upper left neighbour in a frame, for the K inspected pixels."""
    weights: Singles
    """(4, K) of the upper left, upper right, lower left and lower right neighbour."""
    width_px: int


def rectifier_of(view: View, size_px: tuple[int, int]) -> Rectifier:
    """Work out what is the same for all frames of `size_px` (height, width)."""
    height, width = size_px
    col, row, _ = camera_pixels(view.plan)
    col, row = col[view.inspected], row[view.inspected]
    left, top = np.clip(np.floor(col), 0, width - 2), np.clip(np.floor(row), 0, height - 2)
    right_share, low_share = col - left, row - top
    weights = np.stack(
        [
            (1 - right_share) * (1 - low_share),
            right_share * (1 - low_share),
            (1 - right_share) * low_share,
            right_share * low_share,
        ]
    )
    numbers = pixels_of_plan(view.plan)
    return Rectifier(
        view=view,
        homography=" ".join(f"{value:.17g}" for value in (numbers / numbers[2, 2]).ravel()),
        corner=(top * width + left).astype(np.int64),
        weights=weights.astype(np.float32),
        width_px=width,
    )


def rectified(pixels: NDArray[np.uint8], rectifier: Rectifier) -> NDArray[np.uint8]:
    """A frame (H, W, B) as plan view, uint8 (B, height, width), 0 where it is not inspected."""
    height, width = rectifier.view.plan.shape
    bands = pixels.shape[2]
    flat = pixels.reshape(-1, bands)
    found = np.zeros((bands, height, width), np.uint8)
    offsets = (0, 1, rectifier.width_px, rectifier.width_px + 1)
    for band in range(bands):
        plane = np.ascontiguousarray(flat[:, band])
        total = np.zeros(len(rectifier.corner), np.float32)
        for offset, weight in zip(offsets, rectifier.weights, strict=True):
            total += weight * plane[rectifier.corner + offset]
        found[band][rectifier.view.inspected] = np.rint(total)
    return found


def write_plan_view(frame: Frame, target: Path, transform: Floats, crs: CRS, rectifier: Rectifier) -> bool:
    """Write a frame's plan view, unless it is there already; returns whether it wrote.

    Raises OutputNotWritableError; OSError where the frame cannot be read.
    """
    import rasterio
    from PIL import Image

    from crackpipe.pipeline.raster.gdal import create_raster

    made_from = _made_from(frame.path, transform, crs, rectifier)
    if _is_there(target, made_from):
        return False
    with Image.open(frame.path, formats=("JPEG", "PNG", "TIFF")) as image:
        pixels = np.asarray(image.convert("L" if image.mode in {"L", "1"} else "RGB"))
    plan = rectified(pixels.reshape(*pixels.shape[:2], -1), rectifier)
    bands, height, width = plan.shape
    partial = target.with_name(f"{target.name}.partial")
    colours = {"photometric": "YCBCR", "interleave": "pixel"} if bands == 3 else {}
    profile = {
        **{"driver": "GTiff", "dtype": "uint8", "count": bands, "height": height, "width": width},
        **{"tiled": True, "blockxsize": _BLOCK_PX, "blockysize": _BLOCK_PX, "compress": "jpeg"},
        **{"jpeg_quality": _QUALITY, "crs": rasterio.crs.CRS.from_wkt(crs.to_wkt()), **colours},
        "transform": Affine(*transform.tolist()),
    }
    try:
        # the mask in the file itself: a file beside it could be lost
        with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True), create_raster(partial, **profile) as dataset:
            dataset.write(plan)
            dataset.write_mask(rectifier.view.inspected)
            dataset.update_tags(**{HOMOGRAPHY_TAG: rectifier.homography, _MADE_FROM_TAG: made_from})
        partial.replace(target)
    except (OSError, rasterio.errors.RasterioError) as error:
        raise OutputNotWritableError(f"cannot write {target}: {error}. Check space and rights.") from error
    return True


def _made_from(path: Path, transform: Floats, crs: CRS, rectifier: Rectifier) -> str:
    facts = [_VERSION, file_hash(path), rectifier.homography, crs.to_wkt(), str(rectifier.view.plan.shape)]
    facts += [repr(value) for value in transform.tolist()]
    digest = hashlib.blake2b("\n".join(facts).encode(), digest_size=16)
    digest.update(np.packbits(rectifier.view.inspected).tobytes())
    return digest.hexdigest()


def _is_there(target: Path, made_from: str) -> bool:
    """Whether a plan view was made of exactly this before."""
    import rasterio

    from crackpipe.pipeline.raster.gdal import open_raster

    if not target.is_file():
        return False
    try:
        with open_raster(target, "GTiff") as dataset:
            return bool(dataset.tags().get(_MADE_FROM_TAG) == made_from)
    except (OSError, rasterio.errors.RasterioError):
        return False
