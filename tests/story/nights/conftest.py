"""A network with a share and a road."""

from pathlib import Path

import geopandas
import pytest
import shapely
from nights import NETWORK, draw


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A share with two surveys, a road along them, and network.toml."""
    north = tmp_path / "share/north"
    draw(north / "s1", "ab")
    (north / "s1/survey.toml").write_text("acquired = 2025-05-01\n")
    draw(north / "s2", "cdefgh")
    (north / "s2/broken.tif").write_bytes(b"")
    road = shapely.LineString([(500_090, 5_399_999.9), (500_110, 5_399_999.9)])
    frame = geopandas.GeoDataFrame({"route_id": ["r"]}, geometry=[road], crs="EPSG:25832")
    frame.to_file(tmp_path / "roads.gpkg")
    (tmp_path / "disk").mkdir()
    (tmp_path / "network.toml").write_text(NETWORK)
    return tmp_path
