"""`crackpipe train` as a person starts it."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
from click.testing import CliRunner
from helpers import is_group_gone
from PIL import Image

from crackpipe.cli import cli
from crackpipe.model.weights.read import load
from crackpipe.pipeline.console.signals import SENTENCE
from crackpipe.pipeline.errors import UsageError


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


def arguments(road: Path, out: Path, processes: int = 2) -> list[str]:
    given = (
        f"--out {out} --init lite --tiles 2 --batch 1 --processes {processes} --validations 0 --device cpu"
    )
    return ["train", str(road), *given.split()]


@pytest.mark.parametrize("by_torchrun", [False, True])
def test_more_processes_than_gpus_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, by_torchrun: bool
) -> None:
    monkeypatch.setattr("crackpipe.model.predict.predictor.resolve_device", lambda _: "cuda")
    monkeypatch.setattr("crackpipe.pipeline.cluster.gpus.gpu_count", lambda: 2)
    if by_torchrun:  # the third process on the second machine
        rank = {"RANK": "5", "WORLD_SIZE": "6", "LOCAL_RANK": "2", "MASTER_ADDR": "a", "MASTER_PORT": "1"}
        for name, value in rank.items():
            monkeypatch.setenv(name, value)
    out = tmp_path / "new" / "mine.safetensors"
    asked = [] if by_torchrun else ["--processes", "3"]
    given = ["train", str(tmp_path), "--out", str(out), "--device", "cuda", *asked]
    result = CliRunner().invoke(cli, given)
    assert isinstance(result.exception, UsageError)
    assert "3 training processes need a GPU each, but this machine has 2" in str(result.exception)
    assert not out.parent.exists()


@pytest.mark.slow
@pytest.mark.parametrize("to_all", [True, False], ids=["terminal", "kill"])
def test_ctrl_c_is_one_line_and_130_while_processes_start(road: Path, tmp_path: Path, to_all: bool) -> None:
    # a test run that was started in the background would hand down an ignored SIGINT
    start = (
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); import crackpipe.__main__"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", start, *arguments(road, tmp_path / "mine.safetensors")],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
        # what ends at once leaves its temporary files
        env=os.environ | {"TMPDIR": str(tmp_path)},
    )  # fmt: skip
    deadline = time.monotonic() + 280
    while len(spawned(process.pid)) < 2:
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.01)
    time.sleep(1)  # they import
    (os.killpg if to_all else os.kill)(process.pid, signal.SIGINT)
    said, _ = process.communicate(timeout=200)
    assert (process.returncode, said) == (130, f"{SENTENCE}\n")
    assert is_group_gone(process.pid, within_s=10)


def spawned(pid: int) -> list[psutil.Process]:
    below = psutil.Process(pid).children(recursive=True)
    return [process for process in below if "spawn_main" in " ".join(process.cmdline())]


@pytest.mark.slow
@pytest.mark.parametrize(("results", "code", "processes"), [("/dev/null", 0, 2), ("terminal", 141, 1)])
def test_a_training_outlives_its_terminal(
    road: Path, tmp_path: Path, results: str, code: int, processes: int
) -> None:
    out = tmp_path / "mine.safetensors"
    screen, terminal = os.openpty()
    name = os.ttyname(terminal)  # becomes the terminal of the session whose first process opens it
    stdout = name if results == "terminal" else results
    words = " ".join(arguments(road, out, processes))
    command = f"exec {sys.executable} -m crackpipe {words} < {name} > {stdout} 2> {name}"
    process = subprocess.Popen(["bash", "-c", command], start_new_session=True)
    deadline = time.monotonic() + 280
    while not list(tmp_path.rglob("train.toml")):
        assert process.poll() is None and time.monotonic() < deadline, os.read(screen, 4096)
        time.sleep(0.05)
    os.close(terminal)
    os.close(screen)  # the kernel hangs up: SIGHUP, and writing fails from now on
    assert process.wait(timeout=200) == code
    assert load(str(out)).architecture == load("lite").architecture
