"""A place within a registered road where the years do not lie on each other: nothing is said of it."""

import json
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pytest
from years.two_years import wandering, write_output

from crackpipe.pipeline.compare.compare import compare
from crackpipe.pipeline.compare.laid import Options

OFF = np.array([0.36, -0.34])
"""How far the newer year lies off the older one, m."""


def compared(older: Path, newer: Path, **options: Any) -> gpd.GeoDataFrame:
    compare(older, newer, newer, Options(**options))
    return gpd.read_parquet(newer / "changes.parquet")


def by_place(changes: gpd.GeoDataFrame, low: float, high: float) -> set[str]:
    """The verdicts of stretches between two x of the road."""
    middle = changes.geometry.interpolate(0.5, normalized=True).x - 500_000
    return set(changes.verdict[(middle > low) & (middle < high)])


@pytest.mark.parametrize("count", [60, 400])
def test_of_a_street_that_is_moved_beyond_the_tolerance_nothing_is_said(count: int, tmp_path: Path) -> None:
    road = wandering(6, count, 240.0)
    well = [each for each in road if each.line[:, 0].max() < 120]
    aside = [each for each in road if each.line[:, 0].max() >= 120]
    frames = [(-5.0, 245.0)]
    older = write_output(tmp_path / "2024", [*well, *aside], frames=frames)
    moved = [each.moved(np.array([2.5, 2.0])) for each in aside]
    newer = write_output(tmp_path / "2025", [*[each.moved(OFF) for each in well], *moved], frames=frames)
    changes = compared(older, newer)
    assert by_place(changes, 0, 85) == {"unchanged"}
    assert by_place(changes, 165, 245) == {"not registered"}
    assert "at this place" in changes.reason[changes.verdict == "not registered"].iloc[0]
    said = json.loads((newer / "changes.json").read_text())["registration"]
    assert said["roads_registered"] == 1 and said["nodes_not_registered"] > 0
    assert "not registered" not in set(compared(older, newer, within_m=3.0).verdict)


def test_a_part_of_a_road_with_a_new_surface_is_repaired_and_one_that_broke_is_new(tmp_path: Path) -> None:
    road, frames = wandering(7, 200, 240.0), [(-5.0, 245.0)]
    first = [each for each in road if each.line[:, 0].max() < 120]
    older = write_output(tmp_path / "2024", road, frames=frames)
    newer = write_output(tmp_path / "2025", [each.moved(OFF) for each in first], frames=frames)
    assert by_place(compared(older, newer), 125, 245) == {"repaired"}
    assert by_place(compared(newer, older), 125, 245) == {"new"}
