"""Checkpoints, and trainings that are killed, resumed, shared by processes or at their end."""

import csv
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from training import config

from crackpipe.model.networks.context_cracknet import ContextCrackNetLite
from crackpipe.model.train import checkpoint
from crackpipe.model.train.checkpoint import Ema, Origin, Progress
from crackpipe.model.train.config import TrainConfig
from crackpipe.model.train.export import export
from crackpipe.model.train.train import train
from crackpipe.model.weights.read import load, save

ORIGIN = Origin(
    architecture="lite", classes=("crack",), init=None, init_sha256=None, seen=frozenset({"cracksc"})
)


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
    progress = Progress(step=3, tiles=24, active_s=1.5, validations=1)
    checkpoint.write(path, net, ema, optimizer, progress, ORIGIN)
    assert [p.name for p in tmp_path.iterdir()] == ["checkpoint.pt"]
    other = torch.nn.Linear(2, 1)
    assert checkpoint.restore(path, other, ema, torch.optim.AdamW(other.parameters())) == progress
    assert (other.weight == net.weight).all()


@pytest.fixture
def free(roads: Path, tmp_path: Path) -> Path:
    """The roads under the name of a set that anyone may use."""
    shutil.copytree(roads / "cfd", tmp_path / "data" / "cracksc")
    return tmp_path / "data"


def test_sets_that_a_resumed_training_saw_before_stay_named(roads: Path, free: Path, tmp_path: Path) -> None:
    shutil.copytree(roads / "cfd", tmp_path / "other" / "deepcrack")
    first = config(free, tmp_path / "w.safetensors", tiles=1)
    train(replace(first, data=(free, tmp_path / "other")))
    resumed = load(train(replace(first, resume=True)))
    assert resumed.data == "cracksc, deepcrack"
    assert resumed.licence.startswith("Weights derived from data sets of which several allow non-commercial")
    # the best may be newer than the checkpoint that a killed training goes on from
    state = dict(checkpoint.read(first.checkpoint))
    torch.save(state | {"origin": state["origin"] | {"seen": ["cfd"]}}, first.best)
    assert load(export(first.best, [free], first.out)).data == "cfd, cracksc"


def begun(asked: TrainConfig) -> TrainConfig:
    """Write the checkpoint of a training, but with a tiny network, and return what goes on from it."""
    net = torch.nn.Linear(2, 1)
    ema, optimizer = Ema(torch.nn.Linear(2, 1), 0.9), torch.optim.AdamW(net.parameters())
    asked.folder.mkdir()
    checkpoint.write(asked.checkpoint, net, ema, optimizer, Progress(), checkpoint.origin_of(asked))
    return replace(asked, resume=True)


@pytest.mark.parametrize("resume", [False, True])
def test_a_folder_of_other_files_is_left_alone(resume: bool, free: Path, tmp_path: Path) -> None:
    """Such as that of the photographs, where the weights are to have its name."""
    with pytest.raises(
        FileExistsError, match=r"data holds other files than .* training.*: give another --out"
    ):
        train(config(free, free.with_suffix(".safetensors"), resume=resume))
    assert [path.name for path in free.iterdir()] == ["cracksc"]


@pytest.mark.parametrize("resume", [False, True])
def test_two_trainings_do_not_write_into_one_folder(resume: bool, free: Path, tmp_path: Path) -> None:
    """Such as a nightly one that is not over yet, and the same command by hand."""
    asked = config(free, tmp_path / "w.safetensors", resume=resume)
    with (
        checkpoint.held(asked.folder),
        pytest.raises(FileExistsError, match=rf"w: a training is writing there \(process {os.getpid()}\)"),
    ):
        train(asked)
    assert [path.name for path in asked.folder.iterdir()] == ["lock"]


@pytest.mark.parametrize("there", [None, "lock", "train.toml", "checkpoint.pt"])
def test_an_empty_folder_or_that_of_a_training_is_taken(
    there: str | None, free: Path, tmp_path: Path
) -> None:
    """It comes as far as the data, of which there is none."""
    asked = config(tmp_path / "none", tmp_path / "w.safetensors", resume=True)
    asked.folder.mkdir()
    if there is not None:
        (asked.folder / there).touch()
    if there in {"train.toml", "checkpoint.pt"}:
        (asked.folder / "log.csv").touch()
    with pytest.raises(FileNotFoundError, match="NAME/images"):
        train(asked)


