"""Outputs to report on: one with sections, and the same with hostile names."""

import shutil
from pathlib import Path

import geopandas as gpd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import shapely
from deliveries import names_of, surveyed, write_frames

from crackpipe.pipeline.sections.write import Request, write_sections

HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)>&lt;!--\u2028"


@pytest.fixture(scope="session")
def hostile_text() -> str:
    """What stands in every text of `hostile`."""
    return HOSTILE


@pytest.fixture(scope="session")
def output(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the finished run."""
    copy = tmp_path_factory.mktemp("report") / "out"
    shutil.copytree(finished, copy)
    return copy


@pytest.fixture(scope="session")
def with_sections(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy with sections of one metre on a road through all images, which goes on where none is."""
    folder = tmp_path_factory.mktemp("sections")
    copy, roads = folder / "out", folder / "roads.gpkg"
    shutil.copytree(finished, copy)
    road = shapely.LineString([(499_998.0, 5_399_999.7), (500_010.0, 5_399_999.7)])
    gpd.GeoDataFrame({"route_id": ["A 1"]}, geometry=[road], crs="EPSG:25832").to_file(roads)
    write_sections(Request(out=copy, centreline=roads, length_m=1.0))
    return copy


@pytest.fixture(scope="session")
def delivered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A survey of eight frames where the run's images lie: gaps, a jump, and a frame without a place."""
    folder = tmp_path_factory.mktemp("delivered")
    names = names_of(8)
    write_frames(folder / "frames", names)
    (folder / "camera.toml").write_text("mm_per_px = 20.0\n")
    rows = ["filename,x,y"]
    for number, name in enumerate(names):
        east = 500_000 + 0.5 * number + (1.0 if number > 2 else 0) + (300 if number > 5 else 0)
        rows.append(f"{name},{east},5399999.7")
    rows[5] = rows[5].replace(names[4], "other.jpg")
    (folder / "positions.csv").write_text("\n".join(rows))
    surveyed(folder, positions_crs="EPSG:25832", seams=False)
    return folder / "survey"


@pytest.fixture(scope="session")
def hostile(output: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The output with a hostile text in every column of text, also in the name of the survey."""
    copy = tmp_path_factory.mktemp("hostile") / "out"
    shutil.copytree(output, copy)
    for name in ("cracks.parquet", "images.parquet"):
        table = pq.read_table(copy / name)
        kept = {"crack_id", "status", "width_class", "crack_type", "network_id"}
        for index, field in enumerate(table.schema):
            if field.type == pa.string() and field.name not in kept:
                values = [None if v is None else f"{v}{HOSTILE}" for v in table.column(index).to_pylist()]
                table = table.set_column(index, field, pa.array(values, pa.string()))
        pq.write_table(table, copy / name)
    return copy
