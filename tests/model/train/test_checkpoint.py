"""Checkpoints, and trainings that are killed, resumed, shared by processes or at their end."""

import csv
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from training import config

from crackpipe.model.train import checkpoint
from crackpipe.model.train.checkpoint import Ema, Progress
from crackpipe.model.train.train import train
from crackpipe.model.weights.read import load


def test_average_follows_the_network() -> None:
    net, average = torch.nn.BatchNorm1d(2), torch.nn.BatchNorm1d(2)
    torch.nn.init.constant_(average.weight, 0.0)
    net.running_mean += 1  # type: ignore[operator]
    ema = Ema(average, decay=0.9)
    ema.update(net, step=1)  # decay min(0.9, 2/11)
    assert average.weight.tolist() == pytest.approx([9 / 11] * 2)
    assert average.running_mean is not None
    assert average.running_mean.tolist() == pytest.approx([9 / 11] * 2)
    for step in range(2, 200):
        ema.update(net, step)
    assert average.weight.tolist() == pytest.approx([1, 1])


def test_checkpoint_is_whole_or_absent(tmp_path: Path) -> None:
    net = torch.nn.Linear(2, 1)
    ema, optimizer = Ema(torch.nn.Linear(2, 1), 0.9), torch.optim.AdamW(net.parameters())
    net(torch.ones(2)).sum().backward()
    optimizer.step()
    path = tmp_path / "checkpoint.pt"
    checkpoint.write(path, net, ema, optimizer, Progress(step=3, tiles=24, active_s=1.5, validations=1))
    assert [p.name for p in tmp_path.iterdir()] == ["checkpoint.pt"]
    other = torch.nn.Linear(2, 1)
    progress = checkpoint.restore(checkpoint.read(path), other, ema, torch.optim.AdamW(other.parameters()))
    assert progress == Progress(step=3, tiles=24, active_s=1.5, validations=1)
    assert (other.weight == net.weight).all()


@pytest.mark.slow
def test_training_ends_when_nothing_improves(roads: Path, tmp_path: Path) -> None:
    """At no learning rate worth the name every validation finds the same: the second one is the last."""
    settings = {"tiles": 40, "validations": 40, "patience": 1, "learning_rate": 1e-12, "ema_decay": 0.0}
    out = train(config(roads, tmp_path / "w.safetensors", **settings))
    progress = checkpoint.read(tmp_path / "w" / "checkpoint.pt")["progress"]
    assert progress["tiles"] < 10
    assert progress["since_best"] == 1
    best = checkpoint.read(tmp_path / "w" / "best.pt")
    assert best["progress"]["tiles"] == load(out).extra["tiles_seen"] < progress["tiles"]
    with (tmp_path / "w" / "validation.csv").open() as file:
        tiles = [int(row["tiles"]) for row in csv.DictReader(file)]
    assert tiles == list(range(1, progress["tiles"] + 1))
    # a training at its end stays there
    again = train(config(roads, tmp_path / "w.safetensors", **settings, resume=True))
    assert checkpoint.read(tmp_path / "w" / "checkpoint.pt")["progress"] == progress
    assert again == out


SCRIPT = """
import sys
from pathlib import Path
from crackpipe.model.train.config import TrainConfig
from crackpipe.model.train.train import train
if __name__ == "__main__":
    data, out, processes = sys.argv[1:]
    train(TrainConfig(data=(Path(data),), out=Path(out), tiles=4, processes=int(processes), batch=1,
        pretrained=False, bf16=False, validations=0, checkpoint_minutes=0, resume=True))
"""


def started(roads: Path, out: Path, processes: int = 1) -> "subprocess.Popen[bytes]":
    script = out.with_suffix(".py")
    script.write_text(SCRIPT)
    # a killed process leaves its temporary files, which go with the test's folder then
    environment = os.environ | {"TMPDIR": str(out.parent)}
    return subprocess.Popen(
        [sys.executable, str(script), str(roads), str(out), str(processes)], env=environment
    )


@pytest.mark.slow
def test_killed_and_resumed_equals_undisturbed(roads: Path, tmp_path: Path) -> None:
    killed = tmp_path / "b.safetensors"
    undisturbed = train(config(roads, tmp_path / "a.safetensors", checkpoint_minutes=0))
    process = started(roads, killed)
    deadline = time.monotonic() + 200
    while not (tmp_path / "b" / "checkpoint.pt").exists():
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    stopped_at = checkpoint.read(tmp_path / "b" / "checkpoint.pt")["progress"]["tiles"]
    assert 1 <= stopped_at < 4
    assert started(roads, killed).wait(200) == 0
    assert undisturbed.read_bytes() == killed.read_bytes()


@pytest.mark.slow
def test_two_processes_train_one_network(roads: Path, tmp_path: Path) -> None:
    """Spawned here or started by torchrun: the same weights."""
    out, other = tmp_path / "two.safetensors", tmp_path / "torchrun.safetensors"
    assert started(roads, out, processes=2).wait(250) == 0
    assert checkpoint.read(tmp_path / "two" / "checkpoint.pt")["progress"]["step"] == 2  # 4 tiles, 2 a step
    assert load(out).threshold > 0
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    script = str(out.with_suffix(".py"))
    subprocess.run([*torchrun, script, str(roads), str(other), "1"], check=True, timeout=250)
    assert out.read_bytes() == other.read_bytes()
