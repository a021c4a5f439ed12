"""Two lanes that were driven by themselves: what was inspected is asked where each lane lies, not aside."""

from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
from shapely import LineString
from years.two_years import ORIGIN, Found, wandering, write_output

from crackpipe.pipeline.compare.compare import compare
from crackpipe.pipeline.compare.laid import Options
from crackpipe.pipeline.compare.sections import Wanted
from crackpipe.pipeline.sections.options import Lanes

# The right lane lies from y = 0 to 3.5 m, the left one to 7 m. Of the left one there is less, so that the
# first field is that of the right one, which lies where it lay.
RIGHT = wandering(1, 100, 100.0)
LEFT = [each.moved(np.array([0.0, 3.5])) for each in wandering(2, 60, 100.0)]
OLDER_IMAGES = ((-3.0, 3.5), (3.5, 7.0))
FRAMES = ((-5.0, 105.0),)


def compared(tmp_path: Path, aside_m: float, new_y: float) -> tuple[str, float]:
    """The verdict of a new crack of 1 m at `new_y`, and `both_m2` of a lane of 100 m from y = 4.25 to 7.75 m.

    The newer year places the left lane `aside_m` farther left, and inspected all of the ground.
    """
    older = write_output(tmp_path / "2024", [*RIGHT, *LEFT], frames=FRAMES, across=OLDER_IMAGES)
    new = Found(np.array([[50.0, new_y], [51.0, new_y]]), "new")
    left = [each.moved(np.array([0.0, aside_m])) for each in LEFT]
    newer = write_output(tmp_path / "2025", [*RIGHT, *left, new], frames=FRAMES, across=((-3.0, 12.0),))
    line = LineString(ORIGIN + np.array([[0.0, 6.0], [100.0, 6.0]]))
    roads = gpd.GeoDataFrame({"route_id": ["A1"]}, geometry=[line], crs="EPSG:25832")
    roads.to_file(tmp_path / "roads.gpkg")
    wanted = Wanted(centreline=tmp_path / "roads.gpkg", length_m=200.0, lanes=Lanes())
    said = compare(older, newer, newer, Options(), wanted)
    assert said["registration"]["drives"] == 2
    changes = gpd.read_parquet(newer / "changes.parquet").set_index("crack_id")
    section = gpd.read_parquet(newer / "changes_sections.parquet").to_dict("records")[0]
    return str(changes.loc["new", "verdict"]), float(section["both_m2"])


@pytest.mark.parametrize(
    ("aside_m", "new_y", "verdict", "both_m"),
    [
        # the older image of the left lane ends at 7 m and is seen from 4.3 to 7.8 m: 6.6 m was inspected then
        (0.8, 7.4, "new", 7.75 - 4.3),
        # it is seen from 2.7 to 6.2 m: 7.4 m was not inspected then
        (-0.8, 6.6, "first seen", 6.2 - 4.25),
    ],
)
def test_the_ground_of_each_lane_lies_where_its_cracks_lie(
    tmp_path: Path, aside_m: float, new_y: float, verdict: str, both_m: float
) -> None:
    said, both_m2 = compared(tmp_path, aside_m, new_y)
    assert said == verdict
    assert both_m2 == pytest.approx(100 * both_m, rel=0.02)
