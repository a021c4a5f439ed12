"""What a network finds on labelled photographs, as a sheet of pictures a set, the worst first.

    python benchmarks/accuracy/contact_sheets.py DATA OUT [--weights lite] [--sets dnit,sut_crack,cracksc]

Validation photographs with a labelled crack are sorted by line F1 (3 px). Of each set the worst, and then as
many in the middle of the rest, are drawn into OUT/SET.jpg: the photograph, and beside it the same in grey
with centrelines. Green is found and labelled, red is found alone, blue is labelled alone. Where nobody
labelled (127), the grey is dark. DNIT and PaveSeg are judged as of 4 mm per px, where a run takes no coarse
look; the others state no GSD.
"""

from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from skimage.morphology import skeletonize

from crackpipe.model.data.pairs import IGNORE, Pair, load_pairs
from crackpipe.model.evaluate import metrics
from crackpipe.model.evaluate.predictions import predict_like_a_survey
from crackpipe.model.predict.predictor import PROBABILITY_SCALE, Predictor

Rgb = NDArray[np.uint8]
GREEN, RED, BLUE = (60, 220, 90), (255, 50, 50), (70, 130, 255)
GSD_MM = {"dnit": 4.0, "paveseg_preview": 4.0}


@dataclass(frozen=True)
class Judged:
    """One photograph beside what was found in it."""

    pair: Pair
    found: NDArray[np.bool_]
    f1: float
    """Line F1; 0 where nothing is found."""


def judged(predictor: Predictor, pair: Pair) -> Judged:
    """Find cracks in a photograph and compare their centrelines with the labelled ones."""
    level = np.ceil(PROBABILITY_SCALE * predictor.weights.threshold)
    found = predict_like_a_survey(predictor, pair.image, gsd_mm=GSD_MM.get(pair.set_name)) >= level
    f1 = metrics.scores(metrics.count(found, pair.label)).f1_line
    return Judged(pair, found, 0.0 if np.isnan(f1) else f1)


def drawn(one: Judged) -> Rgb:
    """The photograph, and it in grey with centrelines over it: (H, 2 W, 3), lines 3 px wide."""
    label = one.pair.label
    grey = (0.6 * one.pair.image.mean(axis=2) + 70).astype(np.uint8)
    grey[label == IGNORE] //= 2
    over = np.repeat(grey[..., None], 3, axis=2)
    labelled = skeletonize(label == 1, method="zhang")
    found = skeletonize(one.found, method="zhang") & (label != IGNORE)
    near_label = metrics.within(labelled, metrics.LINE_TOLERANCE_PX)
    near_found = metrics.within(found, metrics.LINE_TOLERANCE_PX)
    for line, colour in (
        (labelled & ~near_found, BLUE),
        (found & ~near_label, RED),
        (found & near_label, GREEN),
    ):
        over[metrics.within(line, 1.0)] = colour
    return np.concatenate([one.pair.image, over], axis=1)


def sheet(chosen: list[Judged], columns: int, width_px: int) -> Image.Image:
    """Pictures with name and line F1, row by row."""
    cells = []
    for one in chosen:
        picture = Image.fromarray(drawn(one))
        picture = picture.resize(
            (width_px, round(width_px * picture.height / picture.width)), Image.Resampling.LANCZOS
        )
        ImageDraw.Draw(picture).text(
            (4, 2), f"{one.pair.stem}  {one.f1:.2f}", "white", stroke_width=2, stroke_fill="black"
        )
        cells.append(picture)
    height_px = max(cell.height for cell in cells)
    rows = -(-len(cells) // columns)
    whole = Image.new("RGB", (columns * (width_px + 4), rows * (height_px + 4)), "white")
    for place, cell in enumerate(cells):
        whole.paste(cell, (place % columns * (width_px + 4), place // columns * (height_px + 4)))
    return whole


def worst_and_middle(some: list[Judged], count: int) -> list[Judged]:
    """The `count` worst, and as many from the middle of the others."""
    some = sorted(some, key=lambda one: (one.f1, one.pair.stem))
    worst, rest = some[:count], some[count:]
    start = max(0, (len(rest) - count) // 2)
    return worst + rest[start : start + count]


@click.command(help=__doc__)
@click.argument("data", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--weights", default="lite", show_default=True)
@click.option("--sets", default="dnit,sut_crack,cracksc", show_default=True)
@click.option("--count", default=6, show_default=True, help="Of the worst, and of the others.")
def main(data: Path, out: Path, weights: str, sets: str, count: int) -> None:
    """Draw the sheets."""
    predictor = Predictor(weights, "cpu")
    out.mkdir(parents=True, exist_ok=True)
    pairs = load_pairs([data], validation=True)
    for name in sets.split(","):
        cracked = [pair for pair in pairs if pair.set_name == name and (pair.label == 1).any()]
        chosen = worst_and_middle([judged(predictor, pair) for pair in cracked], count)
        if not chosen:
            raise click.ClickException(f"{data} has no validation photograph of {name} with a labelled crack")
        sheet(chosen, columns=2, width_px=760).save(out / f"{name}.jpg", quality=70, optimize=True)
        click.echo(f"{out / name}.jpg: {len(chosen)} of {len(cracked)} photographs")


if __name__ == "__main__":
    main()
