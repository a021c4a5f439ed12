"""Several classes on the way to weights: names, kinds, labels, the last layer, figures, a short training."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from colours import save_colour_weights
from PIL import Image

from crackpipe.cli import cli
from crackpipe.model.data import augment
from crackpipe.model.data.pairs import Pair, classes_of_set, is_validation, load_pairs, pixels_per_class
from crackpipe.model.data.tiles import draw_tile
from crackpipe.model.evaluate import predictions
from crackpipe.model.evaluate.predictions import Prediction
from crackpipe.model.networks.context_cracknet import ContextCrackNetLite
from crackpipe.model.predict.predictor import Predictor
from crackpipe.model.render.cracks import Crack, Window
from crackpipe.model.render.labels import LABELS, class_labels
from crackpipe.model.render.marks import Mark
from crackpipe.model.render.picture import clean_scene, render_window
from crackpipe.model.render.scenes import random_scene, write_pairs
from crackpipe.model.train import checkpoint
from crackpipe.model.train.class_head import head_for
from crackpipe.model.train.config import TrainConfig
from crackpipe.model.train.train import build, train
from crackpipe.model.weights import metadata
from crackpipe.model.weights.kinds import parse
from crackpipe.model.weights.read import load, save
from crackpipe.pipeline.masks.values import classify

FOUR = ("crack", "sealed_crack", "joint", "lane_paint")
STILL = augment.Odds(turn=0, tone=0, grey=0, saturation=0, shadow=0, noise=0, blur=0, jpeg=0)


# ---- names and kinds


def test_classes_are_parsed_with_their_kinds() -> None:
    assert parse("crack") == (("crack",), ("crack",))
    assert parse(",".join(FOUR)) == (FOUR, ("crack", "line", "line", "area"))
    assert parse("alligator:crack, kerb:line") == (("alligator", "kerb"), ("crack", "line"))


@pytest.mark.parametrize("text", ["", "crack,", "kerb", "crack,kerb:edge", "crack,crack", "joint,lane_paint"])
def test_classes_that_say_too_little_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="crack"):
        parse(text)


def test_kinds_are_read_back_and_all_are_cracks_where_missing(tmp_path: Path) -> None:
    path = save_colour_weights(tmp_path / "w.safetensors")
    loaded = load(path)
    assert (loaded.classes, loaded.kinds) == (("crack", "joint", "lane_paint"), ("crack", "line", "area"))
    assert "kinds" not in loaded.extra
    described: dict[str, Any] = {"classes": ["a", "b"], "training_gsd_mm": 1.0, "threshold": 0.5}
    described |= {"contrast_c0": 60.0, "data": "none", "licence": "none", "metrics": {}}
    save(path, ContextCrackNetLite(3), described)
    assert load(path).kinds == ("crack", "crack")
    for wrong in (["crack"], ["line", "area"], ["crack", "kerb"], "crack"):
        with pytest.raises(metadata.WeightsError, match=r"'kinds' is .*set a list of 2"):
            save(path, ContextCrackNetLite(3), described | {"kinds": wrong})


# ---- labels


def write_set(folder: Path, values: list[int], names: tuple[str, ...] = FOUR) -> None:
    """One picture whose mask has one column of each value."""
    for part in ("images", "masks"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    mask = np.array([values] * 4, np.uint8)
    Image.fromarray(np.full((*mask.shape, 3), 90, np.uint8)).save(folder / "images" / "a.png")
    Image.fromarray(mask).save(folder / "masks" / "a.png")
    if names:
        (folder / "classes.txt").write_text("\n".join(names) + "\n")


def label_row(folder: Path, classes: tuple[str, ...]) -> list[int]:
    [pair] = load_pairs([folder], validation=False, classes=classes)
    return pair.label[0].tolist()  # type: ignore[no-any-return]


def test_masks_of_indices_become_the_classes_asked_for(tmp_path: Path) -> None:
    write_set(tmp_path, [0, 1, 2, 3, 4, 255])
    assert label_row(tmp_path, FOUR) == [0, 1, 2, 3, 4, 255]
    assert label_row(tmp_path, ("joint", "crack")) == [0, 2, 0, 1, 0, 255]
    assert label_row(tmp_path, ("crack",)) == [0, 1, 0, 0, 0, 255]
    [pair] = load_pairs([tmp_path], validation=False, classes=FOUR)
    assert pair.crack_at[:, 1].tolist() == [1] * 4 + [2] * 4 + [3] * 4 + [4] * 4
    assert pixels_per_class([pair], 4).tolist() == [4] * 5


def test_masks_of_crack_or_not_know_crack_only(tmp_path: Path) -> None:
    write_set(tmp_path, [0, 255, 126, 127, 128], names=())
    assert label_row(tmp_path, ("joint", "crack")) == [0, 2, 0, 255, 2]
    assert label_row(tmp_path, ("joint", "kerb")) == [0, 0, 0, 255, 0]


def test_masks_that_do_not_fit_their_classes_are_refused(tmp_path: Path) -> None:
    write_set(tmp_path, [0, 1, 5])
    with pytest.raises(ValueError, match=r"a\.png has the value 5, but classes\.txt beside it names 4"):
        label_row(tmp_path, FOUR)
    (tmp_path / "classes.txt").write_text("crack\ncrack\n")
    with pytest.raises(ValueError, match="different names needed"):
        label_row(tmp_path, FOUR)


@pytest.mark.parametrize("turn", [0.0, 1.0])
def test_every_class_stays_on_its_pixels(turn: float) -> None:
    """Stripes of grey values 40 k: whatever is done to a tile, labels are those of its grey values."""
    stripes = np.repeat(np.arange(5, dtype=np.uint8), 40)[None].repeat(320, axis=0).repeat(2, axis=1)
    label = np.ascontiguousarray(stripes.T)
    image = (label * 40)[..., None].repeat(3, axis=-1)
    pair = Pair("roads", "1", image, label, np.argwhere(label > 0).astype(np.int32))
    seen: set[int] = set()
    for seed in range(6):
        tile, moved = draw_tile([pair], np.random.default_rng(seed), replace(STILL, turn=turn))
        sure = np.abs(tile[..., 0] - np.rint(tile[..., 0] / 40) * 40) < 3
        inside = sure & (np.rint(tile[..., 0] / 40) == moved)
        assert inside.sum() >= 0.97 * sure.sum()
        seen |= set(np.unique(moved).tolist())
    assert seen == {0, 1, 2, 3, 4}


def test_ignored_pixels_stay_ignored() -> None:
    label = np.zeros((40, 40), np.uint8)
    label[10:14], label[20:24] = 255, 3
    image = label[..., None].repeat(3, axis=-1)
    _, small = augment.resize_pair(image, label, 20, 20)
    # half the size: any share of an ignored pixel is ignored, of a class 0.4 is needed
    assert small[:, 5].tolist() == [0] * 4 + [255] * 4 + [0] * 2 + [3] * 2 + [0] * 8


def test_the_larger_share_of_a_pixel_counts_and_of_equal_ones_the_lower_index() -> None:
    """Half the size: columns 3 to 6 of 1, 3, 3, 1 parts are column 2."""
    image = np.zeros((8, 8, 3), np.uint8)
    for columns, index in (
        ([1, 1, 1, 1, 1, 2, 2, 2], 1),
        ([1, 1, 1, 1, 2, 1, 2, 2], 1),
        ([1] * 4 + [2] * 4, 2),
    ):
        label = np.array([columns] * 8, np.uint8)
        assert augment.resize_pair(image, label, 4, 4)[1][:, 2].tolist() == [index] * 4


# ---- rendered labels


def test_rendered_labels_by_eye() -> None:
    """Paint, a joint over it, a patch over part of it, a stain that hides nothing, a crack through all."""

    def box(top: float, bottom: float, left: float, right: float) -> np.ndarray:
        return np.array([[top, left], [top, right], [bottom, right], [bottom, left]]) - 0.5

    marks = (
        Mark(box(1, 7, 0, 4), "cover", 220.0, edge_px=0.1, what="lane_paint"),
        Mark(np.array([[3.0, -9.0], [3.0, 20.0]]), "cover", 50.0, width_px=1.0, edge_px=0.1, what="joint"),
        Mark(box(0, 9, 6, 8), "cover", 90.0, edge_px=0.1),
        Mark(box(0, 9, 0, 9), "stain", 0.8, edge_px=0.1),
    )
    crack = Crack(np.array([[-5.0, 2.0], [20.0, 2.0]]), np.full(2, 1.0), 60.0)
    scene = replace(clean_scene(9, 9, 1, (crack,)), marks=marks)
    _, mask = render_window(scene, 0, 0, 9, 9)
    labels = class_labels(scene, Window(0, 0, 9, 9), mask)
    drawn = """
        ..c......
        PPcP.....
        PPcP.....
        JJcJJJ..J
        PPcP.....
        PPcP.....
        PPcP.....
        ..c......
        ..c......
    """
    assert ["".join(".csJP"[v] for v in row) for row in labels] == drawn.split()


def test_any_window_has_the_labels_of_the_whole() -> None:
    scene = random_scene(31, 300, 280, weathered=True, furnished=True, with_cracks=True)
    _, mask = render_window(scene, 0, 0, 300, 280)
    whole = class_labels(scene, Window(0, 0, 300, 280), mask)
    part = class_labels(scene, Window(70, 33, 100, 120), mask[70:170, 33:153])
    assert (part == whole[70:170, 33:153]).all()
    assert ((whole == 1) == (mask == 1)).all()


def test_furniture_changes_nothing_else_of_a_scene() -> None:
    plain, furnished = (random_scene(8, 200, 200, furnished=each) for each in (False, True))
    count = len(plain.marks)
    assert [mark.seed for mark in furnished.marks[:count]] == [mark.seed for mark in plain.marks]
    assert len(furnished.cracks) == len(plain.cracks)
    kinds = {m.what for s in range(12) for m in random_scene(s, 200, 200, furnished=True).marks}
    assert kinds == {"", *FOUR[1:]}


def test_pairs_with_classes_load(tmp_path: Path) -> None:
    write_pairs(tmp_path, 3, seed=2, size_px=96, with_classes=True)
    assert classes_of_set(tmp_path) == LABELS
    pairs = load_pairs([tmp_path], validation=False, classes=LABELS)
    assert len(pairs) == 3
    assert max(pair.label.max() for pair in pairs) > 1


# ---- networks


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


def test_validation_sees_what_a_run_sees(tmp_path: Path) -> None:
    """The most probable class and its probability are those of the masks, to the level."""
    loaded = load(save_colour_weights(tmp_path / "w.safetensors"))
    image = np.random.default_rng(4).integers(90, 150, (150, 170, 3), np.uint8)
    index, best = predictions.predict_classes(loaded.build(), image, torch.device("cpu"))
    tile = augment.reflected_window(image, -32, -32, 448, 448)
    [probability] = Predictor(loaded, "cpu", "fp32").predict(tile[None])
    mask, of_run = classify(probability[:, 32:182, 32:202], 127)
    assert (np.abs(best.astype(int) - of_run) <= 1).all()
    assert (np.where(best >= 127, index, 0) == mask).mean() > 0.999
    assert set(np.unique(mask)) == {0, 1, 2, 3}


def test_figures_of_several_classes_by_hand() -> None:
    label = np.array([[0, 1, 2, 255]], np.uint8)
    found = Prediction("a", label, np.array([[9, 200, 180, 7]], np.uint8), np.array([[3, 1, 1, 2]], np.uint8))
    [crack] = predictions.crack_or_not([found], ("crack", "line", "crack"))
    assert crack.label.tolist() == [[0, 1, 0, 255]]
    assert crack.probability.tolist() == [[9, 200, 180, 0]]
    [second] = predictions.of_class([found], 2)
    assert second.label.tolist() == [[0, 0, 1, 255]]
    assert second.probability.tolist() == [[0, 0, 0, 7]]
    binary = Prediction("a", label, found.probability)
    assert predictions.crack_or_not([binary], ("crack",)) == [binary]


@pytest.mark.slow
def test_a_short_training_of_four_classes(tmp_path: Path) -> None:
    write_pairs(tmp_path / "rendered_classes", 12, seed=3, size_px=64, with_classes=True)
    names = [path.stem for path in (tmp_path / "rendered_classes" / "images").iterdir()]
    assert any(is_validation("rendered_classes", name) for name in names)
    settings: dict[str, Any] = {"tiles": 2, "processes": 1, "batch": 1, "bf16": False, "validations": 2}
    config = TrainConfig(
        data=(tmp_path / "rendered_classes",), out=tmp_path / "four.safetensors", classes=FOUR,
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
    assert (loaded.classes, loaded.kinds) == (FOUR, ("crack", "line", "line", "area"))
    assert loaded.channels == 5
    assert set(loaded.metrics["classes"]) == set(FOUR)
    again = replace(config, out=tmp_path / "again.safetensors", init=tmp_path / "four.safetensors")
    assert (build(again).state_dict()["head.1.weight"] == loaded.tensors["head.1.weight"]).all()


def test_one_class_of_another_name_keeps_it(tmp_path: Path) -> None:
    write_set(tmp_path / "roads", [0, 1, 2, 3, 4], names=FOUR)
    settings: dict[str, Any] = {"tiles": 1, "processes": 1, "batch": 1, "bf16": False, "init": "lite"}
    out = tmp_path / "sealed.safetensors"
    made = train(TrainConfig(data=(tmp_path / "roads",), out=out, classes=("sealed_crack",), **settings))
    assert (load(made).classes, load(made).channels) == (("sealed_crack",), 1)


# ---- commands


def test_a_checkpoint_of_several_classes_is_imported_with_their_names(tmp_path: Path) -> None:
    torch.save(ContextCrackNetLite(3).state_dict(), tmp_path / "w.pth")
    out = tmp_path / "w.safetensors"
    command = ["weights", "import", str(tmp_path / "w.pth"), "--out", str(out), "--classes"]
    assert CliRunner().invoke(cli, [*command, "crack,kerb:line"]).exit_code == 0
    assert (load(out).classes, load(out).kinds) == (("crack", "kerb"), ("crack", "line"))
    for wrong, said in (("crack,joint,lane_paint", "do not fit"), ("crack,kerb", "write NAME:KIND")):
        result = CliRunner().invoke(cli, [*command, wrong])
        assert said in str(result.exception)


def test_classes_are_for_pairs_only(tmp_path: Path) -> None:
    result = CliRunner().invoke(cli, ["sample", str(tmp_path), "--classes"])
    assert result.exit_code == 2
    assert "--kind pairs" in result.output
