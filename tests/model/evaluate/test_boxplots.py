"""Box plots: values per photograph by hand, and the file."""

import importlib.util
import math
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from crackpipe.cli import cli
from crackpipe.model.evaluate import boxplots
from crackpipe.model.evaluate.judge import Evaluation, Picture, score_set
from crackpipe.model.evaluate.metrics import count
from crackpipe.model.evaluate.reliability import Reliability
from crackpipe.pipeline.errors import UsageError


def picture(set_name: str, stem: str, predicted: str, label: str) -> Picture:
    """`#` crack, `.` sound."""
    made = [np.array([[cell == "#" for cell in text]]) for text in (predicted, label)]
    return Picture(set_name, stem, count(made[0], made[1].astype(np.uint8)), false_lines=0)


PICTURES = (
    picture("cfd", "b", "##..", "##.."),
    picture("cfd", "a-1", "#...", "##.."),  # two crops of one photograph: 2 of 5 pixels
    picture("cfd", "a-2", "##..", "#.#."),
    picture("cfd", "c", "#...", "...."),
    picture("negatives_nha12d", "d_0_0", "....", "...."),
)


def test_crops_of_a_photograph_are_one_value() -> None:
    assert boxplots.per_photograph(PICTURES, "iou") == {"cfd": [pytest.approx(2 / 5), 1.0]}
    assert boxplots.per_photograph(PICTURES[::-1], "iou") == boxplots.per_photograph(PICTURES, "iou")


def test_photographs_without_a_crack_have_false_pixels_only() -> None:
    assert boxplots.per_photograph(PICTURES, "false_share") == {
        "cfd": [pytest.approx(100 / 8), 0.0, 25.0],
        "negatives_nha12d": [0.0],
    }


def evaluation(pictures: tuple[Picture, ...]) -> Evaluation:
    sets = {
        name: score_set([p for p in pictures if p.set_name == name])
        for name in sorted({p.set_name for p in pictures})
    }
    nothing = Reliability(
        error=math.nan,
        error_where_seen=math.nan,
        probability=np.zeros(10),
        labelled=np.zeros(10),
        pixels=np.zeros(10, np.int64),
    )
    return Evaluation(
        weights="lite (0)",
        threshold=0.5,
        best_threshold=0.5,
        sets=sets,
        reliability=nothing,
        pictures=pictures,
    )


def test_the_same_figures_are_the_same_file(tmp_path: Path) -> None:
    for name in ("one.png", "two.png"):
        boxplots.write([evaluation(PICTURES), evaluation(PICTURES[:3])], tmp_path / name)
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "two.png").read_bytes()
    drawn = np.asarray(Image.open(tmp_path / "one.png").convert("RGB"))
    blue = np.abs(drawn.astype(int) - [0x44, 0x77, 0xAA]).max(axis=-1) < 8
    red = np.abs(drawn.astype(int) - [0xEE, 0x66, 0x77]).max(axis=-1) < 8
    assert blue.sum() > 100
    assert red.sum() > 100


def test_without_matplotlib_it_says_so_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    arguments = ["evaluate", str(tmp_path), "--plots"]
    with pytest.raises(UsageError, match="add --out DIR"):
        CliRunner().invoke(cli, arguments, catch_exceptions=False)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"pip install 'crackpipe\[plots\]'"):
        CliRunner().invoke(cli, [*arguments, "--out", str(tmp_path / "scores")], catch_exceptions=False)
