"""The network's tables: partitions, what moves, and what a reader sees while they change."""

import datetime
import json
import re
import shutil
import threading
from pathlib import Path

import duckdb
import geopandas
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import shapely
from paths import ROOT
from pyproj import CRS

from crackpipe.pipeline.errors import ConfigurationError, OutputDamagedError
from crackpipe.pipeline.network.parts import CRACKS, Part
from crackpipe.pipeline.network.publish import publish
from crackpipe.pipeline.sections.schemas import SECTIONS
from crackpipe.pipeline.tables import crack_rows, geoparquet

UTM32, UTM33 = CRS.from_epsg(25832), CRS.from_epsg(25833)


def filled(schema: pa.Schema, **columns: list[object]) -> pa.Table:
    """A table with these columns; the others hold what their type may hold."""
    count = len(columns["geometry"])
    empty = {pa.string(): "x", pa.float64(): 1.0, pa.int64(): 1, pa.bool_(): False}
    values = []
    for field in schema:
        given = columns.get(field.name)
        if given is None:
            given = [None if field.nullable else empty[field.type]] * count
        values.append(given if isinstance(given, pa.Array) else pa.array(given, field.type))
    return pa.table(values, schema=schema)


def result(folder: Path, dates: list[str | None], *, crs: CRS = UTM32, x: float = 500_000.0) -> Part:
    """A result with a crack of 1 m, running north-east, for each date; without masks."""
    lines = np.array(
        [shapely.LineString([(x + i, 5.4e6), (x + i + 1, 5.4e6 + 1)]) for i in range(len(dates))]
    )
    table = filled(
        crack_rows.SCHEMA,
        crack_id=[f"{folder.name}-{number}" for number in range(len(dates))],
        acquired=[None if each is None else datetime.date.fromisoformat(each) for each in dates],
        orientation_deg=[45.0] * len(dates),
        geometry=geoparquet.wkb_of(lines),
        bbox=geoparquet.bbox_of(lines),
    )
    folder.mkdir(parents=True, exist_ok=True)
    geoparquet.write(
        table, np.arange(len(dates)), folder / "cracks.parquet", crs=crs, geometry_type="LineString"
    )
    return Part(folder.name, folder)


def with_sections(part: Part, *names: str) -> Part:
    lines = np.array([shapely.LineString([(500_000, 5.4e6), (500_100, 5.4e6)])] * len(names))
    table = filled(
        SECTIONS, section_id=list(names), geometry=geoparquet.wkb_of(lines), bbox=geoparquet.bbox_of(lines)
    )
    path = part.out / "sections.parquet"
    geoparquet.write(table, np.arange(len(names)), path, crs=UTM32, geometry_type="LineString")
    return part


def cracks(folder: Path) -> list[tuple[str, str, str]]:
    """Year, source and crack_id of all rows, as DuckDB reads the folders."""
    rows = duckdb.sql(f"select year, source, crack_id from '{folder}/cracks/*/*/*.parquet' order by all")
    return [(str(year), source, crack) for year, source, crack in rows.fetchall()]


def files(folder: Path) -> dict[str, int]:
    """Files of the present version, with their inodes."""
    root = (folder / "cracks").resolve().parent
    return {str(each.relative_to(root)): each.stat().st_ino for each in sorted(root.rglob("*.parquet"))}


def test_partitions_are_year_and_source(tmp_path: Path) -> None:
    north = result(tmp_path / "s1", ["2024-12-31", "2025-01-01", None])
    south = result(tmp_path / "s2", ["2025-06-01"])
    done = publish(tmp_path / "net", {"nord / süd=1": [north], "b": [south]}, None)
    assert done.changed and done.crs == "EPSG:25832"
    assert cracks(tmp_path / "net") == [
        ("2024", "nord / süd=1", "s1-0"),
        ("2025", "b", "s2-0"),
        ("2025", "nord / süd=1", "s1-1"),
        ("unknown", "nord / süd=1", "s1-2"),
    ]
    assert "cracks/year=2024/source=nord%20%2F%20s%C3%BCd%3D1/cracks.parquet" in files(tmp_path / "net")
    schema = pq.read_schema(tmp_path / "net/cracks/year=2025/source=b/cracks.parquet")
    assert schema.names == CRACKS.names  # neither year nor source
    frame = geopandas.read_parquet(tmp_path / "net/cracks/year=2025/source=b/cracks.parquet")
    assert frame.crs == UTM32 and frame.length.iloc[0] == pytest.approx(2**0.5)


