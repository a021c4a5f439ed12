"""Does `familiarity` mean something? It is held against what the network finds, picture by picture.

    python benchmarks/accuracy/familiarity.py DATA --weights lite

Known are the sets that the weights name as their data, with those that their start had seen, and crack-free
parts and plan views of them: of these, photographs kept from training are judged. All other sets of DATA are
cameras that nobody trained on. Before anything is judged, every picture of
every set goes through the same scale and the same JPEG, so that nothing can be told from how a set was
delivered. Its familiarity is computed as a run computes it, and once more by its texture alone. *Found* is
the share of the labelled length that the network finds (line recall, 3 px) at the weights' threshold.

It prints a row per set, then Spearman's rank correlation of familiarity and found over the pictures with
cracks, of known sets and of other cameras, and the share of pictures below the limit of the warning, of those
without a labelled crack apart too.
`--cost` measures what the figure costs: seconds per tile of the network in `--precision`, and of the encoder.
"""

import csv
import math
import time
from collections.abc import Collection, Iterator, Sequence
from dataclasses import astuple, dataclass, fields
from itertools import groupby
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch
from numpy.typing import NDArray
from scipy import stats

from crackpipe.model.data.augment import reflected_window, resize_pair
from crackpipe.model.data.pairs import Pair, family_of, is_validation, list_pairs, load_pairs
from crackpipe.model.evaluate import metrics
from crackpipe.model.evaluate.familiarity import redelivered
from crackpipe.model.evaluate.predictions import closely, predict_like_a_survey
from crackpipe.model.predict.encoder import Encoder
from crackpipe.model.predict.predictor import PROBABILITY_SCALE, Predictor
from crackpipe.model.weights import sureness
from crackpipe.model.weights.read import Weights
from crackpipe.pipeline.familiarity.places import offers, together
from crackpipe.pipeline.familiarity.told import STRANGE_BELOW
from crackpipe.pipeline.geometry.grid import Grid


@dataclass(frozen=True)
class Judged:
    """One picture."""

    known: bool
    set_name: str
    stem: str
    familiarity: float
    texture: float
    """What the features of the encoder tell, without the network's sureness."""
    found: float
    """NaN where no crack is labelled."""


