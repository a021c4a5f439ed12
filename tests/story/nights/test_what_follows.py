"""Sections, report and exports of a night, also where somebody has the map open."""

import csv
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import geopandas
import pytest
import shapely

from crackpipe.pipeline.nightly import night
from crackpipe.pipeline.nightly.facts import network
from crackpipe.pipeline.nightly.facts.budget import Budget
from crackpipe.pipeline.nightly.facts.outcome import Night

NETWORK = """
output = "out"

[sources.north]
folder = {folder!r}
quiet_minutes = 0
sections = {{ centreline = "roads.gpkg", length = "1m" }}
report = true
exports = ["csv"]
"""


@pytest.fixture
def home(survey: Path, finished: Path, tmp_path: Path) -> Path:
    """A network of one survey whose images are finished, with a map of an earlier export."""
    (tmp_path / "network.toml").write_text(NETWORK.format(folder=str(survey.parent)))
    road = shapely.LineString([(499_999, 5_399_999.5), (500_005, 5_399_999.5)])
    frame = geopandas.GeoDataFrame({"route_id": ["r"]}, geometry=[road], crs="EPSG:25832")
    frame.to_file(tmp_path / "roads.gpkg")
    shutil.copytree(finished, result(tmp_path), symlinks=True)
    (result(tmp_path) / ".crackpipe/exports.json").unlink()
    return tmp_path


def result(home: Path) -> Path:
    return home / "out/surveys/north/survey-cracks"


def nightly(home: Path) -> Night:
    return night.night(network.read(home / "network.toml"), Budget(), ["--serial"])


@contextmanager
def open_in_qgis(file: Path) -> Iterator[None]:
    """QGIS writes ahead (WAL), and reads as long as the layer is on its map."""
    with closing(sqlite3.connect(file, isolation_level=None)) as reader:
        assert reader.execute("pragma journal_mode = wal").fetchone() == ("wal",)
        reader.execute("begin")
        reader.execute("select count(*) from cracks").fetchone()
        yield


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_all_but_an_open_map_is_made_and_the_map_the_night_after(home: Path) -> None:
    out = result(home)
    map_before = (out / "cracks.gpkg").stat().st_ino
    with open_in_qgis(out / "cracks.gpkg"):
        held = nightly(home)
    assert held.code == 75
    [outcome] = held.outcomes.values()
    assert outcome.state == "in use" and "probably QGIS" in outcome.said
    assert (out / "cracks.gpkg").stat().st_ino == map_before
    assert len(geopandas.read_parquet(out / "sections.parquet")) == 6
    assert (out / "report.html").stat().st_size > 100_000
    cracks = geopandas.read_parquet(out / "cracks.parquet")
    with (out / "cracks.csv").open(encoding="utf-8-sig", newline="") as file:
        assert {row["crack_id"] for row in csv.DictReader(file)} == set(cracks.crack_id)
    assert held.tables is not None
    assert held.tables["rows"] == {"cracks": len(cracks), "sections": 6, "latest_sections": 6}

    made_ns = (out / "cracks.csv").stat().st_mtime_ns
    free = nightly(home)
    assert free.code == 3
    assert [each.state for each in free.outcomes.values()] == ["done"]
    assert (out / "cracks.gpkg").stat().st_ino != map_before
    assert set(geopandas.read_file(out / "cracks.gpkg", layer="cracks").crack_id) == set(cracks.crack_id)
    assert (out / "cracks.csv").stat().st_mtime_ns == made_ns  # it was as it should be
    assert [each.state for each in nightly(home).outcomes.values()] == ["unchanged"]
