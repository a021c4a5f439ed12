"""How near lines lie to the cracks they stand for, and whether junctions, rings and gaps come out right.

    python benchmarks/results/lines.py [--each 40] [--cases 200] [--seed 1] [--json FILE] [--failures DIR]

Cracks are rendered exactly (line_cases.py) and given in two ways: `mask`, the truth mask, and `network`, a
blurred probability with noise, as a network gives it. Accuracy: cracks through the whole image at random
angles; `rms` is the distance of the lines from the true centreline in px, `length` the found length over the
true one. Cases: the share in which number and degrees of nodes, lines and networks are all right, of all
and of those whose mask noise has not torn (or joined): where the mask has other parts than the cracks.
`--failures` draws the first wrong ones of each kind.
"""

import argparse
import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from line_cases import CASES, INPUTS, SHAPES, SIDE_PX, Case, crack, seen
from numpy.typing import NDArray
from scipy.ndimage import label

from crackpipe.pipeline.config import Config
from crackpipe.pipeline.tasks.picture import lines_of
from crackpipe.pipeline.trace.lines import Line

WIDTHS_PX = (1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 10.0, 12.0)
SHOWN = 12
GSD_MM = 1.0


def accuracy(kind: str, shape: str, width_px: float, each: int, seed: int) -> dict[str, float]:
    """Of `each` cracks of one shape and width."""
    squares: list[NDArray[np.float64]] = []
    length = true_length = 0.0
    worst = 0.0
    broken = 0
    image = shapely.box(-0.5, -0.5, SIDE_PX - 0.5, SIDE_PX - 0.5)
    for number in range(each):
        rng = np.random.default_rng((seed, number, round(10 * width_px)))
        path = SHAPES[shape](rng, width_px)
        found = lines_of(*seen([crack(path, width_px)], kind, rng), GSD_MM, Config())
        truth = shapely.intersection(shapely.LineString(path), image)
        drawn = [shapely.LineString(line.vertices) for line in found]
        places = [shapely.line_interpolate_point(one, np.arange(0.0, one.length, 0.5)) for one in drawn]
        squares += [shapely.distance(place, shapely.LineString(path)) ** 2 for place in places]
        one_length = sum(one.length for one in drawn)
        worst = max(worst, abs(one_length / truth.length - 1))
        length, true_length = length + one_length, true_length + truth.length
        broken += len(found) != 1
    return {
        "rms_px": float(np.sqrt(np.concatenate(squares).mean())),
        "length": length / true_length,
        "worst_length_error": worst,
        "not_one_line": broken / each,
    }


def degrees(lines: list[Line]) -> tuple[int, ...]:
    ends = Counter(node for line in lines for node in (line.start_node, line.end_node))
    return tuple(sorted(ends.values()))


def is_right(case: Case, lines: list[Line]) -> bool:
    bridged_px = sum(line.bridged_px for line in lines)
    networks = len({line.network for line in lines})
    # a ragged mask ends somewhere within a width of its crack's round end
    doubt_px = max(6.0, *(float(one.width_px.max()) for one in case.cracks))
    gap_right = abs(bridged_px - case.bridged_px) <= doubt_px if case.bridged_px else True
    return degrees(lines) in case.degrees and networks == case.networks and gap_right


def pieces(mask: NDArray[np.uint8]) -> int:
    """How many connected parts of 9 px or more a mask has."""
    parts, _ = label(mask, np.ones((3, 3)))
    return int(np.count_nonzero(np.bincount(parts.reshape(-1))[1:] >= 9))


def _draw(folder: Path, name: str, wrong: list[tuple[Any, ...]]) -> None:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(3, 4, figsize=(24, 18))
    for axis, (number, probability, lines) in zip(axes.flat, wrong, strict=False):
        axis.imshow(probability, cmap="gray_r")
        for line in lines:
            axis.plot(line.vertices[:, 1], line.vertices[:, 0], lw=1.2)
            axis.plot(line.vertices[[0, -1], 1], line.vertices[[0, -1], 0], "r.", ms=6)
        axis.set_title(f"{number}: {degrees(lines)}")
    figure.tight_layout()
    figure.savefig(folder / f"{name.replace(' ', '_')}.png", dpi=60)
    plt.close(figure)


def share_right(kind: str, name: str, cases: int, seed: int, failures: Path | None) -> dict[str, Any]:
    """Of `cases` random constellations of one kind."""
    wrong, found = [], Counter[tuple[int, ...]]()
    torn = torn_right = 0
    for number in range(cases):
        rng = np.random.default_rng((seed, number))
        case = CASES[name](rng)
        truth, _ = seen(case.cracks, "mask", rng)
        mask, probability = seen(case.cracks, kind, rng)
        lines = lines_of(mask, probability, GSD_MM, Config())
        is_torn = pieces(mask) != pieces(truth)
        torn, torn_right = torn + is_torn, torn_right + (is_torn and is_right(case, lines))
        if not is_right(case, lines):
            found[degrees(lines)] += 1
            wrong.append((number, probability, lines) if len(wrong) < SHOWN else None)
    if failures and wrong:
        failures.mkdir(parents=True, exist_ok=True)
        _draw(failures, f"{name} {kind}", [each for each in wrong if each])
    instead = {str(key): count for key, count in found.most_common(4)}
    return {
        "cases": cases,
        "right": cases - len(wrong),
        "torn": torn,
        "torn_right": torn_right,
        "instead": instead,
    }


def _shares(results: list[dict[str, Any]]) -> str:
    cases, right, torn, torn_right = (
        sum(result[key] for result in results) for key in ("cases", "right", "torn", "torn_right")
    )
    whole = (right - torn_right) / max(cases - torn, 1)
    return f"{right / cases:6.1%} of {cases}; mask not torn {whole:6.1%} of {cases - torn}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--each", type=int, default=40, help="cracks per shape and width")
    parser.add_argument("--cases", type=int, default=200, help="constellations per kind")
    parser.add_argument("--only", help="one kind of constellation")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--failures", type=Path)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    figures: dict[str, Any] = {"accuracy": {}, "cases": {}}
    for kind in INPUTS if options.each else ():
        print(f"\n{kind}: rms px / length found / true / share not one line")
        print("width px  " + "".join(f"{shape:>24}" for shape in SHAPES))
        for width_px in WIDTHS_PX:
            row = {s: accuracy(kind, s, width_px, options.each, options.seed) for s in SHAPES}
            figures["accuracy"][f"{kind} {width_px}"] = row
            cells = [f"{r['rms_px']:.3f} {r['length']:.4f} {r['not_one_line']:.2f}" for r in row.values()]
            print(f"{width_px:8}  " + "".join(f"{cell:>24}" for cell in cells), flush=True)
    for kind in INPUTS if options.cases else ():
        print(f"\n{kind}: share of cases with the right nodes, lines and networks")
        results = []
        for name in CASES if options.only is None else [options.only]:
            result = share_right(kind, name, options.cases, options.seed, options.failures)
            figures["cases"][f"{kind} {name}"] = result
            results.append(result)
            print(f"  {name:20} {_shares([result])}  {result['instead'] or ''}", flush=True)
        print(f"  {'all':20} {_shares(results)}")
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
