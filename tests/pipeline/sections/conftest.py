"""A finished run over a short straight road, and sections of it."""

from pathlib import Path

import geopandas as gpd
import pytest
import shapely
from pyproj import CRS
from roads.drawn_run import shots, write_lines, write_run
from roads.short import CRACKS, ROAD, Sections

from crackpipe.pipeline.sections.write import Request, Written, write_sections


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_run(tmp_path_factory.mktemp("short") / "out", ROAD, shots(40.0), CRACKS)


@pytest.fixture
def sections(run: Path, tmp_path: Path) -> Sections:
    """Writes sections with a centreline of these lines."""

    def write(*lines: shapely.Geometry, crs: str = "EPSG:25832", **options: object) -> Written:
        columns = options.pop("columns", {"route_id": ["A1"] * len(lines)})
        moved = gpd.GeoSeries(list(lines), crs="EPSG:25832").to_crs(crs)
        file = write_lines(tmp_path / "roads.parquet", moved.tolist(), CRS(crs), **columns)  # type: ignore[arg-type]
        return write_sections(Request(**{"out": run, "length_m": 20.0, "centreline": file, **options}))  # type: ignore[arg-type]

    return write
