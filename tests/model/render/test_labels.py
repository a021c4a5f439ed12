"""Labels of rendered scenes, and sets of them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from click.testing import CliRunner

from crackpipe.cli import cli
from crackpipe.model.data.pairs import classes_of_set, load_pairs
from crackpipe.model.render.cracks import Crack, Window
from crackpipe.model.render.labels import LABELS, class_labels
from crackpipe.model.render.marks import Mark
from crackpipe.model.render.picture import clean_scene, render_window
from crackpipe.model.render.scenes import random_scene, write_pairs


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
    assert kinds == {"", *LABELS[1:]}


def test_pairs_with_classes_load(tmp_path: Path) -> None:
    write_pairs(tmp_path, 3, seed=2, size_px=96, with_classes=True)
    assert classes_of_set(tmp_path) == LABELS
    pairs = load_pairs([tmp_path], validation=False, classes=LABELS)
    assert len(pairs) == 3
    assert max(pair.label.max() for pair in pairs) > 1


def test_classes_are_for_pairs_only(tmp_path: Path) -> None:
    result = CliRunner().invoke(cli, ["sample", str(tmp_path), "--classes"])
    assert result.exit_code == 2
    assert "--kind pairs" in result.output
