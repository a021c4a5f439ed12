"""The familiarity of the images of a real survey: in its table, in what a run tells, after interruptions."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import rasterio
from click.testing import CliRunner
from helpers import plain_weights, statistics_around, tree_hash, with_statistics
from run_record import form_faults, schema_of

import crackpipe
from crackpipe.cli import cli
from crackpipe.model.weights.sureness import familiarity, response, sureness
from crackpipe.pipeline.config import Config
from crackpipe.pipeline.request import Request
from crackpipe.pipeline.run import run
from crackpipe.pipeline.state.output import Output
from crackpipe.pipeline.state.staging import block_figures
from crackpipe.pipeline.summary import summary_lines
from crackpipe.pipeline.tasks import unit

DONE = ("lane1/a.tif", "lane1/b.tif", "lane2/strip.tif")
Ask = Callable[..., Request]


@pytest.fixture(scope="module")
def weights(survey: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """`plain` has no statistics; by those of `some`, the first image is familiar; by `other`, none is.

    By `sure` the texture of all is familiar, and the network is sure of few.
    """
    made = tmp_path_factory.mktemp("weights")
    plain = plain_weights(made / "plain.safetensors")
    with rasterio.open(survey / "lane1" / "a.tif") as image:
        tile = np.moveaxis(image.read(window=((0, 448), (0, 448))), 0, -1)
    some = statistics_around(plain, tile)
    other = replace(some, usual=1e-5, strange=2e-5)
    sure = replace(some, usual=100.0, strange=200.0, sureness=(0.9, 0.8))
    return {
        "plain": plain,
        "some": with_statistics(plain, some, made / "some.safetensors"),
        "other": with_statistics(plain, other, made / "other.safetensors"),
        "sure": with_statistics(plain, sure, made / "sure.safetensors"),
    }


@pytest.fixture(scope="module")
def ask(survey: Path, weights: dict[str, Path]) -> Ask:
    def asked(out: Path, which: str = "some", **config: Any) -> Request:
        return Request((survey,), out, Config(weights=str(weights[which]), **config), serial=True)

    return asked


@pytest.fixture(scope="module")
def told(ask: Ask, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The survey by weights with statistics. To be read only."""
    out = tmp_path_factory.mktemp("told") / "out"
    run(ask(out))
    return out