def test_another_training_is_not_resumed(free: Path, tmp_path: Path) -> None:
    described = {
        "classes": ["crack"], "training_gsd_mm": 1.0, "threshold": 0.5, "contrast_c0": 60.0,
        "data": "deepcrack", "licence": "research only", "metrics": {}, "name": "start",
    }  # fmt: skip
    starts = [tmp_path / f"{name}.safetensors" for name in ("research", "moved", "other")]
    for number, start in enumerate(starts):
        torch.manual_seed(number // 2)  # the first two are the same
        save(start, ContextCrackNetLite(), described)
    again = begun(config(free, tmp_path / "w.safetensors", init=starts[0]))
    seen = {"cracksc", "deepcrack", "weights start"}
    assert checkpoint.origin_of(replace(again, init=starts[1])).seen == seen
    for changes, said in (
        ({"init": starts[2]}, r"init .*research\.s.* with init .*other\.s.*: give --init .*research\.s"),
        ({"init": None}, "cannot go on with init none: give --init"),
        ({"architecture": "lite1"}, "architecture lite cannot go on .* lite1: give --architecture lite, or"),
        (
            {"classes": ("crack", "kerb"), "kinds": ("crack", "line")},
            "crack:crack cannot go on with .* crack:crack,kerb:line",
        ),
    ):
        with pytest.raises(ValueError, match=rf"w/checkpoint\.pt: a training with .*{said}"):
            checkpoint.origin_of(replace(again, **changes))
    with pytest.raises(ValueError, match="architecture lite cannot"):
        train(replace(again, architecture="lite1"))
    assert [path.name for path in again.folder.iterdir()] == ["checkpoint.pt"]


def test_a_checkpoint_without_its_origin_is_resumed_with_a_warning(
    free: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    again = begun(config(free, tmp_path / "w.safetensors"))
    state = dict(checkpoint.read(again.checkpoint))
    del state["origin"]
    torch.save(state, again.checkpoint)
    assert checkpoint.origin_of(again).seen == {"cracksc"}
    assert "checkpoint.pt: an older version wrote it" in capsys.readouterr().err
    other, optimizer = torch.nn.Linear(3, 1), torch.optim.AdamW([torch.zeros(1)])
    with pytest.raises(ValueError, match=r"checkpoint\.pt is of another network .*give --architecture"):
        checkpoint.restore(again.checkpoint, other, Ema(other, 0.9), optimizer)


def test_other_weights_under_the_name_of_before_are_another_start(free: Path, tmp_path: Path) -> None:
    """As after an upgrade of the default, which may still be here under another name, or not at all."""
    again = begun(config(free, tmp_path / "w.safetensors", init="lite"))
    state = dict(checkpoint.read(again.checkpoint))
    for sha256, remedy in (
        (load("lite-2025").network_sha256, "give --init lite-2025, or start anew"),
        ("0" * 64, "give --init a copy of lite as it was then, or start anew"),
    ):
        torch.save(state | {"origin": state["origin"] | {"init_sha256": sha256}}, again.checkpoint)
        with pytest.raises(ValueError, match=f"init lite cannot .* lite of today, which are .*: {remedy}"):
            checkpoint.origin_of(again)
    not_noted = {name: value for name, value in state["origin"].items() if name != "init_sha256"}
    torch.save(state | {"origin": not_noted}, again.checkpoint)
    assert checkpoint.origin_of(again).init == "lite"


def test_classes_that_a_training_was_begun_with_are_told_as_they_are_typed(
    free: Path, tmp_path: Path
) -> None:
    several = config(free, tmp_path / "w.safetensors", classes=("crack", "kerb"), kinds=("crack", "line"))
    again = begun(several)
    for changes in ({"classes": ("crack",), "kinds": ("crack",)}, {"kinds": ("crack", "area")}):
        with pytest.raises(ValueError, match="give --classes crack:crack,kerb:line, or"):
            checkpoint.origin_of(replace(again, **changes))
    state = dict(checkpoint.read(again.checkpoint))
    del state["origin"]["kinds"]  # an older version did not note them
    torch.save(state, again.checkpoint)
    assert checkpoint.origin_of(again).kinds == ("crack", "line")
    with pytest.raises(ValueError, match="give --classes crack:crack,kerb:KIND, or"):
        checkpoint.origin_of(replace(again, classes=("crack",), kinds=("crack",)))


@pytest.mark.parametrize(
    ("kept", "said"), [(0, "is damaged"), (700, "is damaged"), (None, "is no checkpoint")]
)
def test_a_damaged_checkpoint_is_named(kept: int | None, said: str, free: Path, tmp_path: Path) -> None:
    again = begun(config(free, tmp_path / "w.safetensors"))
    content = again.checkpoint.read_bytes()
    again.checkpoint.write_bytes(content[: kept or 0])
    if kept is None:
        torch.save({"a": 1}, again.checkpoint)
    with pytest.raises(ValueError, match=rf"w/checkpoint\.pt {said}.*: remove .*checkpoint\.pt and start"):
        train(again)


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
from crackpipe.model.train.export import export
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
