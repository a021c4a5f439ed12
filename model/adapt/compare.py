"""What weights find before and after they were adapted, on pictures that did not teach."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from crackpipe.model.adapt.teach import labelled_part
from crackpipe.model.data.pairs import Pair
from crackpipe.model.evaluate.judge import LinesIn, SetScore, judge_picture, score_set
from crackpipe.model.evaluate.predictions import predict_like_a_survey
from crackpipe.model.predict.predictor import PROBABILITY_SCALE, Predictor

SeenAs = Callable[[Pair], tuple[float, float]]
"""How a run shows a picture to the network: pixels of the input per pixel of the picture, and the GSD of the
input, mm/px."""


@dataclass(frozen=True)
class Side:
    """Weights, and what they find."""

    name: str
    threshold: float
    score: SetScore


def judge(
    predictor: Predictor, pairs: Sequence[Pair], lines_in: LinesIn, threshold: float, seen_as: SeenAs
) -> Side:
    """Pooled figures of all `pairs` together, each seen at the scale at which a run would show it."""
    level = math.ceil(PROBABILITY_SCALE * threshold)
    pictures = []
    for pair in map(labelled_part, pairs):
        probability = predicted(predictor, pair.image, *seen_as(pair))
        pictures.append(judge_picture(pair, probability, level, lines_in))
    return Side(predictor.weights.name, threshold, score_set(pictures))


def predicted(
    predictor: Predictor, image: NDArray[np.uint8], zoom: float, gsd_mm: float
) -> NDArray[np.uint8]:
    """The probability of every pixel of `image` (H, W, 3), uint8 (H, W), seen `zoom` times as large.

    `gsd_mm` is the GSD, mm/px, at which the network sees it.
    """
    if zoom == 1:
        return predict_like_a_survey(predictor, image, gsd_mm=gsd_mm)
    height, width = image.shape[:2]
    size = max(1, round(width * zoom)), max(1, round(height * zoom))
    seen = np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BILINEAR))
    found = Image.fromarray(predict_like_a_survey(predictor, seen, gsd_mm=gsd_mm))
    return np.asarray(found.resize((width, height), Image.Resampling.BILINEAR))


def is_better(before: Side, after: Side) -> bool:
    """Whether line F1 rose; where no crack is labelled, whether fewer pictures have a false line."""
    was, now = before.score, after.score
    if was.crack_free == was.pictures:
        return now.crack_free_with_lines < was.crack_free_with_lines
    return line_f1(after) > line_f1(before)


def line_f1(side: Side) -> float:
    """F1 of lines, 0..1; 0 where cracks are labelled and nothing is found, NaN where none is labelled."""
    return side.score.scores.f1_line


def table(before: Side, after: Side) -> Iterator[str]:
    """Both sides in Markdown, a line each."""
    yield "| | line F1 (3 px) | length found | false among the found | crack-free tiles with lines |"
    yield "|---|---|---|---|---|"
    for word, side in (("before", before), ("after", after)):
        score = side.score
        false = 1 - score.scores.precision_line
        cells = [_number(line_f1(side)), _share(score.scores.recall_line), _share(false)]
        free = f"{score.crack_free_with_lines} of {score.crack_free}" if score.crack_free else "-"
        yield f"| {word}: {side.name}, from {side.threshold:.2f} | {' | '.join(cells)} | {free} |"


def figures(side: Side) -> dict[str, float | int]:
    """What is written into weights."""
    scores = side.score.scores
    named = {
        "f1_line": line_f1(side),
        "recall_line": scores.recall_line,
        "precision_line": scores.precision_line,
        "f1_2px": scores.f1_2px,
    }
    known: dict[str, float | int] = {
        name: round(value, 4) for name, value in named.items() if not math.isnan(value)
    }
    counted = {
        "pictures": side.score.pictures,
        "crack_free": side.score.crack_free,
        "crack_free_with_lines": side.score.crack_free_with_lines,
    }
    return known | counted | {"threshold": round(side.threshold, 4)}


def _number(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.3f}"


def _share(value: float) -> str:
    return "-" if math.isnan(value) else f"{100 * value:.1f} %"
