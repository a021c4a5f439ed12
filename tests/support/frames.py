"""Images and lines given in metres from one corner of the world, to try what happens where images meet."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import shapely
from affine import Affine
from pyproj import CRS

from crackpipe.pipeline.geometry.ground import footprint_corners, ground_matrix, gsd_mm_of
from crackpipe.pipeline.image import BandLayout, FileStamp, SurveyImage
from crackpipe.pipeline.tables.overlaps.plane import Frame

UTM32 = CRS("EPSG:25832")
# 9 degrees east, where UTM's scale is 0.9996
ORIGIN = np.array([500_000.0, 5_400_000.0])
GSD_M = 0.001


def transform_at(east_m: float, north_m: float, *, turned_deg: float = 0.0) -> Affine:
    """Of an image of 1 mm/px with its first corner there, its rows turned clockwise by some degrees."""
    place = Affine.translation(ORIGIN[0] + east_m, ORIGIN[1] + north_m)
    return place @ Affine.rotation(-turned_deg) @ Affine.scale(GSD_M, -GSD_M)


def frame(
    east_m: float,
    north_m: float,
    *,
    height_px: int = 1000,
    width_px: int = 1000,
    turned_deg: float = 0.0,
    inspected: str | None = None,
) -> Frame:
    """A frame of 1 mm/px; all of it inspected unless WKT in pixels says otherwise."""
    transform, size = transform_at(east_m, north_m, turned_deg=turned_deg), (height_px, width_px)
    ground = ground_matrix(transform, UTM32, *size)
    return Frame(footprint_corners(transform, *size), *size, ground, inspected)


def line(*points: tuple[float, float]) -> shapely.LineString:
    """Through points (east, north) in metres."""
    return shapely.LineString(np.array(points) + ORIGIN)


def lines(each: Sequence[shapely.LineString]) -> np.ndarray:
    return np.array(each, dtype=object)


def survey_image(
    image_id: str, crs: CRS, transform: Affine, size_px: tuple[int, int] = (1000, 1000)
) -> SurveyImage:
    """An accepted image without a file."""
    ground = ground_matrix(transform, crs, *size_px)
    return SurveyImage(
        image_id=image_id, survey="survey", file=FileStamp(Path(image_id), 1, 1), driver="GTiff",
        height_px=size_px[0], width_px=size_px[1], bands=3, dtype="uint8", layout=BandLayout((1, 2, 3)),
        transform=transform, crs_wkt=crs.to_wkt(),
        ground=((ground[0, 0], ground[0, 1]), (ground[1, 0], ground[1, 1])), gsd_mm=gsd_mm_of(ground),
        nodata=None, mask=None, has_missing_blocks=False, acquired=None,
    )  # fmt: skip
