"""What is run for a survey, and what its result is made from."""

import shutil
import sqlite3
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from crackpipe.pipeline import config
from crackpipe.pipeline.nightly.facts.listing import Listing, Survey
from crackpipe.pipeline.nightly.facts.network import Source
from crackpipe.pipeline.nightly.one_survey import Shop, commands, environment_of, images_left, made_from, run

SOURCE = Source("n", settings={"threshold": 0.5, "exclude": ("a'b", 'c"\\d', "é")})
LISTING = Listing("digest", 3, frozenset())


def test_the_commands_of_a_survey() -> None:
    source = replace(
        SOURCE,
        sections={"centreline": "roads.gpkg", "lane_width": 3.5, "offset": [-1.8, 1.8]},
        report=True,
        exports=("fgb", "csv"),
    )
    survey = Survey("n", "s", Path("/s"), Path("/s-cracks"))
    assert list(commands(Shop(Path("/"), ("--gpus", "2")), source, survey)) == [
        ["run", "/s", "--out", "/s-cracks", "--gpus", "2"],
        [
            *("sections", "/s-cracks", "--centreline", "roads.gpkg", "--lane-width", "3.5"),
            *("--offset", "-1.8", "--offset", "1.8"),
        ],
        ["report", "/s-cracks"],
        ["export", "/s-cracks", "--format", "fgb"],
        ["export", "/s-cracks", "--format", "csv"],
    ]


def test_settings_arrive_as_they_were_given() -> None:
    settings: Mapping[str, Any] = {
        **{"weights": "lite", "threshold": 0.5, "gpus": 2, "allow_gsd": True, "workers": 3},
        "exclude": ("a'b", 'c"\\d', "é", "x\x7f"),
    }
    found = config.resolve({}, None, environment_of(replace(SOURCE, settings=settings)))
    assert {name: getattr(found, name) for name in settings} == settings


def changed(shop: Shop, source: Source, listing: Listing) -> bool:
    return made_from(shop, source, listing) != made_from(Shop(shop.home), SOURCE, LISTING)


def test_a_result_is_made_again_when_what_it_is_made_from_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = Shop(tmp_path)
    assert not changed(shop, SOURCE, LISTING)
    assert changed(shop, SOURCE, replace(LISTING, digest="other"))
    assert changed(shop, replace(SOURCE, settings={}), LISTING)
    assert changed(shop, replace(SOURCE, report=True), LISTING)
    assert changed(shop, replace(SOURCE, sections={"centreline": "r"}), LISTING)
    assert changed(replace(shop, options=("--serial",)), SOURCE, LISTING)
    before = made_from(shop, SOURCE, LISTING)
    (tmp_path / "crackpipe.toml").write_text("halo_px = 16\n")
    assert made_from(shop, SOURCE, LISTING) != before
    before = made_from(shop, SOURCE, LISTING)
    monkeypatch.setenv("CRACKPIPE_HALO_PX", "8")
    assert made_from(shop, SOURCE, LISTING) != before


def test_files_that_options_name_count_by_size_and_time(tmp_path: Path) -> None:
    source = replace(SOURCE, sections={"centreline": "roads.gpkg"})
    before = made_from(Shop(tmp_path), source, LISTING)
    (tmp_path / "roads.gpkg").write_text("x")
    assert made_from(Shop(tmp_path), source, LISTING) != before


@pytest.mark.parametrize("options", [("--weights", "mine.safetensors"), ("--weights=mine.safetensors",)])
def test_weights_that_are_trained_anew_in_place_count(options: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "mine.safetensors").write_text("x")
    before = made_from(Shop(tmp_path, options), SOURCE, LISTING)
    (tmp_path / "mine.safetensors").write_text("other")
    assert made_from(Shop(tmp_path, options), SOURCE, LISTING) != before


@pytest.fixture
def mapped(survey: Path, finished: Path, tmp_path: Path) -> Survey:
    """A survey with a finished result, of which no export is noted, so that the next run makes its map."""
    out = tmp_path / "out"
    shutil.copytree(finished, out, symlinks=True)
    (out / ".crackpipe/exports.json").unlink()
    return Survey("n", "s", survey, out)


@pytest.mark.slow
def test_a_map_that_is_open_in_qgis_keeps_no_report_from_being_made(mapped: Survey, tmp_path: Path) -> None:
    source, shop = Source("n", report=True), Shop(tmp_path, ("--serial",))
    in_qgis = sqlite3.connect(mapped.out / "cracks.gpkg", isolation_level=None)
    in_qgis.execute("begin exclusive")
    done = run(shop, source, mapped, None)
    in_qgis.close()
    assert done.code == 75
    assert done.said.startswith(f"run: {mapped.out}/cracks.gpkg is open in another program, probably QGIS")
    assert (mapped.out / "report.html").exists()


def test_nothing_follows_a_run_that_made_no_tables(mapped: Survey, tmp_path: Path) -> None:
    shop = Shop(tmp_path, ("--weights", "no-such-file"))
    done = run(shop, Source("n", report=True), mapped, None)
    assert done.code == 78 and done.said.startswith("run: ")
    assert not (mapped.out / "report.html").exists()


def test_what_is_left_is_estimated_where_no_time_is_left_to_count(mapped: Survey, tmp_path: Path) -> None:
    listing, shop = Listing("", 6, frozenset()), Shop(tmp_path, ("--serial",))
    assert images_left(shop, Source("n"), mapped, listing, within_s=0.0) == (3, False)