@pytest.fixture(scope="module")
def told_by_sureness(ask: Ask, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The survey by how sure the network is of what it finds. To be read only."""
    out = tmp_path_factory.mktemp("sure") / "out"
    run(ask(out, "sure"))
    return out


def column(out: Path) -> dict[str, float | None]:
    table = pq.read_table(out / "images.parquet", columns=["image_id", "familiarity"])
    return dict(zip(*(table.column(name).to_pylist() for name in table.column_names), strict=True))


def record(out: Path) -> dict[str, Any]:
    found = json.loads((out / "run.json").read_text())
    assert form_faults(found) == []
    return dict(found["familiarity"])


def test_images_that_are_done_have_a_number_and_no_others(told: Path) -> None:
    found = column(told)
    numbers = [found[name] for name in DONE]
    assert all(each is not None and 0 < each <= 1 and each == round(each, 2) for each in numbers)
    assert len(set(numbers)) > 1
    assert {found[name] for name in found if name not in DONE} == {None}


@pytest.mark.parametrize(
    "config",
    [
        {"block_cores": 1},
        {"block_cores": 2, "unit_tiles": 1},
        {"screen": 0.95},
    ],
    ids=["small blocks", "blocks and units", "a cheap look first"],
)
def test_the_numbers_are_the_same_however_the_work_is_cut(
    ask: Ask, told: Path, tmp_path: Path, config: dict[str, Any]
) -> None:
    """By two workers too: tests/story/test_run.py, which compares all bytes of images.parquet."""
    run(ask(tmp_path / "out", **config))
    assert column(tmp_path / "out") == column(told)


def test_what_the_network_is_not_sure_of_is_strange(ask: Ask, told_by_sureness: Path, tmp_path: Path) -> None:
    """Each follows from the probabilities of close looks, which `masks.zarr` has without coarse ones."""
    run(ask(tmp_path / "out", "sure", coarse_look=False))
    expected = {}
    for name in DONE:
        probability = crackpipe.open(tmp_path / "out").probability(name).to_numpy()
        sure = sureness([response(probability)], int((probability != 255).sum()))
        expected[name] = 1.0 if sure is None else round(familiarity(sure, (0.9, 0.8)), 2)
    found = column(told_by_sureness)
    assert {name: found[name] for name in DONE} == expected
    assert min(expected.values()) < 0.5


@pytest.mark.parametrize("config", [{"block_cores": 1}, {"block_cores": 2, "unit_tiles": 1}])
def test_sureness_is_the_same_however_the_work_is_cut(
    ask: Ask, told_by_sureness: Path, tmp_path: Path, config: dict[str, Any]
) -> None:
    run(ask(tmp_path / "out", "sure", **config))
    assert column(tmp_path / "out") == column(told_by_sureness)


def test_weights_without_statistics_tell_nothing(ask: Ask, tmp_path: Path) -> None:
    request = ask(tmp_path / "out", "plain")
    summary = run(request)
    assert set(column(tmp_path / "out").values()) == {None}
    assert record(tmp_path / "out")["median"] is None
    assert not [line for line in summary_lines(request, summary) if "familiar" in line]


def test_run_and_status_tell_the_median(ask: Ask, told: Path) -> None:
    median = sorted(column(told)[name] or 0.0 for name in DONE)[1]
    assert record(told)["median"] == median and record(told)["images"] == 3
    sentence = (
        f"familiarity {median:.2f} (median of 3 images, from 0 to 1): so well the network knows such images"
    )
    again = ask(told)
    assert sentence in summary_lines(again, run(again))  # also where nothing was to do
    state = json.loads(CliRunner().invoke(cli, ["status", str(told), "--json"]).stdout)
    assert form_faults(state, schema_of("status")) == []
    assert state["familiarity"] == record(told)
    assert sentence in CliRunner().invoke(cli, ["status", str(told)]).stdout.splitlines()


def test_a_strange_survey_is_warned_of_in_the_closing_lines_and_in_the_log(ask: Ask, tmp_path: Path) -> None:
    request = ask(tmp_path / "out", "other")
    [warning] = [line for line in summary_lines(request, run(request)) if "hardly knows" in line]
    assert "crackpipe adapt OUT --pick 20" in warning
    [log] = (tmp_path / "out" / "logs").glob("*")
    assert [line for line in log.read_text().splitlines() if "hardly knows" in json.loads(line)["message"]]


def test_statistics_that_are_added_or_changed_leave_finished_images_finished(
    ask: Ask, told: Path, tmp_path: Path
) -> None:
    """Their numbers are then unknown, which is said; `--restart` gives them one."""
    run(ask(tmp_path / "out", "plain"))
    for which in ("some", "other", "plain"):
        request = ask(tmp_path / "out", which)
        summary = run(request)
        assert summary.images_run == 0
        assert set(column(tmp_path / "out").values()) == {None}
        unknown = [line for line in summary_lines(request, summary) if "--restart does them again" in line]
        assert bool(unknown) == (which != "plain")
    run(replace(ask(tmp_path / "out"), restart=True))
    assert tree_hash(tmp_path / "out") == tree_hash(told)


def test_an_interrupted_run_keeps_what_its_blocks_told(
    ask: Ask, told: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second run computes only the blocks that are missing, and all numbers are as of one run."""
    asked, of_tiles = ask(tmp_path / "out", block_cores=1, unit_tiles=1), []
    tell = unit._told

    def stopped(encoder: Any, canvas: Any) -> Any:
        if len(of_tiles) == 3:
            raise KeyboardInterrupt
        of_tiles.append((canvas.image.image_id, canvas.window.row, canvas.window.col))
        return tell(encoder, canvas)

    monkeypatch.setattr(unit, "_told", stopped)
    with pytest.raises(KeyboardInterrupt):
        run(asked)
    monkeypatch.setattr(unit, "_told", tell)
    output = Output(tmp_path / "out")
    kept = [block_figures(output.staging(name), row, col) for name, row, col in of_tiles]
    assert sum(each is not None and len(each["told"]) == 1 for each in kept) >= 3
    run(asked)
    assert column(tmp_path / "out") == column(told)
