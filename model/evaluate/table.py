"""An evaluation as a table: Markdown for a person, CSV for a program."""

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np

from crackpipe.model.evaluate.judge import Evaluation

FIGURES = (
    "f1_line", "recall_line", "f1_2px", "iou", "dice", "precision", "recall", "f1", "cldice", "false_share",
)  # fmt: skip
"""The figures of `metrics.Scores` that the table shows, in its order."""

_COLUMNS = (
    "set", "pictures", "line F1 (3 px)", "length found", "F1 (2 px)", "IoU", "Dice", "precision", "recall",
    "F1", "clDice", "false pixels", "marked", "with lines",
)  # fmt: skip


def rows(evaluation: Evaluation) -> list[dict[str, object]]:
    """One row a set, then `mean` and `sd` over the sets with labelled cracks, each set counting once.

    Figures are not rounded; NaN is None.
    """
    table: list[dict[str, object]] = []
    for name, score in evaluation.sets.items():
        row: dict[str, object] = {"set": name, "pictures": score.pictures}
        no_crack = score.crack_free == score.pictures  # then only the false pixels say anything
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
        table.append({"set": "mean"} | {figure: _number(float(np.mean(v))) for figure, v in values.items()})
        table.append({"set": "sd"} | {figure: _number(value) for figure, value in sd.items()})
    return table


def _number(value: float) -> float | None:
    return None if math.isnan(value) else value


def markdown(evaluation: Evaluation) -> str:
    """The table for a person, with how it was made."""
    lines = [
        f"# {evaluation.weights}",
        "",
        f"Crack from probability {evaluation.threshold:.3f}; on these photographs "
        f"{evaluation.best_threshold:.3f} gives the greatest mean IoU.",
        "Pooled over each set; in brackets 95 % intervals, bootstrap over photographs. Line F1: centrelines, "
        "right within 3 px; length found: its recall. F1 (2 px): pixels, right within 2 px. False pixels: of "
        "the inspected ones. Marked: crack-free pictures with any crack pixel; with lines: those in which a "
        "run at 1 mm/px would draw one.",
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
    """Write `scores.md`, `scores.csv` (a row a set) and `pictures.csv` (pixel counts of every picture)."""
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
