"""The plugin in Debian's QGIS, without a screen: `make qgis-test`."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import pytest
import shapely
from helpers import tree_hash
from PIL import Image

PROCESS = shutil.which("qgis_process.bin") or shutil.which("qgis_process")
"""Debian's `qgis_process` adds options for `qgis` that it does not know itself."""
PYTHON = "/usr/bin/python3"
HERE = Path(__file__).parent

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(PROCESS is None, reason="QGIS is not installed: `make qgis-test` does it"),
]


@pytest.fixture(scope="module")
def home(plugins: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of a person whose QGIS has the plugin, and whose PATH has the program."""
    folder = tmp_path_factory.mktemp("home")
    folder.chmod(0o700)
    program = folder / "bin" / "crackpipe"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m crackpipe "$@"\n')
    program.chmod(0o755)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("CRACKPIPE", "PYTHON"))}
    return kept | {
        "HOME": str(folder), "XDG_RUNTIME_DIR": str(folder), "TMPDIR": str(folder),
        "QGIS_PLUGINPATH": str(plugins), "QT_QPA_PLATFORM": "offscreen",
        "PATH": f"{program.parent}:{os.environ['PATH']}",
    }  # fmt: skip


def started(home: dict[str, str], *command: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(command, env=home, capture_output=True, text=True, check=False, timeout=280)


@pytest.fixture(scope="module")
def qgis_process(home: dict[str, str]) -> Callable[..., "subprocess.CompletedProcess[str]"]:
    assert PROCESS is not None
    enabled = started(home, PROCESS, "plugins", "enable", "crackpipe_processing")
    assert "* crackpipe_processing" in enabled.stdout, enabled.stderr
    return lambda *words: started(home, str(PROCESS), *words)


@pytest.fixture(scope="module")
def in_qgis(home: dict[str, str]) -> Callable[..., dict[str, Any]]:
    def call(*words: str) -> dict[str, Any]:
        done = started(home, PYTHON, str(HERE / "in_qgis.py"), *words)
        assert done.returncode == 0, done.stderr
        return dict(json.loads(done.stdout.splitlines()[-1]))

    return call


@pytest.fixture(scope="module")
def out(qgis_process: Callable[..., Any], survey: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `qgis_process run crackpipe:run` makes of the survey."""
    out = tmp_path_factory.mktemp("made") / "out"
    done = qgis_process("run", "crackpipe:run", f"--SURVEY={survey}", f"--OUT={out}", "--EXTRA=--serial")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 images done (3 in this run)" in done.stdout
    assert "WARNING:\tquarantined no-crs.tif: no-crs: " in done.stdout + done.stderr
    assert f"GPKG:\t{out}/cracks.gpkg" in done.stdout
    return out


def test_the_four_algorithms_are_listed(qgis_process: Callable[..., Any]) -> None:
    listed = qgis_process("list").stdout
    for name in ("run", "sections", "export", "report"):
        assert f"\tcrackpipe:{name}\t" in listed
        assert "Arguments" in qgis_process("help", f"crackpipe:{name}").stdout


def test_a_run_gives_what_the_command_gives(out: Path, finished: Path) -> None:
    assert tree_hash(out) == tree_hash(finished)


def test_export_writes_the_formats_that_were_chosen(
    out: Path, tmp_path: Path, qgis_process: Callable[..., Any]
) -> None:
    done = qgis_process(
        "run", "crackpipe:export", f"--OUT={out}", "--FORMATS=1,3", f"--TO={tmp_path}/for the agency"
    )
    assert done.returncode == 0, done.stdout + done.stderr
    names = {file.name for file in (tmp_path / "for the agency").iterdir()}
    assert {"cracks.fgb", "cracks.csv", "images.fgb", "images.csv"} <= names


def test_sections_are_counted_along_the_lines_of_a_layer(
    out: Path, tmp_path: Path, qgis_process: Callable[..., Any]
) -> None:
    copied = shutil.copytree(out, tmp_path / "out")
    images = geopandas.read_parquet(copied / "images.parquet")
    strip = images[images.image_id == "lane2/strip.tif"].geometry.iloc[0].bounds
    line = shapely.LineString([((strip[0] + strip[2]) / 2, strip[1]), ((strip[0] + strip[2]) / 2, strip[3])])
    roads = geopandas.GeoDataFrame({"name": ["A 1"]}, geometry=[line], crs=images.crs)
    roads.to_file(tmp_path / "roads.geojson", driver="GeoJSON")
    done = qgis_process(
        "run", "crackpipe:sections", f"--OUT={copied}", f"--CENTRELINE={tmp_path}/roads.geojson",
        "--ROUTE_FIELD=name", "--LENGTH=1m", "--LANE_WIDTH=3.5",
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    sections = geopandas.read_parquet(copied / "sections.parquet")
    assert set(sections.route_id) == {"A 1"} and sections.crack_m.sum() > 1.0


def test_the_report_is_made(out: Path, tmp_path: Path, qgis_process: Callable[..., Any]) -> None:
    copied = shutil.copytree(out, tmp_path / "out")
    done = qgis_process("run", "crackpipe:report", f"--OUT={copied}")
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"REPORT:\t{copied}/report.html" in done.stdout
    assert (copied / "report.html").stat().st_size > 10_000


def test_what_the_program_refuses_is_an_error_of_the_algorithm(
    tmp_path: Path, qgis_process: Callable[..., Any]
) -> None:
    done = qgis_process("run", "crackpipe:report", f"--OUT={tmp_path}")
    assert done.returncode != 0
    assert "no output of crackpipe run" in done.stdout + done.stderr


def test_the_map_is_drawn_with_the_style_of_the_file(
    out: Path, tmp_path: Path, in_qgis: Callable[..., dict[str, Any]]
) -> None:
    layers = in_qgis("draw", str(out / "cracks.gpkg"), str(tmp_path / "map.png"))
    cracks, images = layers["cracks"], layers["images"]
    assert cracks["rows"] == len(geopandas.read_parquet(out / "cracks.parquet"))
    assert (cracks["renderer"], images["renderer"]) == ("RuleRenderer", "RuleRenderer")
    assert {"wide, from 3 mm", "width not measured"} <= set(cracks["legend"])
    assert cracks["aliases"] > 10
    pixels = np.asarray(Image.open(tmp_path / "map.png").convert("RGB")).astype(int)
    classes = set(geopandas.read_parquet(out / "cracks.parquet").width_class.dropna())
    colours = {"tiny": (0x56, 0xB4, 0xE9), "small": (0xE6, 0x9F, 0x00), "wide": (0xD5, 0x5E, 0x00)}
    for name in classes:
        assert (np.abs(pixels - colours[name]).max(axis=-1) < 30).sum() > 20, name


def test_the_toolbox_loads_the_layers_with_their_styles(
    survey: Path, finished: Path, tmp_path: Path, plugins: Path, in_qgis: Callable[..., dict[str, Any]]
) -> None:
    copied = shutil.copytree(finished, tmp_path / "out")
    told = in_qgis("run", str(plugins), str(survey), str(copied))
    assert told["succeeded"], told
    assert told["loaded"] == {"out: images": "RuleRenderer", "out: cracks": "RuleRenderer"}
    assert told["results"] == {"OUT": str(copied), "GPKG": f"{copied}/cracks.gpkg"}
    assert any("quarantine" in warning for warning in told["warnings"])


def test_a_run_that_is_cancelled_in_qgis_goes_on_later(
    survey: Path, finished: Path, tmp_path: Path, plugins: Path, in_qgis: Callable[..., dict[str, Any]]
) -> None:
    told = in_qgis("run", str(plugins), str(survey), str(tmp_path / "out"), "cancel")
    assert not told["succeeded"]
    assert told["error"].startswith("Cancelled. What is finished stays")
    assert told["said"][-1].startswith("Interrupted. Run the same command again")
    told = in_qgis("run", str(plugins), str(survey), str(tmp_path / "out"))
    assert told["succeeded"] and max(told["shares"]) > 50
    assert tree_hash(tmp_path / "out") == tree_hash(finished)
