"""Two years that were written from known cracks: every verdict, what a result says, and what a road needs."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pytest
from click.testing import CliRunner
from pyproj import CRS
from years.two_years import Found, compared, wandering, write_output

from crackpipe.cli import cli
from crackpipe.pipeline.compare.compare import compare
from crackpipe.pipeline.compare.laid import Options
from crackpipe.pipeline.errors import OutputDamagedError, UsageError

OFF = np.array([0.36, -0.34])
"""How far the newer year lies off the older one, m."""
TURNED = np.radians(0.2)


def by_crack(changes: gpd.GeoDataFrame) -> dict[str, list[str]]:
    """The verdicts of each crack, by its name in the newer year or else in the older."""
    names = changes.crack_id.fillna(changes.crack_id_before)
    return changes.verdict.groupby(names).apply(lambda said: sorted(set(said))).to_dict()


def straight(x: float, y: float, length: float, name: str, **known: Any) -> Found:
    line = np.column_stack([np.linspace(x, x + length, 9), np.full(9, y)])
    return Found(line, name, **known)


def test_cracks_that_only_moved_are_unchanged(road: list[Found], tmp_path: Path) -> None:
    older = write_output(tmp_path / "2024", road)
    newer = write_output(tmp_path / "2025", [each.moved(OFF, TURNED) for each in road], year=2025)
    changes = compared(older, newer)
    assert set(changes.verdict) == {"unchanged"}
    assert changes.length_m.sum() == pytest.approx(
        sum(np.hypot(*np.diff(r.line, axis=0).T).sum() for r in road)
    )
    assert changes.crack_id.tolist() == changes.crack_id_before.tolist()
    said = json.loads((newer / "changes.json").read_text())
    assert said["registration"]["residual_median_mm"] < 3
    assert said["registration"]["offset_largest_m"] > 0.4


def test_each_fate_is_told(road: list[Found], tmp_path: Path) -> None:
    before, after = list(road), list(road)
    before[0] = road[0].part(0.5)  # grew
    after[1] = replace(road[1], width_mm=4.0)  # opened
    after[2] = replace(road[2], width_mm=2.2)  # within what is known
    after[3] = replace(road[3], width_mm=9.0, flag=True)  # failed its cross-check
    after[4] = replace(road[4], width_mm=0.5)  # was filled
    gone, new = straight(30, -2, 0.8, "gone"), straight(60, -2, 0.8, "new")
    older = write_output(tmp_path / "2024", [*before, gone])
    newer = write_output(tmp_path / "2025", [each.moved(OFF) for each in [*after, new]], year=2025)
    verdicts = by_crack(compared(older, newer))
    assert verdicts.pop("1-0") == ["longer", "unchanged"]
    assert verdicts.pop("1-1") == ["wider"]
    assert verdicts.pop("1-4") == ["narrower"]
    assert verdicts.pop("gone") == ["repaired"]
    assert verdicts.pop("new") == ["new"]
    assert {tuple(said) for said in verdicts.values()} == {("unchanged",)}


def test_a_doubtful_width_has_no_verdict(road: list[Found], tmp_path: Path) -> None:
    older = write_output(tmp_path / "2024", road)
    newer = write_output(tmp_path / "2025", [replace(road[0], width_mm=9.0, flag=True), *road[1:]])
    changes = compared(older, newer).set_index("crack_id")
    assert changes.loc["1-0", "verdict"] == "unchanged"
    assert changes.loc["1-0", "reason"] == "width doubtful"


def test_what_a_year_did_not_inspect_is_neither_new_nor_repaired(road: list[Found], tmp_path: Path) -> None:
    early = [each for each in road if each.line[:, 0].max() < 80]
    late = [each for each in road if each.line[:, 0].min() > 40]
    older = write_output(tmp_path / "2024", early, frames=[(-5.0, 80.0)])
    newer = write_output(tmp_path / "2025", late, frames=[(40.0, 125.0)], year=2025)
    changes = compared(older, newer)
    middle = changes.geometry.interpolate(0.5, normalized=True).x - 500_000
    assert set(changes.verdict[middle < 39.5]) == {"not seen"}
    assert set(changes.reason[middle < 39.5]) == {"not inspected"}
    assert set(changes.verdict[middle > 80.5]) == {"first seen"}
    assert set(changes.verdict[(middle > 42) & (middle < 78)]) == {"unchanged"}


def test_what_an_unfamiliar_year_does_not_show_is_not_repaired(road: list[Found], tmp_path: Path) -> None:
    older = write_output(tmp_path / "2024", road)
    newer = write_output(tmp_path / "2025", road[:60], year=2025, familiarity=0.2)
    changes = compared(older, newer)
    gone = changes[changes.crack_id.isna()]
    assert set(gone.verdict) == {"not seen"}
    assert set(gone.reason) == {"the newer images are unfamiliar"}


def test_a_road_that_was_driven_the_other_way_is_the_same(road: list[Found], tmp_path: Path) -> None:
    older = write_output(tmp_path / "2024", road)
    newer = write_output(tmp_path / "2025", [replace(each, line=each.line[::-1]) for each in road], year=2025)
    assert set(compared(older, newer).verdict) == {"unchanged"}


def test_a_road_with_four_matched_cracks_is_not_registered(tmp_path: Path) -> None:
    four = wandering(3, 4, 20.0)
    older = write_output(tmp_path / "2024", four, frames=[(0.0, 20.0)])
    newer = write_output(tmp_path / "2025", four, frames=[(0.0, 20.0)])
    changes = compared(older, newer)
    assert set(changes.verdict) == {"not registered"}
    assert len(changes) == 8
    fifth = [*four, straight(10, 5, 1.0, "fifth")]
    write_output(older, fifth, frames=[(0.0, 20.0)])
    write_output(newer, fifth, frames=[(0.0, 20.0)])
    assert set(compared(older, newer).verdict) == {"unchanged"}


def test_unrelated_cracks_are_not_registered(tmp_path: Path) -> None:
    older = write_output(tmp_path / "2024", wandering(4, 100, 120.0))
    newer = write_output(tmp_path / "2025", wandering(5, 100, 120.0))
    assert set(compared(older, newer).verdict) == {"not registered"}


@pytest.mark.parametrize(("spread_m", "is_registered"), [(0.02, True), (0.08, False)])
def test_a_road_whose_cracks_lie_thirty_millimetres_apart_is_not_registered(
    road: list[Found], tmp_path: Path, *, spread_m: float, is_registered: bool
) -> None:
    older = write_output(tmp_path / "2024", road)
    by = np.random.default_rng(8).normal(0, spread_m, (len(road), 2))
    newer = write_output(tmp_path / "2025", [each.moved(some) for each, some in zip(road, by, strict=True)])
    assert ("unchanged" in set(compared(older, newer).verdict)) == is_registered


@pytest.mark.parametrize("epsg", [4326, 2263, 3857])
def test_the_crs_of_a_year_does_not_matter(road: list[Found], tmp_path: Path, epsg: int) -> None:
    crs = CRS.from_epsg(epsg if epsg != 2263 else 32632)
    older = write_output(tmp_path / "2024", [*road, straight(30, -2, 0.8, "gone")], crs=crs)
    newer = write_output(tmp_path / "2025", [each.moved(OFF) for each in road], year=2025)
    for first, second, fate in ((older, newer, "repaired"), (newer, older, "new")):
        changes = compared(first, second)
        assert set(changes.verdict) == {"unchanged", fate}
        assert changes[changes.verdict == fate].length_m.sum() == pytest.approx(0.8, abs=1e-3)


def test_the_same_input_gives_the_same_bytes(road: list[Found], tmp_path: Path) -> None:
    older = write_output(tmp_path / "2024", road)
    newer = write_output(tmp_path / "2025", [each.moved(OFF) for each in road[:100]])
    files = []
    for name in ("a", "b"):
        compare(older, newer, tmp_path / name, Options())
        files.append([(tmp_path / name / file).read_bytes() for file in ("changes.parquet", "changes.json")])
    assert files[0] == files[1]


def test_only_classes_that_are_cracks_count(road: list[Found], tmp_path: Path) -> None:
    older = write_output(tmp_path / "2024", road)
    newer = write_output(tmp_path / "2025", [*road, straight(30, -2, 0.8, "joint", kind="joint")])
    record = json.loads((newer / "run.json").read_text())
    record["classes"] = {"crack": {"kind": "crack"}, "joint": {"kind": "line"}}
    (newer / "run.json").write_text(json.dumps(record))
    assert "joint" not in set(compared(older, newer).crack_id)


def test_two_cameras_need_a_larger_change(road: list[Found], tmp_path: Path) -> None:
    older = write_output(tmp_path / "2024", road)
    newer = write_output(tmp_path / "2025", [replace(road[0], width_mm=2.7), *road[1:]])
    one, two = (compared(older, newer, camera=each).set_index("crack_id") for each in ("auto", "other"))
    assert one.loc["1-0", "width_change_sigma_mm"] < two.loc["1-0", "width_change_sigma_mm"]
    assert (one.loc["1-0", "verdict"], two.loc["1-0", "verdict"]) == ("wider", "unchanged")


def test_odd_outputs_end_with_a_sentence(road: list[Found], tmp_path: Path) -> None:
    older = write_output(tmp_path / "2024", road)
    with pytest.raises(UsageError, match="given twice"):
        compare(older, older, older, Options())
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match=r"cracks\.parquet does not exist"):
        compare(tmp_path / "empty", older, older, Options())
    damaged = write_output(tmp_path / "damaged", road)
    (damaged / "cracks.parquet").write_bytes(b"PAR1 this is none")
    with pytest.raises(OutputDamagedError, match="crackpipe verify"):
        compare(damaged, older, older, Options())


def test_a_year_without_cracks_is_not_registered(road: list[Found], tmp_path: Path) -> None:
    older, newer = write_output(tmp_path / "2024", []), write_output(tmp_path / "2025", road)
    for first, second in ((older, newer), (newer, older)):
        assert set(compared(first, second).verdict) == {"not registered"}


def test_the_command_prints_lengths_and_json(road: list[Found], tmp_path: Path) -> None:
    older, newer = write_output(tmp_path / "2024", road), write_output(tmp_path / "2025", road[:100])
    told = CliRunner().invoke(cli, ["compare", str(older), str(newer)])
    assert told.exit_code == 0, told.output
    assert "registered 1 of 1 road with 4 nodes: 100 cracks lie on each other" in told.output
    assert "repaired" in told.output
    as_json = CliRunner().invoke(cli, ["compare", str(older), str(newer), "--json"])
    assert json.loads(as_json.output) == json.loads((newer / "changes.json").read_text())


def test_the_map_has_the_changes_until_the_cracks_are_others(road: list[Found], tmp_path: Path) -> None:
    older, newer = write_output(tmp_path / "2024", road), write_output(tmp_path / "2025", road[:100])
    changes = compared(older, newer)

    def layers() -> dict[str, int]:
        ended = CliRunner().invoke(cli, ["export", str(newer), "--format", "gpkg"])
        assert ended.exit_code == 0, ended.output
        names = gpd.list_layers(newer / "cracks.gpkg").name
        return {name: len(gpd.read_file(newer / "cracks.gpkg", layer=name)) for name in names}

    assert layers()["changes"] == len(changes)
    assert "changes_sections" in layers()
    write_output(newer, road[:90])
    assert not {"changes", "changes_sections"} & set(layers())