def delivered(pair: Pair, scale: float, quality: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Image (H, W, 3) and label (H, W), uint8, after the scale and the JPEG that all sets go through."""
    image = redelivered(pair.image, scale, quality)
    _, label = resize_pair(pair.image, pair.label, *image.shape[:2])
    return image, label


def familiarity_of(encoder: Encoder, image: NDArray[np.uint8]) -> float:
    """The familiarity of an image (H, W, 3) as a run tells it."""
    grid = Grid(*image.shape[:2])
    told = []
    for block in grid.blocks():
        inspected = np.ones((block.height, block.width), np.bool_)
        for offer in offers(grid, block, grid.cores(block), inspected):
            tile = reflected_window(image, *astuple(grid.tile(offer.core)))
            told.append((*offer.cell, offer.order, encoder.familiarity(tile)))
    found = together(told)
    assert found is not None
    return found


def known_to(weights: Weights) -> set[str]:
    """Families (`family_of`) of all sets that trained these weights or those that they started from."""
    return {family_of(name.strip()) for name in weights.data.split(",")}


def chosen(data: Path, known: Collection[str], most: int) -> Iterator[tuple[bool, Pair]]:
    """At most `most` pictures of each set, evenly picked: of known families those kept from training."""
    for name, listed in groupby(list_pairs([data]), lambda each: each[0]):
        is_known = family_of(name) in known
        stems = [image.stem for _, image, _ in listed if not is_known or is_validation(name, image.stem, 0.0)]
        picked = {stems[i] for i in np.linspace(0, len(stems) - 1, most).round().astype(int)} if stems else {}
        pairs = load_pairs([data / name], validation=True) if is_known else whole(data / name)
        yield from ((is_known, pair) for pair in pairs if pair.stem in picked)


def whole(folder: Path) -> list[Pair]:
    """All pictures of a set."""
    return [pair for part in (True, False) for pair in load_pairs([folder], validation=part)]


def judged(
    predictor: Predictor, encoder: Encoder, pairs: Iterator[tuple[bool, Pair]], scale: float, quality: int
) -> Iterator[Judged]:
    """Familiarity and found length of every picture."""
    level = math.ceil(PROBABILITY_SCALE * predictor.weights.threshold)
    for known, pair in pairs:
        image, label = delivered(pair, scale, quality)
        found = math.nan
        if (label == 1).any():
            probability = predict_like_a_survey(predictor, image)
            found = metrics.scores(metrics.count(probability >= level, label)).recall_line
        texture, span = familiarity_of(encoder, image), predictor.weights.sureness
        close = closely(predictor, image)  # as in a run, what coarse looks find does not count
        sure = sureness.sureness([sureness.response(close)], close.size) if span else None
        told = texture if sure is None or span is None else min(texture, sureness.familiarity(sure, span))
        yield Judged(known, pair.set_name, pair.stem, round(told, 2), texture, found)


def spearman(pictures: Sequence[Judged]) -> str:
    """Rank correlations of familiarity, and of texture alone, with found, over the pictures with cracks."""
    both = np.array(
        [(each.familiarity, each.texture, each.found) for each in pictures if not math.isnan(each.found)]
    )
    if len(both) < 3:
        return f"- ({len(both)}) | -"
    by_all, by_texture = (stats.spearmanr(both[:, k], both[:, 2]).statistic for k in (0, 1))
    return f"{by_all:+.2f} ({len(both)}) | {by_texture:+.2f}"


def row(title: str, pictures: Sequence[Judged]) -> str:
    """A row of the table."""
    familiar = [each.familiarity for each in pictures]
    found = [each.found for each in pictures if not math.isnan(each.found)]
    warned = sum(each < STRANGE_BELOW for each in familiar) / len(familiar)
    sound = [each.familiarity < STRANGE_BELOW for each in pictures if math.isnan(each.found)]
    mean_found = f"{np.mean(found):.2f}" if found else "-"
    return (
        f"| {title} | {len(pictures)} | {np.median(familiar):.2f} | {100 * warned:.0f} % | "
        f"{f'{sum(sound)} of {len(sound)}' if sound else '-'} | {mean_found} | "
        f"{spearman(pictures)} |"
    )


def cost(predictor: Predictor, encoder: Encoder) -> str:
    """Seconds of one thread per tile, network and encoder in turn, medians of 20."""
    tile = np.random.default_rng(0).integers(0, 256, (1, 448, 448, 3), np.uint8)
    taken: dict[str, list[float]] = {"network": [], "encoder": []}
    for _ in range(22):
        for name, work in (
            ("network", lambda: predictor.predict(tile)),
            ("encoder", lambda: encoder.familiarity(tile[0])),
        ):
            started = time.thread_time()
            work()
            taken[name].append(time.thread_time() - started)
    network, once = (float(np.median(taken[name][2:])) for name in ("network", "encoder"))
    return (
        f"cost: network {1000 * network:.1f} ms a tile ({predictor.precision}), encoder {1000 * once:.1f}: "
        f"{200 * once / network / 15:.1f} % of the network's time where two tiles of 15 tell, "
        f"{200 * once / network / 64:.1f} % where two of 64 do"
    )


@click.command()
@click.argument("data", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--weights", default="lite", show_default=True)
@click.option("--most", default=70, show_default=True, help="Pictures of a set.")
@click.option("--scale", default=0.8, show_default=True, help="Of all pictures, before they are judged.")
@click.option("--quality", default=85, show_default=True, help="Of their JPEG.")
@click.option("--precision", default="fp32", show_default=True)
@click.option("--out", type=click.Path(path_type=Path), help="CSV with a line per picture.")
@click.option("--cost", "only_cost", is_flag=True, help="Measure the cost and nothing else.")
def main(
    *, data: Path, weights: str, precision: str, out: Path | None, only_cost: bool, **options: Any
) -> None:
    torch.set_num_threads(1)
    predictor = Predictor(weights, device="cpu", precision=precision)
    if predictor.weights.familiarity is None:
        raise click.UsageError(f"{weights} has no statistics: add them with `crackpipe weights familiarity`")
    encoder = Encoder(predictor.weights)
    if only_cost:
        click.echo(cost(predictor, encoder))
        return
    scale, quality = options["scale"], options["quality"]
    pairs = chosen(data, known_to(predictor.weights), options["most"])
    pictures = list(judged(predictor, encoder, pairs, scale, quality))
    if out is not None:
        with out.open("w", newline="") as file:
            csv.writer(file).writerows([[f.name for f in fields(Judged)], *map(astuple, pictures)])
    click.echo(f"all pictures at {scale} of their scale, JPEG {quality}; weights {predictor.weights.name}")
    click.echo(
        f"| set | pictures | familiarity | below {STRANGE_BELOW:g} | of those without cracks | found | "
        "Spearman (pictures) | texture alone |"
    )
    click.echo("|---" * 8 + "|")
    pictures.sort(key=lambda each: (not each.known, each.set_name))
    for (known, name), some in groupby(pictures, lambda each: (each.known, each.set_name)):
        click.echo(row(f"{name}{'' if known else ', never seen'}", list(some)))
    for title, known in (("known sets", True), ("never seen", False)):
        some = [each for each in pictures if each.known == known]
        if some:
            click.echo(row(f"**{title}**", some))


if __name__ == "__main__":
    main()
