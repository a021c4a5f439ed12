"""A short straight road with four cracks, and what its sections hold of them."""

from collections.abc import Callable
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest

from crackpipe.pipeline.sections.write import Written
from roads.drawn_run import Drawn, Road

ROAD = Road.bent(40.0, radius_m=np.inf)
CRACKS = [
    Drawn.straight((5.2, 0.0), (8.2, 0.0)),  # along the centre
    Drawn.straight((12.5, -1.0), (12.5, 1.0), 0.5),  # across: 0.75 m in the centre, 0.625 m in each path
    Drawn.straight((25.2, 0.8), (27.2, 0.8), 4.0),  # in the right wheel path
    Drawn.straight((30.0, 1.8), (31.0, 1.9)),  # beside the lane
]
Sections = Callable[..., Written]
"""Writes sections of the road along the lines that it is given."""


def table(run: Path) -> gpd.GeoDataFrame:
    return gpd.read_parquet(run / "sections.parquet")


def lengths(run: Path) -> pd.Series:
    """Length by section, zone and type, where there is any."""
    long = pd.read_parquet(run / "section_lengths.parquet")
    found = long[long.length_m > 0].groupby(["m_begin", "zone", "crack_type"], dropna=False).length_m.sum()
    return found.round(2)


EXPECTED = {
    (0.0, "centre", "longitudinal"): 3.0,
    (0.0, "centre", "transverse"): 0.75,
    (0.0, "wheel_path_left", "transverse"): 0.62,
    (0.0, "wheel_path_right", "transverse"): 0.62,
    (20.0, "wheel_path_right", "longitudinal"): 2.0,
}
"""In metres, of sections of 20 m."""


def assert_as_drawn(run: Path) -> None:
    found = lengths(run)
    found = found[found.index.get_level_values("zone") != "outside"]
    assert dict(found) == {key: pytest.approx(value, abs=0.02) for key, value in EXPECTED.items()}
