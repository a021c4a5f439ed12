"""Weights against labelled photographs, through the tiling of a survey: figures, intervals, and files.

Every figure is of crack pixels and pooled over the pictures of a set (`model/evaluate/metrics.py`). Mean
and standard deviation are over the sets that have labelled cracks, each counting once.
"""

import csv
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from crackpipe.model.data.pairs import Pair, photograph_of
from crackpipe.model.evaluate import metrics
from crackpipe.model.evaluate import photographs as evaluate
from crackpipe.model.evaluate.intervals import intervals
from crackpipe.model.evaluate.photographs import LEVELS, Prediction
from crackpipe.model.evaluate.reliability import Reliability, reliability
from crackpipe.model.predict.predictor import Predictor

FIGURES = ("iou", "dice", "precision", "recall", "f1", "f1_2px", "cldice", "false_share")
WITH_INTERVAL = ("iou", "f1_2px", "cldice")
_COLUMNS = (
    "set", "pictures", "IoU", "Dice", "precision", "recall", "F1", "F1 (2 px)", "clDice", "false pixels",
    "marked", "with lines",
)  # fmt: skip

LinesIn = Callable[[NDArray[np.uint8], int], Sequence[object]]


@dataclass(frozen=True)
class Picture:
    """One picture of a set, judged."""

    set_name: str
    stem: str
    counts: metrics.Counts
    false_lines: int
    """Lines that a run would draw in it at 1 mm/px, where no crack is labelled; else not looked for, 0."""


@dataclass(frozen=True)
class SetScore:
    """Figures of one set."""

    pictures: int
    crack_free: int
    """Pictures without a labelled pixel ..."""
    crack_free_marked: int
    """... those of them in which any pixel is called crack ..."""
    crack_free_with_lines: int
    """... and those in which a run would draw a line, at 1 mm/px."""
    scores: metrics.Scores
    intervals: Mapping[str, tuple[float, float]]
    """(low, high) of the figures of `WITH_INTERVAL`: 95 %, bootstrap over photographs."""


@dataclass(frozen=True)
class Evaluation:
    """Weights on photographs."""

    weights: str
    """Name, and the start of the file's SHA-256."""
    threshold: float
    """Probability from which a pixel was called crack, 0..1."""
    best_threshold: float
    """The one of the greatest mean IoU over the sets on these very photographs; NaN without cracks."""
    sets: Mapping[str, SetScore]
    reliability: Reliability
    """Over all sets together."""
    pictures: tuple[Picture, ...]


