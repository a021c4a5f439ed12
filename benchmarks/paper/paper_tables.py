"""Tables 3 to 6 out of results: figures by set, mean and deviation over sets, tests of differences.

Figures are of crack pixels, pooled over the photographs of a set (`model/evaluate/metrics.py`).
Mean and sd (n - 1) are over sets, each counting once (paper, Table 4). Differences: Wilcoxon signed-rank,
two-sided, once paired over sets as in the paper (Table 5) and once over photographs, of which there are more.
p-values of one column are corrected for their number after Holm (1979). With n pairs p cannot fall below
2^(1-n): five sets never give less than 0.0625.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import mean, median, stdev
from typing import Any

import numpy as np
from scipy.stats import wilcoxon

from crackpipe.model.evaluate.boxplots import per_photograph
from crackpipe.model.evaluate.judge import Picture

FIGURES = {
    "iou": "IoU", "dice": "Dice", "precision": "precision", "recall": "recall", "f1": "F1",
    "f1_2px": "F1 (2 px)",
}  # fmt: skip

Results = Mapping[str, Mapping[str, Any]]
"""Name of a network -> its `result.json`."""


def by_set(result: Mapping[str, Any], figure: str) -> dict[str, float]:
    """The figure of every set with cracks; 0 where nothing was found."""
    rows = [row for row in result["sets"] if "pictures" in row and row["crack_free"] < row["pictures"]]
    return {row["set"]: row[figure] or 0.0 for row in rows}


def table3(results: Results, figure: str) -> str:
    """A figure of every network on every set; the best of a set in bold."""
    values = {name: by_set(result, figure) for name, result in results.items()}
    sets = list(next(iter(values.values())))
    best = {each: max(found[each] for found in values.values()) for each in sets}
    rows = [
        [name, *(f"**{found[s]:.3f}**" if found[s] == best[s] else f"{found[s]:.3f}" for s in sets)]
        for name, found in values.items()
    ]
    return markdown([FIGURES[figure], *sets], rows)


def table4(results: Results) -> str:
    """Mean and standard deviation over sets of all figures."""
    rows = []
    for name, result in results.items():
        found = [list(by_set(result, figure).values()) for figure in FIGURES]
        rows.append([name, *(mean_and_sd(values) for values in found)])
    return markdown(["mean (sd) over sets", *FIGURES.values()], rows)


def mean_and_sd(values: Sequence[float]) -> str:
    """`0.512 (0.034)`; a single value has no deviation."""
    return f"{mean(values):.3f}" + (f" ({stdev(values):.3f})" if len(values) > 1 else "")


@dataclass(frozen=True)
class Test:
    """A signed-rank test of paired differences."""

    pairs: int
    median: float
    """Of the differences."""
    p_value: float
    """1 where nothing differs."""


def signed_rank(first: Sequence[float], second: Sequence[float]) -> Test:
    """Whether `first` tends to be above or below `second`, pair by pair."""
    gain = np.subtract(first, second)
    return Test(len(gain), float(median(gain)), float(wilcoxon(gain).pvalue) if gain.any() else 1.0)


def holm(p_values: Sequence[float]) -> list[float]:
    """The same, corrected for their number (Holm 1979): the smallest times m, the next times m - 1, ..."""
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    corrected, highest = [0.0] * len(p_values), 0.0
    for rank, index in enumerate(order):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[index]))
        corrected[index] = highest
    return corrected


def table5(results: Results, pictures: Mapping[str, Sequence[Picture]], ours: str) -> str:
    """Our network against each other one, IoU: over sets, and over photographs with cracks."""
    others = [name for name in results if name != ours]
    over_sets = _tests({name: list(by_set(results[name], "iou").values()) for name in results}, ours, others)
    each = {name: flat(per_photograph_iou(pictures[name])) for name in results}
    over_photographs = _tests(each, ours, others)
    rows = []
    for index, name in enumerate(others):
        cells = [name]
        for tests in (over_sets, over_photographs):
            test, corrected = tests[0][index], tests[1][index]
            cells += [str(test.pairs), f"{test.median:+.3f}", f"{test.p_value:.4f}", f"{corrected:.4f}"]
        rows.append(cells)
    header = [f"{ours} minus", "sets", "median", "p", "p Holm", "photographs", "median", "p", "p Holm"]
    return markdown(header, rows)


def _tests(
    values: Mapping[str, Sequence[float]], ours: str, others: Sequence[str]
) -> tuple[list[Test], list[float]]:
    tests = [signed_rank(values[ours], values[name]) for name in others]
    return tests, holm([test.p_value for test in tests])


def per_photograph_iou(pictures: Sequence[Picture]) -> dict[str, list[float]]:
    """IoU of the photographs with cracks of each set, ordered by name; crops are pooled first."""
    return {name: per_photograph(pictures, "iou")[name] for name in sorted(per_photograph(pictures, "iou"))}


def flat(values: Mapping[str, Iterable[float]]) -> list[float]:
    """All values in order of set."""
    return [value for some in values.values() for value in some]


def table6(results: Sequence[Mapping[str, Any]], figures: Sequence[str] = ("iou", "f1_2px")) -> str:
    """Modules on and off: mean (sd) over seeds of the mean over sets, and differences to both on by seed."""
    values: dict[tuple[bool, bool], dict[int, dict[str, float]]] = {}
    for result in results:
        found = {figure: mean(by_set(result, figure).values()) for figure in figures}
        values.setdefault((result["rfem"], result["cagm"]), {})[result["seed"]] = found
    both = values[True, True]
    rows = []
    for (rfem, cagm), seeds in sorted(values.items()):
        cells = ["on" if rfem else "off", "on" if cagm else "off", str(len(seeds))]
        for figure in figures:
            cells.append(mean_and_sd([seeds[seed][figure] for seed in sorted(seeds)]))
            gains = [seeds[seed][figure] - both[seed][figure] for seed in sorted(seeds)]
            cells.append("" if rfem and cagm else ", ".join(f"{gain:+.3f}" for gain in gains))
        rows.append(cells)
    named = [text for figure in figures for text in (FIGURES[figure], "minus both on, by seed")]
    return markdown(["RFEM", "CAGM", "seeds", *named], rows)


def markdown(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [f"| {' | '.join(cells)} |" for cells in (header, *rows)]
    return "\n".join([lines[0], "|---" * len(header) + "|", *lines[1:]])