def test_what_did_not_change_is_not_written_again(tmp_path: Path) -> None:
    a, b = result(tmp_path / "s1", ["2025-01-01"]), result(tmp_path / "s2", ["2025-01-01"])
    publish(tmp_path / "net", {"a": [a], "b": [b]}, None)
    before = files(tmp_path / "net")
    assert not publish(tmp_path / "net", {"a": [a], "b": [b]}, None).changed
    assert files(tmp_path / "net") == before
    result(tmp_path / "s1", ["2025-01-01", "2025-01-02"])
    assert publish(tmp_path / "net", {"a": [a], "b": [b]}, None).rows["cracks"] == 3
    after = files(tmp_path / "net")
    same = "cracks/year=2025/source=b/cracks.parquet"
    assert after[same] == before[same]  # a hard link
    assert after[same.replace("=b", "=a")] != before[same.replace("=b", "=a")]


def test_rows_that_moved_leave_their_old_partition(tmp_path: Path) -> None:
    part = result(tmp_path / "s1", [None, "2024-01-01"])
    publish(tmp_path / "net", {"a": [part]}, None)
    result(tmp_path / "s1", ["2025-01-01", "2024-01-01"])  # its date was put right
    publish(tmp_path / "net", {"a": [part]}, None)
    assert cracks(tmp_path / "net") == [("2024", "a", "s1-1"), ("2025", "a", "s1-0")]
    done = publish(tmp_path / "net", {"renamed": [part]}, None)
    assert cracks(tmp_path / "net") == [("2024", "renamed", "s1-1"), ("2025", "renamed", "s1-0")]
    assert done.notes == ["source 'a' is no longer in network.toml; its rows left the network's tables"]


def test_a_source_that_cannot_be_read_stays(tmp_path: Path) -> None:
    a, b = result(tmp_path / "s1", ["2025-01-01"]), result(tmp_path / "s2", ["2025-01-01"])
    publish(tmp_path / "net", {"a": [a], "b": [b]}, None)
    shutil.rmtree(tmp_path / "s1")
    result(tmp_path / "s2", ["2026-01-01"])
    publish(tmp_path / "net", {"a": None, "b": [b]}, None)
    assert cracks(tmp_path / "net") == [("2025", "a", "s1-0"), ("2026", "b", "s2-0")]


def test_other_crs_are_moved_and_lengths_stay(tmp_path: Path) -> None:
    east = result(tmp_path / "s2", ["2025-01-01"], crs=UTM33, x=60_000.0)
    done = publish(tmp_path / "net", {"a": [east]}, "EPSG:25832")
    frame = geopandas.read_parquet(tmp_path / "net/cracks/year=2025/source=a/cracks.parquet")
    assert (done.crs, frame.crs) == ("EPSG:25832", UTM32)
    assert frame.length_m.iloc[0] == 1.0
    ends = shapely.get_coordinates(frame.geometry.iloc[0])
    east_m, north_m = ends[-1] - ends[0]
    # grid north of the two zones differs by some degrees here, so orientations follow the grid
    assert abs(frame.orientation_deg.iloc[0] - 45) > 2
    assert frame.orientation_deg.iloc[0] == pytest.approx(np.degrees(np.arctan2(east_m, north_m)))
    boxes = pq.ParquetFile(tmp_path / "net/cracks/year=2025/source=a/cracks.parquet").read()["bbox"]
    assert boxes[0]["xmin"].as_py() == pytest.approx(ends[:, 0].min())


def test_a_crs_that_does_not_reach_there_is_refused(tmp_path: Path) -> None:
    part = result(tmp_path / "s1", ["2025-01-01"])
    with pytest.raises(ConfigurationError, match="a `crs` that covers all its surveys"):
        publish(tmp_path / "net", {"a": [part]}, "+proj=ortho +lat_0=-48 +lon_0=-170 +type=crs")


def test_the_same_results_give_the_same_bytes(tmp_path: Path) -> None:
    parts = [
        with_sections(result(tmp_path / name, ["2025-01-01", None]), "r1", "r2") for name in ("s1", "s2")
    ]
    found = []
    for name, order in (("one", parts), ("two", parts[::-1])):
        publish(tmp_path / name, {"a": order}, None)
        root = tmp_path / name / ".versions/1"
        found.append({str(each.relative_to(root)): each.read_bytes() for each in root.rglob("*.parquet")})
    assert found[0] == found[1]
    latest = pq.read_table(tmp_path / "one/latest_sections.parquet")
    assert latest["survey"].to_pylist() == ["s2", "s2"]  # both of 2025, the name decides


def damage(part: Part, where: str) -> None:
    """Let a result be one that cannot be opened, or one whose rows cannot be decoded."""
    file = part.out / "cracks.parquet"
    content = bytearray(file.read_bytes())
    at = 4 if where == "rows" else len(content) - 40
    content[at : at + 30] = b"\xff" * 30
    file.write_bytes(content)