def evaluate_weights(
    predictor: Predictor, pairs: Sequence[Pair], lines_in: LinesIn, threshold: float | None = None
) -> Evaluation:
    """Run `pairs` and judge them at `threshold`, by default the weights' own.

    `lines_in` draws the lines of a picture's probability from a level on (`crackpipe.pipeline.traced`).
    Raises ValueError without pairs, or for weights of several classes: the labels know one.
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
    level = math.ceil((LEVELS - 1) * threshold)
    predictions, pictures = [], []
    for pair in pairs:
        probability = evaluate.predict_like_a_survey(predictor, pair.image)
        predictions.append(Prediction(pair.set_name, pair.label, probability))
        pictures.append(judge_picture(pair, probability, level, lines_in))
    cracked = any((p.label == 1).any() for p in predictions)
    pictures.sort(key=lambda picture: (picture.set_name, picture.stem))
    return Evaluation(
        weights=f"{weights.name} ({weights.sha256[:12]})",
        threshold=threshold,
        best_threshold=evaluate.best_threshold(predictions) if cracked else math.nan,
        sets={
            name: score_set(list(some)) for name, some in groupby(pictures, lambda picture: picture.set_name)
        },
        reliability=reliability(predictions),
        pictures=tuple(pictures),
    )


def judge_picture(pair: Pair, probability: NDArray[np.uint8], level: int, lines_in: LinesIn) -> Picture:
    """One picture whose pixels are crack from `level` of round(254 p) on; `probability` is (H, W)."""
    counts = metrics.count(probability >= level, pair.label)
    false_lines = 0 if counts.labelled_px else len(lines_in(probability, level))
    return Picture(pair.set_name, pair.stem, counts, false_lines)


def score_set(pictures: Sequence[Picture]) -> SetScore:
    """Pooled figures of the pictures of one set, crops of one photograph drawn together for intervals."""
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


def rows(evaluation: Evaluation) -> list[dict[str, object]]:
    """One row per set, then `mean` and `sd` over the sets with cracks; figures unrounded, NaN as None."""
    table: list[dict[str, object]] = []
    for name, score in evaluation.sets.items():
        row: dict[str, object] = {"set": name, "pictures": score.pictures}
        no_crack = score.crack_free == score.pictures  # then only false pixels mean anything
        judged = ("false_share",) if no_crack else FIGURES
        row |= {f: _number(getattr(score.scores, f)) if f in judged else None for f in FIGURES}
        for figure, (low, high) in score.intervals.items():
            row |= {
                f"{figure}_{end}": None if no_crack else _number(v)
                for end, v in (("low", low), ("high", high))
            }
        row |= {
            "crack_free": score.crack_free,
            "crack_free_marked": score.crack_free_marked,
            "crack_free_with_lines": score.crack_free_with_lines,
        }
        table.append(row)
    cracked = [score for score in evaluation.sets.values() if score.crack_free < score.pictures]
    if cracked:
        values = {figure: [getattr(score.scores, figure) for score in cracked] for figure in FIGURES}
        sd = {figure: float(np.std(v, ddof=1)) if len(v) > 1 else math.nan for figure, v in values.items()}
        table.append({"set": "mean"} | {figure: float(np.mean(v)) for figure, v in values.items()})
        table.append({"set": "sd"} | {figure: _number(value) for figure, value in sd.items()})
    return table


def _number(value: float) -> float | None:
    return None if math.isnan(value) else value


def markdown(evaluation: Evaluation) -> str:
    """The table as a person reads it, with what it was made from."""
    lines = [
        f"# {evaluation.weights}",
        "",
        f"Crack from probability {evaluation.threshold:.3f}; on these photographs "
        f"{evaluation.best_threshold:.3f} gives the greatest mean IoU.",
        "Pooled over each set; in brackets 95 % intervals, bootstrap over photographs. F1 (2 px): right "
        "within 2 px. False pixels: of the inspected ones. Marked: crack-free pictures with any crack pixel; "
        "with lines: those in which a run at 1 mm/px would draw one.",
        "",
        f"| {' | '.join(_COLUMNS)} |",
        "|---" * len(_COLUMNS) + "|",
    ]
    for row in rows(evaluation):
        cells = [str(row["set"]), str(row.get("pictures", "")), *(_cell(row, figure) for figure in FIGURES)]
        free = row.get("crack_free")
        cells += [
            f"{row[f'crack_free_{what}']} of {free}" if free else "" for what in ("marked", "with_lines")
        ]
        lines.append(f"| {' | '.join(cells)} |")
    found = evaluation.reliability
    lines += [
        "",
        f"Reliability error {found.error:.4f} over all pixels, {found.error_where_seen:.3f} over those of "
        "probability 0.1 and more:",
        "",
        "| probability | labelled crack | pixels |",
        "|---|---|---|",
    ]
    for p, y, n in zip(found.probability, found.labelled, found.pixels, strict=True):
        if n:
            lines.append(f"| {p:.3f} | {y:.3f} | {n} |")
    return "\n".join(lines) + "\n"


def _cell(row: Mapping[str, object], figure: str) -> str:
    value = row[figure]
    if not isinstance(value, float):
        return ""
    if figure == "false_share":
        return f"{100 * value:.3f} %"
    low, high = row.get(f"{figure}_low"), row.get(f"{figure}_high")
    return f"{value:.3f}" + (f" ({low:.3f}-{high:.3f})" if low is not None and high is not None else "")


def write(evaluation: Evaluation, folder: Path) -> None:
    """`scores.md`, `scores.csv` (a row per set), `pictures.csv` (pixel counts of every picture)."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "scores.md").write_text(markdown(evaluation), encoding="utf-8")
    _write_csv(folder / "scores.csv", rows(evaluation))
    pictures = [
        {"set": p.set_name, "picture": p.stem} | asdict(p.counts) | {"false_lines": p.false_lines}
        for p in evaluation.pictures
    ]
    _write_csv(folder / "pictures.csv", pictures)


def _write_csv(path: Path, table: Sequence[Mapping[str, object]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(table[0]))
        writer.writeheader()
        writer.writerows(table)
