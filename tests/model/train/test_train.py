"""A training from the first tile to weights: where it starts, what is written down, what it needs."""

import csv
import math
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from training import config

from crackpipe.model.data import pairs
from crackpipe.model.networks.context_cracknet import ContextCrackNetLite
from crackpipe.model.predict.predictor import resolve_precision
from crackpipe.model.train import recipes
from crackpipe.model.train.class_head import LAST_LAYER
from crackpipe.model.train.config import TrainConfig
from crackpipe.model.train.schedule import keep_depthwise_in_full_precision
from crackpipe.model.train.train import build, train
from crackpipe.model.weights.read import load, save


def test_a_schedule_has_one_length(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="either tiles, minutes or epochs"):
        TrainConfig(data=(tmp_path,), out=tmp_path / "w.safetensors")
    with pytest.raises(ValueError, match="either tiles, minutes or epochs"):
        TrainConfig(data=(tmp_path,), out=tmp_path / "w.safetensors", tiles=1, minutes=1)
    with pytest.raises(ValueError, match="safetensors"):
        TrainConfig(data=(tmp_path,), out=tmp_path / "w.pth", tiles=1)


def test_depthwise_convolutions_stay_in_full_precision() -> None:
    net = torch.nn.Sequential(torch.nn.Conv2d(4, 4, 3, groups=4), torch.nn.Conv2d(4, 2, 1))
    keep_depthwise_in_full_precision(net)
    seen = []
    for layer in net:
        layer.register_forward_hook(lambda _module, _args, out: seen.append(out.dtype))
    with torch.autocast("cpu", torch.bfloat16):
        net(torch.randn(1, 4, 8, 8))
    assert seen == [torch.float32, torch.bfloat16]


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


def test_training_starts_from_fitting_weights_only(roads: Path, tmp_path: Path) -> None:
    several = tmp_path / "several.safetensors"
    described = {"classes": ["crack", "joint"], "training_gsd_mm": 1.0, "threshold": 0.5, "contrast_c0": 60.0}
    save(several, ContextCrackNetLite(3), described | {"data": "none", "licence": "none", "metrics": {}})
    with pytest.raises(ValueError, match=r"classes crack, joint does not fit[\s\S]*head"):
        build(config(roads, tmp_path / "w.safetensors", init=several))


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
