"""What changed per road section: sums by hand, bounds, ground that only one year saw."""

from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
from shapely import LineString
from years.two_years import ORIGIN, Found, wandering, write_output

from crackpipe.pipeline.compare.compare import compare
from crackpipe.pipeline.compare.laid import Options
from crackpipe.pipeline.compare.sections import Wanted, bounds
from crackpipe.pipeline.errors import UsageError
from crackpipe.pipeline.sections.options import Lanes

FRAMES = [(float(x), float(x + 10)) for x in range(0, 200, 10)]
OFF = np.array([0.3, 0.2])


def centreline(folder: Path) -> Path:
    line = LineString(ORIGIN + np.array([[0.0, 2.0], [200.0, 2.0]]))
    table = gpd.GeoDataFrame({"route_id": ["A1"]}, geometry=[line], crs="EPSG:25832")
    table.to_file(folder / "roads.gpkg")
    return folder / "roads.gpkg"


def compared(older: Path, newer: Path, line: Path | None) -> gpd.GeoDataFrame:
    wanted = Wanted(centreline=line, length_m=100.0, lanes=Lanes())
    compare(older, newer, newer, Options(), wanted)
    return gpd.read_parquet(newer / "changes_sections.parquet")


def straight(x: float, length: float, name: str) -> Found:
    return Found(np.column_stack([np.linspace(x, x + length, 9), np.full(9, 3.3)]), name)


@pytest.fixture(scope="module")
def road() -> list[Found]:
    return [each for each in wandering(7, 120, 200.0) if each.line[:, 1].min() > 0.4]


def test_each_section_has_its_new_and_repaired_cracks(road: list[Found], tmp_path: Path) -> None:
    older = write_output(tmp_path / "2024", [*road, straight(150, 1.0, "gone")], frames=FRAMES)
    new = [straight(20, 0.8, "new"), straight(40, 0.6, "newer")]
    newer = write_output(tmp_path / "2025", [each.moved(OFF) for each in [*road, *new]], frames=FRAMES)
    first, second = compared(older, newer, centreline(tmp_path)).to_dict("records")
    assert (first["route_id"], first["m_begin"], first["m_end"]) == ("A1", 0.0, pytest.approx(100.0, abs=0.1))
    assert (first["grown_m"], second["grown_m"]) == pytest.approx((1.4, 0.0), abs=0.01)
    assert (first["repaired_m"], second["repaired_m"]) == pytest.approx((0.0, 1.0), abs=0.01)
    assert first["grown_low_m"] <= 1.4 <= first["grown_high_m"] < 4.5
    assert second["grown_low_m"] == second["grown_high_m"] == 0.0
    assert first["registered"] and second["registered"]
    changes = gpd.read_parquet(newer / "changes.parquet").set_index("crack_id")
    assert changes.loc["new", "section_id"] == first["section_id"]


def test_ground_that_only_one_year_saw_has_no_figures(road: list[Found], tmp_path: Path) -> None:
    early = [each for each in road if each.line[:, 0].max() < 100]
    older = write_output(tmp_path / "2024", early, frames=FRAMES[:10])
    newer = write_output(tmp_path / "2025", road, frames=FRAMES)
    first, second = compared(older, newer, centreline(tmp_path)).to_dict("records")
    assert first["both_m2"] == pytest.approx(350.0, rel=0.01)
    assert first["grown_m"] == pytest.approx(0.0, abs=0.01)
    assert second["both_m2"] < 1.0
    assert np.isnan(second["grown_m"])


def test_without_a_centreline_sections_run_along_the_track(road: list[Found], tmp_path: Path) -> None:
    older, newer = (write_output(tmp_path / year, road, frames=FRAMES) for year in ("2024", "2025"))
    sections = compared(older, newer, None)
    assert sections.both_m2.sum() == pytest.approx(3.5 * 200, rel=0.02)
    assert set(sections.route_id) == {"track"}


def test_a_mosaic_without_a_centreline_has_no_sections_and_says_so(road: list[Found], tmp_path: Path) -> None:
    older, newer = (write_output(tmp_path / year, road, frames=[(0.0, 7.0)]) for year in ("2024", "2025"))
    (newer / "changes_sections.parquet").write_bytes(b"of an earlier comparison")
    summary = compare(older, newer, newer, Options())
    assert "no sections: the images make no track" in summary["notes"][-1]
    assert not (newer / "changes_sections.parquet").exists()
    with pytest.raises(UsageError, match="no such file"):
        compared(older, newer, tmp_path / "nowhere.gpkg")


def test_bounds_of_one_crack_are_its_length_and_of_many_lie_around_their_sum() -> None:
    rng = np.random.default_rng(1)
    values = np.concatenate([[2.0], rng.exponential(1.0, 400)])[:, None]
    low, high = bounds(values, np.array([0] + [2] * 400), 3)
    assert (low[0, 0], high[0, 0], low[1, 0], high[1, 0]) == (2.0, 2.0, 0.0, 0.0)
    total, deviation = values[1:].sum(), values[1:].std() * np.sqrt(400)
    assert low[2, 0] == pytest.approx(total - 1.96 * deviation, abs=0.35 * deviation)
    assert high[2, 0] == pytest.approx(total + 1.96 * deviation, abs=0.35 * deviation)
