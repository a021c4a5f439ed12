"""Weights judged: sets scored by hand, files, and the same probabilities as a survey."""

import csv
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from helpers import write_scene
from PIL import Image

from crackpipe.cli import cli
from crackpipe.model.data.pairs import IGNORE, Pair
from crackpipe.model.evaluate import table
from crackpipe.model.evaluate.judge import Picture, evaluate_weights, judge_picture, score_set
from crackpipe.model.evaluate.metrics import count
from crackpipe.model.evaluate.predictions import predict_like_a_survey
from crackpipe.model.networks.context_cracknet import ContextCrackNetLite
from crackpipe.model.predict.predictor import Predictor
from crackpipe.model.render.picture import render_window
from crackpipe.model.render.scenes import random_scene
from crackpipe.model.weights.read import save
from crackpipe.pipeline.config import Config
from crackpipe.pipeline.geometry.grid import Window
from crackpipe.pipeline.masks import group
from crackpipe.pipeline.request import Request
from crackpipe.pipeline.run import run
from crackpipe.pipeline.tasks.picture import lines_in


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    return Predictor("lite", "cpu")


@pytest.fixture(scope="module")
def pairs() -> list[Pair]:
    """A cracked road and a crack-free one."""
    found = []
    for name, cracked in (("cracked", True), ("sound", False)):
        scene = random_scene(9, 200, 300, gsd_mm=1.0, look="old asphalt", with_cracks=cracked)
        rgb, mask = render_window(scene, 0, 0, 200, 300)
        assert mask.any() == cracked
        found.append(Pair("roads", name, rgb, mask, np.argwhere(mask).astype(np.int32)))
    return found


def picture(stem: str, predicted: str, label: str, set_name: str = "cfd", false_lines: int = 0) -> Picture:
    """`#` crack, `.` sound."""
    made = [np.array([[cell == "#" for cell in text]]) for text in (predicted, label)]
    return Picture(set_name, stem, count(made[0], made[1].astype(np.uint8)), false_lines)


def save_pairs(data: Path, pairs: list[Pair]) -> None:
    for pair in pairs:
        for part, pixels in (("images", pair.image), ("masks", pair.label * np.uint8(255))):
            (data / pair.set_name / part).mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(data / pair.set_name / part / f"{pair.stem}.png")


def test_a_set_by_hand() -> None:
    score = score_set([
        picture("001", "##......", ".##....."),  # 1 of 2 right, all within 2 px
        picture("002", "........", "......##"),
        picture("003", "........", "........"),
        picture("004", "#.......", "........"),
        picture("005", "########", "........", false_lines=2),
    ])  # fmt: skip
    assert (score.pictures, score.crack_free) == (5, 3)
    assert (score.crack_free_marked, score.crack_free_with_lines) == (2, 1)
    assert score.scores.iou == pytest.approx(1 / 14)  # found 11, labelled 4, common 1
    assert score.scores.dice == pytest.approx(2 / 15)
    assert score.scores.false_share == pytest.approx(10 / 40)
    assert score.scores.precision_2px == pytest.approx(2 / 11)
    assert score.scores.recall_2px == pytest.approx(2 / 4)
    low, high = score.intervals["iou"]
    assert low <= 1 / 14 <= high


def test_lines_on_ground_that_nobody_labelled_are_not_false() -> None:
    probability = np.zeros((120, 300), np.uint8)
    probability[58:61, 20:280] = 254
    label = np.zeros((120, 300), np.uint8)
    pair = Pair("roads", "lane", np.zeros((120, 300, 3), np.uint8), label, np.empty((0, 2), np.int32))
    assert judge_picture(pair, probability, 127, lines_in).false_lines == 1
    label[40:80] = IGNORE
    assert judge_picture(pair, probability, 127, lines_in).false_lines == 0


def test_a_survey_of_the_picture_has_the_same_probabilities(tmp_path: Path, predictor: Predictor) -> None:
    # 500 x 800 px: two rows and three columns of cores, cut off at both edges.
    scene = random_scene(4, 500, 800, gsd_mm=1.0, look="old asphalt", with_cracks=True)
    write_scene(tmp_path / "survey" / "a.tif", scene)
    run(Request((tmp_path / "survey",), tmp_path / "out", Config(device="cpu"), serial=True))
    _, surveyed = group.read_window(tmp_path / "out" / "masks.zarr" / "a.tif", Window(0, 0, 500, 800))
    rgb, _ = render_window(scene, 0, 0, 500, 800)
    alone = predict_like_a_survey(predictor, rgb)
    assert alone.max() > 127
    assert (alone == surveyed).all()


