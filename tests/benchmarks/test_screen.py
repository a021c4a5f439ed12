"""What benchmarks/speed/screen.py makes of what looks found."""

from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from helpers import WEIGHTS_METADATA
from paths import benchmark

from crackpipe.model.networks.one_convolution import OneConvolution
from crackpipe.model.weights.read import load, save
from crackpipe.model.weights.screen import Screen

CORES = np.array([
    # picture, row, col, length, level
    [0, 0, 0, 0, 70],
    [0, 0, 384, 90, 150],
    [1, 0, 0, 9, 100],
    [1, 384, 0, 1, 80],
])  # fmt: skip


@pytest.fixture(scope="module")
def screen() -> ModuleType:
    return benchmark("screen", "speed")


@pytest.mark.parametrize(("recall", "limit"), [(0.5, 150), (0.9, 150), (0.95, 100), (0.995, 80)])
def test_the_limit_is_the_highest_that_keeps_enough(screen: ModuleType, recall: float, limit: int) -> None:
    assert screen.limit_of(CORES[:, 4], CORES[:, 3], recall) == limit
    assert screen.kept(CORES, 4, limit) >= recall


def test_what_a_limit_spares_and_saves(screen: ModuleType) -> None:
    assert screen.spared(CORES, 4, 80) == 1.0
    assert screen.spared(CORES, 4, 70) == 0.0
    assert screen.saved(CORES, 4, 100, 2) == (2 - 2) / 4  # two cores spared, a look for each picture


def test_the_worst_camera_sets_the_limit_and_judges_set_none(screen: ModuleType) -> None:
    lower, higher = CORES - [0, 0, 0, 0, 16], CORES
    limits = dict(
        screen.screen_of({"dnit": lower, "cracksc": higher, "nha12d": CORES - [0, 0, 0, 0, 60]}).limits
    )
    assert limits[0.95] == (100 - 16) / 16 - 10
    assert limits[0.999] == (80 - 16) / 16 - 10


def test_limits_are_written_and_the_network_stays(screen: ModuleType, tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    save(path, OneConvolution(), WEIGHTS_METADATA)
    limits = Screen(((0.98, -4.0),), ("dnit",))
    screen.write_limits(str(path), tmp_path / "out.safetensors", limits)
    written = load(tmp_path / "out.safetensors")
    assert (written.screen, written.network_sha256) == (limits, load(path).network_sha256)
