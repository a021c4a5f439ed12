"""`crackpipe frames` as a user types it, and the page about it."""

import os
import re
import subprocess
import sys
from pathlib import Path

import geopandas
import numpy as np
import pytest
import shapely
from click.testing import CliRunner
from deliveries import deliver
from paths import ROOT

from crackpipe.cli import cli

COMMANDS = re.search(r"## Five commands\n(.*?)\n## ", (ROOT / "docs/use/frames.md").read_text(), re.DOTALL)


def test_it_tells_what_was_placed_what_was_not_and_what_nobody_said(tmp_path: Path) -> None:
    frames, positions, camera = deliver(tmp_path)
    positions.write_text(positions.read_text().replace("0003.jpg", "0033.jpg"))
    options = ["--positions", positions, "--camera", camera, "--out", tmp_path / "survey"]
    # a process, since CliRunner does not go through the command's own way to end
    arguments = [sys.executable, "-m", "crackpipe", "frames", frames, *options]
    result = subprocess.run(arguments, capture_output=True, text=True, check=False)
    assert result.returncode == 3
    said = result.stdout.splitlines()
    assert said[0] == f"7 frames in {tmp_path / 'survey'}, 7 of them new or changed."
    assert "1 frames set aside, no-position: 0003.jpg: positions.csv does not name it." in result.stdout
    assert "1 positions without a frame, the first in line 4." in result.stdout
    assert said[-1].startswith("Assumed, since camera.toml does not say it: up, ahead_m, right_m")


def test_columns_that_are_no_pairs_are_refused(tmp_path: Path) -> None:
    frames, positions, _ = deliver(tmp_path)
    options = ["--positions", positions, "--out", tmp_path / "survey", "--columns", "GPS_B"]
    result = CliRunner().invoke(cli, ["frames", str(frames), *map(str, options)])
    assert result.exit_code == 2
    assert "'GPS_B' is not MEANING=NAME" in result.output


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_five_commands_of_the_page_make_a_map(tmp_path: Path) -> None:
    assert COMMANDS is not None
    lines = [line.strip() for line in COMMANDS.group(1).splitlines() if line.startswith("    ")]
    assert len(lines) == 5
    # `crackpipe` of this very tree
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "crackpipe").write_text(f'#!/bin/sh\nexec {sys.executable} -m crackpipe "$@"\n')
    (tmp_path / "bin" / "crackpipe").chmod(0o755)
    path = {**os.environ, "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}"}
    subprocess.run("\n".join(["set -e", *lines]), shell=True, cwd=tmp_path, env=path, check=True)
    found = geopandas.read_parquet(tmp_path / "survey-cracks" / "cracks.parquet")
    truth = geopandas.read_parquet(tmp_path / "drive" / "truth" / "cracks.parquet").to_crs(found.crs)
    points = shapely.points(shapely.get_coordinates(shapely.segmentize(found.geometry.to_numpy(), 0.05)))
    off = shapely.distance(points, shapely.union_all(truth.geometry.to_numpy()))
    # positions drift by half a metre, and so does the map
    assert np.median(off) < 0.5
    assert found.length_m.sum() == pytest.approx(truth.length_m.sum(), rel=0.5)