def test_mean_is_over_sets_with_cracks(predictor: Predictor, pairs: list[Pair]) -> None:
    sound = replace(pairs[1], set_name="sound")
    found = evaluate_weights(predictor, [sound, replace(pairs[0], set_name="other"), pairs[0]], lines_in)
    rows = {str(row["set"]): row for row in table.rows(found)}
    assert list(rows) == ["other", "roads", "sound", "mean", "sd"]
    assert rows["mean"]["iou"] == rows["roads"]["iou"] == rows["other"]["iou"]
    assert rows["sd"]["iou"] == 0
    assert rows["sound"]["iou"] is None
    assert rows["sound"]["crack_free"] == 1
    assert found.threshold == predictor.weights.threshold


def test_a_set_of_which_nothing_is_found_lowers_the_mean(predictor: Predictor, pairs: list[Pair]) -> None:
    """And neither leaves it nor makes it unknown."""
    white = np.full_like(pairs[0].image, 255)
    blind = replace(pairs[0], set_name="white", image=white)
    found = evaluate_weights(predictor, [blind, pairs[0]], lines_in)
    rows = {str(row["set"]): row for row in table.rows(found)}
    assert rows["white"]["f1_line"] == 0
    assert rows["mean"]["f1_line"] == pytest.approx(float(str(rows["roads"]["f1_line"])) / 2)
    assert rows["mean"]["precision"] is None
    assert "nan" not in table.markdown(found)


def test_threshold_decides(predictor: Predictor, pairs: list[Pair]) -> None:
    low, high = (
        evaluate_weights(predictor, pairs, lines_in, threshold=t).sets["roads"].scores for t in (0.02, 0.98)
    )
    assert low.recall > high.recall
    assert low.false_share > high.false_share


def test_nothing_to_evaluate_and_several_classes_are_refused(
    tmp_path: Path, predictor: Predictor, pairs: list[Pair]
) -> None:
    with pytest.raises(ValueError, match="nothing to evaluate"):
        evaluate_weights(predictor, [], lines_in)
    described = {"classes": ["crack", "joint"], "training_gsd_mm": 1.0, "threshold": 0.5, "contrast_c0": 60.0}
    described |= {"data": "none", "licence": "none", "metrics": {}}
    save(tmp_path / "w.safetensors", ContextCrackNetLite(3), described)
    with pytest.raises(ValueError, match="2 classes"):
        evaluate_weights(Predictor(tmp_path / "w.safetensors", "cpu"), pairs, lines_in)


def test_the_command_writes_what_it_prints(tmp_path: Path, pairs: list[Pair]) -> None:
    save_pairs(tmp_path / "data", pairs)
    arguments = ["evaluate", str(tmp_path / "data"), "--device", "cpu"]
    refused = CliRunner().invoke(cli, arguments)
    assert "nothing to evaluate" in str(refused.exception)
    result = CliRunner().invoke(cli, [*arguments, "--part", "all", "--out", str(tmp_path / "scores")])
    assert result.exit_code == 0, result.output
    assert result.output == (tmp_path / "scores/scores.md").read_text()
    with (tmp_path / "scores/scores.csv").open() as file:
        row = next(csv.DictReader(file))
    assert row["set"] == "roads"
    assert 0 <= float(row["iou_low"]) <= float(row["iou"]) <= float(row["iou_high"]) <= 1
    assert f"{float(row['f1_2px']):.3f}" in result.output
    with (tmp_path / "scores/pictures.csv").open() as file:
        pictures = list(csv.DictReader(file))
    assert [p["picture"] for p in pictures] == ["cracked", "sound"]
    assert sum(int(p["inspected_px"]) for p in pictures) == 2 * 200 * 300
    assert math.isfinite(float(row["cldice"]))
    assert row["pictures"] == "2"


def test_the_command_compares(tmp_path: Path, pairs: list[Pair]) -> None:
    save_pairs(tmp_path / "data", pairs)
    arguments = ["evaluate", str(tmp_path / "data"), "--part", "all", "--device", "cpu", "--against", "lite"]
    result = CliRunner().invoke(cli, [*arguments, "--out", str(tmp_path / "scores")])
    assert result.exit_code == 0, result.output
    difference = (tmp_path / "scores/against/difference.md").read_text()
    assert result.output.endswith(difference)
    assert "| roads | 1 | +0.000 (+0.000 to +0.000)" in difference
    assert (tmp_path / "scores/scores.csv").read_text() == (
        tmp_path / "scores/against/scores.csv"
    ).read_text()
