"""`crackpipe benchmark` on a survey that is inspected in seconds."""

import json
from dataclasses import asdict
from pathlib import Path

import pytest
from click.testing import CliRunner
from helpers import STRIP_CRACK, write_scene

from crackpipe.cli import cli
from crackpipe.model.predict.bare import bare_loop, flop_per_tile, write_untrained
from crackpipe.model.predict.predictor import Predictor
from crackpipe.model.render.picture import clean_scene
from crackpipe.model.weights.read import load
from crackpipe.pipeline.benchmark import benchmark as room
from crackpipe.pipeline.benchmark.benchmark import benchmark
from crackpipe.pipeline.config import Config
from crackpipe.pipeline.errors import NoReadableImageError
from crackpipe.pipeline.request import Request
from crackpipe.pipeline.tasks import stages


@pytest.fixture(autouse=True)
def short_loops(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("crackpipe.pipeline.benchmark.benchmark._BARE_S", 0.1)


@pytest.fixture
def strip(tmp_path: Path) -> Path:
    """One image of 4 x 2 cores with a crack."""
    scene = clean_scene(1500, 420, seed=3, cracks=(STRIP_CRACK,))
    write_scene(tmp_path / "survey" / "strip.tif", scene)
    return tmp_path / "survey"


@pytest.fixture(scope="module")
def one_convolution(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("weights") / "one-convolution.safetensors"
    write_untrained(file, "one-convolution")
    return file


@pytest.mark.parametrize("masks_only", [False, True], ids=["tables", "masks"])
def test_json_holds_the_figures_and_their_quotient(strip: Path, tmp_path: Path, masks_only: bool) -> None:
    file = tmp_path / "figures.json"
    options = ["--network", "one-convolution", "--serial", "--rounds", "1", "--json", str(file)]
    done = CliRunner().invoke(
        cli, ["benchmark", str(strip), *options, *(["--masks-only"] if masks_only else [])]
    )
    assert done.exit_code == 0, done.output
    figures = json.loads(file.read_text())
    assert figures["tiles"] == 4 * 2
    assert figures["ratio"] == pytest.approx(figures["pipeline_tiles_per_s"] / figures["bare_tiles_per_s"])
    assert figures["ratio_low"] == figures["ratio"] == figures["ratio_high"]
    assert set(figures["stages"]) == set(stages.STAGES)
    assert (figures["stages"]["tracing"]["cpu_s"] == 0) == masks_only
    for stage in ("decoding", "copying", "computing", "writing"):
        assert 0 < figures["stages"][stage]["cpu_s"] < figures["cpu_s"]
    assert figures["peak_rss_mib"] > 100  # torch alone is larger
    assert f"{figures['pipeline_tiles_per_s']:.2f} tiles/s" in done.output


@pytest.mark.dask
@pytest.mark.slow
def test_nothing_is_left_and_two_workers_count_twice(strip: Path, one_convolution: Path) -> None:
    config = Config(weights=str(one_convolution), workers=2)
    report = benchmark(Request((strip,), strip.parent / "out", config), rounds=2)
    assert report.workers == 2
    assert report.ratio_low <= report.ratio <= report.ratio_high
    assert 0 < report.bare_percent_of_peak < 100
    assert sorted(path.name for path in strip.parent.iterdir()) == ["survey"]
    assert asdict(report)["tiles"] == 8


def test_a_survey_of_bad_images_cannot_be_measured(tmp_path: Path, one_convolution: Path) -> None:
    (tmp_path / "survey").mkdir()
    (tmp_path / "survey" / "empty.tif").write_bytes(b"")
    config = Config(weights=str(one_convolution))
    with pytest.raises(NoReadableImageError, match="every image"):
        benchmark(Request((tmp_path / "survey",), tmp_path / "out", config, serial=True), rounds=1)


def test_the_loop_does_what_it_counts(one_convolution: Path) -> None:
    predictor = Predictor(one_convolution, device="cpu")
    done = bare_loop(predictor, 20)
    assert done.tiles == 24  # in steps of 8
    assert done.cpu_s > 0
    # 27 multiplications and additions per pixel of the 3 x 3 x 3 kernel
    assert flop_per_tile(load(one_convolution)) == 2 * 27 * 448 * 448


def test_a_survey_is_inspected_by_the_file_of_its_run(
    strip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, one_convolution: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    asked: list[Config] = []
    monkeypatch.setattr(room, "benchmark", lambda request, **flags: asked.append(request.config))
    Path("crackpipe.toml").write_text(
        f"halo_px = 16\nweights = '{one_convolution}'\nscheduler = 'tcp://h:1'\n"
    )
    Path("other.toml").write_text("halo_px = 48\n")
    options = {
        "network": None,
        "weights": None,
        "rounds": 1,
        "masks_only": True,
        "serial": True,
        "device": "cpu",
    }
    room.command([strip], (448, 448), dict(options))
    room.command([strip], (448, 448), dict(options), Path("other.toml"))
    room.command([], (448, 448), dict(options))
    assert asked == [
        Config(halo_px=16, weights=str(one_convolution), device="cpu"),
        Config(halo_px=48, device="cpu"),
        Config(device="cpu"),  # a region of the survey would leave nothing of a drawn strip
    ]
