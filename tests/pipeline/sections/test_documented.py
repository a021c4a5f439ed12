"""The example and the grades of docs/use/sections.md, to the printed digit."""

import re
from decimal import Decimal
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from paths import ROOT
from roads.drawn_run import Drawn, Road, Shot, write_lines, write_run

from crackpipe.pipeline.sections.rules.grades import ap9k_grade
from crackpipe.pipeline.sections.rules.profile import names, read_profile
from crackpipe.pipeline.sections.write import request_of, write_sections

PAGE = (ROOT / "docs/use/sections.md").read_text(encoding="utf-8")


def rows_of(*header: str) -> list[list[str]]:
    """The cells of the table with these columns."""
    lines = PAGE.splitlines()
    start = lines.index(f"| {' | '.join(header)} |")
    found = []
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        found.append([cell.strip().strip("`") for cell in line.strip("|").split("|")])
    assert found
    return found


def printed(value: float, like: str) -> str:
    """The value with as many digits as the page has."""
    places = max(0, -Decimal(like).as_tuple().exponent)  # type: ignore[operator]
    return f"{value:.{places}f}"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("example")
    road = Road.bent(200.0, radius_m=np.inf)
    taken = [Shot(f"lane1/{at}.tif", 2.5 + 5 * at, length_m=5.0) for at in range(12)]
    cracks = []
    for row in rows_of("s from", "s to", "o from", "o to", "width, mm"):
        begin, end, left, right, width = map(float, row)
        cracks.append(Drawn.straight((begin, left), (end, right), width))
    write_lines(folder / "roads.gpkg", [road.centreline()], route_id=["A1"])
    return write_run(folder / "out", road, taken, cracks)


def make(run: Path, profile: str | None = None) -> None:
    write_sections(
        request_of(
            run,
            profile and read_profile(profile),  # type: ignore[arg-type]
            length="100m",
            lane_width_m=3.5,
            offsets_m=(),
            centreline=run.parent / "roads.gpkg",
        )
    )


def test_figures_of_the_section(run: Path) -> None:
    make(run)
    sections = gpd.read_parquet(run / "sections.parquet")
    first = sections.iloc[0]
    rows = rows_of("figure", "value", "by hand")
    assert len(rows) == 15
    assert {name: printed(first[name], value) for name, value, _ in rows} == {
        name: value for name, value, _ in rows
    }
    second = sections.iloc[1]
    assert second.coverage == 0
    lengths = [name for name in sections if name.endswith("_m") and name not in ("length_m",)]
    assert second[lengths].isna().all()
    assert len(lengths) > 10


def test_lengths_of_the_left_wheel_path_and_beside_the_lane(run: Path) -> None:
    make(run)
    long = pd.read_parquet(run / "section_lengths.parquet")
    first = long[long.m_begin == 0]
    keys = first.set_index(["zone", "crack_type", "width_class"]).length_m
    for *key, value in rows_of("zone", "crack_type", "width_class", "length_m"):
        # half a unit goes up on the page
        assert printed(keys[tuple(key)] + 1e-6, value) == value
    said = re.search(r"and ([\d.]+) m are `outside`", PAGE)
    assert said is not None
    assert printed(first[first.zone == "outside"].length_m.sum(), said[1]) == said[1]


@pytest.mark.parametrize("profile", names())
def test_profiles_rate_it_as_documented(run: Path, profile: str) -> None:
    make(run, profile)
    ratings = pd.read_parquet(run / "section_ratings.parquet").fillna({"zone": "", "crack_type": ""})
    documented = [
        row
        for row in rows_of("profile", "figure", "zone", "crack_type", "value", "by hand")
        if row[0] == profile
    ]
    assert documented
    first = ratings[ratings.section_id == "A1:0-100:1"].set_index(["figure", "zone", "crack_type"])
    for _, figure, zone, crack_type, value, _ in documented:
        assert printed(first.value[figure, zone, crack_type], value) == value
    second = ratings[ratings.section_id != "A1:0-100:1"]
    assert second.value.isna().all()
    assert second.text.isna().all()


def test_a_believed_rule_is_off_and_says_whose_stands_in(run: Path) -> None:
    make(run, "fhwa-23cfr490")
    sections = gpd.read_parquet(run / "sections.parquet")
    assert set(sections.cracking_percent_rule) == {"crackpipe"}
    assert sections.condition.fillna("").tolist() == ["fair", ""]
    assert set(sections.condition_rule) == {"23 CFR 490.313"}
    assert read_profile("aashto-r85").transverse_within_deg is None
    assert read_profile("aashto-r85").longitudinal_within_deg == 20.0
    make(run, "zeb")
    assert set(gpd.read_parquet(run / "sections.parquet").riss_percent_rule) == {"ZTV ZEB-StB"}
    assert not (run / "section_hpms.csv").exists()


def test_rows_for_hpms(run: Path) -> None:
    make(run, "fhwa-23cfr490")
    assert (run / "section_hpms.csv").read_text().splitlines() == [
        "Route_ID,Begin_Point,End_Point,Section_Length,Value_Numeric",
        "A1,0.000,0.062,0.062,6",
    ]


def test_the_nine_grades() -> None:
    rows = rows_of("RISS, %", "grade")
    assert len(rows) == 9
    grades = ap9k_grade(np.array([float(percent) for percent, _ in rows]), (1, 15, 25))
    assert [f"{grade:.2f}" for grade in grades] == [grade for _, grade in rows]
    assert np.isnan(ap9k_grade(np.array([np.nan]), (1, 15, 25)))[0]
    assert ap9k_grade(np.array([80.0]), (1, 15, 25))[0] == 5.0


def test_every_profile_is_documented() -> None:
    documented = {row[0] for row in rows_of("profile", "figures", "ours")}
    assert documented == set(names())
    for name in names():
        assert all(figure.source and figure.tag for figure in read_profile(name).figures)
