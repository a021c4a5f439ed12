"""Before and after on pictures that can be checked by eye, by the network that sees what is dark."""

import numpy as np
import pytest
from helpers import WEIGHTS_METADATA

from crackpipe.model.adapt.compare import Side, figures, is_better, judge, predicted, table
from crackpipe.model.adapt.teach import labelled_part
from crackpipe.model.data.pairs import IGNORE, Pair
from crackpipe.model.networks.one_convolution import OneConvolution
from crackpipe.model.predict.predictor import Predictor
from crackpipe.model.weights.read import save
from crackpipe.pipeline.tasks.picture import lines_in


@pytest.fixture(scope="module")
def dark(tmp_path_factory: pytest.TempPathFactory) -> Predictor:
    file = tmp_path_factory.mktemp("weights") / "dark.safetensors"
    save(file, OneConvolution(), WEIGHTS_METADATA)
    return Predictor(str(file), "cpu", "fp32")


def pair(stem: str, *, dark: tuple[int, ...], labelled: tuple[int, ...]) -> Pair:
    """200 x 200 px with lines of 3 px at some columns, dark or labelled or both."""
    image = np.full((200, 200, 3), 200, np.uint8)
    label = np.zeros((200, 200), np.uint8)
    for col in dark:
        image[20:180, col : col + 3] = 20
    for col in labelled:
        label[20:180, col : col + 3] = 1
    return Pair("own", stem, image, label, np.empty((0, 2), np.int32))


PAIRS = [
    pair("both", dark=(50,), labelled=(50, 120)),
    pair("false", dark=(90,), labelled=()),
    pair("sound", dark=(), labelled=()),
]


def side(dark: Predictor, threshold: float, pairs: list[Pair] | None = None) -> Side:
    return judge(dark, pairs or PAIRS, lines_in, threshold, lambda _: (1.0, 1.0))


NEVER = 0.999


def test_half_is_found_and_half_of_what_is_found_is_false(dark: Predictor) -> None:
    half = side(dark, 0.5)
    assert half.score.scores.recall_line == pytest.approx(0.5, abs=0.01)
    assert half.score.scores.precision_line == pytest.approx(0.5, abs=0.01)
    assert figures(half)["f1_line"] == pytest.approx(0.5, abs=0.01)
    assert (half.score.crack_free, half.score.crack_free_with_lines) == (2, 1)
    assert figures(half)["crack_free_with_lines"] == 1


def test_better_means_more_line_f1(dark: Predictor) -> None:
    nothing, half = side(dark, NEVER), side(dark, 0.5)
    assert figures(nothing)["f1_line"] == 0  # blind, and not unknown
    assert is_better(nothing, half)
    assert not is_better(half, half)
    assert not is_better(half, nothing)
    rows = list(table(nothing, half))
    assert len({row.count("|") for row in rows}) == 1
    assert rows[-2].split("|")[2:6] == [" 0.000 ", " 0.0 % ", " - ", " 0 of 2 "]
    assert rows[-1].endswith("| 1 of 2 |")


def test_without_cracks_fewer_false_lines_are_better(dark: Predictor) -> None:
    free = PAIRS[1:]
    assert is_better(side(dark, 0.5, free), side(dark, NEVER, free))
    assert not is_better(side(dark, NEVER, free), side(dark, 0.5, free))
    assert list(table(side(dark, NEVER, free), side(dark, 0.5, free)))[-1].split("|")[2:4] == [" - "] * 2


def test_a_picture_is_seen_at_the_scale_of_a_run(dark: Predictor) -> None:
    image = PAIRS[0].image
    seen = predicted(dark, image, 2.0, 1.0)
    assert seen.shape == image.shape[:2]
    assert (seen[30:170, 51] > 200).all()
    assert (seen[:, 80:] < 60).all()
    # twice as large, the line has six pixels: both of its edges are dark too
    assert (seen[30:170, 50] > predicted(dark, image, 1.0, 1.0)[30:170, 50]).all()


def test_the_labelled_part_keeps_a_halo() -> None:
    label = np.full((200, 300), IGNORE, np.uint8)
    label[100:120, 150:160] = 0
    part = labelled_part(Pair("own", "x", np.zeros((200, 300, 3), np.uint8), label, PAIRS[0].crack_at))
    assert part.label.shape == (20 + 64, 10 + 64)
    assert part.image.shape == (84, 74, 3)
