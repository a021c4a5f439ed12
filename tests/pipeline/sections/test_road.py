"""Sections of a drawn 2 km road whose cracks are known: lengths by zone, coverage, and what was not seen."""

from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from roads.drawn_run import Drawn, Road, Shot, random_cracks, shots, write_lines, write_run

from crackpipe.pipeline.sections.options import ZONES
from crackpipe.pipeline.sections.write import FILES, Request, write_sections

LENGTH_M, GAP = 2000.0, (700.0, 800.0)
LOWER_HALF = "POLYGON ((0 2750, 4000 2750, 4000 5500, 0 5500, 0 2750))"
HALF_SEEN = range(240, 260)
"""Frames from 1200 to 1300 m of which only the rows nearest to the vehicle were inspected."""
EDGES_M = [-1.75, -1.375, -0.375, 0.375, 1.375, 1.75]


@pytest.fixture(scope="module")
def road() -> Road:
    return Road.bent(LENGTH_M)


@pytest.fixture(scope="module")
def taken() -> list[Shot]:
    found = shots(LENGTH_M, without=GAP)
    half = {f"lane1/{index:04d}.tif" for index in HALF_SEEN}
    return [Shot(each.name, each.s, inspected=LOWER_HALF) if each.name in half else each for each in found]


@pytest.fixture(scope="module")
def cracks() -> list[Drawn]:
    return random_cracks(1, LENGTH_M, every_m=2.0)


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory, road: Road, taken: list[Shot], cracks: list[Drawn]) -> Path:
    folder = tmp_path_factory.mktemp("road")
    run = write_run(folder / "out", road, taken, cracks)
    write_sections(
        Request(
            out=run, centreline=write_lines(folder / "roads.gpkg", [road.centreline(1.0)], route_id=["A1"])
        )
    )
    return run


@pytest.fixture(scope="module")
def ground(road: Road, taken: list[Shot]) -> shapely.Geometry:
    """What all frames saw, on the map."""
    areas = []
    for shot in taken:
        corners = shot.image(road).footprint
        if shot.inspected is not None:  # the half nearer to the vehicle, which is that of the last rows
            middle = (corners[[0, 1]] + corners[[3, 2]]) / 2
            corners = np.array([middle[0], middle[1], corners[2], corners[3]])
        areas.append(shapely.Polygon(corners))
    return shapely.union_all(areas)


def true_lengths(road: Road, cracks: list[Drawn], ground: shapely.Geometry) -> np.ndarray:
    """(20, 5) metres by section and zone, from steps of 2 cm whose middle was seen."""
    shapely.prepare(ground)
    found = np.zeros((20, 5))
    for crack in cracks:
        xy = road.points(*crack.so.T)
        length = np.hypot(*np.diff(xy, axis=0).T) / 0.9996
        middle, at = (xy[1:] + xy[:-1]) / 2, (crack.so[1:] + crack.so[:-1]) / 2
        zone = np.searchsorted(EDGES_M, at[:, 1]) - 1
        keep = shapely.contains_xy(ground, *middle.T) & (zone >= 0) & (zone < 5)
        np.add.at(found, ((at[keep, 0] // 100).astype(int), zone[keep]), length[keep])
    return found


def test_length_per_section_and_zone_is_the_truths(
    out: Path, road: Road, cracks: list[Drawn], ground: shapely.Geometry
) -> None:
    truth = true_lengths(road, cracks, ground)
    table = pd.read_parquet(out / "section_lengths.parquet")
    inside = table[table.zone != "outside"]
    summed = inside.groupby(["m_begin", "zone"]).length_m.sum().unstack()[list(ZONES)].to_numpy()
    big = truth > 5.0
    assert big.sum() >= 40
    assert np.abs(summed[big] / truth[big] - 1).max() < 0.02
    assert np.abs(summed - truth).max() < 0.1
    sections = gpd.read_parquet(out / "sections.parquet")
    known = sections.crack_m.notna().to_numpy()
    assert np.abs(sections.crack_m[known] / truth.sum(axis=1)[known] - 1).max() < 0.02


def test_coverage_is_the_truths(out: Path, road: Road, ground: shapely.Geometry) -> None:
    sections = gpd.read_parquet(out / "sections.parquet")
    shapely.prepare(ground)
    s, o = (each.ravel() for each in np.meshgrid(np.arange(0.02, LENGTH_M, 0.04), np.arange(-1.6, 1.75, 0.4)))
    seen = shapely.contains_xy(ground, *road.points(s, o).T)
    truth = np.bincount((s // 100).astype(int), seen) / np.bincount((s // 100).astype(int))
    assert truth[12] == pytest.approx(0.55, abs=0.02)  # half of each frame, and 0.25 m of overlap
    assert np.abs(sections.coverage.to_numpy() - truth).max() < 0.01


def test_what_was_not_inspected_is_null(out: Path) -> None:
    sections = gpd.read_parquet(out / "sections.parquet").set_index("m_begin")
    assert sections.coverage[700.0] == 0.0
    lengths = [
        "crack_m",
        "tiny_m",
        "small_m",
        "wide_m",
        "unmeasured_m",
        "transverse_count",
        "density_m_per_m2",
    ]
    assert sections.loc[700.0, lengths].isna().all()
    assert sections.drop(index=700.0)[lengths].notna().all().all()
    table = pd.read_parquet(out / "section_lengths.parquet")
    assert table[table.m_begin == 700.0].length_m.isna().all()


def test_every_metre_is_somewhere(out: Path) -> None:
    cracks = gpd.read_parquet(out / "cracks.parquet")
    table = pd.read_parquet(out / "section_lengths.parquet")
    listed = pd.read_parquet(out / "section_cracks.parquet")
    assert listed.crack_id.tolist() == cracks.crack_id.tolist()
    away = listed.length_m[listed.zone == "away"].sum()
    assert table.length_m.sum() + away == pytest.approx(cracks.length_m.sum(), abs=0.01)


def test_classes_add_up_and_expectation_lies_near_them(out: Path) -> None:
    sections = gpd.read_parquet(out / "sections.parquet").dropna(subset="crack_m")
    classes = sections[["tiny_m", "small_m", "wide_m", "unmeasured_m"]].sum(axis=1)
    assert np.allclose(classes, sections.crack_m)
    expected = sections[["tiny_expected_m", "small_expected_m", "wide_expected_m"]].sum(axis=1)
    assert np.allclose(expected, sections.crack_m)
    # each row is of its class by 0.8
    assert np.allclose(
        sections.tiny_expected_m, 0.8 * sections.tiny_m + 0.1 * (sections.crack_m - sections.tiny_m)
    )
    assert (sections.tiny_sigma_m > 0).all()


def test_the_same_input_gives_the_same_bytes(out: Path) -> None:
    before = [(out / name).read_bytes() for name in FILES]
    write_sections(Request(out=out, centreline=out.parent / "roads.gpkg"))
    assert [(out / name).read_bytes() for name in FILES] == before
