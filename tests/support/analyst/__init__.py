"""What an analyst saves who sees every crack of `survey`, the small survey of the tests."""

from pathlib import Path

import geopandas as gpd
import numpy as np
import shapely
from helpers import STRIP_CRACK, crack

from crackpipe.model.render.cracks import Crack

UTM = "EPSG:25832"
ON_A = (crack(40, 60, 560, 700, 4.0), crack(300, 380, 60, 720, 2.5))
CORNER_X = {"lane1/a.tif": 500_000.0, "lane1/b.tif": 500_001.0, "lane2/strip.tif": 500_003.0}


def world_line(drawn: Crack, image_id: str) -> shapely.LineString:
    """A drawn crack in UTM; images have 1 mm/px and their north-west corner at y = 5,400,000."""
    row, col = drawn.centreline.T
    return shapely.LineString(
        np.column_stack([CORNER_X[image_id] + (col + 0.5) / 1000, 5_400_000 - (row + 0.5) / 1000])
    )


def truth() -> gpd.GeoDataFrame:
    """What an analyst saves who sees every crack."""
    cracks = [("lane1/a.tif", ON_A[0]), ("lane1/a.tif", ON_A[1]), ("lane2/strip.tif", STRIP_CRACK)]
    return gpd.GeoDataFrame(
        {
            "image_id": [image_id for image_id, _ in cracks],
            "width_mm": [float(drawn.width_px[0]) for _, drawn in cracks],
        },
        geometry=[world_line(drawn, image_id) for image_id, drawn in cracks],
        crs=UTM,
    )


def saved(table: gpd.GeoDataFrame, file: Path) -> Path:
    if file.suffix == ".parquet":
        table.to_parquet(file)
    else:
        table.to_file(file)
    return file
