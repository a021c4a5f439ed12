"""Training on a handful of drawn roads, with the real lite network: schedule, checkpoint, resume, export."""

import csv
import math
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from crackpipe.model.data import pairs
from crackpipe.model.evaluate import predictions, thresholds
from crackpipe.model.networks.context_cracknet import ContextCrackNetLite
from crackpipe.model.predict.predictor import resolve_precision
from crackpipe.model.train import checkpoint, recipes
from crackpipe.model.train.checkpoint import Ema, Progress
from crackpipe.model.train.class_head import LAST_LAYER
from crackpipe.model.train.config import TrainConfig
from crackpipe.model.train.schedule import keep_depthwise_in_full_precision
from crackpipe.model.train.train import build, train
from crackpipe.model.weights.read import load, save


@pytest.fixture(scope="module")
def roads(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six roads with one dark crack each; two of them (0 and 1) fall on the validation side."""
    folder = tmp_path_factory.mktemp("data")
    for part in ("images", "masks"):
        (folder / "cfd" / part).mkdir(parents=True)
    for number in range(6):
        rng = np.random.default_rng(number)
        image = rng.normal(150, 8, (320, 384, 3))  # one tile of validation each
        mask = np.zeros((320, 384), np.uint8)
        col = 100 + 40 * number
        mask[:, col : col + 4] = 255
        image[mask > 0] -= 90
        Image.fromarray(image.clip(0, 255).astype(np.uint8)).save(folder / "cfd/images" / f"{number}.jpg")
        Image.fromarray(mask).save(folder / "cfd/masks" / f"{number}.png")
    return folder


def config(roads: Path, out: Path, **changes: object) -> TrainConfig:
    settings: dict[str, object] = {
        "data": (roads,), "out": out, "tiles": 4, "processes": 1, "batch": 1, "pretrained": False,
        "bf16": False, "validations": 0,
    }  # fmt: skip
    return TrainConfig(**settings | changes)  # type: ignore[arg-type]


def test_a_schedule_has_one_length(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="either tiles, minutes or epochs"):
        TrainConfig(data=(tmp_path,), out=tmp_path / "w.safetensors")
    with pytest.raises(ValueError, match="either tiles, minutes or epochs"):
        TrainConfig(data=(tmp_path,), out=tmp_path / "w.safetensors", tiles=1, minutes=1)
    with pytest.raises(ValueError, match="safetensors"):
        TrainConfig(data=(tmp_path,), out=tmp_path / "w.pth", tiles=1)


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


def test_depthwise_convolutions_stay_in_full_precision() -> None:
    net = torch.nn.Sequential(torch.nn.Conv2d(4, 4, 3, groups=4), torch.nn.Conv2d(4, 2, 1))
    keep_depthwise_in_full_precision(net)
    seen = []
    for layer in net:
        layer.register_forward_hook(lambda _module, _args, out: seen.append(out.dtype))
    with torch.autocast("cpu", torch.bfloat16):
        net(torch.randn(1, 4, 8, 8))
    assert seen == [torch.float32, torch.bfloat16]


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


def test_training_writes_weights_that_load(roads: Path, tmp_path: Path) -> None:
    out = train(config(roads, tmp_path / "w.safetensors", tiles=2, validations=2))
    loaded = load(out)
    assert loaded.classes == ("crack",)
    assert 0 < loaded.threshold < 1
    assert set(loaded.metrics["validation"]) <= {"cfd"}
    assert loaded.extra["tiles_seen"] == 2
    with (tmp_path / "w" / "log.csv").open() as file:
        last = list(csv.DictReader(file))[-1]
    assert (last["tiles"], last["done"]) == ("2", "1.0")
    assert math.isfinite(float(last["loss"]))
    with pytest.raises(FileExistsError, match="resume"):
        train(config(roads, tmp_path / "w.safetensors", tiles=2))


def test_a_fresh_network_starts_at_the_prior(roads: Path, tmp_path: Path) -> None:
    fresh = config(roads, tmp_path / "w.safetensors", prior=0.1)
    kinds = ("crack", "line", "area")
    several = replace(fresh, classes=("crack", "joint", "paint"), kinds=kinds)
    for asked in (fresh, replace(fresh, architecture="full"), several):
        bias = next(tensor for name, tensor in build(asked).named_parameters() if name in LAST_LAYER[1::2])
        if asked is several:
            assert torch.softmax(bias, 0).tolist() == pytest.approx([0.9, *[0.1 / 3] * 3])
        else:
            assert torch.sigmoid(bias).tolist() == pytest.approx([0.1])
    with pytest.raises(ValueError, match=r"prior is 1\.0"):
        replace(fresh, prior=1.0)


def test_training_starts_from_other_weights(roads: Path, tmp_path: Path) -> None:
    first = train(config(roads, tmp_path / "first.safetensors", tiles=1))
    second = config(roads, tmp_path / "second.safetensors", tiles=1, init=first, learning_rate=1e-9)
    start, net = load(first), build(second)
    assert all(torch.equal(tensor, start.tensors[name]) for name, tensor in net.state_dict().items())
    end = load(train(second))
    for name, _ in net.named_parameters():  # one step of no length; fp16 on disk
        assert torch.allclose(end.tensors[name], start.tensors[name], rtol=1e-3, atol=1e-6), name


def test_a_student_names_what_its_teacher_saw(roads: Path, tmp_path: Path) -> None:
    torch.manual_seed(4)
    seen = {
        "classes": ["crack"], "training_gsd_mm": 1.0, "threshold": 0.5, "contrast_c0": 60.0,
        "data": "deepcrack", "licence": "research only", "metrics": {},
    }  # fmt: skip
    save(tmp_path / "teacher.safetensors", ContextCrackNetLite(), seen)
    free = tmp_path / "data"
    shutil.copytree(roads / "cfd", free / "cracksc")
    alone = load(train(config(free, tmp_path / "alone.safetensors", tiles=1)))
    taught = load(
        train(
            config(free, tmp_path / "taught.safetensors", tiles=1, teacher=tmp_path / "teacher.safetensors")
        )
    )
    assert alone.data == "cracksc"
    assert taught.data == "cracksc, deepcrack, weights teacher"
    assert taught.licence.startswith("Weights derived from data sets of which several allow non-commercial")
    same = "encoder.conv_stem.weight"
    assert not torch.equal(alone.tensors[same], taught.tensors[same])  # it had a say


def test_training_starts_from_fitting_weights_only(roads: Path, tmp_path: Path) -> None:
    several = tmp_path / "several.safetensors"
    described = {"classes": ["crack", "joint"], "training_gsd_mm": 1.0, "threshold": 0.5, "contrast_c0": 60.0}
    save(several, ContextCrackNetLite(3), described | {"data": "none", "licence": "none", "metrics": {}})
    with pytest.raises(ValueError, match=r"classes crack, joint does not fit[\s\S]*head"):
        build(config(roads, tmp_path / "w.safetensors", init=several))


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


def test_an_improvement_needs_a_judge(roads: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    shutil.copytree(roads / "cfd", mine)
    with pytest.raises(ValueError, match="--validation-share"):
        train(config(mine, tmp_path / "w.safetensors", patience=2))
    assert not pairs.load_pairs([mine], validation=True)
    kept = pairs.load_pairs([mine], validation=True, share_of_others=0.4)
    rest = pairs.load_pairs([mine], validation=False, share_of_others=0.4)
    assert 0 < len(kept) < 6
    assert len(kept) + len(rest) == 6


def test_calibration_needs_photographs_before_anything_is_trained(roads: Path, tmp_path: Path) -> None:
    own = tmp_path / "own"
    shutil.copytree(roads / "cfd", own / "rendered_own")
    with pytest.raises(ValueError, match=r"no photograph is kept .*--validation-share 0\.2"):
        train(config(own, tmp_path / "w.safetensors", calibrate=True))
    assert not (tmp_path / "w").exists()


def test_a_training_is_written_down(roads: Path, tmp_path: Path) -> None:
    stated: dict[str, object] = {"licence": "CC0-1.0", "finest_gsd_mm": 0.5, "coarsest_gsd_mm": 6.0,
        "threshold_by": "lines",
    }  # fmt: skip
    made = config(roads, tmp_path / "w.safetensors", tiles=1, loss="bce_dice_cldice", **stated)
    loaded = load(train(made))
    assert loaded.licence == "CC0-1.0"
    assert loaded.gsd_range_mm == (0.5, 6.0)
    assert recipes.resolve(recipes.given({}, tmp_path / "w" / "train.toml")) == made


def test_bf16_unless_told_is_for_devices_that_have_it(roads: Path, tmp_path: Path) -> None:
    train(config(roads, tmp_path / "w.safetensors", tiles=1, bf16=None))
    written = recipes.given({}, tmp_path / "w" / "train.toml")
    assert written["bf16"] is (resolve_precision("cpu") == "bf16")


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


def run(roads: Path, out: Path, processes: int = 1) -> "subprocess.Popen[bytes]":
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
    process = run(roads, killed)
    deadline = time.monotonic() + 200
    while not (tmp_path / "b" / "checkpoint.pt").exists():
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    stopped_at = checkpoint.read(tmp_path / "b" / "checkpoint.pt")["progress"]["tiles"]
    assert 1 <= stopped_at < 4
    assert run(roads, killed).wait(200) == 0
    assert undisturbed.read_bytes() == killed.read_bytes()


@pytest.mark.slow
def test_two_processes_train_one_network(roads: Path, tmp_path: Path) -> None:
    """Spawned here or started by torchrun: the same weights."""
    out, other = tmp_path / "two.safetensors", tmp_path / "torchrun.safetensors"
    assert run(roads, out, processes=2).wait(250) == 0
    assert checkpoint.read(tmp_path / "two" / "checkpoint.pt")["progress"]["step"] == 2  # 4 tiles, 2 a step
    assert load(out).threshold > 0
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    script = str(out.with_suffix(".py"))
    subprocess.run([*torchrun, script, str(roads), str(other), "1"], check=True, timeout=250)
    assert out.read_bytes() == other.read_bytes()


class Darkness(torch.nn.Module):
    """Logit 10 where a pixel is darker than 127, else -10: a network whose answer is known."""

    INPUT_MEAN = (127.0, 127.0, 127.0)
    INPUT_STD = (128.0, 128.0, 128.0)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        assert x.shape[2:] == (448, 448)
        return torch.where(x[:, :1] < 0, 10.0, -10.0)


@pytest.mark.parametrize("shape", [(40, 50), (448, 448), (385, 900), (800, 384)])
def test_whole_photographs_are_put_together_in_place(shape: tuple[int, int]) -> None:
    image = np.random.default_rng(1).integers(0, 255, (*shape, 3), np.uint8)
    image[..., 1:] = image[..., :1]
    probability = predictions.predict_image(Darkness(), image, torch.device("cpu"))
    assert ((probability == 254) == (image[..., 0] < 127)).all()


def test_lite_network_predicts_a_photograph() -> None:
    net = ContextCrackNetLite(1).eval()
    image = np.full((100, 60, 3), 90, np.uint8)
    assert predictions.predict_image(net, image, torch.device("cpu"), bf16=True).shape == (100, 60)


def test_threshold_is_the_best_mean_iou_over_sets() -> None:
    label = np.array([[1, 1, 0, 0]], np.uint8)
    one = predictions.Prediction("one", label, np.array([[200, 100, 90, 0]], np.uint8))
    two = predictions.Prediction("two", label, np.array([[250, 180, 120, 0]], np.uint8))
    negative = predictions.Prediction("none", label * 0, np.array([[99, 0, 0, 0]], np.uint8))
    assert thresholds.best_threshold([one]) == pytest.approx(90.5 / 254)
    # Up to level 90 both miss by one pixel (2/3 each); 91..100 gives 1 and 2/3; 121..180 gives 1/2 and 1.
    threshold = thresholds.best_threshold([one, two, negative])
    assert threshold == pytest.approx(90.5 / 254)
    figures = thresholds.score_sets([one, two, negative], threshold)
    assert figures["one"].iou == 1
    assert figures["two"].iou == pytest.approx(2 / 3)
    assert figures["none"].false_share == pytest.approx(1 / 4)


def test_threshold_needs_a_crack() -> None:
    with pytest.raises(ValueError, match="no crack"):
        thresholds.best_threshold(
            [predictions.Prediction("a", np.zeros((1, 2), np.uint8), np.zeros((1, 2), np.uint8))]
        )
