"""Weights are judged on labelled photographs, which pass the network in the tiles of a survey.

A *picture* is one image of a set: a photograph, or a crop of one. Every figure is about crack pixels and is
pooled over the pictures of a set (`metrics`).
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from crackpipe.model.data.pairs import IGNORE, Pair, photograph_of
from crackpipe.model.evaluate import metrics
from crackpipe.model.evaluate.intervals import intervals
from crackpipe.model.evaluate.predictions import Prediction, predict_like_a_survey
from crackpipe.model.evaluate.reliability import Reliability, reliability
from crackpipe.model.evaluate.thresholds import best_threshold
from crackpipe.model.predict.predictor import PROBABILITY_SCALE, Predictor

WITH_INTERVAL = ("f1_line", "f1_2px", "iou", "cldice")
"""The figures that are given with an interval."""

NOT_INSPECTED = 255
"""In a probability (H, W), round(254 p), as a run writes it."""

LinesIn = Callable[[NDArray[np.uint8], int], Sequence[object]]
"""Draws the lines that a run at 1 mm/px would find in a probability (H, W), round(254 p) or `NOT_INSPECTED`,
from a level on."""


@dataclass(frozen=True)
class Picture:
    """One picture of a set, judged."""

    set_name: str
    stem: str
    counts: metrics.Counts
    false_lines: int
    """Lines that a run at 1 mm/px would draw in it. Counted only where no crack is labelled; else 0."""


@dataclass(frozen=True, kw_only=True)
class SetScore:
    """Figures of one set."""

    pictures: int
    crack_free: int
    """Pictures without a pixel labelled crack."""
    crack_free_marked: int
    """Crack-free pictures in which a pixel is called crack."""
    crack_free_with_lines: int
    """Crack-free pictures in which a run at 1 mm/px would draw a line."""
    scores: metrics.Scores
    intervals: Mapping[str, tuple[float, float]]
    """(low, high) of each figure of `WITH_INTERVAL`: 95 %, by bootstrap over photographs."""


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """What some photographs say about weights."""

    weights: str
    """Their name, and the start of the file's SHA-256."""
    threshold: float
    """Probability from which a pixel was called crack, 0..1."""
    best_threshold: float
    """The one that gives these photographs the greatest mean IoU over the sets, 0..1; NaN without cracks."""
    sets: Mapping[str, SetScore]
    """By the set's name."""
    reliability: Reliability
    """Over all sets together."""
    pictures: tuple[Picture, ...]


def evaluate_weights(
    predictor: Predictor,
    pairs: Sequence[Pair],
    lines_in: LinesIn,
    threshold: float | None = None,
    *,
    gsd_mm: float | None = None,
) -> Evaluation:
    """Predict `pairs` and judge them at `threshold`, 0..1, by default the threshold of the weights.

    `gsd_mm` is explained in `predict_like_a_survey`.
    Raises ValueError if there are no pairs, or if the weights know several classes, since the labels know
    one.
    """
    weights = predictor.weights
    if not pairs:
        raise ValueError(
            "nothing to evaluate: no picture of the chosen part in the data folders; --part all takes all"
        )
    if len(weights.classes) != 1:
        raise ValueError(
            f"weights {weights.name} know {len(weights.classes)} classes, labels only crack or not"
        )
    threshold = weights.threshold if threshold is None else threshold
    level = math.ceil(PROBABILITY_SCALE * threshold)
    predictions, pictures = [], []
    for pair in pairs:
        probability = predict_like_a_survey(predictor, pair.image, gsd_mm=gsd_mm)
        predictions.append(Prediction(pair.set_name, pair.label, probability))
        pictures.append(judge_picture(pair, probability, level, lines_in))
    cracked = any((p.label == 1).any() for p in predictions)
    pictures.sort(key=lambda picture: (picture.set_name, picture.stem))
    return Evaluation(
        weights=f"{weights.name} ({weights.sha256[:12]})",
        threshold=threshold,
        best_threshold=best_threshold(predictions) if cracked else math.nan,
        sets={
            name: score_set(list(some)) for name, some in groupby(pictures, lambda picture: picture.set_name)
        },
        reliability=reliability(predictions),
        pictures=tuple(pictures),
    )


def judge_picture(pair: Pair, probability: NDArray[np.uint8], level: int, lines_in: LinesIn) -> Picture:
    """Compare a picture's `probability`, uint8 (H, W), with its label; from `level`, 0..254, it is crack.

    Where nobody labelled, a line is neither right nor false. So false lines are looked for as if nothing had
    been inspected there.
    """
    counts = metrics.count(probability >= level, pair.label)
    labelled_ground = np.where(pair.label == IGNORE, NOT_INSPECTED, probability).astype(np.uint8)
    false_lines = 0 if counts.labelled_px else len(lines_in(labelled_ground, level))
    return Picture(pair.set_name, pair.stem, counts, false_lines)


def score_set(pictures: Sequence[Picture]) -> SetScore:
    """Pooled figures of the pictures of one set. For the intervals, crops of one photograph stay together."""
    counts = [picture.counts for picture in pictures]
    photographs = [photograph_of(picture.set_name, picture.stem) for picture in pictures]
    free = [picture for picture in pictures if picture.counts.labelled_px == 0]
    return SetScore(
        pictures=len(pictures),
        crack_free=len(free),
        crack_free_marked=sum(one.counts.predicted_px > 0 for one in free),
        crack_free_with_lines=sum(one.false_lines > 0 for one in free),
        scores=metrics.scores(sum(counts, metrics.Counts())),
        intervals=intervals(counts, photographs, WITH_INTERVAL),
    )
