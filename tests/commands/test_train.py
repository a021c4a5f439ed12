"""`crackpipe train` as a person starts it."""

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from crackpipe.model.weights.read import load


@pytest.fixture
def road(tmp_path: Path) -> Path:
    """Two photographs with a dark crack each, whose names put them on the training side."""
    rng = np.random.default_rng(0)
    mask = np.zeros((320, 384), np.uint8)
    mask[:, 100:104] = 255
    for part in ("images", "masks"):
        (tmp_path / "data" / "cfd" / part).mkdir(parents=True)
    for number in (2, 3):
        image = rng.normal(150, 8, (320, 384, 3)) - 90 * (mask[..., None] > 0)
        Image.fromarray(image.clip(0, 255).astype(np.uint8)).save(
            tmp_path / "data/cfd/images" / f"{number}.jpg"
        )
        Image.fromarray(mask).save(tmp_path / "data/cfd/masks" / f"{number}.png")
    return tmp_path / "data"


@pytest.mark.slow
@pytest.mark.parametrize(("results", "code"), [("/dev/null", 0), ("terminal", 141)])
def test_a_training_outlives_its_terminal(road: Path, tmp_path: Path, results: str, code: int) -> None:
    out = tmp_path / "mine.safetensors"
    screen, terminal = os.openpty()
    name = os.ttyname(terminal)  # becomes the terminal of the session whose first process opens it
    stdout = name if results == "terminal" else results
    arguments = (
        f"{road} --out {out} --init lite --tiles 4 --batch 1 --processes 2 --validations 0 --device cpu"
    )
    command = f"exec {sys.executable} -m crackpipe train {arguments} < {name} > {stdout} 2> {name}"
    process = subprocess.Popen(["bash", "-c", command], start_new_session=True)
    deadline = time.monotonic() + 120
    while not list(tmp_path.rglob("train.toml")):
        assert process.poll() is None and time.monotonic() < deadline, os.read(screen, 4096)
        time.sleep(0.05)
    os.close(terminal)
    os.close(screen)  # the kernel hangs up: SIGHUP, and writing fails from now on
    assert process.wait(timeout=200) == code
    assert load(str(out)).architecture == load("lite").architecture