@pytest.mark.parametrize("where", ["rows", "footer"])
def test_of_a_damaged_result_its_source_stays_and_the_others_go_on(where: str, tmp_path: Path) -> None:
    a, b = result(tmp_path / "s1", ["2025-01-01"]), result(tmp_path / "s2", ["2025-01-01"])
    sources = {"a": [a], "b": [b]}
    damage(a, where)
    first = publish(tmp_path / "net", sources, None)
    assert list(first.damaged) == ["a"]
    assert cracks(tmp_path / "net") == [("2025", "b", "s2-0")]

    result(tmp_path / "s1", ["2025-01-01"])
    publish(tmp_path / "net", sources, None)
    for name in ("s1", "s2"):
        result(tmp_path / name, ["2026-01-01"])
    damage(a, where)
    said = publish(tmp_path / "net", sources, None).damaged["a"]
    assert "s1 cannot be read" in said and "`crackpipe verify" in said
    assert cracks(tmp_path / "net") == [("2025", "a", "s1-0"), ("2026", "b", "s2-0")]
    before = files(tmp_path / "net")
    again = publish(tmp_path / "net", sources, None)
    assert list(again.damaged) == ["a"] and not again.changed
    assert files(tmp_path / "net") == before

    with pytest.raises(OutputDamagedError, match="s1 cannot be read"):
        publish(tmp_path / "net", sources, "EPSG:25833")  # what is there of the source is in another CRS
    assert files(tmp_path / "net") == before


def test_a_damaged_manifest_is_told(tmp_path: Path) -> None:
    part = result(tmp_path / "s1", ["2025-01-01"])
    publish(tmp_path / "net", {"a": [part]}, None)
    (tmp_path / "net/manifest.json").write_text("{}")
    with pytest.raises(OutputDamagedError, match="Remove it: the tables are made again"):
        publish(tmp_path / "net", {"a": [part]}, None)


@pytest.mark.parametrize("at", ["_point", "_remove_older"])
def test_a_publication_that_is_killed_is_completed_by_the_next(
    at: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    part = result(tmp_path / "s1", ["2025-01-01"])
    publish(tmp_path / "net", {"a": [part]}, None)
    result(tmp_path / "s1", ["2026-01-01"])

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(f"crackpipe.pipeline.network.publish.{at}", killed)
        with pytest.raises(KeyboardInterrupt):
            publish(tmp_path / "net", {"a": [part]}, None)
    publish(tmp_path / "net", {"a": [part]}, None)
    assert cracks(tmp_path / "net") == [("2026", "a", "s1-0")]


def test_queries_of_the_documentation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    publish(tmp_path / "network", {"a": [result(tmp_path / "s1", ["2025-01-01", None])]}, None)
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```sql\n(.*?)```", (ROOT / "docs/use/nightly.md").read_text(), re.DOTALL)
    found = [duckdb.execute(block).fetchall() for block in blocks]
    assert found[0] == [("2025", "a", None, 1.0), ("unknown", "a", None, 1.0)]
    assert sorted(found[1]) == [("2025", "a", 1), ("unknown", "a", 1)]


def test_a_reader_of_the_manifest_sees_each_source_once_at_every_instant(tmp_path: Path) -> None:
    parts = {name: [result(tmp_path / name, ["2025-01-01"])] for name in ("a", "b", "c")}
    net = tmp_path / "net"
    publish(net, parts, None)
    wrong: list[object] = []
    reads = 0
    stop = threading.Event()

    def read() -> None:
        nonlocal reads
        while not stop.is_set():
            manifest = json.loads((net / "manifest.json").read_text())
            paths = [net / manifest["folder"] / each["path"] for each in manifest["tables"]["cracks"]]
            sources = sorted(each["source"] for each in manifest["tables"]["cracks"])
            try:
                rows = [pq.ParquetFile(path).metadata.num_rows for path in paths]
            except FileNotFoundError:  # two publications came in between: the manifest is read again
                continue
            if sources != ["a", "b", "c"] or rows != [1, 1, 1]:
                wrong.append((manifest["version"], sources, rows))
            reads += 1

    reader = threading.Thread(target=read)
    reader.start()
    try:
        for year in range(2001, 2021):  # all rows move to another partition, twenty times
            for name in parts:
                result(tmp_path / name, [f"{year}-01-01"])
            publish(net, parts, None)
    finally:
        stop.set()
        reader.join()
    assert not wrong
    assert reads >= 20
    assert sorted(each.name for each in (net / ".versions").iterdir()) == ["20", "21"]
