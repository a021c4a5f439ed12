"""What a training says while it runs: two CSV files, and a line on stderr every half minute."""

import csv
import sys
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from crackpipe.model.evaluate.predictions import Prediction
from crackpipe.model.evaluate.thresholds import best_threshold, score_sets
from crackpipe.model.train.checkpoint import Progress

_EVERY_S = 30


class Log:
    """`log.csv` and `validation.csv` of a training."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._told_at = time.monotonic()
        self._losses: list[float] = []
        self._last = Progress()

    def step(self, progress: Progress, loss: float, done: float) -> None:
        """Remember a step; report now and then."""
        self._losses.append(loss)
        if time.monotonic() - self._told_at < _EVERY_S and done < 1:
            return
        seconds = progress.active_s - self._last.active_s
        rate = (progress.tiles - self._last.tiles) / max(seconds, 1e-9) if self._last.step else 0.0
        mean = sum(self._losses) / len(self._losses)
        row: dict[str, object] = {
            "step": progress.step,
            "tiles": progress.tiles,
            "active_s": round(progress.active_s, 1),
            "done": round(done, 4),
            "loss": round(mean, 4),
            "tiles_per_s": round(rate, 2),
        }
        self._append("log.csv", [row])
        left = f"  {_left(progress.active_s, done)} left" if 0 < done < 1 else ""
        self.say("train: " + "  ".join(f"{k} {v}" for k, v in row.items()) + left)
        self._told_at, self._losses, self._last = time.monotonic(), [], replace(progress)

    def validation(self, progress: Progress, predictions: list[Prediction]) -> float:
        """Report the figures of every set at the threshold that is best for all.

        Returns the mean IoU of the sets with labelled cracks, 0..1.
        """
        threshold = best_threshold(predictions)
        rows: list[dict[str, object]] = [
            {"tiles": progress.tiles, "threshold": round(threshold, 3), "set": name}
            | {k: round(v, 4) for k, v in vars(scores).items()}
            for name, scores in score_sets(predictions, threshold).items()
        ]
        self._append("validation.csv", rows)
        figures = "  ".join(f"{r['set']} {r['iou']:.3f}/{r['f1_2px']:.3f}" for r in rows)
        self.say(f"validation (IoU / F1 at 2 px) at {threshold:.2f}: {figures}")
        cracked = {p.set_name for p in predictions if (p.label == 1).any()}
        scores = score_sets(predictions, threshold)
        return sum(scores[name].iou for name in cracked) / len(cracked)

    def say(self, text: str) -> None:
        """A line for a person; a training outlives its terminal, and the figures are in the files."""
        with suppress(OSError):
            print(text, file=sys.stderr, flush=True)

    def _append(self, name: str, rows: list[dict[str, object]]) -> None:
        path = self._folder / name
        fresh = not path.exists()
        with path.open("a", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            if fresh:
                writer.writeheader()
            writer.writerows(rows)


def _left(active_s: float, done: float) -> str:
    minutes = active_s * (1 - done) / done / 60
    return f"{minutes / 60:.1f} h" if minutes >= 90 else f"{minutes:.0f} min"
