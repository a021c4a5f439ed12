"""A network for several classes: its last layer, and a short training."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from training import write_set

from crackpipe.model.data.pairs import is_validation
from crackpipe.model.networks.context_cracknet import ContextCrackNetLite
from crackpipe.model.render.labels import LABELS
from crackpipe.model.render.scenes import write_pairs
from crackpipe.model.train import checkpoint
from crackpipe.model.train.class_head import head_for
from crackpipe.model.train.config import TrainConfig
from crackpipe.model.train.train import build, train
from crackpipe.model.weights.read import load, save


def test_a_network_for_more_classes_starts_as_the_one_it_comes_from(tmp_path: Path) -> None:
    """Rows of known classes are copied; with all others far down, softmax gives the sigmoid of before."""
    torch.manual_seed(3)
    one = ContextCrackNetLite(1)
    described: dict[str, Any] = {"classes": ["crack"], "training_gsd_mm": 1.0, "threshold": 0.5}
    described |= {"contrast_c0": 60.0, "data": "none", "licence": "none", "metrics": {}}
    save(tmp_path / "one.safetensors", one, described)
    start = load(tmp_path / "one.safetensors")
    four = ContextCrackNetLite(4)
    head = head_for(("joint", "crack", "kerb"), start, four.state_dict())
    assert set(head) == {"head.1.weight", "head.1.bias"}
    assert (head["head.1.weight"][2] == start.tensors["head.1.weight"][0]).all()
    assert (head["head.1.weight"][1] == four.head[1].weight[1]).all()
    head["head.1.weight"][[1, 3]], head["head.1.bias"][[1, 3]] = 0.0, -100.0
    four.load_state_dict({**start.tensors, **head})
    x = torch.randn(1, 3, 448, 448)
    with torch.inference_mode():
        p = torch.softmax(four.eval()(x), dim=1)[:, 2]
        assert torch.allclose(p, torch.sigmoid(start.build()(x))[:, 0], atol=1e-6)


@pytest.mark.slow
def test_a_short_training_of_four_classes(tmp_path: Path) -> None:
    write_pairs(tmp_path / "rendered_classes", 12, seed=3, size_px=64, with_classes=True)
    names = [path.stem for path in (tmp_path / "rendered_classes" / "images").iterdir()]
    assert any(is_validation("rendered_classes", name) for name in names)
    settings: dict[str, Any] = {"tiles": 2, "processes": 1, "batch": 1, "bf16": False, "validations": 2}
    config = TrainConfig(
        data=(tmp_path / "rendered_classes",), out=tmp_path / "four.safetensors", classes=LABELS,
        kinds=("crack", "line", "line", "area"), init="lite", **settings,
    )  # fmt: skip
    built = build(config).state_dict()
    assert (built["head.1.weight"][1] == load("lite").tensors["head.1.weight"][0]).all()
    loaded = load(train(config))
    state = checkpoint.read(config.checkpoint)
    assert (state["net"]["head.1.bias"] != built["head.1.bias"]).all()  # every class learns
    rates = [(group["rate"], len(group["params"])) for group in state["optimizer"]["param_groups"]]
    assert rates[-2:] == [(3.0, 1), (3.0, 1)]  # bias and kernel of the last layer
    assert {rate for rate, _ in rates[:-2]} == {0.5, 1.0}
    assert (loaded.classes, loaded.kinds) == (LABELS, ("crack", "line", "line", "area"))
    assert loaded.channels == 5
    assert set(loaded.metrics["classes"]) == set(LABELS)
    again = replace(config, out=tmp_path / "again.safetensors", init=tmp_path / "four.safetensors")
    assert (build(again).state_dict()["head.1.weight"] == loaded.tensors["head.1.weight"]).all()


def test_one_class_of_another_name_keeps_it(tmp_path: Path) -> None:
    write_set(tmp_path / "roads", [0, 1, 2, 3, 4])
    settings: dict[str, Any] = {"tiles": 1, "processes": 1, "batch": 1, "bf16": False, "init": "lite"}
    out = tmp_path / "sealed.safetensors"
    made = train(TrainConfig(data=(tmp_path / "roads",), out=out, classes=("sealed_crack",), **settings))
    assert (load(made).classes, load(made).channels) == (("sealed_crack",), 1)
