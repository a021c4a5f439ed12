"""Two contractors drove one road in one year: what they found is told apart, and no change is made of it."""

from dataclasses import replace
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
from years.two_years import Found, wandering, write_output

from crackpipe.pipeline.compare.compare import compare
from crackpipe.pipeline.compare.laid import Options

OFFS = (np.array([0.36, -0.34]), np.array([-0.22, 0.15]))
"""How far each contractor's GNSS places the road off, m."""
TURNED = np.radians(0.2)
FOUND_ALONE = "1-3"


def as_found_by(contractor: int, road: list[Found]) -> list[Found]:
    """The road's cracks with this contractor's place, noise of lines and widths, and ends."""
    rng = np.random.default_rng((7, contractor))
    found = []
    for each in road:
        # a network ends a crack some centimetres earlier or later; a vertex stands every 50 mm
        line = each.line[rng.integers(0, 2) : len(each.line) - rng.integers(0, 2)]
        line = line + rng.normal(0, 0.003, line.shape)
        width_mm = each.width_mm * np.exp(rng.normal(0, 0.1))
        found.append(replace(each, line=line, width_mm=width_mm).moved(OFFS[contractor], contractor * TURNED))
    return found


def told(first: Path, second: Path) -> tuple[gpd.GeoDataFrame, dict[str, object]]:
    said = compare(first, second, second, Options())
    return gpd.read_parquet(second / "changes.parquet"), said


@pytest.fixture
def outputs(tmp_path: Path) -> tuple[Path, Path]:
    """Of one year. The second contractor cut the road into other images, and missed one crack."""
    road = wandering(1, 150, 120.0)
    first = write_output(tmp_path / "first", as_found_by(0, road))
    frames = [(-5.0, 45.0), (45.0, 125.0)]
    seen = [each for each in as_found_by(1, road) if each.name != FOUND_ALONE]
    return first, write_output(tmp_path / "second", seen, frames=frames)


def test_of_one_road_two_contractors_show_nothing_new(outputs: tuple[Path, Path]) -> None:
    changes, said = told(*outputs)
    grown = changes.verdict.isin(["new", "longer"])
    assert changes.length_m[grown].sum() <= 0.02 * changes.length_m.sum()
    both = changes[changes.crack_id.notna() & changes.crack_id_before.notna()]
    assert (both.crack_id == both.crack_id_before).mean() > 0.98
    assert both.length_m.sum() > 0.97 * changes.length_m.sum()
    # two cameras: an error of width that both photographs of one camera would share counts too
    assert not said["one_camera"]
    assert both.verdict.isin(["wider", "narrower"]).mean() <= 0.05
    assert "both have cracks of 2024-05-20" in str(said["notes"])


def test_what_one_contractor_found_alone_is_named_by_who_came_first(outputs: tuple[Path, Path]) -> None:
    """The column of the other one is empty: the table says who found what, in either order."""
    for (first, second), verdict, name, empty in (
        (outputs, "repaired", "crack_id_before", "crack_id"),
        (outputs[::-1], "new", "crack_id", "crack_id_before"),
    ):
        changes, _ = told(first, second)
        alone = changes[changes[empty].isna() & (changes.length_m > 0.15)]
        assert alone[name].tolist() == [FOUND_ALONE]
        assert alone.verdict.tolist() == [verdict]
