"""Layers of points: columns as in a CSV, and what is wrong with a feature."""

from pathlib import Path

import geopandas
import numpy as np
import shapely

from crackpipe.pipeline.frames.files.camera import Camera
from crackpipe.pipeline.frames.positions.layer import read_layer


def test_a_heading_and_a_time_that_cannot_be_read_leave_each_other(tmp_path: Path) -> None:
    columns = {"image": ["a.jpg", "b.jpg"], "yaw": ["north", "63"], "time": ["1747735200", "10:00:01"]}
    points = geopandas.GeoDataFrame(columns, geometry=shapely.points([[9.9, 53.5], [9.9, 53.6]]), crs=4326)
    points.to_file(tmp_path / "points.geojson")
    found = read_layer(tmp_path / "points.geojson", {}, [], Camera())
    assert np.array_equal(found.heading, [np.nan, 63], equal_nan=True)
    assert np.array_equal(found.time_s, [1747735200, np.nan], equal_nan=True)
    assert found.xy.tolist() == [[9.9, 53.5], [9.9, 53.6]]
    assert [fault.line for fault in found.faults] == [1, 2]
